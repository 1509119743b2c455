//! How a model learns: the loop, the schedule, the scores, the checkpoints. Knows no terminal and no
//! place but the folder that it is given.
//!
//! Read [`trainer`] first.

mod checkpoint;
mod control;
mod correlation;
mod evaluate;
mod memory;
mod plan;
mod predictions;
mod probes;
mod schedule;
mod scores;
mod setup;
mod summary;
mod trainer;
mod usage_meter;

pub use checkpoint::{Reached, reached};
pub use control::{Control, Handle, control};
pub use evaluate::evaluate;
pub use plan::Plan;
pub use predictions::{Predictions, SavedPredictions, evaluations, newest_evaluation};
pub use schedule::LrSchedule;
pub use scores::{add_metrics_from, argmax, softmax};
pub use setup::{drawn, drawn_split};
pub use summary::{Best, Summary};
pub use trainer::{Job, train};

use crate::catalog::Labels;
use crate::error::Result;
use crate::files::ModelFolder;
use crate::nn::{Engine, Weights};
use crate::spec::RunSpec;
use std::sync::Arc;

/// A copy of the weights of a training that goes on, with what is needed to use them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Optimizer steps done.
    pub step: u64,
    /// Every tensor.
    pub weights: Arc<Weights>,
    /// Where configuration and tokenizer come from.
    pub folder: ModelFolder,
    /// Names of the outputs: one a class, or one alone of a regression.
    pub labels: Vec<String>,
    /// From where to where the numbers of a regression go.
    pub scale: Option<(f32, f32)>,
    /// Whether an example is two texts.
    pub pair: bool,
    /// Longer inputs are cut to so many tokens.
    pub max_seq_length: usize,
}

impl Snapshot {
    /// The weights as they are, for a reader to use.
    fn of(
        engine: &mut dyn Engine,
        step: u64,
        spec: &RunSpec,
        folder: &ModelFolder,
        labels: &Labels,
    ) -> Result<Self> {
        Ok(Snapshot {
            step,
            weights: Arc::new(engine.weights()?),
            folder: folder.clone(),
            labels: labels.names(),
            scale: labels.scale(),
            pair: spec.is_pair(),
            max_seq_length: spec.max_seq_length,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::RunSpec;

    /// The specification that all defaults make.
    pub(super) fn spec() -> RunSpec {
        crate::spec::built_in("test")
    }
}
