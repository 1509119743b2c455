//! A training that has a name and a place: its folder, its log, the thread it runs on, the list of all.

pub mod axis;
mod control_file;
mod dir;
pub mod error_analysis;
pub mod gauges;
pub mod history;
mod index;
mod log;
pub mod message;
mod pace;
pub mod probes;
pub mod profile;
pub mod queue;
mod reader;
mod repeats;
mod reproduction;
mod runner;
pub mod series;
mod speed;

pub use control_file::{CommandAck, PendingCommand};
pub use dir::{RunDir, seed_dirs};
pub use index::{RunRow, RunStatus, find, list, row};
pub use log::EventLog;
pub use pace::Pace;
pub use reader::{Follower, News, Tail, replay};
pub use repeats::{Repeats, RepeatsSummary};
pub use reproduction::{Difference, Reproduction, Row, reproduced};
pub use runner::{RunEvent, Running, Start, TrainOutput, run_blocking, start};
