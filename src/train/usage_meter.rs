//! Accumulates the time, tokens and operations of a training: the clock is read a few times per step, the
//! profile of the engine about once a second.

use crate::batch::Batch;
use crate::event::{Stage, Step, Usage};
use crate::nn::{ByPhase, Engine, ModelConfig, step_flops};
use std::time::{Duration, Instant};

/// Time between two usage reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The steps since the last `step` event.
#[derive(Debug, Default)]
pub(super) struct StepAccumulator {
    pub(super) steps: u64,
    /// The last steps, whose loss the engine has not reported.
    pub(super) unreported: u64,
    /// Sum of the losses of the other steps.
    pub(super) loss: f64,
    pub(super) examples: u64,
    pub(super) tokens: u64,
    pub(super) seconds: f64,
    pub(super) learning_rate: f64,
    pub(super) grad_norm: f64,
}

impl StepAccumulator {
    /// The `step` event, after `step` steps and `epoch` epochs.
    pub(super) fn into_event(self, step: u64, epoch: f64, usage: Option<Box<Usage>>) -> Step {
        Step {
            step,
            epoch,
            loss: self.loss / self.steps as f64,
            learning_rate: self.learning_rate,
            grad_norm: self.grad_norm,
            examples: self.examples,
            tokens: self.tokens,
            seconds: self.seconds,
            usage,
        }
    }
}

/// Usage since the last report.
#[derive(Debug)]
pub(super) struct UsageMeter {
    /// Time of the last report.
    reported_at: Instant,
    /// Usage since then, as of the last flush.
    pending: Usage,
    /// Usage since the last flush, whose step time is not attributed to phases.
    unattributed: Usage,
    /// Time of the engine by phase at the last flush.
    phases: Option<ByPhase>,
}

impl UsageMeter {
    /// Starts now.
    pub(super) fn new(engine: &dyn Engine) -> Self {
        UsageMeter {
            reported_at: Instant::now(),
            pending: Usage::default(),
            unattributed: Usage::default(),
            phases: phases(engine),
        }
    }

    /// Adds the time since `since` to a stage.
    pub(super) fn spend(&mut self, stage: Stage, since: Instant) {
        self.unattributed.spend(stage, since.elapsed().as_secs_f64());
    }

    /// Adds to the time of steps.
    pub(super) fn step(&mut self, seconds: f64) {
        self.unattributed.spend(Stage::Other, seconds);
    }

    /// Adds the tokens and operations of a step on `batch`.
    pub(super) fn count(&mut self, batch: &Batch, engine: &dyn Engine, config: &ModelConfig, labels: usize) {
        self.unattributed.tokens += batch.tokens() as u64;
        self.unattributed.computed_tokens += engine.computed_tokens(batch) as u64;
        self.unattributed.operations += step_flops(config, labels, batch);
    }

    /// Attributes the time of steps to phases with the profile of the engine, and adds the usage since the last
    /// flush to `total`.
    pub(super) fn flush(&mut self, engine: &dyn Engine, total: &mut Usage) {
        let usage = std::mem::take(&mut self.unattributed);
        let before = std::mem::replace(&mut self.phases, phases(engine));
        let usage = by_phase(usage, before, self.phases);
        total.add(&usage);
        self.pending.add(&usage);
    }

    /// Whether the next report is due.
    pub(super) fn is_due(&self) -> bool {
        self.reported_at.elapsed() >= REPORT_INTERVAL
    }

    /// The usage since the last report, as of the last [`UsageMeter::flush`].
    pub(super) fn report(&mut self) -> Usage {
        self.reported_at = Instant::now();
        let mut usage = std::mem::take(&mut self.pending);
        usage.seconds.values_mut().for_each(|seconds| *seconds = round_to_micros(*seconds));
        usage
    }
}

/// `usage` with the time of its steps by phase, from the engine's profiles `before` and `now`.
fn by_phase(mut usage: Usage, before: Option<ByPhase>, now: Option<ByPhase>) -> Usage {
    if let Some((now, before)) = now.zip(before) {
        let ByPhase { forward, backward, optimizer } = now.since(&before);
        let total = usage.seconds.remove(&Stage::Other).unwrap_or(0.0);
        usage.spend(Stage::Forward, forward);
        usage.spend(Stage::Backward, backward);
        usage.spend(Stage::Optimizer, optimizer);
        usage.spend(Stage::Other, total - forward - backward - optimizer);
    }
    usage
}

fn phases(engine: &dyn Engine) -> Option<ByPhase> {
    engine.profile().map(|profile| profile.by_phase)
}

fn round_to_micros(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_time_is_split_by_phase_only_with_a_profile() {
        let mut usage = Usage::default();
        usage.spend(Stage::Other, 4.0);
        let seconds = by_phase(usage.clone(), None, None).seconds;
        assert_eq!(seconds.into_iter().collect::<Vec<_>>(), [(Stage::Other, 4.0)]);
        let before = ByPhase { forward: 10.0, backward: 20.0, optimizer: 5.0 };
        let after = ByPhase { forward: 11.0, backward: 22.0, optimizer: 5.5 };
        let seconds = by_phase(usage, Some(before), Some(after)).seconds;
        let expected =
            [(Stage::Forward, 1.0), (Stage::Backward, 2.0), (Stage::Optimizer, 0.5), (Stage::Other, 0.5)];
        assert_eq!(seconds.into_iter().collect::<Vec<_>>(), expected);
    }
}
