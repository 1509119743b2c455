//! Thresholds of labels, which are stored in a model folder and decide what is predicted.

use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::run::error_analysis::{Share, ThresholdTarget};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file in a model folder. Transformers ignores it.
pub const THRESHOLDS: &str = "thresholds.json";

/// The thresholds of a model, as in [`THRESHOLDS`].
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Thresholds {
    /// One for each label that has a threshold.
    pub thresholds: Vec<LabelThreshold>,
}

/// The threshold of a label. The values of the metrics are those of the label against all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelThreshold {
    /// The label.
    pub label: String,
    /// The label is predicted at or above this probability.
    pub threshold: f64,
    /// What the threshold was chosen for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<ThresholdTarget>,
    /// On the validation rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Share>,
    /// On the validation rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<Share>,
    /// On the validation rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_positive_rate: Option<Share>,
}

/// What is read of [`LabelThreshold`].
#[derive(Deserialize)]
struct StoredThreshold {
    label: String,
    threshold: f64,
}

impl Thresholds {
    /// The thresholds of the model in `folder`, which has these labels; none without the file.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read, [`Error::Model`] if it is invalid or has a label that the model does not
    /// have.
    pub(super) fn read(folder: &ModelFolder, labels: &[String]) -> Result<Self> {
        let Some(bytes) = folder.read(THRESHOLDS)? else { return Ok(Thresholds::default()) };
        let parsed = Self::parse(&bytes, labels);
        parsed.map_err(|problem| Error::model(&folder.name, format!("{THRESHOLDS}: {problem}")))
    }

    /// The thresholds in the content of a file, for a model with these labels.
    ///
    /// # Errors
    /// A sentence without the name of the file.
    pub fn parse(bytes: &[u8], labels: &[String]) -> Result<Self, String> {
        let mut file: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("is not valid JSON: {error}"))?;
        let list = file.get_mut("thresholds").map(Value::take).unwrap_or_default();
        let stored: Vec<StoredThreshold> = serde_json::from_value(list)
            .map_err(|error| format!("\"thresholds\" is no list of labels with a threshold: {error}"))?;
        let mut thresholds = Vec::new();
        for StoredThreshold { label, threshold } in stored {
            if !labels.contains(&label) {
                return Err(format!("has the label \"{label}\", which the model does not have"));
            }
            if !(0.0..=1.0).contains(&threshold) {
                return Err(format!(
                    "the threshold of \"{label}\" is {threshold}; expected a number from 0 to 1"
                ));
            }
            thresholds.push(LabelThreshold::of(label, threshold));
        }
        Ok(Thresholds { thresholds })
    }

    /// Whether no label has a threshold.
    pub fn is_empty(&self) -> bool {
        self.thresholds.is_empty()
    }

    /// The threshold of a label, if it has one, with the precision of probabilities.
    pub(super) fn of(&self, label: &str) -> Option<f32> {
        let found = self.thresholds.iter().find(|threshold| threshold.label == label);
        found.map(|threshold| threshold.threshold as f32)
    }

    /// The predicted class of a single-label classification. Classes that reach their threshold come before those that
    /// have none; the most probable of them is predicted. If the most probable class has a threshold that it does not
    /// reach, none is.
    pub fn class(&self, probabilities: &[(String, f32)]) -> Option<usize> {
        let first_largest = |best: Option<usize>, next: usize| match best {
            Some(best) if probabilities[best].1 >= probabilities[next].1 => Some(best),
            _ => Some(next),
        };
        let reaches = |index: &usize| {
            let (label, probability) = &probabilities[*index];
            self.of(label).is_some_and(|threshold| *probability >= threshold)
        };
        let all = 0..probabilities.len();
        all.clone().filter(reaches).fold(None, first_largest).or_else(|| {
            let most_probable = all.fold(None, first_largest);
            most_probable.filter(|index| self.of(&probabilities[*index].0).is_none())
        })
    }

    /// Whether a label of a multi-label classification is predicted: at or above its threshold, or above one half.
    pub fn has_label(&self, label: &str, probability: f32) -> bool {
        match self.of(label) {
            Some(threshold) => probability >= threshold,
            None => probability > 0.5,
        }
    }
}

impl LabelThreshold {
    /// A threshold without a target.
    pub fn of(label: String, threshold: f64) -> Self {
        LabelThreshold {
            label,
            threshold,
            target: None,
            precision: None,
            recall: None,
            false_positive_rate: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(pairs: &[(&str, f64)]) -> Thresholds {
        let threshold = |(label, value): &(&str, f64)| LabelThreshold::of((*label).into(), *value);
        Thresholds { thresholds: pairs.iter().map(threshold).collect() }
    }

    #[test]
    fn classes_are_predicted_at_their_thresholds() {
        let class = |thresholds: &Thresholds, values: [f32; 3]| {
            let names = ["ham", "spam", "scam"].map(str::to_owned);
            thresholds.class(&names.into_iter().zip(values).collect::<Vec<_>>())
        };
        let none = Thresholds::default();
        assert_eq!(class(&none, [0.2, 0.4, 0.4]), Some(1), "the first of equal ones");
        let strict = thresholds(&[("spam", 0.9)]);
        assert_eq!(class(&strict, [0.05, 0.9, 0.05]), Some(1), "at the threshold");
        assert_eq!(class(&strict, [0.1, 0.8, 0.1]), None, "below the threshold");
        assert_eq!(class(&strict, [0.6, 0.3, 0.1]), Some(0), "another class");
        let loose = thresholds(&[("spam", 0.2), ("scam", 0.3)]);
        assert_eq!(class(&loose, [0.7, 0.25, 0.05]), Some(1), "less probable than one without a threshold");
        assert_eq!(class(&loose, [0.4, 0.25, 0.35]), Some(2), "the most probable of those that reach theirs");
        assert_eq!(class(&none, [f32::NAN; 3]), Some(2));
    }

    #[test]
    fn labels_are_predicted_at_their_thresholds() {
        let thresholds = thresholds(&[("toxic", 0.2)]);
        assert!(thresholds.has_label("toxic", 0.2) && !thresholds.has_label("toxic", 0.19));
        assert!(thresholds.has_label("insult", 0.51) && !thresholds.has_label("insult", 0.5));
    }

    #[test]
    fn files_are_read_or_rejected() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let parse = |text: &str| Thresholds::parse(text.as_bytes(), &labels);
        let found =
            parse(r#"{"thresholds": [{"label": "b", "threshold": 0.25, "precision": 3}], "rows": 7}"#);
        assert_eq!(found, Ok(thresholds(&[("b", 0.25)])));
        for (text, problem) in [
            ("{", "not valid JSON"),
            ("[]", "no list"),
            ("{}", "no list"),
            (r#"{"thresholds": [{"label": "c", "threshold": 0.5}]}"#, "has the label \"c\""),
            (r#"{"thresholds": [{"label": "a", "threshold": 1.5}]}"#, "is 1.5"),
            (r#"{"thresholds": [{"label": "a"}]}"#, "no list"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
