//! `keys`: prints the key bindings of the interface in the format of keys.toml.

use super::args::GlobalArgs;
use super::output;
use crate::error::Result;

/// Returns the key bindings as the text of a `keys.toml`, and as JSON.
pub type KeymapExport = fn() -> Result<(String, serde_json::Value)>;

pub(super) fn keys(global: &GlobalArgs, keymap: KeymapExport) -> Result<()> {
    let (text, data) = keymap()?;
    if global.json { output::json(&data) } else { output::stdout_line(text.trim_end()) }
}
