//! From a command to an exit code.

use super::args::{CliCommand, GlobalArgs};
use super::keys::KeymapExport;
use super::{
    attach, background, bench, cancel, check, compare, completions, control, doctor, eval, events, export,
    glue, keys, man, output, predict, prune, push, runs, submit, train,
};
use crate::error::{Error, Result, is_out_of_resources, panic_error};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a command. `keymap` exports the key bindings of the interface, which this layer does not depend on.
///
/// # Errors
/// That of the command. A panic is an internal error: one line on stderr and [`Error::Training`].
pub fn run(global: &GlobalArgs, command: CliCommand, keymap: KeymapExport) -> Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        let position = panic.location().map_or(String::new(), |at| format!(" ({}:{})", at.file(), at.line()));
        let text = panic.payload_as_str().unwrap_or("no message");
        // It is reported as an error of the system.
        if is_out_of_resources(text) {
            return;
        }
        output::stderr_line(format!("glue-tui: internal error: {text}{position}"));
    }));
    log_to_stderr();
    let result = catch_unwind(AssertUnwindSafe(|| dispatch(global, command, keymap)));
    result.unwrap_or_else(|panic| match panic_error(panic.as_ref()) {
        error @ Error::Device(_) => Err(error),
        _ => Err(Error::Training("this is a bug in glue-tui; please report it with the line above".into())),
    })
}

/// Logs to stderr what the libraries log, at the level of `RUST_LOG`; nothing when that is not set.
fn log_to_stderr() {
    if std::env::var_os(env_logger::DEFAULT_FILTER_ENV).is_some() {
        env_logger::init();
    }
}

fn dispatch(global: &GlobalArgs, command: CliCommand, keymap: KeymapExport) -> Result<()> {
    match command {
        CliCommand::Train(args) => train::train(global, &args),
        CliCommand::Glue(args) => glue::glue(global, &args),
        CliCommand::Eval(args) => eval::eval(global, &args),
        CliCommand::Predict(args) => predict::predict(global, &args),
        CliCommand::Attach(args) => attach::attach(global, &args),
        CliCommand::Events(args) => events::events(global, &args),
        CliCommand::Background(args) => background::background(global, &args),
        CliCommand::Submit(args) => submit::submit(global, &args),
        CliCommand::Cancel(args) => cancel::cancel(global, &args),
        CliCommand::Runs(args) => runs::runs(global, &args),
        CliCommand::Prune(args) => prune::prune(global, &args),
        CliCommand::Control(args) => control::control(global, &args),
        CliCommand::Compare(args) => compare::compare(global, &args),
        CliCommand::Export(args) => export::export(global, &args),
        CliCommand::Push(args) => push::push(global, &args),
        CliCommand::Check(args) => check::check(global, &args),
        CliCommand::Keys => keys::keys(global, keymap),
        CliCommand::Completions(args) => completions::completions(&args),
        CliCommand::Man(args) => man::man(&args),
        CliCommand::Doctor => doctor::doctor(global),
        CliCommand::Bench(args) => bench::bench(global, &args),
    }
}
