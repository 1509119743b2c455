//! How the cells of a text file are separated: given, or detected in its first rows.

use super::quoting::{TabQuoting, tab_quoting};
use crate::data::read::text_file::TextFile;
use crate::error::Result;
use csv::{ByteRecord, ReaderBuilder};
use std::io::Read;

/// Number of bytes and rows from the start of a file that the detection looks at.
const SAMPLE_BYTES: u64 = 1 << 20;
const SAMPLE_ROWS: usize = 500;
/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Names of columns that tell a header from a row.
const HEADER_NAMES: [&str; 12] = [
    "label",
    "labels",
    "text",
    "sentence",
    "sentence1",
    "sentence2",
    "premise",
    "hypothesis",
    "question",
    "target",
    "class",
    "id",
];

/// How the cells of a file are separated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Whether double quotes enclose a cell.
    pub(super) has_quotes: bool,
    /// Whether the first row names the columns.
    pub(super) has_header: bool,
    /// Whether the first line is `sep=;`, which names the delimiter.
    pub(super) has_separator_line: bool,
    /// The names of the columns: of the header, or `column1`, `column2`, ….
    pub(super) names: Vec<String>,
    /// Cells of a tab-separated file in quotes that are read as text.
    pub(super) literal_quotes: Option<(u64, u64)>,
}

/// What is known about a file before it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints<'a> {
    /// The delimiter, if it is given.
    pub(super) delimiter: Option<u8>,
    /// The delimiter that the extension of the file stands for.
    pub(super) by_extension: u8,
    /// Whether the first row names the columns, if it is given.
    pub(super) has_header: Option<bool>,
    /// The names of the columns to read, if they are known.
    pub(super) wanted: &'a [&'a str],
}

impl Dialect {
    /// Detects what is not given.
    pub(super) fn detect(file: &TextFile<'_>, hints: Hints<'_>) -> Result<Self> {
        let sample = Sample::read(file)?;
        let separator_line = separator_line(&sample.bytes);
        let has_separator_line = separator_line.is_some();
        let start = separator_line.map_or(0, |(length, _)| length);
        let sample = Sample { bytes: sample.bytes.get(start..).unwrap_or_default().to_vec(), ..sample };
        let tab_quoting =
            if sample.bytes.contains(&b'\t') { tab_quoting(file)? } else { TabQuoting::default() };
        let has_quotes = |delimiter| delimiter != b'\t' || tab_quoting.is_quoted;
        let rows = |delimiter| sample.rows(delimiter, has_quotes(delimiter));
        let given = hints.delimiter.or(separator_line.map(|(_, delimiter)| delimiter));
        let delimiter = given.unwrap_or_else(|| best_delimiter(&rows, hints));
        let rows = rows(delimiter);
        let has_header = hints.has_header.unwrap_or_else(|| has_header(&rows, hints.wanted));
        let literal = tab_quoting.first_literal.filter(|_| delimiter == b'\t' && !tab_quoting.is_quoted);
        Ok(Dialect {
            delimiter,
            has_quotes: has_quotes(delimiter),
            has_header,
            has_separator_line,
            names: column_names(&rows, has_header),
            literal_quotes: literal.map(|line| (tab_quoting.literal_cells, line)),
        })
    }

    /// What was found, unless it is the plain case of the extension, as parts of a note.
    pub(super) fn note(&self, hints: Hints<'_>) -> Vec<String> {
        let is_other = self.delimiter != hints.by_extension && hints.delimiter.is_none();
        let delimiter = is_other.then(|| format!("delimiter {}", delimiter_name(self.delimiter)));
        let quotes =
            (self.delimiter == b'\t' && self.has_quotes).then(|| "cells in double quotes".to_string());
        let header = (!self.has_header && hints.has_header.is_none())
            .then(|| format!("no header: the columns are {}", self.names.join(", ")));
        [delimiter, quotes, header].into_iter().flatten().collect()
    }
}

/// The name of a delimiter for a message.
pub(super) fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tab".into(),
        other => format!("{:?}", char::from(other)),
    }
}

/// The start of a file.
struct Sample {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Sample {
    fn read(file: &TextFile<'_>) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut reader = file.reader()?.take(SAMPLE_BYTES);
        reader.read_to_end(&mut bytes).map_err(|e| file.read_error(e))?;
        Ok(Sample { is_whole: (bytes.len() as u64) < SAMPLE_BYTES, bytes })
    }

    /// The cells of the first rows. A row that the sample cuts off is left out, unless it is the only one.
    fn rows(&self, delimiter: u8, has_quotes: bool) -> Vec<ByteRecord> {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(delimiter).quoting(has_quotes).has_headers(false).flexible(true);
        let reader = builder.from_reader(self.bytes.as_slice());
        let mut rows: Vec<ByteRecord> =
            reader.into_byte_records().take(SAMPLE_ROWS).filter_map(std::result::Result::ok).collect();
        if !self.is_whole && rows.len() < SAMPLE_ROWS && rows.len() > 1 {
            rows.pop();
        }
        rows
    }
}

/// The length and the delimiter of a first line `sep=;`, which spreadsheets read.
fn separator_line(bytes: &[u8]) -> Option<(usize, u8)> {
    let length = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut line = bytes.get(..length)?;
    line = line.strip_suffix(b"\r").unwrap_or(line);
    line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if delimiter.is_ascii() => {
            Some((length + 1, *delimiter))
        }
        _ => None,
    }
}

/// The delimiter that divides every row of the sample into the same number of columns, or whose header has the
/// wanted columns. That of the extension comes first.
fn best_delimiter(rows: &dyn Fn(u8) -> Vec<ByteRecord>, hints: Hints<'_>) -> u8 {
    let others = DELIMITERS.into_iter().filter(|delimiter| *delimiter != hints.by_extension);
    let mut candidates = Vec::new();
    for delimiter in std::iter::once(hints.by_extension).chain(others) {
        let rows = rows(delimiter);
        let columns = rows.first().map_or(0, ByteRecord::len);
        if columns < 2 {
            continue;
        }
        let has_wanted = !hints.wanted.is_empty() && has_names(rows.first(), hints.wanted);
        if has_wanted {
            return delimiter;
        }
        let is_consistent = rows.iter().all(|row| row.len() == columns);
        candidates.push((is_consistent, delimiter == hints.by_extension, columns, delimiter));
    }
    candidates
        .into_iter()
        .max_by_key(|candidate| (candidate.0, candidate.1, candidate.2))
        .map_or(hints.by_extension, |c| c.3)
}

/// Whether a row has all of `names`.
fn has_names(row: Option<&ByteRecord>, names: &[&str]) -> bool {
    let has =
        |name: &&str| row.is_some_and(|row| row.iter().any(|cell| cell.trim_ascii() == name.as_bytes()));
    names.iter().all(has)
}

/// Whether the first row names the columns. It does not if a cell of it is a number or occurs again in its column.
fn has_header(rows: &[ByteRecord], wanted: &[&str]) -> bool {
    let Some((first, others)) = rows.split_first() else { return true };
    if !wanted.is_empty()
        && (has_names(Some(first), wanted) || wanted.iter().any(|name| position(name).is_some()))
    {
        return has_names(Some(first), wanted);
    }
    let is_known =
        |cell: &[u8]| HEADER_NAMES.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(cell.trim_ascii()));
    if first.iter().any(is_known) {
        return true;
    }
    !first.iter().enumerate().any(|(column, cell)| {
        let is_number = std::str::from_utf8(cell).is_ok_and(|cell| cell.trim().parse::<f64>().is_ok());
        let is_again = || others.iter().any(|row| row.get(column) == Some(cell));
        is_number || (!cell.is_empty() && is_again())
    })
}

fn column_names(rows: &[ByteRecord], has_header: bool) -> Vec<String> {
    let Some(first) = rows.first() else { return Vec::new() };
    let name = |(index, cell): (usize, &[u8])| {
        if has_header {
            String::from_utf8_lossy(cell).trim().to_string()
        } else {
            format!("column{}", index + 1)
        }
    };
    first.iter().enumerate().map(name).collect()
}

/// The number of a column, from 1, that is named by its position: `3` or `column3`.
pub(super) fn position(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("column").unwrap_or(name);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}
