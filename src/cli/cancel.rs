//! `cancel`: takes back runs and sweeps that were submitted or queued, and stops those that are being trained.

use super::args::{CancelArgs, GlobalArgs};
use super::output;
use crate::error::{Error, Result};
use crate::run::executor::Submitted;

pub(super) fn cancel(global: &GlobalArgs, args: &CancelArgs) -> Result<()> {
    let mut all: Vec<Submitted> = Vec::new();
    for name in &args.runs {
        let submitted = Submitted::find(&global.runs_dir, name)?;
        if !all.contains(&submitted) {
            all.push(submitted);
        }
    }
    let mut untouched = None;
    for submitted in &all {
        let cancelled = submitted.cancel(&global.runs_dir)?;
        for run in &cancelled {
            output::stdout_line(run.display().to_string())?;
        }
        if cancelled.is_empty() {
            untouched = untouched.or(Some(submitted));
        }
    }
    match untouched {
        Some(submitted) => Err(Error::Usage(format!(
            "{} is neither submitted nor queued nor being trained; `glue-tui runs` shows its status",
            submitted.name()
        ))),
        None => Ok(()),
    }
}
