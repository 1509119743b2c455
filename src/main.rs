//! Parses the arguments, then opens the interface or runs a command, and returns the exit code.

use glue_tui::allocator::Allocator;
use glue_tui::{cli, run, tui};
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes a write beyond the size limit of files (`ulimit -f`) an error like that of a full disk. By default it ends the
/// process.
fn report_large_files() {
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: ignoring a signal runs no code.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    report_large_files();
    let args = match cli::Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let global = &args.global;
    let open = |attach: Option<PathBuf>, data: Option<PathBuf>| {
        tui::open(tui::Options {
            experiments: global.experiments.clone(),
            runs_dir: global.runs_dir.clone(),
            device: global.device,
            attach,
            open: data,
            theme: global.theme.clone(),
            ascii: global.ascii,
        })
    };
    let result = match args.command {
        None => open(None, args.file),
        Some(cli::CliCommand::Attach(attach)) if !attach.plain => {
            run::find(&global.runs_dir, &attach.run).and_then(|dir| open(Some(dir), None))
        }
        Some(command) => cli::run(global, command, tui::keymap::export),
    };
    cli::exit_code(result)
}
