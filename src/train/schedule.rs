//! Step → learning rate, as `transformers.optimization` has it, and what becomes of it when it is changed
//! on the way.

use super::Plan;
use crate::event::{Command, Settings};
use crate::spec::{LrSchedulerType, RunSpec};

/// The learning rate of every step.
///
/// It is a pure function of the specification and of the changes, each at its step, so a run that is resumed
/// or done once more has the same rates, bit for bit. A change counts from its step on:
///
/// - `learning_rate` is what the schedule multiplies. Halving it halves every later rate.
/// - With more or fewer steps in all, the warm-up stays as it was, and what was left of the fall behind it
///   is stretched, or pressed together, to end at the new last step: the rate does not jump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrSchedule {
    schedule: LrSchedulerType,
    warmup: u64,
    planned_steps: u64,
    settings: Settings,
    bend: Option<LrChange>,
}

/// From `step` on the schedule is gone through at another pace.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LrChange {
    step: u64,
    /// The place in the planned schedule that `step` has.
    place: f64,
}

impl LrSchedule {
    /// The rates of `spec` over `planned_steps`, unchanged.
    pub fn new(spec: &RunSpec, planned_steps: u64) -> Self {
        LrSchedule {
            schedule: spec.lr_scheduler_type,
            warmup: warmup_steps(spec, planned_steps),
            planned_steps,
            settings: Settings { learning_rate: spec.learning_rate, total_steps: planned_steps },
            bend: None,
        }
    }

    /// What they come to now.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes what comes after `step` steps as `command` says.
    pub fn change(&mut self, step: u64, command: Command, plan: &Plan) {
        match command {
            Command::Halve => self.settings.learning_rate *= 0.5,
            Command::LearningRate(rate) => self.settings.learning_rate = twelve_digits(rate),
            Command::MaxSteps(steps) => self.end_at(step, steps),
            Command::NumTrainEpochs(epochs) => self.end_at(step, plan.steps_of(twelve_digits(epochs))),
            Command::Pause | Command::Resume | Command::Eval | Command::Save | Command::Stop => {}
        }
    }

    fn end_at(&mut self, step: u64, total_steps: u64) {
        let bend = step.max(self.warmup);
        self.bend = Some(LrChange { step: bend, place: self.place(bend) });
        // What is done cannot be undone: at the earliest the run ends where it is.
        self.settings.total_steps = total_steps.max(step);
    }

    /// The place of a step in the planned schedule, in steps of the plan.
    fn place(&self, step: u64) -> f64 {
        match self.bend {
            Some(bend) if step >= bend.step => {
                let pace = (self.planned_steps as f64 - bend.place).max(0.0)
                    / self.settings.total_steps.saturating_sub(bend.step).max(1) as f64;
                bend.place + (step - bend.step) as f64 * pace
            }
            _ => step as f64,
        }
    }

    /// The learning rate of optimizer step `step` (from 0).
    pub fn at(&self, step: u64) -> f64 {
        let (place, warmup, rate) = (self.place(step), self.warmup as f64, self.settings.learning_rate);
        if place < warmup {
            return rate * place / warmup;
        }
        let decay_steps = self.planned_steps.saturating_sub(self.warmup).max(1);
        let progress = ((place - warmup) / decay_steps as f64).min(1.0);
        rate * match self.schedule {
            LrSchedulerType::Linear => 1.0 - progress,
            LrSchedulerType::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            LrSchedulerType::Constant | LrSchedulerType::ConstantWithWarmup => 1.0,
        }
    }
}

/// Number of optimizer steps in which the learning rate rises: `warmup_steps`, else the ratio's
/// share of all steps, rounded up.
fn warmup_steps(spec: &RunSpec, total_steps: u64) -> u64 {
    match spec.lr_scheduler_type {
        LrSchedulerType::Constant => 0,
        _ => spec.warmup_steps.unwrap_or((total_steps as f64 * spec.warmup_ratio).ceil() as u64),
    }
}

/// A number that was typed, with twelve digits: so many that nobody misses the rest, and so few that a reader
/// of the log that errs in the last bit comes to the same number.
fn twelve_digits(number: f64) -> f64 {
    format!("{number:.11e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::spec;

    fn course(kind: LrSchedulerType, warmup_steps: Option<u64>) -> Vec<f64> {
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
            course(LrSchedulerType::Linear, None),
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
        assert_eq!(
            course(LrSchedulerType::Cosine, Some(2)),
            [0.0, 0.5, 1.0, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381]
        );
        assert_eq!(course(LrSchedulerType::Constant, Some(2)), [1.0; 10]);
        assert_eq!(
            course(LrSchedulerType::ConstantWithWarmup, Some(1)),
            [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
        assert_eq!(course(LrSchedulerType::Linear, Some(0))[0], 1.0);
    }

    fn rates(kind: LrSchedulerType, changes: &[(u64, Command)]) -> Vec<f64> {
        let spec = RunSpec { lr_scheduler_type: kind, warmup_steps: Some(2), learning_rate: 1.0, ..spec() };
        let plan =
            Plan::new(&RunSpec { max_steps: Some(10), per_device_train_batch_size: 1, ..spec.clone() }, 5);
        let mut rates = LrSchedule::new(&spec, 10);
        let mut course = Vec::new();
        let mut step = 0;
        while step < rates.settings().total_steps {
            for (at, command) in changes.iter().filter(|(at, _)| *at == step) {
                rates.change(*at, *command, &plan);
            }
            if step < rates.settings().total_steps {
                course.push((rates.at(step) * 1e4).round() / 1e4);
            }
            step += 1;
        }
        course
    }

    #[test]
    fn a_change_counts_from_its_step_on() {
        let halved = rates(LrSchedulerType::Linear, &[(4, Command::Halve)]);
        assert_eq!(halved, [0.0, 0.5, 1.0, 0.875, 0.375, 0.3125, 0.25, 0.1875, 0.125, 0.0625]);
        let set = rates(LrSchedulerType::Constant, &[(8, Command::LearningRate(0.3)), (9, Command::Halve)]);
        assert_eq!(set[7..], [1.0, 0.3, 0.15]);
    }

    #[test]
    fn another_end_bends_the_rest_of_the_fall_without_a_jump() {
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
    fn the_warm_up_keeps_its_length_and_the_end_is_never_in_the_past() {
        let early = rates(LrSchedulerType::Linear, &[(1, Command::MaxSteps(6))]);
        assert_eq!(early, [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(rates(LrSchedulerType::Linear, &[(7, Command::MaxSteps(3))]).len(), 7);
        assert_eq!(rates(LrSchedulerType::Cosine, &[(1, Command::MaxSteps(2))]), [0.0, 0.5]);
    }

    #[test]
    fn a_rate_survives_a_reader_that_errs_in_the_last_bit() {
        for rate in [1e-5, 2.3e-5, 0.1 + 0.2, 1.0 / 3.0] {
            let read = f64::from_bits(rate_bits(rate) + 1);
            assert_eq!(twelve_digits(read).to_bits(), rate_bits(rate));
        }
    }

    fn rate_bits(rate: f64) -> u64 {
        twelve_digits(rate).to_bits()
    }
}
