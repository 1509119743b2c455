//! Runs: their directories, logs and histories, the thread that trains, the list of all runs, the queue.

mod append_file;
pub mod axis;
mod change;
mod changed_data;
pub mod check;
mod control_file;
mod delete;
mod dir;
pub mod draft;
pub mod error_analysis;
mod event_channel;
mod file_lock;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod gauges;
pub mod history;
mod index;
mod lock;
mod log;
mod log_tail;
mod measured_speed;
pub mod message;
pub mod probes;
pub mod profile;
pub mod queue;
mod queue_devices;
mod reader;
mod repeats;
mod reproduction;
pub mod run_chart;
mod runner;
mod seed;
pub mod series;
mod speed;
pub mod suggestions;
mod unchanged;

pub use change::{RunChange, RunChangeKind};
pub use control_file::{CommandAck, PendingCommand};
pub use delete::delete;
pub use dir::{RunDir, seed_dirs};
pub use event_channel::RunEvent;
pub use index::{RunRow, RunStatus, find, list, row, unreadable};
pub use log::EventLog;
pub use log_tail::{LogTail, TailItem};
pub use measured_speed::MeasuredSpeed;
pub use reader::{HistoryTail, replay, run_labels};
pub use repeats::{Repeats, RepeatsSummary};
pub use reproduction::{Difference, Reproduction, ReproductionRow, reproduced};
pub use runner::{RunHandle, RunStopper, Start, TrainOutput, run_blocking, start, start_controlled};
