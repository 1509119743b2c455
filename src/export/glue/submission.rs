//! Exports of the predictions of runs: the archive of a sweep of GLUE's tasks, or the files of one run.

use super::archive::write_archive;
use super::check::{HEADER, SubmissionProblem, check_submission};
use super::predictions::{FilePredictions, SubmissionPredictor};
use crate::catalog::{SUBMISSION, SubmissionFile};
use crate::error::{Error, Result};
use crate::event::Status;
use crate::files::{copy_file, read_regular, write_dir_atomic};
use crate::run::sweep::{SweepDir, SweepReport, TrialRow};
use crate::run::{RunDir, list};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the archive.
pub const ARCHIVE: &str = "submission.zip";

/// What a submission has for files without predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIns {
    /// Nothing: the export fails.
    None,
    /// The same label for each row.
    Constant,
}

/// An archive that was written.
#[derive(Debug)]
pub struct Submission {
    /// The archive.
    pub path: PathBuf,
    /// The files with the same label for each row, and why they have no predictions.
    pub stand_ins: Vec<(&'static str, String)>,
    /// What the leaderboard would reject.
    pub problems: Vec<SubmissionProblem>,
}

/// The files of one run that were written.
#[derive(Debug)]
pub struct RunFiles {
    /// Their paths.
    pub paths: Vec<PathBuf>,
    /// The files that cannot be predicted, and why.
    pub missing: Vec<(&'static str, String)>,
}

/// Writes the archive of the sweep `dir`, whose trials are of the tasks of GLUE, to the folder `to`, and checks it.
///
/// # Errors
/// [`Error::Usage`] if `to` exists and is not empty, or a task has no predictions and nothing stands in for them; those of
/// [`SubmissionPredictor::predict`].
pub fn export_submission(
    dir: &SweepDir,
    to: &Path,
    stand_ins: StandIns,
    predictor: &mut SubmissionPredictor<'_>,
) -> Result<Submission> {
    require_empty(to)?;
    let mut contents = BTreeMap::new();
    let mut missing = Vec::new();
    let trials = trials(dir)?;
    for file in &SUBMISSION {
        match trials.get(file.trained_on) {
            Some(Ok(_)) => {}
            Some(Err(reason)) => missing.push((file, reason.clone())),
            None => missing.push((file, format!("the run has no task {}", file.trained_on))),
        }
    }
    for run in trials.values().flatten() {
        for FilePredictions { file, path } in predictor.predict(run)? {
            match path {
                Ok(path) => {
                    let content = read_regular(&path).map_err(Error::reading(&path))?;
                    contents.insert(file.name, content);
                }
                Err(reason) => missing.push((file, reason)),
            }
        }
    }
    if stand_ins == StandIns::None
        && let Some((first, reason)) = missing.first()
    {
        let names: Vec<&str> = missing.iter().map(|(file, _)| file.name).collect();
        return Err(Error::Usage(format!(
            "there are no predictions for {} ({}: {reason}); train these tasks, or export with stand-ins (--stand-ins), which are files with one label",
            names.join(", "),
            first.name
        )));
    }
    let stand_ins = missing.into_iter().map(|(file, reason)| {
        contents.insert(file.name, constant(file).into_bytes());
        (file.name, reason)
    });
    let stand_ins = stand_ins.collect();
    let files: Vec<(&str, Vec<u8>)> = contents.into_iter().collect();
    create_parent(to)?;
    write_dir_atomic(to, |folder| write_archive(&folder.join(ARCHIVE), &files))?;
    let path = to.join(ARCHIVE);
    let problems = check_submission(&path)?.problems;
    Ok(Submission { path, stand_ins, problems })
}

/// Writes the files of a finished run to the folder `to`.
///
/// # Errors
/// [`Error::Usage`] if `to` exists and is not empty, the run is not finished, or none of its files can be predicted; those of
/// [`SubmissionPredictor::predict`].
pub fn export_run(run: &RunDir, to: &Path, predictor: &mut SubmissionPredictor<'_>) -> Result<RunFiles> {
    require_empty(to)?;
    if run.summary().is_none_or(|summary| summary.status != Status::Finished) {
        let name = run.name();
        return Err(Error::Usage(format!(
            "{name} is not finished; continue it with: glue-tui train --resume {name}"
        )));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for FilePredictions { file, path } in predictor.predict(run)? {
        match path {
            Ok(path) => found.push((file.name, path)),
            Err(reason) => missing.push((file.name, reason)),
        }
    }
    if let (true, Some((name, reason))) = (found.is_empty(), missing.first()) {
        return Err(Error::Usage(format!("there are no rows to predict for {name}: {reason}")));
    }
    create_parent(to)?;
    write_dir_atomic(to, |folder| {
        found.iter().try_for_each(|(name, path)| copy_file(path, &folder.join(name)).map(drop))
    })?;
    Ok(RunFiles { paths: found.into_iter().map(|(name, _)| to.join(name)).collect(), missing })
}

/// The run of each task that has been trained, or why there is none.
fn trials(dir: &SweepDir) -> Result<BTreeMap<&'static str, Result<RunDir, String>>> {
    let report = SweepReport::read(dir.clone(), &list(dir.runs_dir())?)?;
    let Some(scoreboard) = &report.scoreboard else {
        return Err(Error::Usage(format!(
            "{} is a sweep of one task; a submission needs a GLUE run, as glue-tui glue MODEL starts it",
            dir.name()
        )));
    };
    let state = |trial: &TrialRow| match &trial.dir {
        Some(path) if trial.status == "finished" => Ok(RunDir::at(path)),
        _ => Err(match &trial.reason {
            Some(reason) => format!("its task is {}: {reason}", trial.status),
            None => format!("its task is {}", trial.status),
        }),
    };
    Ok(scoreboard.tasks.iter().zip(&report.trials).map(|(task, trial)| (task.task, state(trial))).collect())
}

/// A file with the same label for each row.
fn constant(file: &SubmissionFile) -> String {
    let rows = (0..file.rows).map(|index| format!("{index}\t{}\n", file.stand_in));
    std::iter::once(format!("{HEADER}\n")).chain(rows).collect()
}

fn require_empty(to: &Path) -> Result<()> {
    if std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
        return Err(Error::Usage(format!("{} exists and is not empty; choose another folder", to.display())));
    }
    Ok(())
}

fn create_parent(to: &Path) -> Result<()> {
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(Error::writing(parent)),
        None => Ok(()),
    }
}
