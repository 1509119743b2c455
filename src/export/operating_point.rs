//! Temperature and thresholds of an export, from the predictions for the validation rows.

use super::options::{TemperatureChoice, ThresholdChoice};
use crate::catalog::{ProblemType, list_labels};
use crate::error::{Error, Result};
use crate::predict::{LabelThreshold, Thresholds};
use crate::run::error_analysis::{
    Share, TemperatureScaling, ThresholdCurve, ThresholdMetric, ThresholdTarget,
};
use crate::stats::wilson;
use crate::train::Predictions;
use serde::Serialize;

/// The temperature of an export, and what it changes on the validation rows, if there are any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AppliedTemperature {
    /// The number that logits are divided by.
    pub temperature: f64,
    /// Loss and calibration on the validation rows, for which a fitted temperature is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<TemperatureScaling>,
}

/// The thresholds of an export, and what they do on the validation rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppliedThresholds {
    /// Each threshold, with its precision, recall and false-positive rate.
    #[serde(flatten)]
    pub thresholds: Thresholds,
    /// Number of validation rows.
    pub rows: usize,
    /// The share of rows with a predicted label; absent for a multi-label classification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Share>,
    /// The share of them whose label is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Share>,
}

/// The temperature of a model with predictions for `labeled` rows.
///
/// # Errors
/// [`Error::Usage`] for a regression, and if a temperature is to be fitted without rows that determine one.
pub(super) fn temperature(
    choice: TemperatureChoice,
    problem_type: ProblemType,
    labeled: Option<&Predictions>,
) -> Result<AppliedTemperature> {
    if problem_type == ProblemType::Regression {
        return Err(Error::Usage("a regression has no probabilities; leave --temperature out".into()));
    }
    match (choice, labeled) {
        (TemperatureChoice::Value(temperature), predictions) => Ok(AppliedTemperature {
            temperature,
            validation: predictions.map(|predictions| TemperatureScaling::of(predictions, temperature)),
        }),
        (TemperatureChoice::Fit, None) => Err(Error::Usage(
            "a temperature is fitted on the validation rows of a run, which are not available; give a number: \
             --temperature 1.5"
                .into(),
        )),
        (TemperatureChoice::Fit, Some(predictions)) => {
            let found = TemperatureScaling::fit(predictions).ok_or_else(|| {
                Error::Usage(
                    "the validation rows determine no temperature, because the loss falls without end, as when every \
                     prediction is right; give a number: --temperature 1.5"
                        .into(),
                )
            })?;
            Ok(AppliedTemperature { temperature: found.temperature, validation: Some(found) })
        }
    }
}

/// The thresholds that reach their targets on the validation rows; `None` without any target.
///
/// # Errors
/// [`Error::Usage`] for a regression, an unknown label, a target that no threshold reaches, and without rows.
pub(super) fn thresholds(
    choices: &[ThresholdChoice],
    labels: &[String],
    labeled: Option<&Predictions>,
) -> Result<Option<AppliedThresholds>> {
    if choices.is_empty() {
        return Ok(None);
    }
    let Some(predictions) = labeled.filter(|predictions| !predictions.is_empty()) else {
        return Err(Error::Usage(
            "thresholds are chosen on the validation rows of a run, which are not available; leave --threshold out"
                .into(),
        ));
    };
    if predictions.is_regression() {
        return Err(Error::Usage("a regression has no thresholds; leave --threshold out".into()));
    }
    let mut found = Thresholds::default();
    // A later target of the same label replaces an earlier one.
    for ThresholdChoice { label, target } in choices {
        let named = |name: &String| label.as_ref().is_none_or(|label| label == name);
        let outputs: Vec<usize> = (0..labels.len()).filter(|output| named(&labels[*output])).collect();
        if outputs.is_empty() {
            let label = label.as_deref().unwrap_or_default();
            let known = list_labels(labels);
            return Err(Error::Usage(format!("--threshold: unknown label {label}; the labels are {known}")));
        }
        for output in outputs {
            let threshold = label_threshold(predictions, (output, labels[output].as_str()), *target)?;
            found.thresholds.retain(|other| other.label != threshold.label);
            found.thresholds.push(threshold);
        }
    }
    Ok(Some(joint(found, labels, predictions)))
}

fn label_threshold(
    predictions: &Predictions,
    (output, label): (usize, &str),
    target: ThresholdTarget,
) -> Result<LabelThreshold> {
    let curve = ThresholdCurve::of(predictions, output);
    let point = curve.choose(target).copied().ok_or_else(|| {
        let metric = target.metric.name();
        Error::Usage(match curve.best(target.metric) {
            Some(best) => format!(
                "--threshold: no threshold of label {label} has a {metric} of {} on the validation rows; the nearest is \
                 {best:.4}",
                target.value
            ),
            None => {
                format!("--threshold: the validation rows say nothing about the {metric} of label {label}")
            }
        })
    })?;
    let share = |metric| curve.share(&point, metric);
    Ok(LabelThreshold {
        label: label.into(),
        threshold: point.threshold,
        target: Some(target),
        precision: share(ThresholdMetric::Precision),
        recall: share(ThresholdMetric::Recall),
        false_positive_rate: share(ThresholdMetric::FalsePositiveRate),
    })
}

/// What all thresholds together do.
fn joint(thresholds: Thresholds, labels: &[String], predictions: &Predictions) -> AppliedThresholds {
    let rows = predictions.len();
    let share = |part: usize, all: usize| {
        let interval = wilson(part as f64, all as u64)?;
        Some(Share { value: part as f64 / all as f64, interval })
    };
    if predictions.problem_type() != ProblemType::SingleLabelClassification {
        return AppliedThresholds { thresholds, rows, coverage: None, accuracy: None };
    }
    let (mut predicted, mut right) = (0, 0);
    for row in 0..rows {
        let probability =
            |(class, label): (usize, &String)| (label.clone(), predictions.probability(row, class) as f32);
        let probabilities: Vec<(String, f32)> = labels.iter().enumerate().map(probability).collect();
        if let Some(class) = thresholds.class(&probabilities) {
            predicted += 1;
            right += usize::from(class == predictions.target(row));
        }
    }
    let (coverage, accuracy) = (share(predicted, rows), share(right, predicted));
    AppliedThresholds { thresholds, rows, coverage, accuracy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;

    /// Rows of two classes whose logits say 1, 2, 3, … to either side; every fifth is wrong.
    fn predictions() -> Predictions {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, 40, 2);
        for row in 0..40 {
            let logit = (row as f32 - 19.5) / 5.0;
            let is_wrong = row % 5 == 0 && (10..30).contains(&row);
            predictions.set(row, &[0.0, logit], Label::Class(u32::from((logit > 0.0) != is_wrong)));
        }
        predictions
    }

    fn choice(text: &str) -> ThresholdChoice {
        text.parse().expect("a target")
    }

    #[test]
    fn thresholds_state_what_they_reach() {
        let (labels, rows) = (["ham".to_owned(), "spam".to_owned()], predictions());
        let choices = [choice("ham=recall:0.9"), choice("spam=precision:0.5"), choice("spam=precision:1")];
        let found = thresholds(&choices, &labels, Some(&rows)).expect("thresholds").expect("thresholds");
        assert_eq!(found.thresholds.thresholds.len(), 2, "the later target of a label counts");
        let spam = &found.thresholds.thresholds[1];
        assert_eq!(spam.precision.expect("a precision").value, 1.0);
        assert!(spam.threshold > 0.5 && spam.recall.expect("a recall").interval.low > 0.2, "{spam:?}");
        assert!(found.coverage.expect("a coverage").value > 0.5);
        let strict = thresholds(&[choice("precision:1")], &labels, Some(&rows))
            .expect("thresholds")
            .expect("thresholds");
        let (coverage, accuracy) =
            (strict.coverage.expect("a coverage"), strict.accuracy.expect("an accuracy"));
        assert!(coverage.value < 1.0 && accuracy.value == 1.0, "{strict:?}");
        assert_eq!(thresholds(&[], &labels, None).expect("nothing"), None);
    }

    #[test]
    fn targets_that_cannot_be_reached_are_errors() {
        let (labels, rows) = (["ham".to_owned(), "spam".to_owned()], predictions());
        let error = |choices: &[&str], rows: Option<&Predictions>| {
            let choices: Vec<_> = choices.iter().map(|text| choice(text)).collect();
            thresholds(&choices, &labels, rows).unwrap_err().to_string()
        };
        assert!(error(&["eggs=recall:0.5"], Some(&rows)).contains("unknown label eggs"));
        assert!(error(&["recall:0.5"], None).contains("not available"));
        let mut wrong = Predictions::new(ProblemType::SingleLabelClassification, 2, 2);
        wrong.set(0, &[0.0, 2.0], Label::Class(0));
        wrong.set(1, &[0.0, 1.0], Label::Class(1));
        assert!(error(&["spam=precision:0.9"], Some(&wrong)).contains("the nearest is 0.5000"));
        let numbers = Predictions::new(ProblemType::Regression, 2, 1);
        assert!(error(&["recall:0.5"], Some(&numbers)).contains("a regression has no thresholds"));
    }

    #[test]
    fn temperature_needs_rows_only_to_be_fitted() {
        let of = ProblemType::SingleLabelClassification;
        let given = temperature(TemperatureChoice::Value(2.0), of, None).expect("a temperature");
        assert_eq!((given.temperature, given.validation), (2.0, None));
        let fitted = temperature(TemperatureChoice::Fit, of, Some(&predictions())).expect("a temperature");
        let validation = fitted.validation.expect("what it changes");
        assert!(validation.loss.after <= validation.loss.before, "{fitted:?}");
        assert!(
            temperature(TemperatureChoice::Fit, of, None).unwrap_err().to_string().contains("not available")
        );
        assert!(temperature(TemperatureChoice::Value(2.0), ProblemType::Regression, None).is_err());
    }
}
