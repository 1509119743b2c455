//! `export`: writes the best model of a run in a format of other tools.

use super::args::{ExportArgs, ExportFormat, GlobalArgs};
use super::output;
use crate::error::Result;
use crate::{export, run};

pub(super) fn export(global: &GlobalArgs, args: &ExportArgs) -> Result<()> {
    let run = run::find(&global.runs_dir, &args.run)?;
    match args.format {
        ExportFormat::Hf => export::hf(&run, &args.to)?,
    };
    output::stdout_line(args.to.display().to_string())
}
