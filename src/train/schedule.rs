//! The learning rate of each step, as in `transformers.optimization`, and how commands change it during a run.

use super::plan::Plan;
use crate::event::{Command, TrainingSettings};
use crate::spec::{LrSchedulerType, RunSpec};

/// The learning-rate schedule.
///
/// It is a pure function of the specification and of the changes with their steps, so a resumed or replayed run
/// has the same learning rates, bit for bit. A change applies from its step on:
///
/// - `learning_rate` is the factor of the schedule. Halving it halves every later rate.
/// - A new total number of steps keeps the warm-up and stretches or compresses the rest of the schedule so that
///   it ends at the new last step. The learning rate stays continuous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrSchedule {
    schedule: LrSchedulerType,
    warmup: u64,
    planned_steps: u64,
    settings: TrainingSettings,
    change: Option<LrChange>,
}

/// A change of the total number of steps.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LrChange {
    /// The first step with the new pace.
    step: u64,
    /// The step of the planned schedule that it corresponds to.
    planned_step: f64,
}

impl LrSchedule {
    /// The unchanged schedule of `spec` over `planned_steps`.
    pub fn new(spec: &RunSpec, planned_steps: u64) -> Self {
        LrSchedule {
            schedule: spec.lr_scheduler_type,
            warmup: warmup_steps(spec, planned_steps),
            planned_steps,
            settings: TrainingSettings { learning_rate: spec.learning_rate, total_steps: planned_steps },
            change: None,
        }
    }

    /// The current settings.
    pub fn settings(&self) -> TrainingSettings {
        self.settings
    }

    /// Applies a command from `step` on. Commands that do not change the settings have no effect.
    pub fn apply(&mut self, step: u64, command: Command, plan: &Plan) {
        match command {
            Command::Halve => self.settings.learning_rate *= 0.5,
            Command::LearningRate(rate) => self.settings.learning_rate = twelve_digits(rate),
            Command::MaxSteps(steps) => self.end_at(step, steps),
            Command::NumTrainEpochs(epochs) => self.end_at(step, plan.steps_of(twelve_digits(epochs))),
            Command::Pause | Command::Resume | Command::Eval | Command::Save | Command::Stop => {}
        }
    }

    fn end_at(&mut self, step: u64, total_steps: u64) {
        let start = step.max(self.warmup);
        self.change = Some(LrChange { step: start, planned_step: self.planned_step(start) });
        // Steps that are done stay: the run ends at the current step at the earliest.
        self.settings.total_steps = total_steps.max(step);
    }

    /// The step of the planned schedule that a step corresponds to.
    fn planned_step(&self, step: u64) -> f64 {
        match self.change {
            Some(change) if step >= change.step => {
                let pace = (self.planned_steps as f64 - change.planned_step).max(0.0)
                    / self.settings.total_steps.saturating_sub(change.step).max(1) as f64;
                change.planned_step + (step - change.step) as f64 * pace
            }
            _ => step as f64,
        }
    }

    /// The learning rate of optimizer step `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        let (step, warmup, rate) = (self.planned_step(step), self.warmup as f64, self.settings.learning_rate);
        if step < warmup {
            return rate * step / warmup;
        }
        let decay_steps = self.planned_steps.saturating_sub(self.warmup).max(1);
        let progress = ((step - warmup) / decay_steps as f64).min(1.0);
        rate * match self.schedule {
            LrSchedulerType::Linear => 1.0 - progress,
            LrSchedulerType::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            LrSchedulerType::Constant | LrSchedulerType::ConstantWithWarmup => 1.0,
        }
    }
}

/// Number of warm-up steps: `warmup_steps`, or else `warmup_ratio` of all steps, rounded up.
fn warmup_steps(spec: &RunSpec, total_steps: u64) -> u64 {
    match spec.lr_scheduler_type {
        LrSchedulerType::Constant => 0,
        _ => spec.warmup_steps.unwrap_or((total_steps as f64 * spec.warmup_ratio).ceil() as u64),
    }
}

/// A number rounded to twelve significant digits, so that a JSON reader with an error in the last bit gives the
/// same number when the log is replayed.
fn twelve_digits(number: f64) -> f64 {
    format!("{number:.11e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn spec() -> RunSpec {
        built_in("test")
    }

    fn schedule(kind: LrSchedulerType, warmup_steps: Option<u64>) -> Vec<f64> {
        let spec = RunSpec {
            lr_scheduler_type: kind,
            warmup_steps,
            learning_rate: 1.0,
            warmup_ratio: 0.2,
            ..spec()
        };
        (0..10).map(|step| (LrSchedule::new(&spec, 10).at(step) * 1e4).round() / 1e4).collect()
    }

    /// `[s.get_last_lr()[0] for _ in range(10)]` of `get_linear_schedule_with_warmup(opt, 2, 10)`
    /// and its siblings in Transformers 5.23.
    #[test]
    fn equals_transformers() {
        assert_eq!(
            schedule(LrSchedulerType::Linear, None),
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
        assert_eq!(
            schedule(LrSchedulerType::Cosine, Some(2)),
            [0.0, 0.5, 1.0, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381]
        );
        assert_eq!(schedule(LrSchedulerType::Constant, Some(2)), [1.0; 10]);
        assert_eq!(
            schedule(LrSchedulerType::ConstantWithWarmup, Some(1)),
            [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
        assert_eq!(schedule(LrSchedulerType::Linear, Some(0))[0], 1.0);
    }

    fn rates(kind: LrSchedulerType, changes: &[(u64, Command)]) -> Vec<f64> {
        let spec = RunSpec { lr_scheduler_type: kind, warmup_steps: Some(2), learning_rate: 1.0, ..spec() };
        let plan =
            Plan::new(&RunSpec { max_steps: Some(10), per_device_train_batch_size: 1, ..spec.clone() }, 5);
        let mut schedule = LrSchedule::new(&spec, 10);
        let mut all = Vec::new();
        let mut step = 0;
        while step < schedule.settings().total_steps {
            for (at, command) in changes.iter().filter(|(at, _)| *at == step) {
                schedule.apply(*at, *command, &plan);
            }
            if step < schedule.settings().total_steps {
                all.push((schedule.at(step) * 1e4).round() / 1e4);
            }
            step += 1;
        }
        all
    }

    #[test]
    fn a_change_applies_from_its_step_on() {
        let halved = rates(LrSchedulerType::Linear, &[(4, Command::Halve)]);
        assert_eq!(halved, [0.0, 0.5, 1.0, 0.875, 0.375, 0.3125, 0.25, 0.1875, 0.125, 0.0625]);
        let set = rates(LrSchedulerType::Constant, &[(8, Command::LearningRate(0.3)), (9, Command::Halve)]);
        assert_eq!(set[7..], [1.0, 0.3, 0.15]);
    }

    #[test]
    fn a_new_last_step_stretches_or_compresses_the_decay() {
        let longer = rates(LrSchedulerType::Linear, &[(6, Command::MaxSteps(14))]);
        assert_eq!(longer[5..], [0.625, 0.5, 0.4375, 0.375, 0.3125, 0.25, 0.1875, 0.125, 0.0625]);
        let shorter = rates(LrSchedulerType::Linear, &[(6, Command::MaxSteps(8))]);
        assert_eq!(shorter[5..], [0.625, 0.5, 0.25]);
        let twice =
            rates(LrSchedulerType::Linear, &[(6, Command::MaxSteps(14)), (10, Command::MaxSteps(12))]);
        assert_eq!(twice[9..], [0.3125, 0.25, 0.125]);
        // The plan has five steps an epoch.
        assert_eq!(rates(LrSchedulerType::Linear, &[(6, Command::NumTrainEpochs(2.8))]), longer);
    }

    #[test]
    fn the_warm_up_keeps_its_length_and_done_steps_stay() {
        let early = rates(LrSchedulerType::Linear, &[(1, Command::MaxSteps(6))]);
        assert_eq!(early, [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(rates(LrSchedulerType::Linear, &[(7, Command::MaxSteps(3))]).len(), 7);
        assert_eq!(rates(LrSchedulerType::Cosine, &[(1, Command::MaxSteps(2))]), [0.0, 0.5]);
    }

    #[test]
    fn an_error_in_the_last_bit_does_not_change_a_rate() {
        for rate in [1e-5, 2.3e-5, 0.1 + 0.2, 1.0 / 3.0] {
            let read = f64::from_bits(rate_bits(rate) + 1);
            assert_eq!(twelve_digits(read).to_bits(), rate_bits(rate));
        }
    }

    fn rate_bits(rate: f64) -> u64 {
        twelve_digits(rate).to_bits()
    }
}
