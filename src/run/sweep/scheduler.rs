//! The scheduler of a sweep: applies the rule of ASHA to the evaluations of a trial, on its training thread.

use super::asha::{Rung, is_promoted};
use super::decisions::{DecisionKind, DecisionLog, rung_mut, rungs};
use super::dir::SweepDir;
use super::trial::Trial;
use crate::error::Result;
use crate::format;
use crate::run::dir::RunDir;
use crate::spec::AshaSettings;
use crate::train::{SchedulerDecision, TrialResult, TrialScheduler};
use std::collections::BTreeSet;

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

    /// Whether a trial has not been started yet. Those with a result at the first rung were.
    fn has_trials_to_start(&self, first: &Rung) -> Result<bool> {
        let reported: BTreeSet<u64> = first.results.iter().map(|(number, _)| *number).collect();
        let mut others = (0..self.dir.size()?.trials).filter(|number| !reported.contains(number));
        Ok(others.any(|number| !self.dir.trial_dir(number).has_log()))
    }

    /// Adds a result to `at`, the state of its rung, and records whether the trial continues.
    fn record(&self, result: TrialResult, rung: u32, at: &mut Rung, log: &mut DecisionLog) -> Result<()> {
        let TrialResult { step, metric, value, is_last, .. } = result;
        let trial = self.trial;
        at.results.push((trial, value));
        // With a fixed number of trials, a promotion before all have started would often be that of a weak one.
        let is_early = rung == 0 && self.has_trials_to_start(at)?;
        let continues = is_last || !is_early && is_promoted(at, trial, metric, self.asha.reduction_factor);
        log.append(DecisionKind::Result {
            trial,
            rung,
            step,
            value: Some(value).filter(|value| value.is_finite()),
            rank: at.rank(metric, trial),
            results: at.results.len(),
            continues,
            last: is_last,
        })?;
        if continues {
            at.promoted.insert(trial);
        }
        Ok(())
    }

    /// Why the trial is paused at a rung where it has a result.
    fn reason(&self, TrialResult { step, metric, .. }: TrialResult, rung: u32, at: &Rung) -> String {
        let value = at.results.iter().find(|(number, _)| *number == self.trial).map(|(_, value)| *value);
        let value = format::whole_score(metric, value.unwrap_or(f64::NAN));
        let (rank, results) = (at.rank(metric, self.trial), at.results.len());
        let (name, factor) = (metric.name(), self.asha.reduction_factor);
        let when = if rung == 0 { " once all trials have started" } else { "" };
        format!(
            "paused by asha at rung {rung}, step {step}: {name} {value} is number {rank} of {results} results, of which \
             one in {factor} continues{when}"
        )
    }
}

impl TrialScheduler for SweepScheduler {
    fn on_result(&self, result: TrialResult) -> Result<SchedulerDecision> {
        let Some(rung) = self.asha.rung_at(result.evaluation) else { return Ok(SchedulerDecision::Continue) };
        let mut log = self.dir.lock()?;
        let mut rungs = rungs(log.decisions());
        let Some(at) = rung_mut(&mut rungs, rung) else { return Ok(SchedulerDecision::Continue) };
        // The evaluation is reported again after a resume.
        if at.results.iter().all(|(number, _)| *number != self.trial) {
            self.record(result, rung, at, &mut log)?;
        }
        if result.is_last || at.promoted.contains(&self.trial) {
            return Ok(SchedulerDecision::Continue);
        }
        Ok(SchedulerDecision::Pause { reason: self.reason(result, rung, at) })
    }
}
