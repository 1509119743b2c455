//! The user's configuration folder.

use super::source::invalid_utf8;
use crate::error::{Error, Result};
use crate::files::read_regular;
use std::path::PathBuf;

/// The folder of the user's configuration files: `$XDG_CONFIG_HOME/glue-tui`, or `~/.config/glue-tui` if the
/// variable is not set. `None` without a home directory.
pub fn folder() -> Option<PathBuf> {
    folder_from(std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from), std::env::home_dir())
}

/// The base directory specification requires that relative paths are ignored.
fn folder_from(base: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let base = base.filter(|base| base.is_absolute());
    Some(base.or_else(|| Some(home?.join(".config")))?.join("glue-tui"))
}

/// The path and the text of the file `name` in [`folder`], or `None` if there is no such file.
///
/// # Errors
/// [`Error::Usage`] if the file cannot be read, [`Error::Config`] if it is not UTF-8.
pub fn read(name: &str) -> Result<Option<(PathBuf, String)>> {
    let Some(path) = folder().map(|folder| folder.join(name)) else { return Ok(None) };
    let bytes = match read_regular(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|e| Error::Usage(format!("cannot read {}: {e}", path.display())))?,
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((path, text))),
        Err(e) => Err(Error::Config(vec![invalid_utf8(&path, &e)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_follows_the_base_directory_specification() {
        let folder = |base: Option<&str>, home: Option<&str>| {
            folder_from(base.map(PathBuf::from), home.map(PathBuf::from))
                .map(|path| path.display().to_string())
        };
        assert_eq!(folder(Some("/etc/x"), Some("/home/a")).unwrap(), "/etc/x/glue-tui");
        for base in [None, Some(""), Some("relative")] {
            assert_eq!(folder(base, Some("/home/a")).unwrap(), "/home/a/.config/glue-tui");
        }
        assert_eq!(folder(None, None), None);
    }
}
