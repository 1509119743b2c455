//! The settings of the scheduler of a sweep.

/// The settings of ASHA, with the names of Ray Tune's `AsyncHyperBandScheduler`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AshaSettings {
    /// Of the results at a rung, one in this many is promoted to the next rung.
    pub reduction_factor: u64,
    /// The evaluation of the first rung: no trial is paused before.
    pub grace_period: u64,
}

impl AshaSettings {
    /// The name of the scheduler.
    pub const NAME: &str = "asha";
    /// The default of Ray Tune and of Li et al. 2020.
    pub const REDUCTION_FACTOR: u64 = 4;
    /// The first evaluation.
    pub const GRACE_PERIOD: u64 = 1;

    /// The rung at the evaluation with this number, from 1: rung k is at evaluation
    /// grace_period · reduction_factor^k. `None` if there is none.
    pub fn rung_at(&self, evaluation: u64) -> Option<u32> {
        let mut at = self.grace_period;
        for rung in 0.. {
            if at >= evaluation {
                return (at == evaluation).then_some(rung);
            }
            at = at.checked_mul(self.reduction_factor)?;
        }
        None
    }
}
