//! The real binary without the interface: commands, exit codes, files and streams, as scripts rely on them.

mod adapters;
#[path = "../common/command_result.rs"]
mod command_result;
#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod compare;
mod export;
#[cfg(unix)]
mod exports;
mod failures;
mod glue;
#[path = "../common/glue_data.rs"]
mod glue_data;
#[cfg(unix)]
mod live;
mod precision;
mod predict_files;
mod runs;
mod sweep;
mod throughput;
mod training;
mod usage;
mod workspace;
