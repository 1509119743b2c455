//! Predictions and word attributions.

use serde::Serialize;

/// The prediction for one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The output of the model.
    pub output: ModelOutput,
    /// Number of tokens of the input, special tokens included.
    pub tokens: usize,
    /// Whether the input was truncated to the maximum length.
    pub truncated: bool,
}

/// The output of a model for one input.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelOutput {
    /// Of a classification.
    Label {
        /// The most probable class.
        label: String,
        /// Its probability.
        probability: f32,
        /// Every label with its probability, in the order of the classes.
        probabilities: Vec<(String, f32)>,
    },
    /// Of a regression.
    Score {
        /// The predicted number, which can be slightly outside the scale.
        score: f32,
        /// Lowest and highest label of the task, if known.
        scale: Option<(f32, f32)>,
    },
}

impl ModelOutput {
    /// The most probable label of a classification.
    pub fn label(&self) -> Option<&str> {
        match self {
            ModelOutput::Label { label, .. } => Some(label),
            ModelOutput::Score { .. } => None,
        }
    }

    /// Every label with its probability; empty for a regression.
    pub fn probabilities(&self) -> &[(String, f32)] {
        match self {
            ModelOutput::Label { probabilities, .. } => probabilities,
            ModelOutput::Score { .. } => &[],
        }
    }
}

/// Word attributions of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributions {
    /// The target of the attributions: the most probable label, or a higher score of a regression.
    pub label: String,
    /// The attribution of each word, in their order.
    pub words: Vec<WordAttribution>,
}

/// The attribution of a word: its contribution to the logit of the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordAttribution {
    /// The word as in the input.
    pub text: String,
    /// Index of its first character in its text.
    pub start: usize,
    /// Index after its last character.
    pub end: usize,
    /// Its contribution to the logit: positive towards the target, negative away from it.
    pub value: f32,
    /// The text of a pair that it is in: 0 or 1.
    #[serde(skip)]
    pub sequence: usize,
}
