//! `export`: writes the best model of a run in a format of other tools.

use super::args::{ExportArgs, ExportFormat, GlobalArgs};
use super::{glue, output};
use crate::error::Result;
use crate::{export, run};

pub(super) fn export(global: &GlobalArgs, args: &ExportArgs) -> Result<()> {
    match args.format {
        ExportFormat::Hf => drop(export::hf(&run::find(&global.runs_dir, &args.run)?, &args.to)?),
        ExportFormat::Glue => return glue::export(global, args),
    }
    output::stdout_line(args.to.display().to_string())
}
