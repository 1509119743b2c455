//! A file with rows and named columns, of any format.

use super::cell::{Cell, OnRow};
use super::copy::{Destination, NewColumns};
use super::delimited::Delimited;
use super::dialect::{Hints, position};
use super::json::Json;
use super::json_layout::first_byte;
use super::record::{ColumnNames, Record, RecordIndices, available_columns};
use crate::catalog::FileFormat;
use crate::data::new_column::NewColumn;
use crate::data::read::input::Input;
use crate::data::read::parquet::{ParquetTable, copy_with};
use crate::data::read::text_file::{LineSource, TextFile};
use crate::error::{Error, Result};
use crate::spec::{Delimiter, EncodingLabel, RunSpec};
use std::path::Path;

/// How a text file is read, where it is given.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::data) struct TableOptions<'a> {
    /// The delimiter.
    pub(in crate::data) delimiter: Option<u8>,
    /// The encoding.
    pub(in crate::data) encoding: Option<&'a EncodingLabel>,
    /// Whether the first row names the columns.
    pub(in crate::data) has_header: Option<bool>,
    /// The columns to read, if they are known.
    pub(in crate::data) columns: Option<&'a ColumnNames>,
}

impl<'a> TableOptions<'a> {
    /// The keys of a specification.
    pub(in crate::data) fn from_spec(spec: &'a RunSpec) -> Self {
        TableOptions {
            delimiter: spec.delimiter.map(Delimiter::byte),
            encoding: spec.encoding.as_ref(),
            has_header: spec.has_header,
            columns: None,
        }
    }
}

/// A file with rows and named columns.
#[derive(Debug)]
pub(in crate::data) struct Table<'p> {
    path: &'p Path,
    content: Content<'p>,
}

#[derive(Debug)]
enum Content<'p> {
    Delimited(Delimited<'p>),
    Json(Json<'p>),
    Parquet(ParquetTable<'p>),
}

impl<'p> Table<'p> {
    /// Opens a file and finds out its format and columns. The content decides where the extension is missing or wrong.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] if the file cannot be read or is of an unknown format.
    pub(in crate::data) fn open(path: &'p Path, options: &TableOptions<'_>) -> Result<Self> {
        let input = Input::open(path)?;
        if input.is_parquet() {
            return Ok(Table { path, content: Content::Parquet(ParquetTable::open(path)?) });
        }
        let by_extension = FileFormat::of(path);
        let file = TextFile::open(input, options.encoding.map(EncodingLabel::encoding))?;
        let wanted = options.columns.map(ColumnNames::required).unwrap_or_default();
        let all = options.columns.map(ColumnNames::all).unwrap_or_default();
        let content = match by_extension {
            Some(FileFormat::Parquet) => {
                return Err(Error::data(
                    path,
                    None,
                    "is not a Parquet file: it neither begins nor ends with PAR1",
                ));
            }
            Some(FileFormat::Json) => Content::Json(Json::open(file, &all)?),
            other => {
                if is_json(&file, other)? {
                    Content::Json(Json::open(file, &all)?)
                } else {
                    let hints = Hints {
                        delimiter: options.delimiter,
                        by_extension: if other == Some(FileFormat::Tsv) { b'\t' } else { b',' },
                        has_header: options.has_header,
                        wanted: &wanted,
                    };
                    Content::Delimited(Delimited::open(file, hints)?)
                }
            }
        };
        Ok(Table { path, content })
    }

    /// [`Table::open`] for a file of which the name of a column may be known. By this name a header is recognized in a file
    /// that seems to have none.
    pub(in crate::data) fn open_with_column(
        path: &'p Path,
        options: &TableOptions<'_>,
        name: Option<&str>,
    ) -> Result<Self> {
        let table = Table::open(path, options)?;
        // The number of a column is no name, and a cell of the first row may be the same number.
        let name = name.filter(|name| !table.has_header() && position(name).is_none());
        let Some(name) = name else { return Ok(table) };
        let columns = ColumnNames::of_texts(name.to_string(), None);
        Table::open(path, &TableOptions { columns: Some(&columns), ..*options })
    }

    /// The path of the file.
    pub(in crate::data) fn path(&self) -> &'p Path {
        self.path
    }

    /// The format of the content.
    pub(in crate::data) fn format(&self) -> FileFormat {
        match &self.content {
            Content::Delimited(table) if table.delimiter() == b'\t' => FileFormat::Tsv,
            Content::Delimited(_) => FileFormat::Csv,
            Content::Json(_) => FileFormat::Json,
            Content::Parquet(_) => FileFormat::Parquet,
        }
    }

    /// The names of the columns.
    pub(in crate::data) fn names(&self) -> &[String] {
        match &self.content {
            Content::Delimited(table) => table.names(),
            Content::Json(table) => table.names(),
            Content::Parquet(table) => table.names(),
        }
    }

    /// Whether the columns have names of their own.
    pub(in crate::data) fn has_header(&self) -> bool {
        match &self.content {
            Content::Delimited(table) => table.has_header(),
            Content::Json(_) | Content::Parquet(_) => true,
        }
    }

    /// The name of the column that `name` stands for: in a file without a header also its number.
    pub(in crate::data) fn resolve(&self, name: &str) -> String {
        match position(name) {
            Some(number) if !self.has_header() => format!("column{number}"),
            _ => name.to_string(),
        }
    }

    /// What was detected in the file and in the rows that were read, for the log.
    pub(in crate::data) fn notes(&self) -> Vec<String> {
        match &self.content {
            Content::Delimited(table) => table.notes(),
            Content::Json(table) => table.notes().to_vec(),
            Content::Parquet(_) => Vec::new(),
        }
    }

    /// The class names that the file has for the integers of a column, in order.
    pub(in crate::data) fn class_names(&self, column: &str) -> Option<&[String]> {
        match &self.content {
            Content::Parquet(table) => table.class_names(column),
            Content::Delimited(_) | Content::Json(_) => None,
        }
    }

    /// Reads every row in order.
    ///
    /// # Errors
    /// [`Error::Data`] for a missing column and an invalid row, and the errors of `on_record`.
    pub(in crate::data) fn read(
        &self,
        columns: &ColumnNames,
        on_record: &mut dyn FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        let indices =
            RecordIndices::find(self.path, self.names(), columns).map_err(|error| self.explain(error))?;
        let on_row: OnRow<'_> =
            &mut |position, cells| on_record(indices.record(self.path, position, cells, columns)?);
        let projection = indices.projection();
        match &self.content {
            Content::Delimited(table) => table.read(&projection, on_row),
            Content::Json(table) => table.read(&projection, on_row),
            Content::Parquet(table) => table.read(&projection, on_row),
        }
    }

    /// Reads the cells of all columns of the first rows, until `on_row` returns false.
    ///
    /// # Errors
    /// [`Error::Data`] for an invalid row, and the errors of `on_row`.
    pub(in crate::data) fn read_cells(
        &self,
        on_row: &mut dyn FnMut(Vec<Cell>) -> Result<bool>,
    ) -> Result<()> {
        let projection: Vec<usize> = (0..self.names().len()).collect();
        let mut is_stopped = false;
        let on_cells: OnRow<'_> = &mut |_, cells| {
            is_stopped = !on_row(cells)?;
            // The readers end early only with an error.
            if is_stopped { Err(Error::Interrupted("enough rows were read".into())) } else { Ok(()) }
        };
        let result = match &self.content {
            Content::Delimited(table) => table.read(&projection, on_cells),
            Content::Json(table) => table.read(&projection, on_cells),
            Content::Parquet(table) => table.read(&projection, on_cells),
        };
        if is_stopped { Ok(()) } else { result }
    }

    /// Writes all rows with all columns and `new` ones, in the format of the file.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::Data`] if the file has changed since it was read.
    pub(in crate::data) fn copy_with(&self, new: &[NewColumn], out: Destination<'_>) -> Result<()> {
        match &self.content {
            Content::Delimited(table) => table.copy_with(&NewColumns(new), out),
            Content::Json(table) => table.copy_with(&NewColumns(new), out),
            Content::Parquet(_) => copy_with(self.path, new, out.name, out.writer),
        }
    }

    /// Adds to the error of a missing column that the file has no header.
    fn explain(&self, error: Error) -> Error {
        if self.has_header() {
            return error;
        }
        let columns = available_columns(self.names());
        let problem = format!(
            "seems to have no header, so that {columns}; set has_header = true if its first row names the columns"
        );
        Error::data(self.path, None, problem)
    }
}

/// Whether a file without the extension of JSON has JSON objects: its first line is one, or it begins an array of them.
fn is_json(file: &TextFile<'_>, by_extension: Option<FileFormat>) -> Result<bool> {
    let first = first_byte(file)?;
    if !matches!(first, Some(b'{' | b'[')) {
        return Ok(false);
    }
    if by_extension.is_none() {
        return Ok(true);
    }
    let mut lines = file.lines()?;
    while let Some((_, line)) = lines.next_line()? {
        let line = line.trim_ascii();
        if !line.is_empty() {
            let is_object =
                serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
            let is_array = line == b"[" || line.starts_with(b"[{");
            return Ok(is_object || is_array || line == b"{");
        }
    }
    Ok(false)
}
