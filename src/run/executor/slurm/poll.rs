//! Asks Slurm about all tasks of a runs directory at once, and remembers the answer for all programs that use the
//! directory: however many tasks and programs there are, Slurm is asked at most twice in a minute.

use super::command;
use super::queue_lines::{QueueLine, SACCT_FORMAT, SQUEUE_FORMAT, parse_sacct, parse_squeue};
use super::state::SlurmState;
use crate::error::{Error, Result};
use crate::event::{Status, now};
use crate::run::dir::RunDir;
use crate::run::executor::task_status::TaskPhase;
use std::path::Path;

/// Questions in a minute.
const MAX_CALLS: usize = 2;
const MINUTE: f64 = 60.0;
/// Seconds between two questions while the answers change.
const SHORT_INTERVAL: f64 = 30.0;
/// Seconds between two questions when nothing has changed for a while.
const LONG_INTERVAL: f64 = 120.0;
/// Seconds between two questions to a scheduler that does not answer.
const FAILURE_INTERVAL: f64 = 600.0;
/// Seconds after which a submitter that has not recorded the answer of `sbatch` is not alive: it gives up earlier.
const SUBMITTER_TIMEOUT: f64 = 120.0;
/// How much longer each interval is than the one before.
const BACK_OFF: f64 = 1.5;

/// Asks Slurm about the tasks of `runs_dir`, if it is time for it and if any of them waits or is executed. Returns whether
/// anything has changed. That Slurm does not answer is part of the state, not an error.
///
/// # Errors
/// When the state cannot be read or written.
pub fn poll(runs_dir: &Path) -> Result<bool> {
    // Nearly always, it is too early: then only the state is read.
    if !is_due(&SlurmState::read(runs_dir)?, now()) {
        return Ok(false);
    }
    let started = SlurmState::edit(runs_dir, |state| Ok(begin(state, now())))?;
    let Some(started) = started else { return Ok(false) };
    ask(runs_dir, started)
}

/// Asks Slurm at once, because a submitter was killed before it has recorded the answer. Only while no submitter is alive.
///
/// # Errors
/// When Slurm does not answer, and those of [`poll`].
pub(super) fn reconcile(runs_dir: &Path) -> Result<()> {
    let started = now();
    SlurmState::edit(runs_dir, |state| {
        state.calls.push(started);
        Ok(())
    })?;
    let lines = squeue()?;
    SlurmState::edit(runs_dir, |state| {
        merge(state, &Answer { lines, started, submitted_before: started }, runs_dir);
        Ok(())
    })
}

fn is_due(state: &SlurmState, now: f64) -> bool {
    // A time that is far ahead is that of another clock.
    let is_time = now >= state.next_poll || state.next_poll - now > 2.0 * FAILURE_INTERVAL;
    state.has_active() && is_time && recent_calls(state, now) < MAX_CALLS
}

fn recent_calls(state: &SlurmState, now: f64) -> usize {
    state.calls.iter().filter(|call| (now - **call).abs() < MINUTE).count()
}

/// Records a question before it is asked, so that no other program asks too. Returns its time.
fn begin(state: &mut SlurmState, now: f64) -> Option<f64> {
    if !is_due(state, now) {
        return None;
    }
    state.calls.retain(|call| (now - call).abs() < MINUTE);
    state.calls.push(now);
    state.interval = state.interval.clamp(SHORT_INTERVAL, FAILURE_INTERVAL);
    state.next_poll = now + state.interval;
    Some(now)
}

fn squeue() -> Result<Vec<QueueLine>> {
    let arguments = ["--me", "--noheader", "--array", "--states=all", "--format", SQUEUE_FORMAT];
    command::run("squeue", &arguments).map(|text| parse_squeue(&text))
}

fn ask(runs_dir: &Path, started: f64) -> Result<bool> {
    let answer = squeue();
    let lost = SlurmState::edit(runs_dir, |state| {
        let before = state.clone();
        match answer {
            Ok(lines) => {
                let submitted_before = started - SUBMITTER_TIMEOUT;
                let is_changed = merge(state, &Answer { lines, started, submitted_before }, runs_dir);
                let wait = state.interval * BACK_OFF;
                state.interval = if is_changed { SHORT_INTERVAL } else { wait.min(LONG_INTERVAL) };
            }
            Err(error) => {
                state.problem = Some(error.to_string());
                state.interval = (state.interval * 2.0).min(FAILURE_INTERVAL);
            }
        }
        state.next_poll = started + state.interval;
        let is_changed = before.tasks != state.tasks || before.problem != state.problem;
        Ok((is_changed, arrays_of_lost_tasks(state, started)))
    })?;
    let (is_changed, arrays) = lost;
    if arrays.is_empty() || !may_ask_again(runs_dir)? {
        return Ok(is_changed);
    }
    Ok(account(runs_dir, &arrays, started)? || is_changed)
}

/// Records a second question, if it may be asked now.
fn may_ask_again(runs_dir: &Path) -> Result<bool> {
    SlurmState::edit(runs_dir, |state| {
        let may_ask = recent_calls(state, now()) < MAX_CALLS;
        if may_ask {
            state.calls.push(now());
        }
        Ok(may_ask)
    })
}

/// An answer of `squeue`.
struct Answer {
    lines: Vec<QueueLine>,
    /// When it was asked for.
    started: f64,
    /// The submitters of tasks that were recorded before this time are not alive.
    submitted_before: f64,
}

/// Takes an answer of `squeue`. Returns whether a task has changed.
fn merge(state: &mut SlurmState, answer: &Answer, runs_dir: &Path) -> bool {
    let Answer { lines, started, submitted_before } = answer;
    let started = *started;
    let before = state.tasks.clone();
    let is_known = |array: &String| lines.iter().any(|line| line.name.as_ref() == Some(array));
    state.tasks.retain(|_, record| {
        !record.is_submitting() || record.time > *submitted_before || is_known(&record.array_name)
    });
    (state.polled, state.problem) = (started, None);
    for record in
        state.tasks.values_mut().filter(|record| record.time <= started && record.phase().is_active())
    {
        if record.array.is_none() {
            // The submitter was killed: the name of the array is unique.
            let named = lines.iter().find(|line| line.name.as_ref() == Some(&record.array_name));
            record.array = named.map(|line| line.array.clone());
        }
        let is_of_task =
            |line: &&QueueLine| Some(&line.array) == record.array.as_ref() && line.has(record.index);
        match lines.iter().find(is_of_task) {
            Some(line) => {
                record.state.clone_from(&line.state);
                record.reason.clone_from(&line.reason);
            }
            // Slurm forgets a task some minutes after its end.
            None if record.array.is_some() => record.reason = Some(LOST.into()),
            None => {}
        }
    }
    remove_settled(state, runs_dir, started);
    before != state.tasks
}

/// The reason of a task that Slurm does not list.
const LOST: &str = "not in the queue";

/// Removes the tasks whose runs say more than Slurm: those that are finished or deleted, those that have completed, and
/// those that Slurm has never received.
fn remove_settled(state: &mut SlurmState, runs_dir: &Path, started: f64) {
    let has_accounting = state.has_accounting;
    state.tasks.retain(|task, record| {
        if record.time > started {
            return true;
        }
        let is_lost = record.reason.as_deref() == Some(LOST);
        match record.phase() {
            TaskPhase::Completed => false,
            _ if record.array.is_none() => true,
            TaskPhase::Pending | TaskPhase::Running if !is_lost => true,
            TaskPhase::Pending | TaskPhase::Running => has_accounting && !is_settled(&runs_dir.join(task)),
            TaskPhase::Cancelled | TaskPhase::Failed => !is_settled(&runs_dir.join(task)),
        }
    });
}

/// Whether the run in `dir` is finished or deleted.
fn is_settled(dir: &Path) -> bool {
    let run = RunDir::at(dir);
    !run.spec_file().is_file() || run.summary().is_some_and(|summary| summary.status == Status::Finished)
}

/// The ids of the arrays of tasks that Slurm does not list any more.
fn arrays_of_lost_tasks(state: &SlurmState, started: f64) -> Vec<String> {
    let lost = state.tasks.values().filter(|record| {
        record.time <= started && record.phase().is_active() && record.reason.as_deref() == Some(LOST)
    });
    let mut arrays: Vec<String> = lost.filter_map(|record| record.array.clone()).collect();
    arrays.sort_unstable();
    arrays.dedup();
    arrays
}

/// Asks the accounts of the cluster how tasks have ended. Returns whether a task has changed.
fn account(runs_dir: &Path, arrays: &[String], started: f64) -> Result<bool> {
    let jobs = arrays.join(",");
    let arguments = ["--noheader", "--parsable2", "--allocations", "--jobs", &jobs, "--format", SACCT_FORMAT];
    let answer = command::run("sacct", &arguments);
    SlurmState::edit(runs_dir, |state| {
        let before = state.tasks.clone();
        let lines = match answer {
            Ok(text) => parse_sacct(&text),
            // The cluster has no accounts, so it is not asked again.
            Err(Error::Usage(_)) => {
                state.has_accounting = false;
                Vec::new()
            }
            Err(_) => return Ok(false),
        };
        let is_lost = |reason: &Option<String>| reason.as_deref() == Some(LOST);
        for record in state.tasks.values_mut().filter(|record| is_lost(&record.reason)) {
            let is_of_task =
                |line: &&QueueLine| Some(&line.array) == record.array.as_ref() && line.has(record.index);
            // A task that was requeued has a line for each attempt, the last one last.
            if let Some(line) = lines.iter().rev().find(is_of_task) {
                record.state.clone_from(&line.state);
                record.reason.clone_from(&line.reason);
            }
        }
        // What the accounts do not have either, only the files of the run can say.
        state.tasks.retain(|_, record| record.time > started || !is_lost(&record.reason));
        remove_settled(state, runs_dir, started);
        Ok(before != state.tasks)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::executor::task_status::PENDING;

    fn state(tasks: &[(&str, &str)]) -> SlurmState {
        let mut state = SlurmState::default();
        for (task, word) in tasks {
            state.insert_for_tests(task, word, None);
        }
        state
    }

    #[test]
    fn slurm_is_asked_at_most_twice_in_a_minute() {
        let mut state = state(&[("a", "PENDING")]);
        let asked: Vec<u32> =
            (0..600).filter(|second| begin(&mut state, 1000.0 + f64::from(*second)).is_some()).collect();
        assert!(asked.len() >= 19, "{asked:?}");
        for window in asked.windows(3) {
            assert!(window[2] - window[0] >= 60, "{asked:?}");
        }
        let mut idle = self::state(&[("a", "COMPLETED"), ("b", "CANCELLED"), ("c", "FAILED")]);
        assert_eq!(begin(&mut idle, 1000.0), None, "there is nothing to ask about");
        state.next_poll = 1e12;
        assert!(is_due(&state, 5000.0), "another clock was ahead");
    }

    #[test]
    fn answers_are_merged_and_settled_tasks_are_removed() {
        let home = tempfile::tempdir().unwrap();
        for run in ["a", "b", "c"] {
            std::fs::create_dir(home.path().join(run)).unwrap();
            std::fs::write(home.path().join(run).join("spec.toml"), "").unwrap();
        }
        let mut state = state(&[("a", PENDING), ("b", PENDING), ("c", "RUNNING"), ("gone", "FAILED")]);
        state.insert_for_tests("new", "SUBMITTING", None);
        state.tasks.get_mut("new").unwrap().array = None;
        let lines =
            parse_squeue("7|0|RUNNING|None|glue\n7|1|OUT_OF_MEMORY|None|glue\n9|4|PENDING|None|other\n");
        let answer = |started: f64| Answer { lines: lines.clone(), started, submitted_before: started };
        assert!(merge(&mut state, &answer(100.0), home.path()));
        let word = |state: &SlurmState, task: &str| state.tasks.get(task).map(|record| record.state.clone());
        assert_eq!(word(&state, "a").unwrap(), "RUNNING");
        assert_eq!(word(&state, "b").unwrap(), "OUT_OF_MEMORY");
        assert_eq!((word(&state, "gone"), word(&state, "new")), (None, None), "deleted, and never submitted");
        assert_eq!(arrays_of_lost_tasks(&state, 100.0), ["7"]);
        assert!(!merge(&mut state, &answer(101.0), home.path()));
    }

    #[test]
    fn array_of_a_killed_submitter_is_found_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let mut state = state(&[("a", "SUBMITTING")]);
        state.tasks.get_mut("a").unwrap().array = None;
        let lines = parse_squeue("12|0|PENDING|Priority|glue\n");
        let answer = |submitted_before| Answer { lines: lines.clone(), started: 100.0, submitted_before };
        merge(&mut state, &answer(100.0), home.path());
        assert_eq!(state.tasks["a"].job().as_deref(), Some("12_0"));
        let mut other = self::state(&[("b", "SUBMITTING")]);
        let record = other.tasks.get_mut("b").unwrap();
        (record.array, record.array_name, record.time) = (None, "other".into(), 50.0);
        merge(&mut other, &answer(49.0), home.path());
        assert_eq!(other.tasks.len(), 1, "its submitter may be alive");
        merge(&mut other, &answer(100.0), home.path());
        assert!(other.tasks.is_empty(), "Slurm has never received it");
    }
}
