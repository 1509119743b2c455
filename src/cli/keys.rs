//! `keys`: the keys of the interface, as a file that changes them.

use super::args::Global;
use super::output;
use crate::error::Result;

/// What the keys are: the text of a `keys.toml` that says so, and the same as JSON.
pub type Written = fn() -> Result<(String, serde_json::Value)>;

pub(super) fn keys(global: &Global, written: Written) -> Result<()> {
    let (text, data) = written()?;
    if global.json { output::json(&data) } else { output::line(text.trim_end()) }
}
