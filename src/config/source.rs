//! The text of a TOML file and the mistakes found in it, each at its line and column.

use crate::error::Diagnostic;
use std::path::Path;
use std::string::FromUtf8Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file's text, and what is wrong with it so far.
#[derive(Debug)]
pub struct Source<'a> {
    text: &'a str,
    path: &'a Path,
    found: Vec<Diagnostic>,
    /// Lines with a syntax error; what the parser guessed there is not worth a second complaint.
    broken_lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// The text that was read from `path`.
    pub fn new(text: &'a str, path: &'a Path) -> Self {
        Source { text, path, found: Vec::new(), broken_lines: Vec::new() }
    }

    /// The tables of the file, as far as it is TOML; every place where it is not is a mistake.
    pub fn tables(&mut self) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().map_or(self.text.len(), |span| span.start);
            self.broken_lines.push(self.place(at).0);
            self.say(at, format!("not TOML: {}", one_line(error.message())));
        }
        root
    }

    /// Notes a mistake at byte `at`.
    pub fn say(&mut self, at: usize, message: String) {
        let (line, column) = self.place(at);
        self.found.push(Diagnostic { file: self.path.to_path_buf(), line, column, message });
    }

    /// Notes a mistake at byte `at`, unless its line is not even TOML.
    pub fn say_unless_broken(&mut self, at: usize, message: String) {
        if !self.broken_lines.contains(&self.place(at).0) {
            self.say(at, message);
        }
    }

    /// Line and column of byte `at`, both from 1, the column in characters.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        place_after(before)
    }

    /// Whether no mistake was found so far.
    pub fn is_right(&self) -> bool {
        self.found.is_empty()
    }

    /// `value`, or every mistake in the order of the lines.
    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<Diagnostic>> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.found.dedup();
        Err(self.found)
    }
}

fn place_after(before: &str) -> (usize, usize) {
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (1 + before.matches('\n').count(), 1 + before[start..].chars().count())
}

/// A diagnostic is one line, whatever the parser's message is.
fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).collect::<Vec<_>>().join(", ")
}

/// What a value is, for a sentence that wanted another one.
pub fn kind_of(value: &DeValue) -> String {
    match value {
        DeValue::Float(number) => format!("`{}`", number.as_str()),
        DeValue::Integer(number) => format!("`{}`", number.as_str()),
        DeValue::Boolean(yes) => format!("`{yes}`"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
        DeValue::String(_) => "text".into(),
    }
}

/// The first byte that is no UTF-8 as a mistake in the file.
pub fn not_text(path: &Path, error: &FromUtf8Error) -> Diagnostic {
    let start = error.utf8_error().valid_up_to();
    let (line, column) = place_after(&String::from_utf8_lossy(&error.as_bytes()[..start]));
    let message = "not UTF-8 text; save the file as UTF-8".into();
    Diagnostic { file: path.to_path_buf(), line, column, message }
}
