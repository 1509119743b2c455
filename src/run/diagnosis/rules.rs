//! The rules: one function for each problem. docs/experiments.md has their thresholds.

use super::facts::{FAR, Facts, Point};
use super::remedy::{self, Remedy};
use crate::catalog::{Metric, ProblemType};
use crate::event::{Diagnosis, Problem};
use crate::format;

/// A validation loss of at least this fraction of the entropy of the classes is no better than it.
const AT_PRIOR: f64 = 0.97;
/// A validation loss above the entropy of the classes by this factor is not called the entropy.
const ABOVE_PRIOR: f64 = 1.03;
/// A training loss of at least this fraction of its start has not fallen.
const NOT_FALLEN: f64 = 0.95;
/// Fewest steps after which a loss that has not fallen is a finding.
const FEWEST_STEPS: u64 = 20;
/// Fraction of the training after which a model that does not learn is diagnosed, after two evaluations.
const PATIENCE: f64 = 0.4;
/// A correlation below this is none.
const NO_CORRELATION: f64 = 0.1;
/// A training loss above its start by this factor diverges.
const RISEN: f64 = 1.5;
/// A gradient norm above its start by this factor explodes, if it is above [`LARGE_NORM`] too.
const NORM_RISEN: f64 = 10.0;
const LARGE_NORM: f64 = 100.0;
/// A gradient norm below this is near zero.
const NO_GRADIENT: f64 = 1e-3;
/// A training loss of at least this fraction of its start is high.
const HIGH_LOSS: f64 = 0.8;
/// A validation loss above its lowest value by this factor has risen.
const OVERFITTED: f64 = 1.2;
/// Fewest evaluations after that of the lowest validation loss.
const EVALS_AFTER_LOWEST: usize = 2;

/// The problems of a training. Those that are `active` last until the numbers are clearly better.
pub(super) fn apply(facts: &Facts, active: &[Diagnosis]) -> Vec<Diagnosis> {
    if facts.started.spec.task().has_opposite_validation_labels {
        return Vec::new();
    }
    let is_active = |problem| active.iter().any(|diagnosis| diagnosis.problem == problem);
    let found = diverging(facts)
        .or_else(|| vanishing_gradients(facts))
        .or_else(|| not_learning(facts, is_active(Problem::NotLearning)))
        .or_else(|| overfitting(facts, is_active(Problem::Overfitting)))
        .or_else(|| learning_rate_too_low(facts));
    found.into_iter().collect()
}

/// `found`, why, and what to try, as one sentence.
fn diagnosis(facts: &Facts, problem: Problem, found: &str, remedy: Remedy) -> Diagnosis {
    let settings = remedy::valid(&facts.started.spec, remedy.settings);
    let mut diagnosis = Diagnosis { problem, text: String::new(), settings };
    let cause = if remedy.cause.is_empty() { String::new() } else { format!(": {}", remedy.cause) };
    let tries = diagnosis.suggestion().map_or(String::new(), |suggestion| format!("; try {suggestion}"));
    diagnosis.text = format!("{found}{cause}{tries}");
    diagnosis
}

/// The training loss or the gradient norm is far above its start.
fn diverging(facts: &Facts) -> Option<Diagnosis> {
    let (first, recent) = (facts.first_loss()?, facts.recent_loss()?);
    let (first_norm, norm) = (facts.first_grad_norm()?, facts.recent_grad_norm()?);
    let start = first.max(facts.prior_loss().unwrap_or(first));
    let has_risen = recent > RISEN * start;
    let explodes = norm > LARGE_NORM && norm > NORM_RISEN * first_norm && recent > NOT_FALLEN * start;
    if !has_risen && !explodes {
        return None;
    }
    let found = format!(
        "the training loss was {} at the start and is {} with a gradient norm of {}",
        format::loss(first),
        format::loss(recent),
        format::real(rounded(norm)),
    );
    Some(diagnosis(facts, Problem::Diverging, &found, remedy::of_divergence(facts)))
}

/// The gradients are near zero although the loss is high.
fn vanishing_gradients(facts: &Facts) -> Option<Diagnosis> {
    let (first, recent, norm) = (facts.first_loss()?, facts.recent_loss()?, facts.recent_grad_norm()?);
    if norm >= NO_GRADIENT || recent < HIGH_LOSS * first || facts.step < FEWEST_STEPS {
        return None;
    }
    let found = format!(
        "the gradient norm is {} at a training loss of {}",
        format::real(rounded(norm)),
        format::loss(recent)
    );
    Some(diagnosis(facts, Problem::VanishingGradients, &found, remedy::of_vanishing_gradients(facts)))
}

/// The predictions are constant, or no better than the class frequencies.
fn not_learning(facts: &Facts, is_active: bool) -> Option<Diagnosis> {
    let latest = facts.latest()?;
    let is_late = facts.progress() >= PATIENCE && facts.points.len() >= 2;
    let is_certain = facts.is_finished || is_active;
    if !is_certain && !is_late {
        return None;
    }
    if facts.started.problem_type() == ProblemType::Regression {
        return uncorrelated(facts, latest);
    }
    let is_constant = latest.is_constant && (is_certain || was_constant_before(facts));
    let at_prior = is_at_prior(facts, latest).then(|| against_prior(facts, latest)).flatten();
    let constant = if is_constant { predicted(facts) } else { None };
    let found = match (constant, at_prior) {
        (Some(predicted), Some(loss)) => {
            format!("the model predicts {predicted} for every validation row and the loss {loss}")
        }
        (Some(predicted), None) => format!(
            "the model predicts {predicted} for every validation row, although their labels differ, with a loss of {}",
            format::loss(latest.loss)
        ),
        (None, Some(loss)) => format!("the validation loss {loss}"),
        (None, None) => return None,
    };
    Some(diagnosis(facts, Problem::NotLearning, &found, remedy::of_not_learning(facts)))
}

/// Whether neither the validation loss is below the entropy of the classes nor the training loss below its start.
fn is_at_prior(facts: &Facts, latest: Point) -> bool {
    let (Some(prior), Some(first), Some(recent)) =
        (facts.prior_loss(), facts.first_loss(), facts.recent_loss())
    else {
        return false;
    };
    // A weighted or smoothed training loss has another unit than the entropy.
    let spec = &facts.started.spec;
    let is_plain = spec.class_weights.is_none() && spec.label_smoothing_factor == 0.0;
    let start = if is_plain { first.min(prior) } else { first };
    facts.step >= FEWEST_STEPS && latest.loss >= AT_PRIOR * prior && recent >= NOT_FALLEN * start
}

/// A validation loss that is not below the entropy of the classes, compared with it.
fn against_prior(facts: &Facts, latest: Point) -> Option<String> {
    let (loss, prior) = (latest.loss, facts.prior_loss()?);
    Some(if loss > ABOVE_PRIOR * prior {
        format!("is {}, above the entropy of the classes, {}", format::loss(loss), format::loss(prior))
    } else {
        format!("stays at {}, the entropy of the classes", format::loss(loss))
    })
}

/// Whether the predictions were constant at the evaluation before the newest one too.
fn was_constant_before(facts: &Facts) -> bool {
    facts.points.iter().rev().nth(1).is_some_and(|point| point.is_constant)
}

/// The class, or the labels, that the model predicts for every validation row.
fn predicted(facts: &Facts) -> Option<String> {
    facts.scores.constant_prediction().map(|predicted| {
        let names = predicted.iter().filter_map(|label| facts.started.labels.get(*label));
        let names: Vec<&str> = names.map(String::as_str).collect();
        if names.is_empty() { "no label".to_owned() } else { names.join(", ") }
    })
}

/// The predictions of a regression do not follow the labels.
fn uncorrelated(facts: &Facts, latest: Point) -> Option<Diagnosis> {
    let pearson = facts.scores.get(Metric::Pearson);
    if facts.step < FEWEST_STEPS || pearson.is_some_and(|pearson| pearson.abs() >= NO_CORRELATION) {
        return None;
    }
    let loss = format::loss(latest.loss);
    let found = match pearson {
        Some(pearson) => {
            format!(
                "the predictions do not follow the labels, with a Pearson correlation of {pearson:.2} and a loss of {loss}"
            )
        }
        None => format!("the model predicts the same number for every validation row, with a loss of {loss}"),
    };
    Some(diagnosis(facts, Problem::NotLearning, &found, remedy::of_not_learning(facts)))
}

/// The validation loss rises and the score is worse than its best value, while the training loss falls.
fn overfitting(facts: &Facts, is_active: bool) -> Option<Diagnosis> {
    let (latest, metric) = (facts.latest()?, facts.started.best_metric());
    let lowest = facts.points.iter().enumerate().min_by(|(_, a), (_, b)| a.loss.total_cmp(&b.loss));
    let (index, lowest) = lowest?;
    let best = facts.points.iter().filter_map(|point| point.value);
    let best = best.reduce(|best, value| if metric.improves(value, best) { value } else { best })?;
    let value = latest.value?;
    // Of a score that is a fraction of the rows, one standard error is noise.
    let share = best.clamp(0.0, 1.0);
    let error = (share * (1.0 - share) / facts.scores.examples.max(1) as f64).sqrt();
    let noise = if is_active { 0.0 } else { error.max(0.005) };
    let has_fallen = metric.improves(best, value) && (best - value).abs() > noise;
    let trains_on = latest.train_loss? < lowest.train_loss?;
    let evals_after = facts.points.len() - 1 - index;
    if evals_after < EVALS_AFTER_LOWEST || latest.loss < OVERFITTED * lowest.loss || !has_fallen || !trains_on
    {
        return None;
    }
    let found = format!(
        "the model overfits: since epoch {} the validation loss rose from {} to {} while the training loss fell from {} to {}",
        format::real(rounded(lowest.epoch)),
        format::loss(lowest.loss),
        format::loss(latest.loss),
        format::loss(lowest.train_loss?),
        format::loss(latest.train_loss?),
    );
    Some(diagnosis(facts, Problem::Overfitting, &found, remedy::of_overfitting(facts, *lowest)))
}

/// The loss fell little at a learning rate far below the recommended one, and was still falling at the end.
fn learning_rate_too_low(facts: &Facts) -> Option<Diagnosis> {
    let (first, recent, latest) = (facts.first_loss()?, facts.recent_loss()?, facts.latest()?);
    let is_lowest = facts.points.iter().all(|point| point.loss >= latest.loss);
    let is_low = facts.recommended_learning_rate() >= FAR * facts.learning_rate;
    if !facts.is_finished || !is_low || !is_lowest || recent < HIGH_LOSS * first || facts.step < FEWEST_STEPS
    {
        return None;
    }
    let found = format!(
        "the training loss only fell from {} to {} and was still falling at the end",
        format::loss(first),
        format::loss(recent)
    );
    Some(diagnosis(facts, Problem::LearningRateTooLow, &found, remedy::of_low_learning_rate(facts)))
}

/// A number with two significant digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}
