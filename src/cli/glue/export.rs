//! The submission to the leaderboard: `export --format glue`, and `glue --check`.

use crate::cli::args::{ExportArgs, GlobalArgs};
use crate::cli::output;
use crate::cli::progress::ProgressDisplay;
use crate::cli::signals::cancelled_by_signals;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::export::glue::{
    StandIns, SubmissionPredictor, SubmissionProblem, check_submission, export_run, export_submission,
};
use crate::format::count;
use crate::hub::Hub;
use crate::run::sweep::{SweepDir, sweep_of_name};
use crate::run::{self, RunDir};
use crate::text::plural;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Writes the submission of a GLUE run, or the files of one run.
pub(in crate::cli) fn export(global: &GlobalArgs, args: &ExportArgs) -> Result<()> {
    let cancelled = cancelled_by_signals()?;
    if let Some(dir) = sweep_of_name(&global.runs_dir, &args.run)? {
        return export_archive(global, args, &dir, &cancelled);
    }
    let run = RunDir::at(run::find(&global.runs_dir, &args.run)?);
    let exported = with_predictor(global, &cancelled, |predictor| export_run(&run, &args.to, predictor))?;
    for (file, reason) in exported.missing {
        output::stderr_line(format!("no predictions for {file}: {reason}"));
    }
    exported.paths.iter().try_for_each(|path| output::stdout_line(path.display().to_string()))
}

fn export_archive(
    global: &GlobalArgs,
    args: &ExportArgs,
    dir: &SweepDir,
    cancelled: &AtomicBool,
) -> Result<()> {
    let stand_ins = if args.stand_ins { StandIns::Constant } else { StandIns::None };
    let written = with_predictor(global, cancelled, |predictor| {
        export_submission(dir, &args.to, stand_ins, predictor)
    })?;
    for (file, reason) in &written.stand_ins {
        output::stderr_line(format!("{file} has the same label for each row: {reason}"));
    }
    output::stdout_line(written.path.display().to_string())?;
    match reject(&written.path, written.problems) {
        Ok(()) => Ok(()),
        Err(error) => {
            Err(Error::Training(format!("{error}; the archive is written, and the site would reject it")))
        }
    }
}

/// Checks an archive, and prints what the site would reject.
pub(super) fn check(global: &GlobalArgs, file: &Path) -> Result<()> {
    let found = check_submission(file)?;
    if global.json {
        output::json(&found)?;
    }
    let (files, rows) = (plural(found.files as u64, "file"), count(found.rows));
    reject(file, found.problems)?;
    if global.json {
        return Ok(());
    }
    output::stdout_line(format!("{}: {files} with {rows} rows, as the site expects them", file.display()))
}

/// The last problem as an error, after the others were printed.
fn reject(file: &Path, mut problems: Vec<SubmissionProblem>) -> Result<()> {
    let Some(last) = problems.pop() else { return Ok(()) };
    for problem in problems {
        output::stderr_line(format!("glue-tui: {}: {problem}", file.display()));
    }
    Err(Error::data(file, None, last.to_string()))
}

/// Predicts the test splits of the task of a run. Returns the files that cannot be predicted, with the reason.
pub(super) fn predict(
    global: &GlobalArgs,
    run: &Path,
    cancelled: &AtomicBool,
) -> Result<Vec<(&'static str, String)>> {
    let found = with_predictor(global, cancelled, |predictor| predictor.predict(&RunDir::at(run)))?;
    Ok(found.into_iter().filter_map(|found| Some((found.file.name, found.path.err()?))).collect())
}

fn with_predictor<T>(
    global: &GlobalArgs,
    cancelled: &AtomicBool,
    work: impl FnOnce(&mut SubmissionPredictor<'_>) -> Result<T>,
) -> Result<T> {
    let mut progress = ProgressDisplay::new(false);
    let mut watch = |step: Progress| progress.show(&step);
    let hub = Hub::from_env();
    let device = global.device.unwrap_or_default();
    let result = work(&mut SubmissionPredictor { hub: &hub, device, cancelled, watch: &mut watch });
    progress.clear();
    result
}
