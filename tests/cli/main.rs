//! The real binary without the interface: commands, exit codes, files and streams, as scripts rely on them.

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod exports;
mod failures;
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
