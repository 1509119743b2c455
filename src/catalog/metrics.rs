//! The scores a task is judged by, under their official names.

use crate::config::expected_one_of;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A score of a pass over a split. All lie in 0..=1 (correlations in -1..=1); higher is better, but for the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of examples whose most probable class is the right one.
    Accuracy,
    /// The same on the mismatched validation split: of other genres than those trained on.
    AccuracyMm,
    /// Harmonic mean of precision and recall of class 1.
    F1,
    /// Matthews' correlation coefficient.
    MatthewsCorrelation,
    /// Pearson's correlation of what is told with what is given.
    Pearson,
    /// Spearman's rank correlation of the two.
    Spearman,
    /// Mean cross-entropy, or mean squared error of a regression.
    Loss,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 7] = [
        Metric::Accuracy,
        Metric::AccuracyMm,
        Metric::F1,
        Metric::MatthewsCorrelation,
        Metric::Pearson,
        Metric::Spearman,
        Metric::Loss,
    ];

    /// The name used in files: `accuracy`, `accuracy_mm`, `f1`, `matthews_correlation`, `pearson`, `spearman`,
    /// `loss`.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::AccuracyMm => "accuracy_mm",
            Metric::F1 => "f1",
            Metric::MatthewsCorrelation => "matthews_correlation",
            Metric::Pearson => "pearson",
            Metric::Spearman => "spearman",
            Metric::Loss => "loss",
        }
    }

    /// The names of all metrics.
    pub const NAMES: [&'static str; 7] = [
        Metric::Accuracy.name(),
        Metric::AccuracyMm.name(),
        Metric::F1.name(),
        Metric::MatthewsCorrelation.name(),
        Metric::Pearson.name(),
        Metric::Spearman.name(),
        Metric::Loss.name(),
    ];

    /// The metric of that name.
    pub fn by_name(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Whether `new` is better than `old`; a NaN is never better.
    pub fn improves(self, new: f64, old: f64) -> bool {
        if self == Metric::Loss { new < old } else { new > old }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Metric::by_name(name).ok_or_else(|| expected_one_of(&Metric::NAMES, name))
    }
}
