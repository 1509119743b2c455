//! What a person writes about a run: a name, tags and a note, in `notes.toml` of the run directory.
//!
//! The specification repeats the run, so these are in a file of their own, and the directory keeps its name.

use super::dir::RunDir;
use crate::error::{Error, Result};
use crate::files::{read_regular_to_string, write_atomic};
use serde::Serialize;
use std::io::ErrorKind;
use std::path::PathBuf;
use toml::{Table, Value};

const FILE: &str = "notes.toml";
/// Maximum number of characters of a name.
const MAX_NAME: usize = 80;
/// Maximum number of characters of a tag.
const MAX_TAG: usize = 40;
/// Maximum number of characters of a note.
const MAX_NOTE: usize = 2000;

/// The name, the tags and the note of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunNotes {
    /// The name that is shown in place of the name of the directory.
    pub display_name: Option<String>,
    /// The tags, each once.
    pub tags: Vec<String>,
    /// The note.
    pub note: Option<String>,
}

/// A change of one part of the notes, as typed. Empty text removes the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotesEdit {
    /// The name.
    Name(String),
    /// All tags, separated by spaces or commas, with or without `#`.
    Tags(String),
    /// The note.
    Note(String),
}

impl NotesEdit {
    /// Checks the text.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let (what, texts, max) = match self {
            NotesEdit::Name(name) => ("a name", vec![name.trim().to_owned()], MAX_NAME),
            NotesEdit::Tags(text) => ("a tag", tags(text), MAX_TAG),
            NotesEdit::Note(note) => ("a note", vec![note.trim().to_owned()], MAX_NOTE),
        };
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return Err(format!("{what} has no control characters"));
        }
        match texts.iter().map(|text| text.chars().count()).max() {
            Some(length) if length > max => Err(format!("{what} has at most {max} characters, not {length}")),
            _ => Ok(()),
        }
    }

    fn apply(&self, table: &mut Table) {
        let text = |text: &str| (!text.trim().is_empty()).then(|| Value::from(text.trim()));
        let (key, value) = match self {
            NotesEdit::Name(name) => ("name", text(name)),
            NotesEdit::Note(note) => ("note", text(note)),
            NotesEdit::Tags(text) => {
                let tags = tags(text);
                ("tags", (!tags.is_empty()).then(|| Value::from(tags)))
            }
        };
        match value {
            Some(value) => table.insert(key.into(), value),
            None => table.remove(key),
        };
    }
}

/// The tags in a text, each once, in their order.
fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ',') {
        let tag = word.trim_start_matches('#');
        if !tag.is_empty() && !tags.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

impl RunNotes {
    /// The notes of the run in `dir`; empty if it has none.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] when `notes.toml` cannot be read or is invalid.
    pub(super) fn read(dir: &RunDir) -> Result<RunNotes> {
        let table = read_table(dir)?;
        let invalid = |key: &str, expected: &str| {
            Error::data(path(dir), None, format!("`{key}` is not {expected}; correct it or delete the file"))
        };
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(value) => {
                value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| invalid(key, "a text"))
            }
        };
        let tags = match table.get("tags") {
            None => Some(Vec::new()),
            Some(value) => value
                .as_array()
                .and_then(|all| all.iter().map(|tag| tag.as_str().map(str::to_owned)).collect()),
        };
        let tags = tags.ok_or_else(|| invalid("tags", "a list of texts"))?;
        Ok(RunNotes { display_name: text("name")?, tags, note: text("note")? })
    }

    /// The tags as they are typed: `#baseline #paper`.
    pub fn tags_text(&self) -> String {
        self.tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" ")
    }
}

/// Changes the notes of the run in `dir`. The other parts of `notes.toml` stay; without any, the file is removed.
///
/// # Errors
/// [`Error::Usage`] for an invalid text or when `dir` is not a run, [`Error::Read`] or [`Error::Data`] when the present notes cannot
/// be read, [`Error::Write`] when they cannot be written.
pub fn edit_notes(dir: &RunDir, edit: &NotesEdit) -> Result<()> {
    edit.check().map_err(Error::Usage)?;
    if !dir.is_run() {
        return Err(Error::Usage(format!("{} is not a run", dir.path().display())));
    }
    let path = path(dir);
    let mut table = read_table(dir)?;
    edit.apply(&mut table);
    if table.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::writing(&path)(error)),
            _ => Ok(()),
        };
    }
    let text = toml::to_string(&table).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
    write_atomic(&path, text.as_bytes())
}

fn path(dir: &RunDir) -> PathBuf {
    dir.path().join(FILE)
}

fn read_table(dir: &RunDir) -> Result<Table> {
    let path = path(dir);
    match read_regular_to_string(&path) {
        Ok(text) => text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
            Error::data(&path, line, format!("{}; correct it or delete the file", e.message()))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Table::new()),
        Err(error) => Err(Error::reading(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn run(home: &tempfile::TempDir) -> RunDir {
        RunDir::create(home.path(), &built_in("demo")).unwrap()
    }

    #[test]
    fn parts_are_changed_one_at_a_time_and_unknown_keys_stay() {
        let home = tempfile::tempdir().unwrap();
        let dir = run(&home);
        assert_eq!(RunNotes::read(&dir).unwrap(), RunNotes::default());
        std::fs::write(path(&dir), "from_the_future = 1\n").unwrap();
        edit_notes(&dir, &NotesEdit::Name(" the baseline ".into())).unwrap();
        edit_notes(&dir, &NotesEdit::Tags("#paper, good Paper #é".into())).unwrap();
        edit_notes(&dir, &NotesEdit::Note("halved at step 12".into())).unwrap();
        let notes = RunNotes::read(&dir).unwrap();
        assert_eq!(notes.display_name.as_deref(), Some("the baseline"));
        assert_eq!(
            (notes.tags_text().as_str(), notes.note.as_deref()),
            ("#paper #good #é", Some("halved at step 12"))
        );
        edit_notes(&dir, &NotesEdit::Name("  ".into())).unwrap();
        edit_notes(&dir, &NotesEdit::Tags(String::new())).unwrap();
        edit_notes(&dir, &NotesEdit::Note(String::new())).unwrap();
        assert_eq!(std::fs::read_to_string(path(&dir)).unwrap(), "from_the_future = 1\n");
        std::fs::write(path(&dir), "note = \"x\"\n").unwrap();
        edit_notes(&dir, &NotesEdit::Note(String::new())).unwrap();
        assert!(!path(&dir).exists(), "a file without notes is removed");
    }

    #[test]
    fn damaged_notes_are_reported_and_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let dir = run(&home);
        for (text, part) in
            [("name = 3", "`name` is not a text"), ("\ntags = [1]", "`tags`"), ("\nname = ", ":2: ")]
        {
            std::fs::write(path(&dir), text).unwrap();
            let error = RunNotes::read(&dir).unwrap_err().to_string();
            assert!(error.contains("notes.toml") && error.contains(part), "{error}");
        }
        assert!(edit_notes(&dir, &NotesEdit::Note("y".into())).is_err());
        assert_eq!(std::fs::read_to_string(path(&dir)).unwrap(), "\nname = ");
    }

    #[test]
    fn invalid_texts_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let long = NotesEdit::Name("x".repeat(81)).check().unwrap_err();
        assert_eq!(long, "a name has at most 80 characters, not 81");
        assert!(NotesEdit::Note("a\u{7}".into()).check().is_err());
        assert!(NotesEdit::Tags("fine ok".into()).check().is_ok());
        let elsewhere = RunDir::at(home.path());
        assert!(matches!(edit_notes(&elsewhere, &NotesEdit::Name("x".into())), Err(Error::Usage(_))));
    }
}
