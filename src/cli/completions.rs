//! `completions`: prints a script with which a shell completes commands and options.

use super::args::{Args, CompletionsArgs};
use super::output::stdout_bytes;
use crate::error::Result;
use clap::CommandFactory;

pub(super) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "glue-tui", &mut script);
    stdout_bytes(&script)
}
