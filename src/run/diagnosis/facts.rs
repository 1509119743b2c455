//! The numbers of a training that diagnoses are made from.

use crate::catalog::{ModelSize, known_model, recommended};
use crate::event::{Eval, Scores, Started, Step};
use std::collections::VecDeque;

/// A learning rate is too low or too high if it differs from the recommended one by this factor.
pub(super) const FAR: f64 = 3.0;
/// Fewest and most steps of a window; in between it is a tenth of the training.
const WINDOW: (u64, u64) = (5, 100);

/// The numbers of a training so far.
#[derive(Debug)]
pub(super) struct Facts {
    /// What is known before the first step.
    pub(super) started: Started,
    /// Optimizer steps of the whole training.
    pub(super) total_steps: u64,
    /// Optimizer steps done.
    pub(super) step: u64,
    /// Peak learning rate: that of the specification, unless a command changed it.
    pub(super) learning_rate: f64,
    /// Evaluations of the validation split after a step, oldest first.
    pub(super) points: Vec<Point>,
    /// The scores of the newest of them.
    pub(super) scores: Scores,
    /// Whether all steps are done, or early stopping ended the training.
    pub(super) is_finished: bool,
    first: Window,
    recent: VecDeque<StepSample>,
    /// Steps at which the rules were applied last because of their number.
    checked_at: u64,
}

/// An evaluation of the validation split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) step: u64,
    pub(super) epoch: f64,
    pub(super) loss: f64,
    /// The score that selects the best weights.
    pub(super) value: Option<f64>,
    /// Mean training loss of the window before it, at first of all steps before it.
    pub(super) train_loss: Option<f64>,
    /// Whether the model predicts the same for every row.
    pub(super) is_constant: bool,
}

/// Steps of one `step` event.
#[derive(Debug, Clone, Copy)]
struct StepSample {
    steps: u64,
    loss: f64,
    grad_norm: f64,
}

/// Means of the first steps.
#[derive(Debug, Clone, Default)]
struct Window {
    steps: u64,
    loss: f64,
    grad_norms: Vec<f64>,
}

impl Facts {
    pub(super) fn new(started: &Started) -> Self {
        Facts {
            started: started.clone(),
            total_steps: started.total_steps,
            step: started.first_step,
            learning_rate: started.spec.learning_rate,
            points: Vec::new(),
            scores: Scores::default(),
            is_finished: false,
            first: Window::default(),
            recent: VecDeque::new(),
            checked_at: 0,
        }
    }

    /// Forgets what came after the step from which the training resumes.
    pub(super) fn restart(&mut self, started: &Started) {
        if started.first_step == 0 {
            // The evaluation before the first step is repeated too.
            *self = Facts::new(started);
            return;
        }
        self.started = started.clone();
        (self.total_steps, self.step) = (started.total_steps, started.first_step);
        self.points.retain(|point| point.step <= started.first_step);
        self.recent.clear();
        (self.checked_at, self.is_finished) = (started.first_step, false);
    }

    /// Adds steps. True about once a window, when the rules are due.
    pub(super) fn take_step(&mut self, step: &Step) -> bool {
        let steps = step.step.saturating_sub(self.step).max(1);
        self.step = step.step;
        let window = self.window();
        if self.first.steps < window {
            self.first.steps += steps;
            self.first.loss += step.loss * steps as f64;
            self.first.grad_norms.push(step.grad_norm);
        }
        self.recent.push_back(StepSample { steps, loss: step.loss, grad_norm: step.grad_norm });
        let mut total = self.recent_count();
        while let Some(oldest) = self.recent.front()
            && total - oldest.steps >= window
        {
            total -= oldest.steps;
            self.recent.pop_front();
        }
        let is_due = self.step.saturating_sub(self.checked_at) >= window;
        if is_due {
            self.checked_at = self.step;
        }
        is_due
    }

    /// Adds an evaluation of the validation split.
    pub(super) fn take_eval(&mut self, eval: &Eval) {
        self.points.push(Point {
            step: eval.step,
            epoch: eval.epoch,
            loss: eval.scores.loss,
            value: eval.scores.get(self.started.best_metric()),
            train_loss: self.mean_loss(),
            is_constant: eval.scores.constant_prediction().is_some(),
        });
        self.scores = eval.scores.clone();
    }

    /// Steps of a window.
    fn window(&self) -> u64 {
        (self.total_steps / 10).clamp(WINDOW.0, WINDOW.1)
    }

    pub(super) fn has_first_loss(&self) -> bool {
        self.first.steps >= self.window()
    }

    /// Mean training loss of the first steps, once a window is complete.
    pub(super) fn first_loss(&self) -> Option<f64> {
        self.has_first_loss().then(|| self.first.loss / self.first.steps as f64)
    }

    /// Median gradient norm of the first steps, once a window is complete.
    pub(super) fn first_grad_norm(&self) -> Option<f64> {
        self.has_first_loss().then(|| median(self.first.grad_norms.clone()))?
    }

    /// Mean training loss of the newest steps, once a window after the first one is complete.
    pub(super) fn recent_loss(&self) -> Option<f64> {
        self.mean_loss().filter(|_| self.has_later_window())
    }

    /// Mean training loss of the newest steps, at most a window; at first of all steps so far.
    fn mean_loss(&self) -> Option<f64> {
        let steps = self.recent_count();
        let sum: f64 = self.recent.iter().map(|sample| sample.loss * sample.steps as f64).sum();
        (steps > 0).then(|| sum / steps as f64)
    }

    /// Median gradient norm of the newest steps, once a window after the first one is complete.
    pub(super) fn recent_grad_norm(&self) -> Option<f64> {
        self.has_later_window()
            .then(|| median(self.recent.iter().map(|sample| sample.grad_norm).collect()))?
    }

    /// Whether the newest steps are a window after the first one.
    fn has_later_window(&self) -> bool {
        let is_later = self.has_first_loss() && self.step >= self.first.steps + self.window();
        is_later && self.recent_count() >= self.window()
    }

    /// Number of the newest steps, at most about a window.
    fn recent_count(&self) -> u64 {
        self.recent.iter().map(|sample| sample.steps).sum()
    }

    /// Fraction of the steps done.
    pub(super) fn progress(&self) -> f64 {
        if self.is_finished { 1.0 } else { self.step as f64 / self.total_steps.max(1) as f64 }
    }

    /// The newest evaluation.
    pub(super) fn latest(&self) -> Option<Point> {
        self.points.last().copied()
    }

    /// The loss of always predicting the class frequencies of the validation rows.
    pub(super) fn prior_loss(&self) -> Option<f64> {
        self.latest().and_then(|_| self.scores.prior_loss())
    }

    /// The recommended value of a key for this model and data.
    pub(super) fn recommended(&self, key: &str) -> Option<&'static str> {
        // The parameters of a known model do not always reveal its size: the layers of ALBERT share theirs.
        let known = known_model(&self.started.spec.model).map(|model| model.size);
        let size = known.unwrap_or_else(|| ModelSize::of_parameters(self.started.trainable_parameters));
        let rows = self.started.rows[0] as u64;
        recommended(size, self.started.spec.task(), Some(rows)).get(key).map(|setting| setting.value)
    }

    /// The recommended learning rate for this model and data.
    pub(super) fn recommended_learning_rate(&self) -> f64 {
        let value = self.recommended("learning_rate").and_then(|value| value.parse().ok());
        value.unwrap_or(self.learning_rate)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
