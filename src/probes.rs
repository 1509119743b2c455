//! Probes: texts that every run classifies at each evaluation of its validation split. They are kept in
//! `probes.toml` in the folder of the runs.
//!
//! A run reads the file at each evaluation, so that a change by another process or by hand takes effect at the
//! next one.

use crate::error::{Error, Result};
use crate::files::{open_append, read_regular_to_string, remove_leftovers_of, write_atomic};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "probes.toml";
/// The name of the lock file that is held during a change.
const LOCK_FILE: &str = ".probes.lock";
/// The maximum number of probes; further ones in the file are ignored.
pub const MAX_PROBES: usize = 8;

/// A text, or a pair of texts, that every run classifies at each evaluation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Probe {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
}

impl Probe {
    /// Both texts in one line.
    pub fn line(&self) -> String {
        match &self.text_pair {
            Some(pair) => format!("{}  |  {pair}", self.text),
            None => self.text.clone(),
        }
    }
}

/// The content of the file.
#[derive(Default, Serialize, Deserialize)]
struct ProbesFile {
    #[serde(default)]
    probe: Vec<Probe>,
}

/// The probes of `file`, in its order. Empty if the file does not exist.
///
/// # Errors
/// [`Error::Read`], or [`Error::Data`] with the line at fault.
pub fn read(file: &Path) -> Result<Vec<Probe>> {
    let text = match read_regular_to_string(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::reading(file))?,
    };
    let content: ProbesFile = toml::from_str(&text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() as u64 + 1);
        Error::data(file, line, format!("{}; fix the file or delete it", e.message()))
    })?;
    Ok(content.probe)
}

/// Adds `probe` to `file`, or removes it if it is there. Returns the probes after the change.
///
/// # Errors
/// As [`read`], [`Error::Write`], or [`Error::Usage`] if there are [`MAX_PROBES`] already.
pub fn toggle(file: &Path, probe: Probe) -> Result<Vec<Probe>> {
    let _lock = lock(file)?;
    let mut probes = read(file)?;
    if probes.contains(&probe) {
        probes.retain(|other| *other != probe);
    } else if probes.len() >= MAX_PROBES {
        return Err(Error::Usage(format!("there are {MAX_PROBES} probes already; remove one first")));
    } else {
        probes.push(probe);
    }
    let content = ProbesFile { probe: probes };
    let text = toml::to_string(&content)
        .map_err(|e| Error::Usage(format!("the text cannot be saved as TOML: {e}")))?;
    write_atomic(file, text.as_bytes())?;
    Ok(content.probe)
}

/// Locks the file against changes by other processes until the returned lock file is closed.
fn lock(file: &Path) -> Result<File> {
    let path = file.with_file_name(LOCK_FILE);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    }
    let lock = open_append(&path).map_err(Error::writing(&path))?;
    lock.lock().map_err(Error::writing(&path))?;
    remove_leftovers_of(file)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(text: &str, pair: Option<&str>) -> Probe {
        Probe { text: text.into(), text_pair: pair.map(str::to_string) }
    }

    #[test]
    fn toggle_adds_and_removes() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("runs").join(FILE);
        assert_eq!(read(&file).unwrap(), []);
        let (one, two) = (probe("not \"bad\"\nat all", None), probe("is it?", Some("日本語 \u{1b}[31m")));
        toggle(&file, one.clone()).unwrap();
        assert_eq!(toggle(&file, two.clone()).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(read(&file).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(
            toggle(&file, probe("is it?", None)).unwrap().len(),
            3,
            "a single text differs from a pair"
        );
        assert_eq!(toggle(&file, one).unwrap(), [two, probe("is it?", None)]);
    }

    #[test]
    fn damaged_or_full_file_is_left_unchanged() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(FILE);
        for number in 0..MAX_PROBES {
            toggle(&file, probe(&number.to_string(), None)).unwrap();
        }
        let full = toggle(&file, probe("one more", None)).unwrap_err().to_string();
        assert!(full.contains("there are 8 probes already"), "{full}");
        assert_eq!(read(&file).unwrap().len(), MAX_PROBES);
        std::fs::write(&file, "[[probe]]\ntext = \"a\"\n\n[[probe]]\ntext_pair = \"b\"\n").unwrap();
        for error in [read(&file).unwrap_err(), toggle(&file, probe("c", None)).unwrap_err()] {
            let error = error.to_string();
            assert!(
                error.contains("probes.toml") && error.contains(":4") && error.contains("text"),
                "{error}"
            );
        }
        assert!(std::fs::read_to_string(&file).unwrap().contains("text_pair"));
    }
}
