//! A training that has a name and a place: its folder, its log, the thread it runs on, the list of all.

mod conduct;
pub mod course;
mod dir;
pub mod gauges;
pub mod history;
mod index;
pub mod insight;
mod log;
mod mailbox;
mod pace;
pub mod probes;
pub mod profile;
pub mod queue;
mod reader;
mod repeats;
mod reproduced;
pub mod sentence;
pub mod series;
mod speed;

pub use conduct::{Outcome, Running, Said, Start, conduct, start};
pub use dir::{RunDir, seed_dirs};
pub use index::{RunRow, RunStatus, find, list, row};
pub use log::EventLog;
pub use mailbox::{Asked, Obeyed};
pub use pace::Pace;
pub use reader::{Follower, News, Tail, replay};
pub use repeats::{Repeats, RepeatsSummary};
pub use reproduced::{Difference, Reproduced, Row, reproduced};
