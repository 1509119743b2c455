//! The text of a TOML file and the errors found in it, each with line and column.

use super::recovery::ReadableToml;
use crate::error::{Diagnostic, Error, Result};
use std::path::Path;
use std::string::FromUtf8Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a TOML file with the errors found so far.
#[derive(Debug)]
pub struct TomlSource<'a> {
    readable: &'a ReadableToml<'a>,
    path: &'a Path,
    errors: Vec<Diagnostic>,
}

impl<'a> TomlSource<'a> {
    /// The text that was read from `path`.
    pub fn new(readable: &'a ReadableToml<'a>, path: &'a Path) -> Self {
        TomlSource { readable, path, errors: Vec::new() }
    }

    /// Parses the readable part of the text, and records every syntax error.
    pub fn parse(&mut self) -> Spanned<DeTable<'a>> {
        for (offset, message) in &self.readable.errors {
            self.push_error(*offset, message.clone());
        }
        DeTable::parse_recoverable(self.readable.text()).0
    }

    /// Records an error at byte `offset`.
    pub fn push_error(&mut self, offset: usize, message: String) {
        let (line, column) = self.line_column(offset);
        self.errors.push(Diagnostic { file: self.path.to_path_buf(), line, column, message });
    }

    /// Line and column of byte `offset`, both from 1. The column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let text = self.readable.original();
        end_of(&text[..text.floor_char_boundary(offset)])
    }

    /// The errors that were recorded, in the order in which they were found.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.errors
    }

    /// `value` with all errors.
    pub fn finish<T>(mut self, value: T) -> Parsed<T> {
        sort(&mut self.errors);
        Parsed { value, errors: self.errors }
    }
}

/// What a file has that is valid, and the errors in it. An entry with an error is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed<T> {
    /// The valid entries.
    pub value: T,
    /// The errors, in the order of the lines.
    pub errors: Vec<Diagnostic>,
}

impl<T> Parsed<T> {
    /// The value, if there is no error.
    ///
    /// # Errors
    /// [`Error::Config`] with every error.
    pub fn complete(self) -> Result<T> {
        if self.errors.is_empty() { Ok(self.value) } else { Err(Error::Config(self.errors)) }
    }
}

/// Sorts errors by their lines and removes duplicates.
pub fn sort(errors: &mut Vec<Diagnostic>) {
    errors.sort_by_key(|error| (error.line, error.column));
    errors.dedup();
}

/// Line and column, both from 1, of the position after `text`.
fn end_of(text: &str) -> (usize, usize) {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    (1 + text.matches('\n').count(), 1 + last_line.chars().count())
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
