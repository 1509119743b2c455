//! Trials of a sweep: the scheduler's decisions after evaluations.

use super::averaging::is_better;
use super::state::Trainer;
use crate::error::Result;
use crate::event::{Event, SplitName, Status};
use crate::train::trial_scheduler::{SchedulerDecision, TrialResult};

impl Trainer<'_> {
    /// Reports the evaluation at this step to the scheduler, if there are both. Also called at the step of a checkpoint that
    /// the training resumes from, because the process may have ended between the decision and the pause. Returns why the
    /// training is paused. `is_last` says whether it ends anyway.
    pub(super) fn report_result(&mut self, is_last: bool) -> Option<String> {
        let (scheduler, step) = (self.scheduler?, self.state.step);
        if step == 0 || self.state.scored_at != Some(step) {
            return None;
        }
        let metric = self.spec.best_metric();
        let value = self.state.latest.get(&SplitName::Validation)?.get(metric).unwrap_or(f64::NAN);
        let average = self.state.average_validation.as_ref().and_then(|scores| scores.get(metric));
        let value = average.filter(|average| is_better(metric, *average, value)).unwrap_or(value);
        let evaluation = self.plan.evaluations_until(step);
        match scheduler.on_result(TrialResult { evaluation, step, metric, value, is_last }) {
            Ok(SchedulerDecision::Continue) => None,
            Ok(SchedulerDecision::Pause { reason }) => Some(reason),
            Err(error) => {
                let text =
                    format!("the scheduler of the sweep cannot decide, so the trial continues: {error}");
                (self.emit)(Event::warning(text));
                None
            }
        }
    }

    /// Saves the work and ends the training for `reason`. `saved_at` is the step of the newest checkpoint.
    pub(super) fn pause(&mut self, reason: String, saved_at: Option<u64>) -> Result<Status> {
        self.log_steps()?;
        if saved_at != Some(self.state.step) {
            self.save_checkpoint()?;
        }
        (self.emit)(Event::note(reason.clone()));
        self.pause_reason = Some(reason);
        Ok(Status::Stopped)
    }
}
