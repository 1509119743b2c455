//! The digests of the files of a model folder.

use super::report::EXPORT_REPORT;
use crate::error::{Error, Result};
use crate::files::{DIGESTS, sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The model card.
pub(super) const CARD: &str = "README.md";

/// SHA-256 of the files of a folder by their names, but of those that describe the others.
///
/// # Errors
/// [`Error::Read`] with the file or folder that cannot be read.
pub(super) fn digests(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut digests = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(Error::reading(folder))? {
        let path = entry.map_err(Error::reading(folder))?.path();
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if path.is_file() && ![DIGESTS, CARD, EXPORT_REPORT].contains(&name.as_str()) {
            digests.insert(name, sha256(&path)?);
        }
    }
    Ok(digests)
}
