//! `cancel`: takes back runs that were submitted or queued, and stops those that are being trained.

use super::args::{CancelArgs, GlobalArgs};
use super::output;
use crate::error::{Error, Result};
use crate::run::executor::cancel_runs;
use crate::run::{self, RunDir};
use std::path::PathBuf;

pub(super) fn cancel(global: &GlobalArgs, args: &CancelArgs) -> Result<()> {
    let mut runs: Vec<PathBuf> = Vec::new();
    for name in &args.runs {
        let run = run::find(&global.runs_dir, name)?;
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    let cancelled = cancel_runs(&global.runs_dir, &runs)?;
    for run in &cancelled {
        output::stdout_line(run.display().to_string())?;
    }
    match runs.iter().find(|run| !cancelled.contains(run)) {
        Some(run) => Err(Error::Usage(format!(
            "{} is neither submitted nor queued nor being trained; `glue-tui runs` shows its status",
            RunDir::at(run).name()
        ))),
        None => Ok(()),
    }
}
