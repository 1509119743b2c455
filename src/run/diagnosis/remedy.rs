//! What to try against a problem: the probable cause and settings of a new run.

use super::facts::{FAR, Facts, Point};
use crate::catalog::ProblemType;
use crate::format;
use crate::spec::RunSpec;
use std::collections::BTreeMap;

/// A class with this fraction of the rows is frequent enough to be a good answer without the text.
const FREQUENT: f64 = 0.7;
/// Fewer steps than this are a short training.
const FEW_STEPS: u64 = 100;
/// A warm-up that keeps most seeds from collapsing.
const WARMUP: f64 = 0.1;

/// The probable cause of a problem and settings to try.
#[derive(Debug, Default)]
pub(super) struct Remedy {
    /// The end of a sentence; empty if the finding says everything.
    pub(super) cause: String,
    /// Keys and values as in `--set`.
    pub(super) settings: Vec<(&'static str, String)>,
}

impl Remedy {
    fn new<const N: usize>(cause: impl Into<String>, settings: [(&'static str, String); N]) -> Self {
        Remedy { cause: cause.into(), settings: settings.into() }
    }
}

/// The settings that differ from those of the run and that its specification accepts.
pub(super) fn valid(spec: &RunSpec, settings: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    let mut changed = spec.clone();
    let mut accepted = BTreeMap::new();
    for (key, text) in settings {
        match changed.with(&[(key.to_owned(), text.clone())]) {
            Ok(next) if next != changed => {
                changed = next;
                accepted.insert(key.to_owned(), text);
            }
            Ok(_) | Err(_) => {}
        }
    }
    accepted
}

/// The recommended learning rate, as typed.
fn recommended(facts: &Facts) -> (&'static str, String) {
    ("learning_rate", format::real(facts.recommended_learning_rate()))
}

/// The learning rate times `factor`.
fn scaled(facts: &Facts, factor: f64) -> (&'static str, String) {
    let rate: f64 = format!("{:.1e}", facts.learning_rate * factor).parse().unwrap_or(facts.learning_rate);
    ("learning_rate", format::real(rate))
}

pub(super) fn of_divergence(facts: &Facts) -> Remedy {
    let is_far_above = facts.learning_rate >= FAR * facts.recommended_learning_rate();
    let mut settings = vec![if is_far_above { recommended(facts) } else { scaled(facts, 0.25) }];
    if facts.started.spec.max_grad_norm == 0.0 {
        settings.push(("max_grad_norm", "1.0".into()));
    }
    Remedy { cause: "the learning rate is probably too high".into(), settings }
}

pub(super) fn of_vanishing_gradients(facts: &Facts) -> Remedy {
    let (rate, recommended_rate) = (facts.learning_rate, facts.recommended_learning_rate());
    if rate > recommended_rate {
        return Remedy::new(
            "steps that are too large have probably saturated the model",
            [recommended(facts)],
        );
    }
    if rate * FAR <= recommended_rate {
        return Remedy::new("the learning rate is probably too low", [recommended(facts)]);
    }
    Remedy::new("the model barely changes", [scaled(facts, 0.5), ("warmup_ratio", WARMUP.to_string())])
}

pub(super) fn of_not_learning(facts: &Facts) -> Remedy {
    let (rate, recommended_rate) = (facts.learning_rate, facts.recommended_learning_rate());
    let spec = &facts.started.spec;
    if rate * FAR <= recommended_rate {
        return Remedy::new("the learning rate is probably too low", [recommended(facts)]);
    }
    if rate >= FAR * recommended_rate {
        return Remedy::new("the learning rate is probably too high", [recommended(facts)]);
    }
    let is_regression = facts.started.problem_type() == ProblemType::Regression;
    let majority = facts.scores.majority().filter(|share| *share >= FREQUENT && spec.class_weights.is_none());
    if let (Some(share), false) = (majority, is_regression) {
        let settings = [("class_weights", "balanced".into()), ("metric_for_best_model", "f1_macro".into())];
        return Remedy::new(format!("{:.0} % of the rows have one class", 100.0 * share), settings);
    }
    if facts.total_steps < FEW_STEPS {
        let epochs = more_epochs(facts);
        return Remedy::new(
            format!("{} steps are few", format::count(facts.total_steps)),
            [("num_train_epochs", epochs), ("max_steps", String::new())],
        );
    }
    let mut settings = vec![scaled(facts, 0.5)];
    if spec.warmup_steps.is_none() && spec.warmup_ratio < WARMUP {
        settings.push(("warmup_ratio", WARMUP.to_string()));
    }
    Remedy { cause: "steps that are too large can undo the pretraining".into(), settings }
}

/// Epochs for a training that was too short: the recommended number, or three times as many as were planned.
fn more_epochs(facts: &Facts) -> String {
    let per_epoch = facts.started.steps_per_epoch.max(1);
    let planned = facts.total_steps.div_ceil(per_epoch);
    let recommended = facts.recommended("num_train_epochs").and_then(|epochs| epochs.parse::<u64>().ok());
    let epochs = recommended.filter(|epochs| *epochs > planned).unwrap_or(3 * planned);
    epochs.to_string()
}

pub(super) fn of_overfitting(facts: &Facts, lowest: Point) -> Remedy {
    if facts.started.spec.max_steps.is_some() {
        return Remedy::new("", [("max_steps", lowest.step.to_string())]);
    }
    Remedy::new("", [("num_train_epochs", format::real(lowest.epoch.ceil().max(1.0)))])
}

pub(super) fn of_low_learning_rate(facts: &Facts) -> Remedy {
    let cause = format!(
        "learning_rate = {} is low for a model of {} parameters",
        format::real(facts.learning_rate),
        format::short(facts.started.trainable_parameters as f64)
    );
    Remedy::new(cause, [recommended(facts)])
}
