//! The command line. Each command is one file; it prints plain lines or JSON.

mod args;
mod attach;
mod background;
mod batch_task;
mod bench;
mod cancel;
mod check;
mod compare;
mod completions;
mod control;
mod dispatch;
mod doctor;
mod eval;
mod events;
mod export;
mod file_warnings;
mod follow;
mod foreground_trainer;
mod keys;
mod man;
mod output;
mod output_thread;
mod predict;
mod progress;
mod prune;
mod run_printer;
mod runs;
mod signals;
mod stopper;
mod submit;
mod train;
mod train_sweep;

pub use args::{Args, AttachArgs, CliCommand, GlobalArgs};
pub use dispatch::run;
pub use keys::KeymapExport;
pub use output::exit_code;
