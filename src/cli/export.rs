//! `export`: a run written out for other tools.

use super::args::{Export, Format, Global};
use super::output;
use crate::error::Result;
use crate::{export, run};

pub(super) fn export(global: &Global, args: &Export) -> Result<()> {
    let run = run::find(&global.runs_dir, &args.run)?;
    match args.format {
        Format::Hf => export::hf(&run, &args.to)?,
    };
    output::line(args.to.display().to_string())
}
