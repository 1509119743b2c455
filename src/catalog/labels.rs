//! The labels of a task: classes, sets of labels, or numbers.

use super::problem_type::ProblemType;
use crate::batch::Label;
use std::borrow::Borrow;
use std::borrow::Cow::{self, Borrowed};

/// Number of bins that a scale is divided into for counts.
const SCALE_BINS: usize = 5;

/// The labels of a task or of custom files.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Names of the classes; the index of a name is its class.
    Classes(Cow<'static, [ClassName]>),
    /// Names of the labels of a multi-label classification, of which any number apply to an example.
    MultiLabel(Cow<'static, [ClassName]>),
    /// Numbers from `low` to `high`: the task is a regression.
    Scale {
        /// The lowest.
        low: f32,
        /// The highest.
        high: f32,
    },
}

/// The name of a class.
pub type ClassName = Cow<'static, str>;

impl Default for Labels {
    fn default() -> Self {
        classes(&[])
    }
}

impl From<Vec<String>> for Labels {
    fn from(names: Vec<String>) -> Self {
        Labels::Classes(names.into_iter().map(ClassName::from).collect())
    }
}

impl Labels {
    /// The labels `names` of a multi-label classification.
    pub fn multi_label(names: Vec<String>) -> Self {
        Labels::MultiLabel(names.into_iter().map(ClassName::from).collect())
    }

    /// The names of the classes or labels; empty for a regression.
    pub fn classes(&self) -> &[ClassName] {
        match self {
            Labels::Classes(names) | Labels::MultiLabel(names) => names,
            Labels::Scale { .. } => &[],
        }
    }

    /// Number of outputs of a model: one for each class or label, or a single one for a regression, as in Transformers.
    pub fn outputs(&self) -> usize {
        match self {
            Labels::Classes(names) | Labels::MultiLabel(names) => names.len(),
            Labels::Scale { .. } => 1,
        }
    }

    /// What a model with these labels predicts.
    pub const fn problem_type(&self) -> ProblemType {
        match self {
            Labels::Classes(_) => ProblemType::SingleLabelClassification,
            Labels::MultiLabel(_) => ProblemType::MultiLabelClassification,
            Labels::Scale { .. } => ProblemType::Regression,
        }
    }

    /// Lowest and highest number of a regression; `None` for classifications.
    pub const fn scale(&self) -> Option<(f32, f32)> {
        match self {
            Labels::Classes(_) | Labels::MultiLabel(_) => None,
            Labels::Scale { low, high } => Some((*low, *high)),
        }
    }

    /// Names of the bins that rows are counted in: the classes, or intervals of a scale, `0–1`, `1–2`, ….
    pub fn bin_names(&self) -> Vec<String> {
        match self {
            Labels::Classes(_) | Labels::MultiLabel(_) => self.names(),
            Labels::Scale { .. } => {
                self.intervals().into_iter().map(|(from, to)| format!("{from}–{to}")).collect()
            }
        }
    }

    /// Indices of the bins of a label: one for a class or a number, any number for a set of labels.
    pub fn bins(&self, label: &Label) -> Vec<usize> {
        match (self.scale(), label.value()) {
            (Some((low, high)), Some(value)) => {
                let bin = (value - low) / (high - low) * SCALE_BINS as f32;
                vec![(bin.max(0.0) as usize).min(SCALE_BINS - 1)]
            }
            _ => label.indices().iter().map(|index| *index as usize).collect(),
        }
    }

    /// The bins of a scale, intervals of equal length that include their lower end; empty for classifications.
    pub fn intervals(&self) -> Vec<(f32, f32)> {
        let Some((low, high)) = self.scale() else { return Vec::new() };
        let end = |bin: usize| low + (high - low) * bin as f32 / SCALE_BINS as f32;
        (0..SCALE_BINS).map(|bin| (end(bin), end(bin + 1))).collect()
    }

    /// The names of the outputs in `config.json`. A regression has the default name of Transformers.
    pub fn names(&self) -> Vec<String> {
        match self {
            Labels::Classes(names) | Labels::MultiLabel(names) => {
                names.iter().map(ToString::to_string).collect()
            }
            Labels::Scale { .. } => vec!["LABEL_0".into()],
        }
    }
}

impl Labels {
    /// A label of a row by its name: a class, a set of labels, or a number.
    pub fn text(&self, label: &Label) -> String {
        match label.value() {
            Some(value) => value.to_string(),
            None => set_text(self.classes(), label.indices()),
        }
    }
}

/// The names of a set of labels: `a, b`; a dash for none.
pub fn set_text(names: &[ClassName], set: &[u32]) -> String {
    let names: Vec<&str> =
        set.iter().filter_map(|label| names.get(*label as usize)).map(AsRef::as_ref).collect();
    joined(&names)
}

/// A set of labels by their names: `a, b`; a dash for none.
pub fn joined<S: Borrow<str>>(names: &[S]) -> String {
    if names.is_empty() { "-".into() } else { names.join(", ") }
}

/// Classes with these names.
pub(super) const fn classes(names: &'static [ClassName]) -> Labels {
    Labels::Classes(Borrowed(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_scale_is_in_a_bin() {
        let scale = Labels::Scale { low: 0.0, high: 5.0 };
        assert_eq!(scale.bin_names(), ["0–1", "1–2", "2–3", "3–4", "4–5"]);
        let bins = [0.0, 0.99, 1.0, 3.8, 5.0, -0.5, 7.0].map(|number| scale.bins(&Label::Value(number)));
        assert_eq!(bins.concat(), [0, 0, 1, 3, 4, 0, 4]);
        let constant = Labels::Scale { low: 0.5, high: 0.5 };
        assert_eq!(constant.bins(&Label::Value(0.5)), [0]);
        let labels = classes(&[Borrowed("negative"), Borrowed("positive")]);
        assert_eq!((labels.bin_names(), labels.bins(&Label::Class(1))), (labels.names(), vec![1]));
        let labels = Labels::multi_label(labels.names());
        assert_eq!((labels.bin_names(), labels.bins(&Label::set([1, 0]))), (labels.names(), vec![0, 1]));
        assert!(labels.bins(&Label::set([])).is_empty());
    }
}
