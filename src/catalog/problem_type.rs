//! What a model predicts for a text, under the names that Transformers uses for `problem_type` in `config.json`.

use crate::config::expected_one_of;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a model predicts for a text. It determines the loss, the metrics and how logits become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// One of the classes: cross-entropy loss, softmax.
    SingleLabelClassification,
    /// Any number of the labels, none included: binary cross-entropy loss, sigmoid for each label.
    MultiLabelClassification,
    /// A number: mean squared error.
    Regression,
}

impl ProblemType {
    /// Every problem type.
    pub const ALL: [ProblemType; 3] = [
        ProblemType::SingleLabelClassification,
        ProblemType::MultiLabelClassification,
        ProblemType::Regression,
    ];

    /// Their names in files, in the order of [`ProblemType::ALL`].
    pub const NAMES: &[&str] = &["single_label_classification", "multi_label_classification", "regression"];

    /// The name in files: `single_label_classification`.
    pub const fn name(self) -> &'static str {
        match self {
            ProblemType::SingleLabelClassification => "single_label_classification",
            ProblemType::MultiLabelClassification => "multi_label_classification",
            ProblemType::Regression => "regression",
        }
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ProblemType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let problem_type = ProblemType::ALL.into_iter().find(|problem_type| problem_type.name() == name);
        problem_type.ok_or_else(|| expected_one_of(ProblemType::NAMES, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_and_on_the_command_line_agree() {
        for (problem_type, name) in ProblemType::ALL.into_iter().zip(ProblemType::NAMES) {
            assert_eq!(serde_json::to_value(problem_type).unwrap(), *name);
            assert_eq!((problem_type.to_string(), name.parse()), (name.to_string(), Ok(problem_type)));
        }
        assert!("classification".parse::<ProblemType>().unwrap_err().contains("single_label_classification"));
    }
}
