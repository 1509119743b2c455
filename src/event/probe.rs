//! What is told of a pinned text.

use crate::probes::Probe;
use serde::{Deserialize, Serialize};

/// What the weights say of a pinned text, told after an evaluation of the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The text.
    #[serde(flatten)]
    pub pin: Probe,
    /// What is said of it.
    #[serde(flatten)]
    pub told: ProbePrediction,
}

/// What is said of a pinned text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProbePrediction {
    /// Labels are classes.
    Label {
        /// The most probable one.
        label: String,
        /// What it was at the evaluation before, where that was another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flipped_from: Option<String>,
        /// The probability of each class, in their order.
        probabilities: Vec<f32>,
    },
    /// Labels are numbers.
    Score {
        /// The number.
        score: f32,
    },
}

#[cfg(test)]
mod tests {
    use crate::event::Event;

    #[test]
    fn a_probe_is_one_flat_object() {
        let both_ways = |text: &str| {
            let event: Event = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        };
        both_ways(
            r#"{"kind":"probe","step":4,"epoch":1.0,"text":"not bad","label":"positive","flipped_from":"negative","probabilities":[0.25,0.75]}"#,
        );
        both_ways(r#"{"kind":"probe","step":4,"epoch":1.0,"text":"a","text_pair":"b","score":0.1}"#);
    }
}
