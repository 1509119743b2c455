//! Arguments in, exit code out: without a command the interface opens, with one the command line works.

use glue_tui::{cli, run, tui};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match cli::Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let global = &args.global;
    let open = |attach: Option<PathBuf>| {
        tui::open(tui::Options {
            experiments: global.experiments.clone(),
            runs_dir: global.runs_dir.clone(),
            device: global.device,
            attach,
            theme: global.theme.clone(),
            ascii: global.ascii,
        })
    };
    let result = match args.command {
        None => open(None),
        Some(cli::Command::Attach(attach)) if !attach.plain => {
            run::find(&global.runs_dir, &attach.run).and_then(|dir| open(Some(dir)))
        }
        Some(command) => cli::run(global, command, tui::keymap::written),
    };
    cli::exit(result)
}
