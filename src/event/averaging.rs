//! Averages of the weights of a training.

use super::payload::Eval;
use serde::{Deserialize, Serialize};

/// How weights are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// An exponential moving average over all steps: `ema_decay`.
    Ema,
    /// The mean of the last checkpoints: `average_checkpoints`.
    Checkpoints,
}

impl Averaging {
    /// The averaged weights as a phrase: `averaged weights (EMA)`.
    pub fn phrase(self) -> &'static str {
        match self {
            Averaging::Ema => "averaged weights (EMA)",
            Averaging::Checkpoints => "averaged weights (checkpoints)",
        }
    }

    /// `, averaged weights (EMA)` after a score of averaged weights, or nothing.
    pub fn suffix(averaging: Option<Averaging>) -> String {
        averaging.map_or(String::new(), |averaging| format!(", {}", averaging.phrase()))
    }
}

/// An evaluation of a split with averaged weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AverageEval {
    /// How the weights were averaged.
    pub averaging: Averaging,
    /// The evaluation; its `best` says whether the averaged weights are the best so far.
    #[serde(flatten)]
    pub eval: Eval,
}
