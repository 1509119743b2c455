//! Evaluations of splits and probes, and what follows from them.

use super::averaging::{ValidationEvals, is_better};
use super::state::Trainer;
use crate::catalog::SplitRole;
use crate::error::Result;
use crate::event::{AverageEval, Averaging, Eval, Event, Progress, Scores, SplitName, Stage, Unit};
use crate::nn::{Engine, ParamState};
use crate::text::plural;
use crate::train::evaluate::evaluate;
use crate::train::predictions::Predictions;
use crate::train::saved_predictions::SavedPredictions;
use crate::train::scores::add_metrics_from;
use crate::train::setup::Setup;
use crate::train::snapshot::Snapshot;
use std::ops::ControlFlow;
use std::time::Instant;

impl Trainer<'_> {
    /// Evaluates what is scheduled: the validation split, and at the end of an epoch the other splits too. The scores of
    /// the training rows are the running mean over the steps of the epoch, or of a full pass after each epoch with
    /// `eval_on_train`. If the weights are the best on the validation split, writes them to `best/`. Breaks if the
    /// training was stopped.
    pub(super) fn evaluate_scheduled(&mut self) -> Result<ControlFlow<()>> {
        let step = self.state.step;
        let Some(validation) = self.evaluate_validation()? else { return Ok(ControlFlow::Break(())) };
        let selected = validation.selected;
        let value = validation.value(self.spec.best_metric());
        let is_best = self.is_best(value);
        self.record_validation(validation, is_best);
        self.evaluate_probes();
        let is_due = |split| match split {
            SplitName::Train => step > 0 && self.plan.is_epoch_end(step),
            split => {
                self.plan.is_epoch_end(step) || (is_best && selected.is_none() && split == SplitName::Test)
            }
        };
        let due = [SplitName::Test, SplitName::Train].map(|split| (split, is_due(split)));
        for (split, due) in due {
            if !due || !self.setup.eval.contains_key(&split) {
                continue;
            }
            let Some((eval, _)) = self.evaluate_split(split, None)? else {
                return Ok(ControlFlow::Break(()));
            };
            self.record_eval(eval);
        }
        self.record_running_scores();
        match (step, is_best) {
            (0, _) => self.state.before = self.state.latest.clone(),
            (_, true) => {
                if self.select_best(value, selected)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            (_, false) => self.state.evals_without_improvement += 1,
        }
        self.state.scored_at = Some(step);
        Ok(ControlFlow::Continue(()))
    }

    /// Evaluates the validation split on a user's command. The result is only emitted and never selects the best
    /// weights, so the command does not affect the training.
    pub(super) fn evaluate_on_command(&mut self) -> Result<()> {
        if let Some(ValidationEvals { weights, average, .. }) = self.evaluate_validation()? {
            (self.emit)(Event::Eval(weights));
            if let Some(average) = average {
                (self.emit)(Event::AverageEval(average));
            }
            self.evaluate_probes();
        }
        Ok(())
    }

    /// Evaluates the validation split with the weights and, after the first step, with their moving average, and saves the
    /// predictions of the better ones. `None` if the training was stopped meanwhile.
    fn evaluate_validation(&mut self) -> Result<Option<ValidationEvals>> {
        let Some((weights, mut predictions)) = self.evaluate_validation_with(None)? else { return Ok(None) };
        let mut evals = ValidationEvals { weights, average: None, selected: None };
        if self.state.step > 0 && self.setup.built.engine.has_average() {
            let averaging = Averaging::Ema;
            let Some((eval, of_average)) = self.evaluate_validation_with(Some(averaging))? else {
                return Ok(None);
            };
            if evals.is_improved_by(&eval, self.spec.best_metric()) {
                evals.selected = Some(averaging);
                predictions = of_average;
            }
            evals.average = Some(AverageEval { averaging, eval });
        }
        self.save_predictions(predictions)?;
        Ok(Some(evals))
    }

    /// Evaluates the validation split and the extra validation splits, from which some metrics are taken. `None` if the
    /// training was stopped meanwhile.
    pub(super) fn evaluate_validation_with(
        &mut self,
        averaging: Option<Averaging>,
    ) -> Result<Option<(Eval, Predictions)>> {
        let Some((mut eval, predictions)) = self.evaluate_split(SplitName::Validation, averaging)? else {
            return Ok(None);
        };
        let extra = |split: &SplitName| split.role() == SplitRole::ExtraValidation;
        let extra: Vec<SplitName> = self.setup.eval.keys().copied().filter(extra).collect();
        for split in extra {
            let Some((other, _)) = self.evaluate_split(split, averaging)? else { return Ok(None) };
            add_metrics_from(&other.scores, split, self.spec.task(), &mut eval.scores);
            (self.emit)(match averaging {
                None => Event::Eval(other),
                Some(averaging) => Event::AverageEval(AverageEval { averaging, eval: other }),
            });
        }
        Ok(Some((eval, predictions)))
    }

    /// Writes the predictions of the validation split at this step.
    pub(super) fn save_predictions(&mut self, predictions: Predictions) -> Result<()> {
        let start = Instant::now();
        let step = self.state.step;
        let saved = SavedPredictions { step, epoch: self.plan.epoch(step), predictions };
        let dir = self.dir()?;
        self.prediction_writer.write(&dir, &saved, self.emit);
        self.state.usage.spend(Stage::Saving, start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Evaluates a split with the weights or their average; `None` if the training was stopped meanwhile. The mean of
    /// checkpoints is in place of the weights.
    pub(super) fn evaluate_split(
        &mut self,
        split: SplitName,
        averaging: Option<Averaging>,
    ) -> Result<Option<(Eval, Predictions)>> {
        self.synchronize()?;
        let start = Instant::now();
        let is_swapped = averaging == Some(Averaging::Ema);
        let weights = if is_swapped { ParamState::Average } else { ParamState::Weight };
        let what = format!("evaluating {}{}", split.name(), Averaging::suffix(averaging));
        let Setup { built, eval, folder, labels, .. } = &mut self.setup;
        let rows = &eval[&split];
        let (emit, control) = (&mut *self.emit, self.control);
        let (step, spec) = (self.state.step, self.spec);
        let mut on_batch = |engine: &mut dyn Engine, done: usize| -> Result<bool> {
            emit(Event::Progress(Progress {
                what: what.clone(),
                done: done as u64,
                total: Some(rows.len() as u64),
                unit: Unit::Rows,
            }));
            if let Some(request) = control.poll_snapshot_request() {
                request.send(Snapshot::of((engine, weights), step, spec, folder, labels)?).ok();
            }
            Ok(!control.is_cancelled())
        };
        let batch_size = spec.per_device_eval_batch_size;
        let engine = built.engine.as_mut();
        if is_swapped {
            engine.swap_average()?;
        }
        let predictions = evaluate(engine, rows, labels, batch_size, &mut on_batch);
        if is_swapped {
            engine.swap_average()?;
        }
        let Some(predictions) = predictions? else { return Ok(None) };
        let (epoch, seconds) = (self.plan.epoch(step), start.elapsed().as_secs_f64());
        self.add_evaluation_time(seconds);
        let scores: Scores = predictions.scores(spec.task());
        Ok(Some((Eval { step, epoch, split, scores, best: false, seconds }, predictions)))
    }

    fn evaluate_probes(&mut self) {
        let start = Instant::now();
        let at = (self.state.step, self.plan.epoch(self.state.step));
        self.probe_evaluator.evaluate(&mut self.setup, self.spec, at, self.emit);
        self.add_evaluation_time(start.elapsed().as_secs_f64());
    }

    fn add_evaluation_time(&mut self, seconds: f64) {
        self.state.scoring_seconds += seconds;
        self.state.usage.spend(Stage::Evaluation, seconds);
    }

    /// Records the running mean over the steps of the epoch, if there were steps and no full pass replaces it.
    fn record_running_scores(&mut self) {
        let step = self.state.step;
        if self.setup.eval.contains_key(&SplitName::Train) {
            return;
        }
        let scores = self.state.running_scores.as_ref().and_then(|running| running.scores(self.spec.task()));
        let Some(scores) = scores else { return };
        let epoch = self.plan.epoch(step);
        self.record_eval(Eval { step, epoch, split: SplitName::Train, scores, best: false, seconds: 0.0 });
    }

    /// Records the evaluations of the validation split; `is_best` is whether the better of both is the best so far.
    fn record_validation(&mut self, evals: ValidationEvals, is_best: bool) {
        let ValidationEvals { weights, average, selected } = evals;
        self.record_eval(Eval { best: is_best && selected.is_none(), ..weights });
        if let Some(AverageEval { averaging, eval }) = average {
            let eval = Eval { best: is_best && selected.is_some(), ..eval };
            self.record_average_eval(AverageEval { averaging, eval });
        }
    }

    fn record_eval(&mut self, eval: Eval) {
        self.state.latest.insert(eval.split, eval.scores.clone());
        (self.emit)(Event::Eval(eval));
    }

    /// Whether `value` is the best one so far. The value before any training does not count.
    pub(super) fn is_best(&self, value: f64) -> bool {
        let best = self.state.best.map_or(f64::NAN, |best| best.value);
        self.state.step > 0 && is_better(self.spec.best_metric(), value, best)
    }

    /// Whether early stopping ends the training.
    pub(super) fn is_patience_exhausted(&mut self) -> bool {
        let evals = self.state.evals_without_improvement;
        let is_exhausted = self.spec.early_stopping_patience.is_some_and(|patience| evals >= patience);
        if is_exhausted && self.state.step < self.plan.total_steps {
            let evals = plural(evals, "evaluation");
            (self.emit)(Event::note(format!("stopped early: {evals} without improvement")));
        }
        is_exhausted
    }
}
