//! The command line: each command is one file, and says what it has to say in plain lines or JSON.

mod args;
mod attach;
mod bench;
mod check;
mod control;
mod doctor;
mod eval;
mod export;
mod keys;
mod output;
mod predict;
mod printer;
mod runs;
mod signals;
mod train;

pub use args::{Args, Attach, Command, Global};
pub use keys::Written;

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Shows on stderr what the libraries log, as much of it as `RUST_LOG` asks for.
fn listen_to_libraries() {
    if std::env::var_os(env_logger::DEFAULT_FILTER_ENV).is_some() {
        env_logger::init();
    }
}

/// Does what a command asks for; `written` tells the keys of the interface, which is not seen from here. A fault of the program itself is told in one line, as any other error.
pub fn run(global: &Global, command: Command, written: Written) -> Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), |at| format!(" ({}:{})", at.file(), at.line()));
        let text = panic.payload_as_str().unwrap_or("no reason given");
        output::aside(format!("glue-tui: internal error: {text}{place}"));
    }));
    listen_to_libraries();
    let done = catch_unwind(AssertUnwindSafe(|| obey(global, command, written)));
    done.unwrap_or_else(|_| Err(Error::Training("this is a fault of the program, please report it".into())))
}

fn obey(global: &Global, command: Command, written: Written) -> Result<()> {
    match command {
        Command::Train(args) => train::train(global, &args),
        Command::Eval(args) => eval::eval(global, &args),
        Command::Predict(args) => predict::predict(global, &args),
        Command::Attach(args) => attach::attach(global, &args),
        Command::Runs(args) => runs::runs(global, &args),
        Command::Control(args) => control::control(global, &args),
        Command::Export(args) => export::export(global, &args),
        Command::Check(args) => check::check(global, &args),
        Command::Keys => keys::keys(global, written),
        Command::Doctor => doctor::doctor(global),
        Command::Bench(args) => bench::bench(global, &args),
    }
}

/// Tells an error on stderr and gives the exit code that stands for it.
pub fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe has seen enough, as with `| head`.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn say(error: &Error) {
    output::aside(match error {
        // Each mistake is a line that editors can jump to, so nothing stands before the file's name.
        Error::Config(_) => error.to_string(),
        _ => format!("glue-tui: {error}"),
    });
}
