//! Estimates the duration of a run from earlier runs.

use super::history::History;
use crate::spec::{RunSpec, keys};
use crate::train::Summary;

/// The measured speed of a run, from which the duration of similar runs is estimated.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredSpeed {
    /// The specification of the measured run.
    pub spec: RunSpec,
    /// Optimizer steps of one epoch.
    pub steps_per_epoch: u64,
    /// Seconds per step, with its share of evaluations and checkpoints.
    pub seconds_per_step: f64,
}

impl MeasuredSpeed {
    /// From the summary of a run of `spec`.
    pub(super) fn of_summary(summary: &Summary, spec: &RunSpec) -> Option<MeasuredSpeed> {
        let steps_per_epoch = (summary.steps as f64 / summary.epochs).round() as u64;
        (summary.steps > 0 && summary.train_seconds > 0.0).then(|| MeasuredSpeed {
            spec: spec.clone(),
            steps_per_epoch,
            seconds_per_step: (summary.train_seconds + summary.scoring_seconds) / summary.steps as f64,
        })
    }

    /// From the history of a run; `None` before the first step.
    pub fn of_history(history: &History) -> Option<MeasuredSpeed> {
        let (started, steps) = (history.started.as_ref()?, history.steps_done());
        (steps > 0 && history.work_seconds > 0.0).then(|| MeasuredSpeed {
            spec: started.spec.clone(),
            steps_per_epoch: started.steps_per_epoch,
            seconds_per_step: history.work_seconds / steps as f64,
        })
    }

    /// Seconds that one seed of `spec` takes; `None` when its steps are not comparable.
    pub fn seconds(&self, spec: &RunSpec) -> Option<f64> {
        if !has_equal_steps(&self.spec, spec) {
            return None;
        }
        let epochs = (spec.num_train_epochs * self.steps_per_epoch as f64).ceil();
        Some(spec.max_steps.map_or(epochs, |steps| steps as f64) * self.seconds_per_step)
    }
}

/// Whether a step of `one` takes as long as a step of `other`: no key that affects speed differs.
fn has_equal_steps(one: &RunSpec, other: &RunSpec) -> bool {
    keys().iter().filter(|key| key.affects_speed).all(|key| key.get(one) == key.get(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn only_runs_with_equal_steps_are_compared() {
        let spec = built_in("a");
        let estimate = MeasuredSpeed { spec: spec.clone(), steps_per_epoch: 100, seconds_per_step: 0.5 };
        assert_eq!(estimate.seconds(&spec), Some(150.0));
        let faster = RunSpec { learning_rate: 1.0, seed: 7, max_steps: Some(10), ..built_in("b") };
        assert_eq!(estimate.seconds(&faster), Some(5.0));
        assert_eq!(estimate.seconds(&RunSpec { max_seq_length: 64, ..spec.clone() }), None);
        assert_eq!(estimate.seconds(&RunSpec { threads: Some(1), ..spec }), None);
    }
}
