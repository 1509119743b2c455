//! How long a run will take, from runs that were measured.

use super::history::History;
use crate::spec::{RunSpec, keys};
use crate::train::Summary;

/// How fast a specification was trained here.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// The specification.
    pub spec: RunSpec,
    /// Optimizer steps of one epoch.
    pub steps_per_epoch: u64,
    /// Seconds of a step, with its share of scoring and saving.
    pub seconds_per_step: f64,
}

impl Pace {
    /// The pace of a run of `spec` that has ended.
    pub(super) fn of_summary(summary: &Summary, spec: &RunSpec) -> Option<Pace> {
        let steps_per_epoch = (summary.steps as f64 / summary.epochs).round() as u64;
        (summary.steps > 0 && summary.train_seconds > 0.0).then(|| Pace {
            spec: spec.clone(),
            steps_per_epoch,
            seconds_per_step: (summary.train_seconds + summary.scoring_seconds) / summary.steps as f64,
        })
    }

    /// The pace of a run that has done some steps.
    pub fn of_history(history: &History) -> Option<Pace> {
        let (started, steps) = (history.started.as_ref()?, history.steps_done());
        (steps > 0 && history.work_seconds > 0.0).then(|| Pace {
            spec: started.spec.clone(),
            steps_per_epoch: started.steps_per_epoch,
            seconds_per_step: history.work_seconds / steps as f64,
        })
    }

    /// Seconds that one seed of `spec` takes at this pace; `None` when a step of it costs something else.
    pub fn seconds(&self, spec: &RunSpec) -> Option<f64> {
        if !costs_the_same(&self.spec, spec) {
            return None;
        }
        let epochs = (spec.num_train_epochs * self.steps_per_epoch as f64).ceil();
        Some(spec.max_steps.map_or(epochs, |steps| steps as f64) * self.seconds_per_step)
    }
}

/// Whether a step of `one` takes as long as a step of `other`: no key that affects speed differs.
fn costs_the_same(one: &RunSpec, other: &RunSpec) -> bool {
    keys().iter().filter(|key| key.affects_speed).all(|key| key.get(one) == key.get(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn only_steps_that_cost_the_same_are_compared() {
        let spec = built_in("a");
        let pace = Pace { spec: spec.clone(), steps_per_epoch: 100, seconds_per_step: 0.5 };
        assert_eq!(pace.seconds(&spec), Some(150.0));
        let faster = RunSpec { learning_rate: 1.0, seed: 7, max_steps: Some(10), ..built_in("b") };
        assert_eq!(pace.seconds(&faster), Some(5.0));
        assert_eq!(pace.seconds(&RunSpec { max_seq_length: 64, ..spec.clone() }), None);
        assert_eq!(pace.seconds(&RunSpec { threads: Some(1), ..spec }), None);
    }
}
