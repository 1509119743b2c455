//! Runs on a cluster: with programs that stand in for those of Slurm, and with a real Slurm on this machine where its
//! packages are installed.

#![cfg(unix)]

mod cluster;
#[path = "../common/command_result.rs"]
mod command_result;
#[path = "../common/mod.rs"]
mod common;
mod fake;
mod glue;
#[path = "../common/glue_data.rs"]
mod glue_data;
mod monitoring;
mod real;
mod submitting;
mod sweeps;
mod tasks;
mod workspace;
