//! Files that a person writes by hand: where the program's own are, and every mistake in one with its place.

mod nearest;
mod source;

pub use nearest::{by_nearness, expected_one_of, meant, unknown};
pub use source::{Source, kind_of, not_text};

use crate::error::{Error, Result};
use std::path::PathBuf;

/// The folder of what a person sets once for all experiments: `$XDG_CONFIG_HOME/glue-tui`, or else
/// `~/.config/glue-tui`. `None` without a home.
pub fn folder() -> Option<PathBuf> {
    folder_from(std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from), std::env::home_dir())
}

/// The base directory specification wants relative paths to be ignored.
fn folder_from(base: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let base = base.filter(|base| base.is_absolute());
    Some(base.or_else(|| Some(home?.join(".config")))?.join("glue-tui"))
}

/// The path and the text of the file `name` in [`folder`]; `None` when there is none.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read, [`Error::Config`] when it is no text.
pub fn read(name: &str) -> Result<Option<(PathBuf, String)>> {
    let Some(path) = folder().map(|folder| folder.join(name)) else { return Ok(None) };
    let bytes = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|e| Error::Usage(format!("cannot read {}: {e}", path.display())))?,
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((path, text))),
        Err(e) => Err(Error::Config(vec![not_text(&path, &e)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_the_base_directory_specification() {
        let folder = |base: Option<&str>, home: Option<&str>| {
            folder_from(base.map(PathBuf::from), home.map(PathBuf::from))
                .map(|path| path.display().to_string())
        };
        assert_eq!(folder(Some("/etc/x"), Some("/home/a")).unwrap(), "/etc/x/glue-tui");
        for none in [None, Some(""), Some("relative")] {
            assert_eq!(folder(none, Some("/home/a")).unwrap(), "/home/a/.config/glue-tui");
        }
        assert_eq!(folder(None, None), None);
    }
}
