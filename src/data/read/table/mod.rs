//! Files of a user's own: rows with named columns, in several formats. What a cell means is not decided here.

mod delimited;
mod json_lines;

use super::{bytes, parquet};
use crate::catalog::Format;
use crate::error::{Error, Result};
use std::path::Path;

/// Which columns of a file are wanted, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Wanted {
    /// The text, or the first of two.
    pub(in crate::data) text: String,
    /// The second text.
    pub(in crate::data) text_pair: Option<String>,
    /// The label.
    pub(in crate::data) label: String,
    /// Whether a file without the label's column is none.
    pub(in crate::data) is_labelled: bool,
}

/// A row as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Record {
    /// Where it begins: a line of a text file, a row of another, from 1.
    pub(in crate::data) at: u64,
    /// The text, or the first of two.
    pub(in crate::data) text: String,
    /// The second text.
    pub(in crate::data) text_pair: Option<String>,
    /// What the label's column holds; `None` for nothing.
    pub(in crate::data) label: Option<Cell>,
}

/// What a label may be written as.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cell {
    /// A word, or in files without kinds of values anything.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Real(f64),
    /// Yes or no.
    Flag(bool),
}

/// The names of a file's columns, in their order.
pub(in crate::data) fn columns(file: &Path) -> Result<Vec<String>> {
    match format(file)? {
        Format::Csv => delimited::columns(file, &bytes(file)?, delimited::CSV),
        Format::Tsv => delimited::columns(file, &bytes(file)?, delimited::TSV),
        Format::JsonLines => json_lines::columns(file, &bytes(file)?),
        Format::Parquet => parquet::columns(file),
    }
}

/// Reads a whole file.
pub(in crate::data) fn records(file: &Path, wanted: &Wanted) -> Result<Vec<Record>> {
    match format(file)? {
        Format::Csv => delimited::read(file, &bytes(file)?, delimited::CSV, wanted),
        Format::Tsv => delimited::read(file, &bytes(file)?, delimited::TSV, wanted),
        Format::JsonLines => json_lines::read(file, &bytes(file)?, wanted),
        Format::Parquet => parquet::records(file, wanted),
    }
}

/// An error of a row, at its line where the file has lines.
pub(in crate::data) fn wrong(file: &Path, at: u64, problem: &str) -> Error {
    match Format::of(file) {
        Some(Format::Parquet) => Error::data(file, None, format!("row {at}: {problem}")),
        _ => Error::data(file, Some(at), problem),
    }
}

fn format(file: &Path) -> Result<Format> {
    Format::of(file).ok_or_else(|| {
        let problem = format!("its name does not tell what it is; it should end in {}", Format::EXTENSIONS);
        Error::data(file, None, problem)
    })
}

/// Places of the wanted columns among a file's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) text: usize,
    pub(super) text_pair: Option<usize>,
    pub(super) label: Option<usize>,
}

impl Places {
    pub(super) fn of<S: AsRef<str>>(file: &Path, names: &[S], wanted: &Wanted) -> Result<Self> {
        let place = |name: &str| place(file, names, name);
        Ok(Places {
            text: place(&wanted.text)?,
            text_pair: wanted.text_pair.as_deref().map(place).transpose()?,
            label: match place(&wanted.label) {
                Err(_) if !wanted.is_labelled => None,
                place => Some(place?),
            },
        })
    }
}

/// The place of the one column of that name.
fn place<S: AsRef<str>>(file: &Path, names: &[S], name: &str) -> Result<usize> {
    let mut found = (0..names.len()).filter(|place| names[*place].as_ref() == name);
    match (found.next(), found.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => {
            Err(Error::data(file, None, format!("has two columns called {name}; rename one")))
        }
        (None, _) => Err(Error::data(file, None, format!("has no column {name}; {}", there_are(names)))),
    }
}

/// The columns that there are, as a part of a sentence.
pub(in crate::data) fn there_are<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("its columns are {}", names.join(", "))
}
