//! The number of steps and when to evaluate, save and log: pure functions of the step.

use crate::spec::{IntervalStrategy, RunSpec};

/// The schedule of a training over its optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Examples of one optimizer step: batch size × gradient accumulation steps.
    pub examples_per_step: usize,
    /// Optimizer steps of one epoch; the last one of an epoch may have fewer examples.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the whole training.
    pub total_steps: u64,
    eval: IntervalStrategy,
    save: IntervalStrategy,
    log: IntervalStrategy,
}

impl Plan {
    /// The plan of `spec` for `rows` training rows.
    pub fn new(spec: &RunSpec, rows: usize) -> Self {
        let examples_per_step = spec.per_device_train_batch_size * spec.gradient_accumulation_steps;
        let steps_per_epoch = rows.div_ceil(examples_per_step) as u64;
        let (eval, save, log) = (spec.eval_steps, spec.save_steps, spec.logging_steps);
        let mut plan = Plan { examples_per_step, steps_per_epoch, total_steps: 0, eval, save, log };
        plan.total_steps = spec.max_steps.unwrap_or(plan.steps_of(spec.num_train_epochs));
        plan
    }

    /// Optimizer steps of that many epochs.
    pub fn steps_of(&self, epochs: f64) -> u64 {
        (epochs * self.steps_per_epoch as f64).ceil() as u64
    }

    /// Epochs done after `step` optimizer steps.
    pub fn epoch(&self, step: u64) -> f64 {
        step as f64 / self.steps_per_epoch as f64
    }

    /// Whether an epoch or the training ends after `step` steps. True for step 0, the state before any training.
    pub fn is_epoch_end(&self, step: u64) -> bool {
        step.is_multiple_of(self.steps_per_epoch) || step == self.total_steps
    }

    /// Whether the validation split is evaluated after `step` steps.
    pub fn is_eval_due(&self, step: u64) -> bool {
        self.is_epoch_end(step) || self.is_due(self.eval, step)
    }

    /// The number of evaluations of the validation split in the first `step` steps; that before the first step does not
    /// count.
    pub fn evaluations_until(&self, step: u64) -> u64 {
        let multiples = |every: u64| step.checked_div(every).unwrap_or(0);
        let epochs = multiples(self.steps_per_epoch);
        let regular = match self.eval {
            IntervalStrategy::Epoch => epochs,
            IntervalStrategy::Steps(every) => {
                let both = least_common_multiple(every, self.steps_per_epoch);
                epochs + multiples(every) - both.map_or(0, multiples)
            }
        };
        // The last step is evaluated, also where it is none of these.
        let is_regular = |step: u64| {
            step.is_multiple_of(self.steps_per_epoch)
                || matches!(self.eval, IntervalStrategy::Steps(every) if step.is_multiple_of(every))
        };
        let has_last = (1..=step).contains(&self.total_steps) && !is_regular(self.total_steps);
        regular + u64::from(has_last)
    }

    /// Whether a checkpoint is written after `step` steps.
    pub fn is_save_due(&self, step: u64) -> bool {
        step > 0 && self.is_due(self.save, step)
    }

    /// Whether the steps since the last `step` event are logged after `step` steps.
    pub fn is_log_due(&self, step: u64) -> bool {
        self.is_due(self.log, step) || step == self.total_steps
    }

    fn is_due(&self, interval: IntervalStrategy, step: u64) -> bool {
        match interval {
            IntervalStrategy::Epoch => self.is_epoch_end(step),
            IntervalStrategy::Steps(every) => step > 0 && step.is_multiple_of(every),
        }
    }
}

/// `None` if it is larger than every step, or if one of the numbers is 0.
fn least_common_multiple(a: u64, b: u64) -> Option<u64> {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a.checked_div(divisor)?.checked_mul(b).filter(|multiple| *multiple > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn spec() -> RunSpec {
        built_in("test")
    }

    #[test]
    fn steps_are_logged_at_the_interval_and_at_the_end() {
        let logged = |logging_steps| {
            let plan = Plan::new(&RunSpec { logging_steps, num_train_epochs: 2.0, ..spec() }, 160);
            (1..=plan.total_steps).filter(|step| plan.is_log_due(*step)).collect::<Vec<_>>()
        };
        assert_eq!(logged(IntervalStrategy::Steps(4)), [4, 8, 10]);
        assert_eq!(logged(IntervalStrategy::Epoch), [5, 10]);
    }

    #[test]
    fn the_treebank_has_267_steps_per_epoch() {
        let plan = Plan::new(&spec(), 8544);
        assert_eq!((plan.steps_per_epoch, plan.total_steps), (267, 801));
        let due: Vec<u64> = (0..=801).filter(|step| plan.is_eval_due(*step)).collect();
        assert_eq!(due, [0, 267, 534, 801]);
        assert_eq!((0..=801).filter(|step| plan.is_save_due(*step)).collect::<Vec<_>>(), [267, 534, 801]);
    }

    #[test]
    fn max_steps_overrides_epochs_and_intervals_add_to_epoch_ends() {
        let spec = RunSpec {
            max_steps: Some(7),
            eval_steps: IntervalStrategy::Steps(3),
            gradient_accumulation_steps: 2,
            per_device_train_batch_size: 10,
            ..spec()
        };
        let plan = Plan::new(&spec, 95);
        assert_eq!((plan.examples_per_step, plan.steps_per_epoch, plan.total_steps), (20, 5, 7));
        assert_eq!((0..=7).filter(|step| plan.is_eval_due(*step)).collect::<Vec<_>>(), [0, 3, 5, 6, 7]);
        assert_eq!([0, 2, 3, 5, 7].map(|step| plan.evaluations_until(step)), [0, 0, 1, 2, 4]);
        let half = RunSpec { num_train_epochs: 0.5, ..self::spec() };
        assert_eq!(Plan::new(&half, 100).total_steps, 2);
    }

    #[test]
    fn evaluations_are_counted_as_they_are_due() {
        let intervals = [1, 2, 3, 4, 6, 7, 100, u64::MAX].map(IntervalStrategy::Steps);
        for eval_steps in intervals.into_iter().chain([IntervalStrategy::Epoch]) {
            for (rows, max_steps) in [(32 * 6, 20), (32 * 6, 18), (32 * 4, 22), (32, 5), (32 * 50, 20)] {
                let plan = Plan::new(&RunSpec { eval_steps, max_steps: Some(max_steps), ..spec() }, rows);
                let mut count = 0;
                for step in 0..=max_steps {
                    count += u64::from(step > 0 && plan.is_eval_due(step));
                    assert_eq!(plan.evaluations_until(step), count, "{plan:?} at {step}");
                }
            }
        }
    }
}
