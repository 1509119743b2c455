//! glue-tui fine-tunes a text classifier in the terminal.
//!
//! # How a run flows
//!
//! ```text
//! experiments.toml → RunSpec → worker → Event (log + channel) → App → draw
//!                       keys → Effect → Command → worker
//! ```
//!
//! Nothing else crosses between a training and those who look at it. The interface, the
//! command line and the tests all call the one function [`train::train`].
//!
//! # Layers
//!
//! Imports go down only, and `tests/layers.rs` reads the `use` lines to hold it:
//!
//! ```text
//! main
//! cli | tui          two faces; neither sees the other
//! export             a run written out for other tools
//! bench              how fast this machine is, with random weights
//! predict            a run or a model folder + text → probabilities
//! run                a training that has a name and a place
//! train              the loop, the schedule, scores, checkpoints
//! data | nn          rows → batches; batches → logits and gradients
//! hub                the only room that touches the network
//! event              the only words between a run and its readers
//! spec               experiments.toml → RunSpec
//! format             numbers as a person reads them
//! catalog            what one can pick, as tables
//! text terminal_caps     text made harmless and measured; what the terminal can show
//! assets config files probes machine batch rng error
//! ```
//!
//! # Invariants
//!
//! - `ratatui` and `crossterm` appear only in `tui`, `candle` only in `nn`, `hf_hub` only in `hub`.
//! - `train` knows no terminal; `tui` knows no tensor. Remove either and the other still works.
//! - An engine is reached only through [`nn::Engine`]; plain numbers go in and out.
//! - All randomness of a run comes from [`rng`], keyed by the seed: on the CPU the same
//!   specification gives the same weights, bit for bit.

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
pub mod rng;
pub mod run;
pub mod spec;
pub mod terminal_caps;
pub mod text;
pub mod train;
pub mod tui;
