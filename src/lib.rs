//! glue-tui fine-tunes a text classifier in the terminal.
//!
//! # Data flow
//!
//! ```text
//! experiments.toml → RunSpec → worker → Event (log + channel) → App → draw
//!                       keys → Effect → Command → worker
//! ```
//!
//! Nothing else passes between a training and its readers. The interface, the command line and the tests all
//! call the same function, [`train::train`]. `ARCHITECTURE.md` describes the modules and the invariants.
//!
//! # Layers
//!
//! A module uses only modules below it, or beside it in the same column. `tests/layers` reads this table and
//! checks every `use` and every path:
//!
//! ```text
//! main
//! cli | tui              the command line and the interface
//! export                 a run written for other tools
//! bench                  speed of the engines, with random weights
//! predict                a run or a model folder and a text → probabilities
//! run                    a training with a name and a directory
//! train                  the loop, the schedule, scores, checkpoints
//! data | nn              rows → batches; batches → logits and gradients
//! hub                    the only module that uses the network
//! event                  what a run emits, and the commands that it receives
//! spec                   experiments.toml → RunSpec
//! format                 numbers as text
//! stats                  statistical tests, confidence intervals and power, as pure functions
//! catalog                tasks, metrics and models, as tables
//! text terminal_caps     text from outside, escaped and measured; what the terminal supports
//! assets config files probes machine batch error allocator terminal_reset
//! kernels                the arithmetic of the engine for the CPU, and random numbers: a crate of its own
//! ```
//!
//! # Invariants
//!
//! - `ratatui` and `crossterm` are used only in `tui`, `candle` only in `nn`, `hf_hub` only in `hub`.
//! - `train` knows no terminal; `tui` knows no tensor. Each works without the other.
//! - An engine is used only through [`nn::Engine`], whose interface has plain numbers.
//! - All randomness of a run comes from [`kernels::rng`], keyed by the seed: on the CPU the same specification gives the
//!   same weights, bit for bit.

pub mod allocator;
pub mod assets;
pub mod batch;
pub mod bench;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod data;
pub mod error;
pub mod event;
pub mod export;
pub mod files;
pub mod format;
pub mod hub;
pub mod machine;
pub mod nn;
pub mod predict;
pub mod probes;
pub mod run;
pub mod spec;
pub mod stats;
pub mod terminal_caps;
pub mod terminal_reset;
pub mod text;
pub mod train;
pub mod tui;
