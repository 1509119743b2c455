//! The labels of a task: classes or numbers.

use super::problem_type::ProblemType;
use crate::batch::Label;
use std::borrow::Cow::{self, Borrowed};

/// Number of bins that a scale is divided into for counts.
const SCALE_BINS: usize = 5;

/// The labels of a task or of custom files.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Names of the classes; the index of a name is its class.
    Classes(Cow<'static, [ClassName]>),
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
    /// The names of the classes; empty for a regression.
    pub fn classes(&self) -> &[ClassName] {
        match self {
            Labels::Classes(names) => names,
            Labels::Scale { .. } => &[],
        }
    }

    /// Number of outputs of a model: one for each class, or a single one for a regression, as in Transformers.
    pub fn outputs(&self) -> usize {
        match self {
            Labels::Classes(names) => names.len(),
            Labels::Scale { .. } => 1,
        }
    }

    /// What a model with these labels predicts.
    pub const fn problem_type(&self) -> ProblemType {
        match self {
            Labels::Classes(_) => ProblemType::SingleLabelClassification,
            Labels::Scale { .. } => ProblemType::Regression,
        }
    }

    /// Lowest and highest number of a regression; `None` for classes.
    pub const fn scale(&self) -> Option<(f32, f32)> {
        match self {
            Labels::Classes(_) => None,
            Labels::Scale { low, high } => Some((*low, *high)),
        }
    }

    /// Names of the bins that rows are counted in: the classes, or intervals of a scale, `0–1`, `1–2`, ….
    pub fn bin_names(&self) -> Vec<String> {
        match self {
            Labels::Classes(_) => self.names(),
            Labels::Scale { .. } => {
                self.intervals().into_iter().map(|(from, to)| format!("{from}–{to}")).collect()
            }
        }
    }

    /// Index of the bin of a label.
    pub fn bin(&self, label: Label) -> usize {
        match (self, label) {
            (Labels::Scale { low, high }, label) => {
                let bin = (label.number() - low) / (high - low) * SCALE_BINS as f32;
                (bin.max(0.0) as usize).min(SCALE_BINS - 1)
            }
            (Labels::Classes(_), label) => label.number() as usize,
        }
    }

    /// The bins of a scale, intervals of equal length that include their lower end; empty for classes.
    pub fn intervals(&self) -> Vec<(f32, f32)> {
        let Some((low, high)) = self.scale() else { return Vec::new() };
        let end = |bin: usize| low + (high - low) * bin as f32 / SCALE_BINS as f32;
        (0..SCALE_BINS).map(|bin| (end(bin), end(bin + 1))).collect()
    }

    /// The names of the outputs in `config.json`. A regression has the default name of Transformers.
    pub fn names(&self) -> Vec<String> {
        match self {
            Labels::Classes(names) => names.iter().map(ToString::to_string).collect(),
            Labels::Scale { .. } => vec!["LABEL_0".into()],
        }
    }
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
        let bins = [0.0, 0.99, 1.0, 3.8, 5.0, -0.5, 7.0].map(|number| scale.bin(Label::Value(number)));
        assert_eq!(bins, [0, 0, 1, 3, 4, 0, 4]);
        let labels = classes(&[Borrowed("negative"), Borrowed("positive")]);
        assert_eq!((labels.bin_names(), labels.bin(Label::Class(1))), (labels.names(), 1));
    }
}
