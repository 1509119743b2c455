//! The folder of an export.

use crate::error::{Error, Result};
use std::path::Path;

/// Checks that `to` does not exist or is empty, and creates its parent folder.
///
/// # Errors
/// [`Error::Usage`] if it exists and is not empty, [`Error::Write`] if its parent cannot be created.
pub(super) fn new_folder(to: &Path) -> Result<()> {
    if std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Usage(format!("{} exists and is not empty; choose another folder", to.display())));
    }
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(Error::writing(parent)),
        None => Ok(()),
    }
}
