//! The program under test, for several test programs.

use std::path::Path;
use std::process::{Command, Stdio};

/// A command of glue-tui in `folder`, without network, with empty caches there and without the settings of the user.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("hf"));
    command.env("XDG_CONFIG_HOME", folder.join("config"));
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    for name in
        ["GLUE_TUI_RUNS", "GLUE_TUI_THEME", "LC_ALL", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "NO_COLOR"]
    {
        command.env_remove(name);
    }
    command
}
