//! Averaged weights: their evaluation beside the weights, and the mean of the last checkpoints.

use super::state::Trainer;
use crate::catalog::Metric;
use crate::error::Result;
use crate::event::{AverageEval, Averaging, Eval, Event, SplitName};
use crate::nn::Weights;
use crate::text::plural;
use crate::train::best::Best;
use crate::train::checkpoint::{Retention, read_weights};
use std::ops::ControlFlow;

/// Whether the score `new` is better than `old`. A score that is not a number is worse than any other.
pub(super) fn is_better(metric: Metric, new: f64, old: f64) -> bool {
    metric.improves(new, old) || (old.is_nan() && !new.is_nan())
}

/// The evaluations of the validation split at a step.
pub(super) struct ValidationEvals {
    /// With the weights.
    pub(super) weights: Eval,
    /// With their moving average, if there is one.
    pub(super) average: Option<AverageEval>,
    /// The average that is better than the weights, if it is.
    pub(super) selected: Option<Averaging>,
}

impl ValidationEvals {
    /// Whether `average` is better than the weights.
    pub(super) fn is_improved_by(&self, average: &Eval, metric: Metric) -> bool {
        is_better(metric, value(average, metric), value(&self.weights, metric))
    }

    /// The score of the better ones.
    pub(super) fn value(&self, metric: Metric) -> f64 {
        let selected = self.average.as_ref().filter(|_| self.selected.is_some());
        value(selected.map_or(&self.weights, |average| &average.eval), metric)
    }
}

fn value(eval: &Eval, metric: Metric) -> f64 {
    eval.scores.get(metric).unwrap_or(f64::NAN)
}

impl Trainer<'_> {
    /// Makes the weights, or `averaging` of them, with the validation score `value` the best ones. Averaged weights are
    /// evaluated on the test split before. Breaks if the training was stopped meanwhile.
    pub(super) fn select_best(
        &mut self,
        value: f64,
        averaging: Option<Averaging>,
    ) -> Result<ControlFlow<()>> {
        let (step, metric) = (self.state.step, self.spec.best_metric());
        let mut test = self.state.latest.get(&SplitName::Test).and_then(|scores| scores.get(metric));
        if let Some(averaging) = averaging.filter(|_| self.setup.eval.contains_key(&SplitName::Test)) {
            let Some((eval, _)) = self.evaluate_split(SplitName::Test, Some(averaging))? else {
                return Ok(ControlFlow::Break(()));
            };
            test = eval.scores.get(metric);
            self.record_average_eval(AverageEval { averaging, eval });
        }
        self.save_best(Best { step, metric, value, test, averaging })?;
        Ok(ControlFlow::Continue(()))
    }

    /// At the end of a training with `average_checkpoints`, evaluates the mean of the weights of the last checkpoints, and
    /// makes it the best weights if it is better than them. The engine has its own weights afterwards. Breaks if the
    /// training was stopped meanwhile.
    pub(super) fn evaluate_checkpoint_average(&mut self) -> Result<ControlFlow<()>> {
        if self.spec.average_checkpoints.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        let Some(mean) = self.mean_of_checkpoints()? else { return Ok(ControlFlow::Continue(())) };
        let weights = self.setup.built.engine.weights()?;
        self.setup.built.engine.set_weights(&mean)?;
        drop(mean);
        let flow = self.evaluate_mean();
        self.setup.built.engine.set_weights(&weights)?;
        flow
    }

    /// Evaluates the mean of checkpoints, which is in place of the weights.
    fn evaluate_mean(&mut self) -> Result<ControlFlow<()>> {
        let (averaging, metric) = (Averaging::Checkpoints, self.spec.best_metric());
        let Some((eval, predictions)) = self.evaluate_validation_with(Some(averaging))? else {
            return Ok(ControlFlow::Break(()));
        };
        let value = value(&eval, metric);
        let of_weights = self.state.latest.get(&SplitName::Validation).and_then(|scores| scores.get(metric));
        if is_better(metric, value, of_weights.unwrap_or(f64::NAN)) {
            self.save_predictions(predictions)?;
        }
        let best = self.is_best(value);
        self.record_average_eval(AverageEval { averaging, eval: Eval { best, ..eval } });
        if best { self.select_best(value, Some(averaging)) } else { Ok(ControlFlow::Continue(())) }
    }

    /// The mean of the weights of the last scheduled checkpoints; `None` if there are not two that are intact.
    fn mean_of_checkpoints(&mut self) -> Result<Option<Weights>> {
        let checkpoints = Retention::of(self.spec, self.plan).averaged(&self.dir()?, self.state.step);
        let (mut mean, mut steps) = (Weights::new(), Vec::new());
        for (step, folder) in checkpoints {
            match read_weights(&folder) {
                Ok(weights) => {
                    steps.push(step.to_string());
                    add_to_mean(&mut mean, weights, steps.len());
                }
                Err(error) => (self.emit)(Event::warning(format!(
                    "the checkpoint of step {step} is damaged and not averaged: {error}"
                ))),
            }
        }
        let count = plural(steps.len(), "checkpoint");
        if steps.len() < 2 {
            let text = format!("weights are not averaged: there is {count}, and an average needs 2");
            (self.emit)(Event::note(text));
            return Ok(None);
        }
        let text = format!("the weights of {count} are averaged, of steps {}", steps.join(", "));
        (self.emit)(Event::note(text));
        Ok(Some(mean))
    }

    pub(super) fn record_average_eval(&mut self, average: AverageEval) {
        if average.eval.split == SplitName::Validation {
            self.state.average_validation = Some(average.eval.scores.clone());
        }
        (self.emit)(Event::AverageEval(average));
    }
}

/// Adds the weights number `count` to the mean of those before.
fn add_to_mean(mean: &mut Weights, weights: Weights, count: usize) {
    if count == 1 {
        *mean = weights;
        return;
    }
    for (name, array) in weights {
        let Some(mean) = mean.get_mut(&name) else { continue };
        for (mean, weight) in mean.data.iter_mut().zip(array.data) {
            *mean += (weight - *mean) / count as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Array;

    #[test]
    fn a_score_that_is_not_a_number_is_never_better() {
        let (accuracy, loss) = (Metric::Accuracy, Metric::Loss);
        assert!(is_better(accuracy, 0.8, 0.7) && !is_better(accuracy, 0.7, 0.7) && is_better(loss, 0.7, 0.8));
        assert!(is_better(loss, 0.7, f64::NAN) && !is_better(loss, f64::NAN, 0.7));
        assert!(!is_better(accuracy, f64::NAN, f64::NAN));
    }

    #[test]
    fn the_mean_is_that_of_all_weights() {
        let weights = |values: [f32; 2]| {
            Weights::from([("w".to_string(), Array { shape: vec![2], data: values.to_vec() })])
        };
        let mut mean = Weights::new();
        for (index, values) in [[1.0, -2.0], [2.0, 0.5], [6.0, 3.0]].into_iter().enumerate() {
            add_to_mean(&mut mean, weights(values), index + 1);
        }
        assert_eq!(mean, weights([3.0, 0.5]));
    }
}
