//! Options of the interface.

use crate::spec::DeviceSpec;
use std::path::PathBuf;

/// Options of the command line for the interface.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The experiments file; by default `./experiments.toml`, or the built-in copy when that does not exist.
    pub experiments: Option<PathBuf>,
    /// The runs directory.
    pub runs_dir: PathBuf,
    /// The device for training and inference; overrides the specifications.
    pub device: Option<DeviceSpec>,
    /// A run directory to show.
    pub attach: Option<PathBuf>,
    /// A file or folder with data to open.
    pub open: Option<PathBuf>,
    /// The theme; overrides `config.toml`.
    pub theme: Option<String>,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
}
