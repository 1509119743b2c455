//! Optimizer steps and their log.

use super::state::Trainer;
use crate::batch::Batch;
use crate::data::order::epoch_order;
use crate::error::{Error, Result};
use crate::event::{Event, Stage};
use crate::nn::{Built, StepInput, StepReport};
use crate::train::running_scores::RunningScores;
use std::time::Instant;

impl Trainer<'_> {
    /// The batch of the next step.
    pub(super) fn next_batch(&mut self) -> Batch {
        let epoch = self.state.step / self.plan.steps_per_epoch;
        if self.ordered_epoch != Some(epoch) {
            self.order = epoch_order(self.spec.seed, epoch as u32, self.setup.train.len());
            self.ordered_epoch = Some(epoch);
        }
        let start = (self.state.step % self.plan.steps_per_epoch) as usize * self.plan.examples_per_step;
        let end = (start + self.plan.examples_per_step).min(self.order.len());
        let rows = &self.order[start..end];
        let mut batch = Batch::new(rows.iter().map(|row| &self.setup.train[*row]));
        let (outputs, teacher) = (self.setup.labels.outputs(), &self.setup.teacher_logits);
        if !teacher.is_empty() {
            batch.teacher_logits =
                rows.iter().flat_map(|row| &teacher[row * outputs..(row + 1) * outputs]).copied().collect();
        }
        batch
    }

    /// Takes one optimizer step, and logs if a log line is due.
    pub(super) fn step(&mut self) -> Result<()> {
        let start = Instant::now();
        let batch = self.next_batch();
        self.usage_meter.spend(Stage::Data, start);
        let step = self.state.step;
        let epoch = step / self.plan.steps_per_epoch;
        let (running_scores, labels) = (&mut self.state.running_scores, &self.setup.labels);
        if running_scores.as_ref().is_none_or(|scores| scores.epoch != epoch) {
            *running_scores = Some(RunningScores::new(epoch, labels.problem_type(), labels.outputs()));
        }
        let learning_rate = self.schedule.at(step);
        let start = Instant::now();
        let input = StepInput { batch: &batch, step, learning_rate };
        let report = self.setup.built.engine.enqueue(input)?;
        self.add_step_time(start);
        let Built { engine, config, .. } = &self.setup.built;
        self.usage_meter.count(&batch, engine.as_ref(), config, self.setup.labels.outputs());
        self.unreported_labels.extend_from_slice(&batch.labels);
        let (examples, tokens) = (batch.len() as u64, batch.tokens() as u64);
        self.state.step += 1;
        self.state.examples += examples;
        self.state.tokens += tokens;
        self.pending.steps += 1;
        self.pending.unreported += 1;
        self.pending.examples += examples;
        self.pending.tokens += tokens;
        self.pending.learning_rate = learning_rate;
        if let Some(report) = report {
            self.record(report)?;
        }
        if self.plan.is_log_due(self.state.step) {
            self.log_steps()?;
        }
        Ok(())
    }

    /// Waits for steps that the device has not finished, so that evaluations and checkpoints see their result.
    pub(super) fn synchronize(&mut self) -> Result<()> {
        let start = Instant::now();
        let engine = &mut self.setup.built.engine;
        let report = engine.report()?;
        let warnings = engine.take_notes();
        self.add_step_time(start);
        for warning in warnings {
            (self.emit)(Event::warning(warning));
        }
        report.map_or(Ok(()), |report| self.record(report))
    }

    /// Records the engine's report on the steps that it had not reported.
    fn record(&mut self, report: StepReport) -> Result<()> {
        let StepReport { loss, grad_norm, logits } = report;
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(Error::Training(format!(
                "the loss of step {} is {loss} with gradient norm {grad_norm}; lower learning_rate (now {}) or set max_grad_norm = 1.0",
                self.state.step,
                self.schedule.settings().learning_rate
            )));
        }
        self.pending.loss += loss * self.pending.unreported as f64;
        self.pending.unreported = 0;
        self.pending.grad_norm = grad_norm;
        let labels = std::mem::take(&mut self.unreported_labels);
        if let Some(scores) = &mut self.state.running_scores {
            for (logits, label) in logits.chunks_exact(self.setup.labels.outputs()).zip(&labels) {
                scores.add(logits, label);
            }
        }
        Ok(())
    }

    /// Adds the time since `start` to that of steps.
    fn add_step_time(&mut self, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.state.train_seconds += seconds;
        self.pending.seconds += seconds;
        self.usage_meter.step(seconds);
    }

    /// Emits the steps since the last `step` event, if any.
    pub(super) fn log_steps(&mut self) -> Result<()> {
        self.synchronize()?;
        let pending = std::mem::take(&mut self.pending);
        if pending.steps == 0 {
            return Ok(());
        }
        let mut usage = None;
        if self.usage_meter.is_due() || self.plan.is_epoch_end(self.state.step) {
            self.flush_usage();
            usage = Some(Box::new(self.usage_meter.report()));
        }
        let start = Instant::now();
        let (step, epoch) = (self.state.step, self.plan.epoch(self.state.step));
        (self.emit)(Event::Step(pending.into_event(step, epoch, usage)));
        self.usage_meter.spend(Stage::Logging, start);
        Ok(())
    }
}
