//! Sweeps on disk: `sweeps/NAME-YYYYMMDD-HHMMSS-xxxx/` in the runs directory.
//!
//! ```text
//! runs/sweeps/tune-20261130-154502-7f3a/
//!   sweep.toml         the description: the specification of the experiment, with all values of the swept keys
//!   decisions.jsonl    what the scheduler has seen and decided, append-only
//! runs/tune-20261130-154502-7f3a.0/
//!   trial.toml         the sweep and the number of the trial; everything else is as in any run directory
//! ```
//!
//! A sweep of tasks, such as all of GLUE, has a trial for each task. Those whose data are missing are skipped, which is a
//! decision too.
//!
//! A trial is an ordinary run. Whoever trains it, the interface, `train` or a job of a cluster, finds `trial.toml` and
//! applies the scheduler's rule at its evaluations. The state of a sweep follows from these files alone, so a sweep
//! continues after its processes were killed at any moment.

mod asha;
mod best;
mod best_scores;
mod decisions;
mod dir;
mod importance;
mod job;
mod list;
mod name;
mod report;
mod scheduler;
mod scoreboard;
mod tasks;
#[cfg(test)]
mod tests;
mod trial;
mod trial_row;

pub use asha::{Rung, is_promoted, last_promotion, promotable};
pub use best::best_so_far;
pub use best_scores::ScoreLogs;
pub use decisions::{Decision, DecisionKind, first_deviation};
pub use dir::{SweepDir, find_sweep, newest_sweep_of, sweeps};
pub use importance::{Importance, importance};
pub use job::{
    ClaimedTrial, NextTrial, TrialState, check_sweep, claim_next_trial, claim_promotion, create_trials,
    is_trial_open, next_trial, remaining_trials, retry_trials, trial_specs,
};
pub use list::SweepList;
pub use name::sweep_of_name;
pub use report::{SweepReport, SweepRow};
pub use scheduler::SweepScheduler;
pub use scoreboard::{GlueAverage, MetricScore, Scoreboard, TaskScores};
pub use tasks::{TaskData, glue_sweep, newest_of_tasks, tasks_named};
pub use trial::Trial;
pub use trial_row::TrialRow;
