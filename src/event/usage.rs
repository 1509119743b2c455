//! What a training uses: where its time goes, how much of its arithmetic is of use.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a training spends time on, in the order of its loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Putting the batch of a step together.
    Data,
    /// From tokens to logits.
    Forward,
    /// The loss, and from there to the gradients.
    Backward,
    /// The norm of the gradient, clipping and AdamW.
    Optimizer,
    /// What of the steps an engine does not tell apart: all of it on a GPU.
    Other,
    /// Writing steps into the log and telling them to readers.
    Logging,
    /// Scoring of splits.
    Evaluation,
    /// Writing of checkpoints, of the best weights and of what evaluations say of each row.
    Saving,
}

impl Stage {
    /// Every stage, in the order of the loop.
    pub const ALL: [Stage; 8] = [
        Stage::Data,
        Stage::Forward,
        Stage::Backward,
        Stage::Optimizer,
        Stage::Other,
        Stage::Logging,
        Stage::Evaluation,
        Stage::Saving,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Data => "data",
            Stage::Forward => "forward",
            Stage::Backward => "backward",
            Stage::Optimizer => "optimizer",
            Stage::Other => "steps",
            Stage::Logging => "logging",
            Stage::Evaluation => "evaluation",
            Stage::Saving => "saving",
        }
    }
}

/// What a stretch of a training has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds by stage; one that took none is not there.
    pub seconds: BTreeMap<Stage, f64>,
    /// Tokens of its steps.
    pub tokens: u64,
    /// The same with the padding that the engine computes too.
    pub computed_tokens: u64,
    /// Multiplications and additions of the matrix products that its steps need.
    pub operations: f64,
}

impl Usage {
    /// Adds to the seconds of a stage.
    pub fn spend(&mut self, stage: Stage, seconds: f64) {
        if seconds > 0.0 {
            *self.seconds.entry(stage).or_default() += seconds;
        }
    }

    /// Adds all of another stretch.
    pub fn add(&mut self, other: &Usage) {
        for (stage, seconds) in &other.seconds {
            self.spend(*stage, *seconds);
        }
        self.tokens += other.tokens;
        self.computed_tokens += other.computed_tokens;
        self.operations += other.operations;
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// Seconds of the optimizer steps.
    pub fn step_seconds(&self) -> f64 {
        let steps = [Stage::Forward, Stage::Backward, Stage::Optimizer, Stage::Other];
        steps.iter().filter_map(|stage| self.seconds.get(stage)).sum()
    }

    /// The share of the whole time that each stage took; empty while nothing is known.
    pub fn shares(&self) -> BTreeMap<Stage, f64> {
        let whole: f64 = self.seconds.values().sum();
        self.seconds.iter().map(|(stage, seconds)| (*stage, seconds / whole)).collect()
    }

    /// The share of the computed tokens that is padding; `None` while nothing is known.
    pub fn padding(&self) -> Option<f64> {
        let padding = self.computed_tokens.saturating_sub(self.tokens);
        (self.computed_tokens > 0).then(|| padding as f64 / self.computed_tokens as f64)
    }

    /// Operations of the steps in each of their seconds; `None` while nothing is known.
    pub fn operations_per_second(&self) -> Option<f64> {
        let seconds = self.step_seconds();
        (seconds > 0.0).then(|| self.operations / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_add_up_to_shares() {
        let mut usage = Usage { tokens: 30, computed_tokens: 40, operations: 6e9, ..Usage::default() };
        assert!(usage.is_empty() && usage.operations_per_second().is_none());
        usage.spend(Stage::Forward, 1.0);
        usage.spend(Stage::Backward, 2.0);
        usage.spend(Stage::Data, 0.0);
        let mut whole = usage.clone();
        whole.add(&usage);
        whole.spend(Stage::Saving, 2.0);
        let shares: Vec<_> = whole.shares().into_iter().collect();
        assert_eq!(shares, [(Stage::Forward, 0.25), (Stage::Backward, 0.5), (Stage::Saving, 0.25)]);
        assert_eq!((whole.padding(), whole.operations_per_second()), (Some(0.25), Some(2e9)));
        assert_eq!(Usage::default().padding(), None);
    }
}
