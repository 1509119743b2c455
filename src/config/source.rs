//! The text of a TOML file and the errors found in it, each with line and column.

use crate::error::Diagnostic;
use std::path::Path;
use std::string::FromUtf8Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a TOML file with the errors found so far.
#[derive(Debug)]
pub struct TomlSource<'a> {
    text: &'a str,
    path: &'a Path,
    errors: Vec<Diagnostic>,
    /// Lines with a syntax error. The parser's recovered values there are guesses, which need no second error.
    syntax_error_lines: Vec<usize>,
}

impl<'a> TomlSource<'a> {
    /// The text that was read from `path`.
    pub fn new(text: &'a str, path: &'a Path) -> Self {
        TomlSource { text, path, errors: Vec::new(), syntax_error_lines: Vec::new() }
    }

    /// Parses the text as far as it is valid TOML, and records every syntax error.
    pub fn parse(&mut self) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let offset = error.span().map_or(self.text.len(), |span| span.start);
            self.syntax_error_lines.push(self.line_column(offset).0);
            self.push_error(offset, format!("not TOML: {}", one_line(error.message())));
        }
        root
    }

    /// Records an error at byte `offset`.
    pub fn push_error(&mut self, offset: usize, message: String) {
        let (line, column) = self.line_column(offset);
        self.errors.push(Diagnostic { file: self.path.to_path_buf(), line, column, message });
    }

    /// Records an error at byte `offset`, unless its line has a syntax error.
    pub fn push_error_unless_syntax_error(&mut self, offset: usize, message: String) {
        if !self.syntax_error_lines.contains(&self.line_column(offset).0) {
            self.push_error(offset, message);
        }
    }

    /// Line and column of byte `offset`, both from 1. The column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        end_of(&self.text[..self.text.floor_char_boundary(offset)])
    }

    /// Whether no error was recorded.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// `value`, or all errors in the order of their lines.
    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.sort_by_key(|error| (error.line, error.column));
        self.errors.dedup();
        Err(self.errors)
    }
}

/// Line and column, both from 1, of the position after `text`.
fn end_of(text: &str) -> (usize, usize) {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    (1 + text.matches('\n').count(), 1 + last_line.chars().count())
}

/// A parser message without line breaks: a diagnostic is one line.
fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).collect::<Vec<_>>().join(", ")
}

/// A value as error messages name it: numbers and booleans as written, otherwise the type.
pub fn describe_value(value: &DeValue) -> String {
    match value {
        DeValue::Float(number) => format!("`{}`", number.as_str()),
        DeValue::Integer(number) => format!("`{}`", number.as_str()),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
        DeValue::String(_) => "text".into(),
    }
}

/// The error for a file that is not UTF-8, at the first invalid byte.
pub fn invalid_utf8(path: &Path, error: &FromUtf8Error) -> Diagnostic {
    let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let (line, column) = end_of(&String::from_utf8_lossy(valid));
    let message = "not UTF-8 text; save the file as UTF-8".into();
    Diagnostic { file: path.to_path_buf(), line, column, message }
}
