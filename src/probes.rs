//! Texts that are pinned: `probes.toml` beside the runs, which every program on that folder shares.
//!
//! Each training there judges them at every evaluation of its validation split. The file is read at that
//! time, so what is pinned meanwhile, by whatever program or by hand, counts from the next one on.

use crate::error::{Error, Result};
use crate::files::write_whole;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// The file.
pub const FILE: &str = "probes.toml";
/// Held while the file is changed.
const EDITING: &str = ".probes.lock";
/// So many are judged, the first ones of the file.
pub const MOST: usize = 8;

/// A text, or two that are judged together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Probe {
    /// The text.
    pub text: String,
    /// The second one of a pair.
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

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    probe: Vec<Probe>,
}

/// What is pinned in `file`, in its order; nothing when it is not there.
///
/// # Errors
/// [`Error::Read`] and, with the line at fault, [`Error::Data`].
pub fn read(file: &Path) -> Result<Vec<Probe>> {
    let text = match std::fs::read_to_string(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::reading(file))?,
    };
    let stored: Stored = toml::from_str(&text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() as u64 + 1);
        Error::data(file, line, format!("{}; mend it or delete it", e.message()))
    })?;
    Ok(stored.probe)
}

/// Pins `pin` in `file`, or lets it go when it is pinned already. Says what is pinned now.
///
/// # Errors
/// Those of [`read`], a file that cannot be written, and [`Error::Usage`] when [`MOST`] are pinned.
pub fn toggle(file: &Path, pin: Probe) -> Result<Vec<Probe>> {
    let _lock = lock(file)?;
    let mut probe = read(file)?;
    if probe.contains(&pin) {
        probe.retain(|other| *other != pin);
    } else if probe.len() >= MOST {
        return Err(Error::Usage(format!("{MOST} sentences are pinned already; let one of them go first")));
    } else {
        probe.push(pin);
    }
    let stored = Stored { probe };
    let text =
        toml::to_string(&stored).map_err(|e| Error::Usage(format!("this text cannot be kept: {e}")))?;
    write_whole(file, text.as_bytes())?;
    Ok(stored.probe)
}

fn lock(file: &Path) -> Result<File> {
    let path = file.with_file_name(EDITING);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    }
    let lock = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::writing(&path))?;
    lock.lock().map_err(Error::writing(&path))?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str, pair: Option<&str>) -> Probe {
        Probe { text: text.into(), text_pair: pair.map(str::to_string) }
    }

    #[test]
    fn what_is_pinned_is_read_again_and_let_go_by_the_same() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("runs").join(FILE);
        assert_eq!(read(&file).unwrap(), []);
        let (one, two) = (pin("not \"bad\"\nat all", None), pin("is it?", Some("日本語 \u{1b}[31m")));
        toggle(&file, one.clone()).unwrap();
        assert_eq!(toggle(&file, two.clone()).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(read(&file).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(toggle(&file, pin("is it?", None)).unwrap().len(), 3, "alone it is another");
        assert_eq!(toggle(&file, one).unwrap(), [two, pin("is it?", None)]);
    }

    #[test]
    fn what_is_damaged_or_full_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(FILE);
        for number in 0..MOST {
            toggle(&file, pin(&number.to_string(), None)).unwrap();
        }
        let full = toggle(&file, pin("one more", None)).unwrap_err().to_string();
        assert!(full.contains("8 sentences are pinned already"), "{full}");
        assert_eq!(read(&file).unwrap().len(), MOST);
        std::fs::write(&file, "[[probe]]\ntext = \"a\"\n\n[[probe]]\ntext_pair = \"b\"\n").unwrap();
        for error in [read(&file).unwrap_err(), toggle(&file, pin("c", None)).unwrap_err()] {
            let error = error.to_string();
            assert!(
                error.contains("probes.toml") && error.contains(":4") && error.contains("text"),
                "{error}"
            );
        }
        assert!(std::fs::read_to_string(&file).unwrap().contains("text_pair"));
    }
}
