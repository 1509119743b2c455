//! The metrics of a task under their official names, one row each.

use super::problem_type::ProblemType;
use super::splits::SplitName;
use crate::config::expected_one_of;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whether higher or lower values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// Higher is better.
    Maximize,
    /// Lower is better.
    Minimize,
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricDisplay {
    /// A share in 0..=1, shown in percent.
    Percent,
    /// A coefficient in -1..=1, shown as it is in full and times a hundred where space is short.
    Coefficient,
    /// A loss, shown as it is.
    Loss,
}

/// The properties of a [`Metric`]: its row in the table.
#[derive(Debug)]
struct MetricInfo {
    /// The name in files.
    name: &'static str,
    /// The name in tables and sentences.
    short_name: &'static str,
    /// The name as a title.
    title: &'static str,
    /// The problem types that it is defined for.
    problem_types: &'static [ProblemType],
    direction: Direction,
    display: MetricDisplay,
    /// Whether evaluations report it for tasks that do not list it too.
    always: bool,
    /// The split and the metric there that it is taken from; `None` for a metric of the split itself.
    source: Option<(SplitName, Metric)>,
}

/// Defines [`Metric`] and the table of its properties from one row for each metric.
macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal { $($field:ident: $value:expr),* $(,)? })*) => {
        /// A score of an evaluation of a split.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Metric {
            /// Every metric, in the order of the table, which is also their order in a JSON object.
            pub const ALL: &[Metric] = &[$(Metric::$variant),*];
            /// Their names in files.
            pub const NAMES: &[&str] = &[$($name),*];

            const fn info(self) -> &'static MetricInfo {
                match self {
                    $(Metric::$variant => &MetricInfo { name: $name, $($field: $value),* },)*
                }
            }
        }
    };
}

// A new metric is a row here and an arm of `value` in train/scores.rs or train/multi_label_scores.rs.
metrics! {
    /// Share of examples whose most probable class is the target.
    Accuracy = "accuracy" {
        short_name: "accuracy",
        title: "Accuracy",
        problem_types: &[ProblemType::SingleLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: true,
        source: None,
    }
    /// The accuracy on MNLI's mismatched validation split, whose genres are not in the training split.
    AccuracyMm = "accuracy_mm" {
        short_name: "mismatched",
        title: "Accuracy, mismatched",
        problem_types: &[ProblemType::SingleLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: false,
        source: Some((SplitName::ValidationMismatched, Metric::Accuracy)),
    }
    /// Harmonic mean of precision and recall of class 1.
    F1 = "f1" {
        short_name: "F1",
        title: "F1",
        problem_types: &[ProblemType::SingleLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: false,
        source: None,
    }
    /// Mean F1 of the classes that are a target or a prediction, or of all labels of a multi-label classification.
    F1Macro = "f1_macro" {
        short_name: "macro F1",
        title: "Macro F1",
        problem_types: &[ProblemType::SingleLabelClassification, ProblemType::MultiLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: false,
        source: None,
    }
    /// F1 of the decisions on all labels of all examples together.
    F1Micro = "f1_micro" {
        short_name: "micro F1",
        title: "Micro F1",
        problem_types: &[ProblemType::MultiLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: true,
        source: None,
    }
    /// Share of examples whose predicted set of labels is the target: the subset accuracy.
    ExactMatch = "exact_match" {
        short_name: "exact match",
        title: "Exact match",
        problem_types: &[ProblemType::MultiLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: true,
        source: None,
    }
    /// Mean over the labels of their average precision.
    AveragePrecision = "average_precision" {
        short_name: "AP",
        title: "Average precision",
        problem_types: &[ProblemType::MultiLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Percent,
        always: true,
        source: None,
    }
    /// Matthews correlation coefficient.
    MatthewsCorrelation = "matthews_correlation" {
        short_name: "Matthews",
        title: "Matthews correlation",
        problem_types: &[ProblemType::SingleLabelClassification],
        direction: Direction::Maximize,
        display: MetricDisplay::Coefficient,
        always: false,
        source: None,
    }
    /// Pearson correlation of predictions and targets.
    Pearson = "pearson" {
        short_name: "Pearson",
        title: "Pearson correlation",
        problem_types: &[ProblemType::Regression],
        direction: Direction::Maximize,
        display: MetricDisplay::Coefficient,
        always: true,
        source: None,
    }
    /// Spearman rank correlation of predictions and targets.
    Spearman = "spearman" {
        short_name: "Spearman",
        title: "Spearman correlation",
        problem_types: &[ProblemType::Regression],
        direction: Direction::Maximize,
        display: MetricDisplay::Coefficient,
        always: true,
        source: None,
    }
    /// Mean absolute error of predictions.
    Mae = "mae" {
        short_name: "MAE",
        title: "Mean absolute error",
        problem_types: &[ProblemType::Regression],
        direction: Direction::Minimize,
        display: MetricDisplay::Loss,
        always: false,
        source: None,
    }
    /// Mean cross-entropy, binary cross-entropy of a multi-label classification, or squared error of a regression. It has
    /// a field of its own in the scores.
    Loss = "loss" {
        short_name: "loss",
        title: "Validation loss",
        problem_types: &ProblemType::ALL,
        direction: Direction::Minimize,
        display: MetricDisplay::Loss,
        always: true,
        source: None,
    }
}

impl Metric {
    /// The name in files: `matthews_correlation`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The name in tables and sentences: `Matthews`.
    pub const fn short_name(self) -> &'static str {
        self.info().short_name
    }

    /// The name as a title: `Matthews correlation`.
    pub const fn title(self) -> &'static str {
        self.info().title
    }

    /// How values are shown.
    pub const fn display(self) -> MetricDisplay {
        self.info().display
    }

    /// The split and the metric there that the value is taken from; `None` for a metric of the split itself.
    pub const fn source(self) -> Option<(SplitName, Metric)> {
        self.info().source
    }

    /// Whether it is defined for a model of this `problem_type`.
    pub fn is_defined(self, problem_type: ProblemType) -> bool {
        self.info().problem_types.contains(&problem_type)
    }

    /// Whether evaluations report it for tasks that do not list it too.
    pub(super) fn is_always_reported(self) -> bool {
        self.info().always
    }

    /// The metric of that name in files.
    pub fn by_name(name: &str) -> Option<Metric> {
        Metric::ALL.iter().copied().find(|metric| metric.name() == name)
    }

    /// Whether `new` is better than `old`; a NaN is never better.
    pub fn improves(self, new: f64, old: f64) -> bool {
        match self.info().direction {
            Direction::Maximize => new > old,
            Direction::Minimize => new < old,
        }
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
        Metric::by_name(name).ok_or_else(|| expected_one_of(Metric::NAMES, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_and_in_the_table_agree() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
            assert_eq!(Metric::by_name(metric.name()), Some(*metric));
        }
        assert!(Metric::ALL.is_sorted());
    }

    #[test]
    fn errors_are_minimized_and_nan_never_improves() {
        assert!(Metric::Loss.improves(0.1, 0.2) && Metric::Accuracy.improves(0.2, 0.1));
        assert!(Metric::Mae.improves(0.1, 0.2));
        for metric in Metric::ALL {
            assert!(!metric.improves(f64::NAN, 0.5) && !metric.improves(0.5, 0.5));
        }
    }
}
