//! Predictions and word attributions.

use super::thresholds::Thresholds;
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
        /// The predicted class: the most probable one, unless a threshold decides otherwise.
        label: String,
        /// Its probability.
        probability: f32,
        /// Every label with its probability, in the order of the classes.
        probabilities: Vec<(String, f32)>,
    },
    /// Of a classification whose most probable class does not reach its threshold.
    NoLabel {
        /// Every label with its probability, in the order of the classes.
        probabilities: Vec<(String, f32)>,
    },
    /// Of a multi-label classification.
    Labels {
        /// The labels with a probability above one half, or at least of their thresholds.
        labels: Vec<String>,
        /// Every label with its own probability, in the order of the outputs.
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
    /// The output of a classification into one class, from the probability of each.
    pub fn class(probabilities: Vec<(String, f32)>, thresholds: &Thresholds) -> Self {
        match thresholds.class(&probabilities).map(|class| probabilities[class].clone()) {
            Some((label, probability)) => ModelOutput::Label { label, probability, probabilities },
            None => ModelOutput::NoLabel { probabilities },
        }
    }

    /// The output of a multi-label classification, from the probability of each label.
    pub fn labels(probabilities: Vec<(String, f32)>, thresholds: &Thresholds) -> Self {
        let predicted =
            probabilities.iter().filter(|(label, probability)| thresholds.has_label(label, *probability));
        ModelOutput::Labels { labels: predicted.map(|(label, _)| label.clone()).collect(), probabilities }
    }

    /// The predicted class of a classification, or else its most probable label, and its probability.
    pub fn most_probable(&self) -> Option<(&str, f32)> {
        match self {
            ModelOutput::Label { label, probability, .. } => Some((label, *probability)),
            ModelOutput::NoLabel { probabilities } | ModelOutput::Labels { probabilities, .. } => {
                // Of equal probabilities the first one counts, as for argmax.
                let first_largest = |best: &'_ (String, f32), next: &'_ (String, f32)| next.1 > best.1;
                let best = probabilities
                    .iter()
                    .reduce(|best, next| if first_largest(best, next) { next } else { best });
                best.map(|(label, probability)| (label.as_str(), *probability))
            }
            ModelOutput::Score { .. } => None,
        }
    }

    /// Whether a label is among the predicted ones.
    pub fn predicts(&self, name: &str) -> bool {
        match self {
            ModelOutput::Label { label, .. } => label == name,
            ModelOutput::Labels { labels, .. } => labels.iter().any(|label| label == name),
            ModelOutput::NoLabel { .. } | ModelOutput::Score { .. } => false,
        }
    }

    /// Every label with its probability; empty for a regression.
    pub fn probabilities(&self) -> &[(String, f32)] {
        match self {
            ModelOutput::Label { probabilities, .. }
            | ModelOutput::NoLabel { probabilities }
            | ModelOutput::Labels { probabilities, .. } => probabilities,
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
