//! CSV and other delimited text.

use super::cell::{Cell, OnRow, Position, row_error};
use super::copy::{Destination, NewColumns};
use super::dialect::{Dialect, Hints, delimiter_name};
use super::swallowed::SwallowedRows;
use crate::data::read::text_file::{RowReader, TextFile};
use crate::error::{Error, Result};
use crate::text::plural;
use csv::{ByteRecord, QuoteStyle, Reader, ReaderBuilder, WriterBuilder};
use std::cell::RefCell;
use std::io::{BufRead, Read};

/// The problem of a double quote without a second one.
const NOT_CLOSED: &str =
    "a double quote opens a cell and none closes it; close it, or double a quote that is text";

/// The problem of a row with another number of columns, one of whose cells spans lines: most likely its quote is not
/// closed, and the cell continues to the next quote in the file.
fn long_cell(row: &ByteRecord) -> String {
    let breaks = |cell: &[u8]| cell.split(|byte| *byte == b'\n').count() - 1;
    let lines = row.iter().map(breaks).max().unwrap_or(0) + 1;
    let (lines, columns) = (plural(lines, "line"), plural(row.len(), "column"));
    format!(
        "a double quote opens a cell of {lines} in a row of {columns}; close the quote where the cell ends, or double a \
         quote that is text"
    )
}

/// What a row of cells is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowKind {
    /// The names of the columns.
    Header,
    /// A row.
    Row,
}

/// A file of delimited text.
#[derive(Debug)]
pub(super) struct Delimited<'p> {
    file: TextFile<'p>,
    dialect: Dialect,
    notes: Vec<String>,
    /// What was noted about the rows when they were read last.
    note_of_rows: RefCell<Option<String>>,
}

impl<'p> Delimited<'p> {
    pub(super) fn open(file: TextFile<'p>, hints: Hints<'_>) -> Result<Self> {
        let dialect = Dialect::detect(&file, hints)?;
        if dialect.names.is_empty() {
            return Err(Error::data(file.path(), None, "is empty; its first line should name the columns"));
        }
        if dialect.has_header
            && dialect.has_quotes
            && dialect.names.iter().any(|name| name.lines().count() > 3)
        {
            return Err(Error::data(file.path(), Some(1), NOT_CLOSED));
        }
        let mut notes = Vec::new();
        let found = [file.note(), dialect.note(hints)].concat();
        if !found.is_empty() {
            notes.push(format!("{}: read with {}", file.path().display(), found.join(", ")));
        }
        if let Some((count, line)) = dialect.literal_quotes {
            let (file, cells) = (file.path().display(), plural(count, "cell"));
            notes.push(format!(
                "{file}: quotes are read as text: {cells} in double quotes, the first at line {line}; if the quotes \
                 only enclose the cells, save the file as CSV"
            ));
        }
        Ok(Delimited { file, dialect, notes, note_of_rows: RefCell::default() })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.dialect.names
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.dialect.delimiter
    }

    pub(super) fn has_header(&self) -> bool {
        self.dialect.has_header
    }

    /// Notes about the file, and about the rows that were read.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.iter().cloned().chain(self.note_of_rows.borrow().clone()).collect()
    }

    /// Reads the cells of the columns `projection` of every row.
    pub(super) fn read(&self, projection: &[usize], on_row: OnRow<'_>) -> Result<()> {
        let mut swallowed = SwallowedRows::new(self.names().len(), self.dialect.delimiter);
        let result = self.for_each(&mut |kind, line, row| {
            if kind == RowKind::Header {
                return Ok(());
            }
            if self.dialect.has_quotes {
                swallowed.push(row, line);
            }
            let cell = |column: &usize| self.cell(row, *column, line);
            let cells = projection.iter().map(cell).collect::<Result<Vec<_>>>()?;
            on_row(Position::Line(line), cells)
        });
        let note = swallowed.note().map(|note| format!("{}: {note}", self.file.path().display()));
        self.note_of_rows.replace(note);
        result
    }

    /// Writes a copy with columns added, as UTF-8 and without the line that names the delimiter.
    pub(super) fn copy_with(&self, new: &NewColumns<'_>, out: Destination<'_>) -> Result<()> {
        let Destination { name, writer } = out;
        let mut builder = WriterBuilder::new();
        builder.delimiter(self.dialect.delimiter).flexible(true);
        // Where quotes are text, no cell needs any.
        builder.quote_style(if self.dialect.has_quotes { QuoteStyle::Necessary } else { QuoteStyle::Never });
        let mut writer = builder.from_writer(writer);
        let mut rows = 0;
        self.for_each(&mut |kind, _, row| {
            let added: Vec<String> = match kind {
                RowKind::Header => new.names().map(str::to_string).collect(),
                RowKind::Row => {
                    rows += 1;
                    new.cells(rows - 1, self.file.path())?
                }
            };
            if !self.dialect.has_quotes {
                self.check_plain(&added)?;
            }
            let cells = row.iter().chain(added.iter().map(String::as_bytes));
            writer.write_record(cells).map_err(|error| Error::writing(name)(error.into()))
        })?;
        new.check_count(rows, self.file.path())?;
        writer.flush().map_err(Error::writing(name))
    }

    /// An error for a new cell that needs quotes, in a file whose quotes are text.
    fn check_plain(&self, cells: &[String]) -> Result<()> {
        let delimiter = char::from(self.dialect.delimiter);
        match cells.iter().find(|cell| cell.contains([delimiter, '\n', '\r'])) {
            Some(cell) => {
                let problem = format!(
                    "{cell:?} cannot be written to a file of this format, whose quotes are text; convert it to CSV"
                );
                Err(Error::data(self.file.path(), None, problem))
            }
            None => Ok(()),
        }
    }

    /// Calls `on_row` with the header, if there is one, and every row with its line.
    fn for_each(&self, on_row: &mut dyn FnMut(RowKind, u64, &ByteRecord) -> Result<()>) -> Result<()> {
        let path = self.file.path();
        let mut reader = self.reader()?;
        let mut row = ByteRecord::new();
        let mut is_header = self.dialect.has_header;
        let mut spanning_lines = None;
        loop {
            let start = reader.position().byte();
            reader.get_mut().begin_row(start);
            let has_row = reader.read_byte_record(&mut row).map_err(|e| self.csv_error(e))?;
            let line = reader.get_ref().row_line();
            if !has_row {
                return match spanning_lines {
                    Some(line) if reader.get_ref().last_row_quotes() % 2 == 1 => {
                        Err(row_error(path, Position::Line(line), NOT_CLOSED))
                    }
                    _ => Ok(()),
                };
            }
            let spans_lines = self.dialect.has_quotes && row.iter().any(|cell| cell.contains(&b'\n'));
            spanning_lines = spans_lines.then_some(line);
            if std::mem::take(&mut is_header) {
                on_row(RowKind::Header, line, &row)?;
                continue;
            }
            if row.len() != self.names().len() {
                let end = reader.position().byte();
                reader.get_mut().begin_row(end);
                let problem = match spans_lines {
                    true if reader.get_ref().last_row_quotes() % 2 == 1 => NOT_CLOSED.to_owned(),
                    true => long_cell(&row),
                    false => self.wrong_length(row.len()),
                };
                return Err(row_error(path, Position::Line(line), &problem));
            }
            on_row(RowKind::Row, line, &row)?;
        }
    }

    fn reader(&self) -> Result<Reader<RowReader<Box<dyn BufRead>>>> {
        let mut reader = self.file.reader()?;
        let mut lines = 0;
        if self.dialect.has_separator_line {
            let mut line = Vec::new();
            (&mut reader).take(64).read_until(b'\n', &mut line).map_err(|e| self.file.read_error(e))?;
            lines = 1;
        }
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.dialect.delimiter).quoting(self.dialect.has_quotes);
        builder.has_headers(false).flexible(true).buffer_capacity(64 << 10);
        Ok(builder.from_reader(RowReader::new(reader, lines)))
    }

    /// The text of a cell.
    fn cell(&self, row: &ByteRecord, column: usize, line: u64) -> Result<Cell> {
        let bytes = row.get(column).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let name = self.names().get(column).map_or("", String::as_str);
            let problem = format!("column {name}: is not UTF-8; convert the file or set encoding");
            row_error(self.file.path(), Position::Line(line), &problem)
        })?;
        Ok(Cell::Text(text.to_string()))
    }

    /// The problem of a row with another number of columns.
    fn wrong_length(&self, length: usize) -> String {
        let (columns, expected) = (plural(length, "column"), self.names().len());
        let first = if self.dialect.has_header { "header" } else { "first row" };
        let advice = match (self.dialect.delimiter, self.dialect.has_quotes) {
            (b'\t', false) => "separate columns by one tab each".to_string(),
            (b',', _) => "enclose a cell that contains a comma in double quotes".to_string(),
            (other, _) => {
                format!("enclose a cell that contains {} in double quotes", delimiter_name(other))
            }
        };
        format!("has {columns}, the {first} has {expected}; {advice}")
    }

    fn csv_error(&self, error: csv::Error) -> Error {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => self.file.read_error(error),
            other => Error::data(self.file.path(), None, format!("cannot be read: {other:?}")),
        }
    }
}
