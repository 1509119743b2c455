//! The interface of a scheduler of trials, such as ASHA: it decides after each scheduled evaluation whether a training
//! continues.

use crate::catalog::Metric;
use crate::error::Result;
use std::fmt;

/// The result of a scheduled evaluation of the validation split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialResult {
    /// The number of the evaluation, from 1; that before the first step does not count.
    pub evaluation: u64,
    /// Optimizer steps done.
    pub step: u64,
    /// The metric for the best model.
    pub metric: Metric,
    /// Its value; may be NaN.
    pub value: f64,
    /// Whether the training ends with this evaluation, whatever the scheduler decides.
    pub is_last: bool,
}

/// What a scheduler decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchedulerDecision {
    /// The training continues.
    Continue,
    /// The training is saved and stopped before its next step, and may be resumed later.
    Pause {
        /// Why, as one sentence.
        reason: String,
    },
}

/// A scheduler of trials, called on the training thread.
pub trait TrialScheduler: fmt::Debug {
    /// Decides after an evaluation. The same evaluation can be reported again after a resume; the decision is the same
    /// then, unless the trial was promoted meanwhile.
    ///
    /// # Errors
    /// When the decision cannot be recorded. The training then continues.
    fn on_result(&self, result: TrialResult) -> Result<SchedulerDecision>;
}
