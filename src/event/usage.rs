//! Time, tokens and operations of a training.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A stage of the training loop, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Assembling the batch of a step.
    Data,
    /// Forward pass.
    Forward,
    /// Loss and backward pass.
    Backward,
    /// Gradient norm, clipping and AdamW.
    Optimizer,
    /// Time of steps that the engine does not attribute to a phase: all of it on a GPU.
    Other,
    /// Writing the log and passing events to readers.
    Logging,
    /// Evaluation.
    Evaluation,
    /// Writing checkpoints, the best weights and predictions.
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

    /// The stage as a word.
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

/// Time, tokens and operations of a part of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds by stage, without stages that took none.
    pub seconds: BTreeMap<Stage, f64>,
    /// Tokens of the steps.
    pub tokens: u64,
    /// Tokens that the engine computes, padding included.
    pub computed_tokens: u64,
    /// Multiplications and additions of the matrix products of the steps.
    pub operations: f64,
}

impl Usage {
    /// Adds to the seconds of a stage.
    pub fn spend(&mut self, stage: Stage, seconds: f64) {
        if seconds > 0.0 {
            *self.seconds.entry(stage).or_default() += seconds;
        }
    }

    /// Adds another part.
    pub fn add(&mut self, other: &Usage) {
        for (stage, seconds) in &other.seconds {
            self.spend(*stage, *seconds);
        }
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.computed_tokens = self.computed_tokens.saturating_add(other.computed_tokens);
        self.operations += other.operations;
    }

    /// Whether no time is recorded.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// Seconds of the optimizer steps.
    pub fn step_seconds(&self) -> f64 {
        let steps = [Stage::Forward, Stage::Backward, Stage::Optimizer, Stage::Other];
        steps.iter().filter_map(|stage| self.seconds.get(stage)).sum()
    }

    /// Fraction of the total time by stage; empty if no time is recorded.
    pub fn shares(&self) -> BTreeMap<Stage, f64> {
        let whole: f64 = self.seconds.values().sum();
        self.seconds.iter().map(|(stage, seconds)| (*stage, seconds / whole)).collect()
    }

    /// Fraction of the computed tokens that is padding; `None` without tokens.
    pub fn padding(&self) -> Option<f64> {
        let padding = self.computed_tokens.saturating_sub(self.tokens);
        (self.computed_tokens > 0).then(|| padding as f64 / self.computed_tokens as f64)
    }

    /// Operations per second of the steps; `None` without steps.
    pub fn operations_per_second(&self) -> Option<f64> {
        let seconds = self.step_seconds();
        (seconds > 0.0).then(|| self.operations / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_shares() {
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
