//! `submit`: hands runs to Slurm as an array, or to the queue of this machine.

use super::args::{ExecutorArg, GlobalArgs, SubmitArgs};
use super::output;
use super::progress::ProgressDisplay;
use super::signals::cancelled_by_signals;
use crate::error::Result;
use crate::event::Event;
use crate::run::check::spec_problems;
use crate::run::executor::slurm::SlurmExecutor;
use crate::run::executor::{Executor, LocalExecutor, Subject, Submission, SubmittedTask, subjects};
use crate::spec::Experiments;
use crate::text::plural;
use std::path::Path;
use std::sync::atomic::AtomicBool;

pub(super) fn submit(global: &GlobalArgs, args: &SubmitArgs) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    let device = global.device.iter().map(|device| ("device".to_owned(), device.to_string()));
    let overrides: Vec<(String, String)> = args.set.iter().cloned().chain(device).collect();
    let subjects = subjects(&experiments, &global.runs_dir, &args.names, &overrides)?;
    let slurm = match args.executor {
        ExecutorArg::Slurm => Some(SlurmExecutor::new(&global.runs_dir, experiments.slurm()?)),
        ExecutorArg::Local => None,
    };
    if args.dry_run {
        return preview(slurm.as_ref(), &subjects);
    }
    let cancelled = cancelled_by_signals()?;
    let submitted = submit_subjects(global, slurm.as_ref(), &subjects, &cancelled)?;
    report(global, &submitted)
}

/// Submits `subjects` to Slurm, or without `slurm` to the queue of this machine.
pub(super) fn submit_subjects(
    global: &GlobalArgs,
    slurm: Option<&SlurmExecutor>,
    subjects: &[Subject],
    cancelled: &AtomicBool,
) -> Result<Vec<SubmittedTask>> {
    let local = LocalExecutor { runs_dir: global.runs_dir.clone() };
    let executor: &dyn Executor = slurm.map_or(&local, |slurm| slurm);
    let mut progress = ProgressDisplay::new(false);
    let mut emit = |event: Event| progress.show_of(&event);
    let mut submission = Submission { runs_dir: &global.runs_dir, cancelled, emit: &mut emit };
    let submitted = submission.submit(subjects, executor);
    progress.clear();
    submitted
}

/// Prints what would be submitted.
fn preview(slurm: Option<&SlurmExecutor>, subjects: &[Subject]) -> Result<()> {
    let (mut runs, mut tasks) = (0, 0);
    for subject in subjects {
        let specs = subject.specs(&AtomicBool::new(false))?;
        if let Some(problem) = specs.iter().flat_map(spec_problems).next() {
            return Err(problem.error);
        }
        (runs, tasks) = (runs + specs.len(), tasks + subject.task_count(&specs)?);
    }
    for script in slurm.map(|slurm| slurm.preview(tasks)).transpose()?.unwrap_or_default() {
        output::stdout_line(script.trim_end())?;
    }
    output::stderr_line(format!("{} would be submitted; nothing was created", plural(runs, "run")));
    Ok(())
}

/// Prints a directory for each run, and the jobs on stderr.
pub(super) fn report(global: &GlobalArgs, submitted: &[SubmittedTask]) -> Result<()> {
    if global.json {
        return output::json(&submitted);
    }
    output::stderr_line(summary(submitted));
    let mut last: Option<&Path> = None;
    for task in submitted.iter().filter(|task| last.replace(&task.run) != Some(&task.run)) {
        output::stdout_line(task.run.display().to_string())?;
    }
    Ok(())
}

/// `6 tasks are submitted as jobs 12_0 to 12_5`.
fn summary(submitted: &[SubmittedTask]) -> String {
    let tasks = plural(submitted.len(), "task");
    let verb = if submitted.len() == 1 { "is" } else { "are" };
    let job = |task: Option<&SubmittedTask>| task.and_then(|task| task.job.clone());
    match (job(submitted.first()), job(submitted.last())) {
        (Some(first), Some(last)) if first != last => {
            format!("{tasks} {verb} submitted as jobs {first} to {last}")
        }
        (Some(job), _) => format!("{tasks} {verb} submitted as job {job}"),
        _ => format!("{tasks} {verb} in the queue"),
    }
}
