//! The scheduler of a sweep: applies the rule of ASHA to the evaluations of a trial, on its training thread.

use super::asha::{Rung, is_promoted};
use super::decisions::{DecisionKind, rungs};
use super::dir::SweepDir;
use super::trial::Trial;
use crate::error::Result;
use crate::format;
use crate::run::dir::RunDir;
use crate::spec::AshaSettings;
use crate::train::{SchedulerDecision, TrialResult, TrialScheduler};

/// The scheduler for one trial.
#[derive(Debug)]
pub struct SweepScheduler {
    dir: SweepDir,
    trial: u64,
    asha: AshaSettings,
}

impl SweepScheduler {
    /// The scheduler of the run in `dir`; `None` if it is no trial, or the sweep has no scheduler.
    ///
    /// # Errors
    /// When the sweep of the trial cannot be read.
    pub fn of(dir: &RunDir) -> Result<Option<SweepScheduler>> {
        let Some(trial) = Trial::read(dir)? else { return Ok(None) };
        let sweep_dir = SweepDir::of_trial(dir, &trial);
        let asha = sweep_dir.sweep()?.scheduler;
        Ok(asha.map(|asha| SweepScheduler { dir: sweep_dir, trial: trial.trial, asha }))
    }

    /// The sweep.
    pub fn sweep(&self) -> &SweepDir {
        &self.dir
    }

    /// The number of the trial.
    pub fn trial(&self) -> u64 {
        self.trial
    }

    /// Whether a trial of the sweep has not been started yet.
    fn has_trials_to_start(&self) -> Result<bool> {
        let is_started = |number: u64| self.dir.trial_dir(number).events_file().exists();
        Ok((0..self.dir.sweep()?.len()).any(|number| !is_started(number)))
    }
}

impl TrialScheduler for SweepScheduler {
    fn on_result(&self, result: TrialResult) -> Result<SchedulerDecision> {
        let Some(rung) = self.asha.rung_at(result.evaluation) else { return Ok(SchedulerDecision::Continue) };
        let TrialResult { step, metric, value, is_last, .. } = result;
        let (trial, factor) = (self.trial, self.asha.reduction_factor);
        let mut log = self.dir.lock()?;
        let mut state = rungs(log.decisions());
        let index = rung as usize;
        if state.len() <= index {
            state.resize_with(index + 1, Rung::default);
        }
        let Some(at) = state.get_mut(index) else { return Ok(SchedulerDecision::Continue) };
        let recorded = at.results.iter().find(|(number, _)| *number == trial).map(|(_, value)| *value);
        let value = recorded.unwrap_or(value);
        if recorded.is_none() {
            at.results.push((trial, value));
            let (rank, results) = (at.rank(metric, trial), at.results.len());
            // With a fixed number of trials, a promotion before all have started would often be that of a weak one.
            let is_early = rung == 0 && self.has_trials_to_start()?;
            let continues = is_last || !is_early && is_promoted(at, trial, metric, factor);
            let kept = Some(value).filter(|value| value.is_finite());
            let kind = DecisionKind::Result {
                trial,
                rung,
                step,
                value: kept,
                rank,
                results,
                continues,
                last: is_last,
            };
            log.append(kind)?;
            if continues {
                at.promoted.insert(trial);
            }
        }
        if is_last || at.promoted.contains(&trial) {
            return Ok(SchedulerDecision::Continue);
        }
        let (rank, results) = (at.rank(metric, trial), at.results.len());
        let (name, value) = (metric.name(), format::whole_score(metric, value));
        let when = if rung == 0 { " once all trials have started" } else { "" };
        let reason = format!(
            "paused by asha at rung {rung}, step {step}: {name} {value} is number {rank} of {results} results, of \
             which one in {factor} continues{when}"
        );
        Ok(SchedulerDecision::Pause { reason })
    }
}
