//! Arguments in, exit code out: without a command the interface opens, with one the command line works.

use glue_tui::{cli, tui};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match cli::Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let result = match args.command {
        None => tui::open(tui::Options {
            experiments: args.global.experiments.clone(),
            runs_dir: args.global.runs_dir.clone(),
            device: args.global.device.clone(),
            attach: None,
        }),
        Some(command) => cli::run(&args.global, command, tui::keymap::written),
    };
    cli::exit(result)
}
