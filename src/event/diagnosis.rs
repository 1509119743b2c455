//! Why a training does not learn, or does not learn what it should.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A problem of a training that its own numbers show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The model predicts the same for every row, or no better than the class frequencies alone.
    NotLearning,
    /// The training loss or the gradient norm rises far above its values at the start.
    Diverging,
    /// The gradient norm is near zero although the loss is high.
    VanishingGradients,
    /// The validation loss rises and the score falls while the training loss falls.
    Overfitting,
    /// The loss was still falling slowly at the end.
    LearningRateTooLow,
}

impl Problem {
    /// A few words.
    pub fn name(self) -> &'static str {
        match self {
            Problem::NotLearning => "not learning",
            Problem::Diverging => "diverging",
            Problem::VanishingGradients => "vanishing gradients",
            Problem::Overfitting => "overfitting",
            Problem::LearningRateTooLow => "learning rate too low",
        }
    }
}

/// A problem with its numbers and what to try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The problem.
    pub problem: Problem,
    /// One sentence with the numbers and the settings to try.
    pub text: String,
    /// The settings to try in a new run: values of keys as in `--set`. Empty if no setting is likely to help.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

impl Diagnosis {
    /// The settings to try as in TOML, `learning_rate = 5e-4, …`; `None` without settings.
    pub fn suggestion(&self) -> Option<String> {
        let setting = |(key, value): (&String, &String)| match &value[..] {
            "" => format!("no {key}"),
            number if number.parse::<f64>().is_ok() => format!("{key} = {number}"),
            word => format!("{key} = \"{word}\""),
        };
        (!self.settings.is_empty()).then(|| self.settings.iter().map(setting).collect::<Vec<_>>().join(", "))
    }

    /// The settings to try as `(key, text)`, like those of `--set`.
    pub fn overrides(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_reads_like_toml() {
        let suggestion = |settings: &[(&str, &str)]| {
            let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Diagnosis { problem: Problem::NotLearning, text: String::new(), settings: settings.collect() }
                .suggestion()
        };
        assert_eq!(suggestion(&[]), None);
        assert_eq!(
            suggestion(&[("learning_rate", "5e-4"), ("class_weights", "balanced"), ("max_steps", "")])
                .unwrap(),
            "class_weights = \"balanced\", learning_rate = 5e-4, no max_steps"
        );
    }
}
