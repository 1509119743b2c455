//! What the interface is opened with.

use std::path::PathBuf;

/// What the interface is opened on.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The experiments file; `./experiments.toml` or the built-in copy when absent.
    pub experiments: Option<PathBuf>,
    /// Where runs are.
    pub runs_dir: PathBuf,
    /// The device to train and judge on, in place of what the specifications say.
    pub device: Option<String>,
    /// A run directory to watch.
    pub attach: Option<PathBuf>,
    /// The theme, in place of the one that was chosen before.
    pub theme: Option<String>,
    /// Whether every sign is ASCII, whatever the terminal could show.
    pub ascii: bool,
}
