//! What a training uses, added up as it goes: some readings of the clock a step, and a question to the engine
//! about once a second.

use crate::batch::Batch;
use crate::event::{Stage, Step, Usage};
use crate::nn::{ByPhase, Engine, ModelConfig, step_flops};
use std::time::{Duration, Instant};

/// How often it is told what was used.
const EVERY: Duration = Duration::from_secs(1);

/// What the steps since the last `step` event came to.
#[derive(Debug, Default)]
pub(super) struct StepAccumulator {
    pub(super) steps: u64,
    /// Of these, the last that the engine has not told the loss of.
    pub(super) unread: u64,
    /// Sum over the steps that it has told of.
    pub(super) loss: f64,
    pub(super) examples: u64,
    pub(super) tokens: u64,
    pub(super) seconds: f64,
    pub(super) learning_rate: f64,
    pub(super) grad_norm: f64,
}

impl StepAccumulator {
    /// The event that tells them, with so many steps and epochs done.
    pub(super) fn told(self, step: u64, epoch: f64, usage: Option<Box<Usage>>) -> Step {
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

/// What steps used that was not told yet.
#[derive(Debug)]
pub(super) struct UsageMeter {
    /// When it was told last.
    told: Instant,
    untold: Usage,
    /// What was used since the engine was asked.
    open: Usage,
    /// What the engine's steps had taken then.
    passes: Option<ByPhase>,
}

impl UsageMeter {
    /// Begins now.
    pub(super) fn new(engine: &dyn Engine) -> Self {
        let passes = passes(engine);
        UsageMeter { told: Instant::now(), untold: Usage::default(), open: Usage::default(), passes }
    }

    /// Adds to the time that a stage took.
    pub(super) fn spend(&mut self, stage: Stage, since: Instant) {
        self.open.spend(stage, since.elapsed().as_secs_f64());
    }

    /// Adds to the time that steps took, whatever they did in it.
    pub(super) fn step(&mut self, seconds: f64) {
        self.open.spend(Stage::Other, seconds);
    }

    /// Adds what a step on `batch` is.
    pub(super) fn count(&mut self, batch: &Batch, engine: &dyn Engine, config: &ModelConfig, labels: usize) {
        self.open.tokens += batch.tokens() as u64;
        self.open.computed_tokens += engine.computed_tokens(batch) as u64;
        self.open.operations += step_flops(config, labels, batch);
    }

    /// Asks the engine, and adds what was used since it was asked last to `whole`.
    pub(super) fn flush(&mut self, engine: &dyn Engine, whole: &mut Usage) {
        let open = std::mem::take(&mut self.open);
        let before = std::mem::replace(&mut self.passes, passes(engine));
        let used = by_passes(open, before, self.passes);
        whole.add(&used);
        self.untold.add(&used);
    }

    /// Whether it is time to tell.
    pub(super) fn is_due(&self) -> bool {
        self.told.elapsed() >= EVERY
    }

    /// What is to be told, after [`UsageMeter::flush`].
    pub(super) fn tell(&mut self) -> Usage {
        self.told = Instant::now();
        let mut untold = std::mem::take(&mut self.untold);
        untold.seconds.values_mut().for_each(|seconds| *seconds = micro(*seconds));
        untold
    }
}

/// What was used with the steps by their ways, which had taken `before` and then `now`.
fn by_passes(mut used: Usage, before: Option<ByPhase>, now: Option<ByPhase>) -> Usage {
    if let Some((now, before)) = now.zip(before) {
        let ByPhase { forward, backward, optimizer } = now.since(&before);
        let whole = used.seconds.remove(&Stage::Other).unwrap_or(0.0);
        used.spend(Stage::Forward, forward);
        used.spend(Stage::Backward, backward);
        used.spend(Stage::Optimizer, optimizer);
        used.spend(Stage::Other, whole - forward - backward - optimizer);
    }
    used
}

fn passes(engine: &dyn Engine) -> Option<ByPhase> {
    engine.profile().map(|profile| profile.by_phase)
}

/// Seconds as finely as it is of use in a log.
fn micro(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_tell_apart_stays_whole() {
        let mut used = Usage::default();
        used.spend(Stage::Other, 4.0);
        let told = by_passes(used.clone(), None, None).seconds;
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [(Stage::Other, 4.0)]);
        let before = ByPhase { forward: 10.0, backward: 20.0, optimizer: 5.0 };
        let after = ByPhase { forward: 11.0, backward: 22.0, optimizer: 5.5 };
        let told = by_passes(used, Some(before), Some(after)).seconds;
        let expected =
            [(Stage::Forward, 1.0), (Stage::Backward, 2.0), (Stage::Optimizer, 0.5), (Stage::Other, 0.5)];
        assert_eq!(told.into_iter().collect::<Vec<_>>(), expected);
    }
}
