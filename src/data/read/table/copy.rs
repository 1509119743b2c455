//! What a copy of a table has in addition, and where it is written.

use crate::data::new_column::NewColumn;
use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Where a copy is written.
pub(in crate::data) struct Destination<'a> {
    /// The name for errors.
    pub(in crate::data) name: &'a Path,
    /// The bytes.
    pub(in crate::data) writer: &'a mut (dyn Write + Send),
}

/// The columns that a copy has in addition.
#[derive(Clone, Copy)]
pub(super) struct NewColumns<'a>(pub(super) &'a [NewColumn]);

impl NewColumns<'_> {
    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.name.as_str())
    }

    /// Their values in a row (from 0) of a text file.
    pub(super) fn cells(&self, row: usize, file: &Path) -> Result<Vec<String>> {
        let cells: Option<Vec<String>> = self.0.iter().map(|column| column.values.cell(row)).collect();
        cells.ok_or_else(|| changed(file))
    }

    /// Their values in a row (from 0) as the members of a JSON object.
    pub(super) fn members(&self, row: usize, file: &Path) -> Result<String> {
        let member = |column: &NewColumn| {
            let name = serde_json::to_string(&column.name).ok()?;
            Some(format!("{name}:{}", column.values.json(row)?))
        };
        let members: Option<Vec<String>> = self.0.iter().map(member).collect();
        members.map(|members| members.join(",")).ok_or_else(|| changed(file))
    }

    /// Checks that the file has as many rows as the columns.
    pub(super) fn check_count(&self, rows: usize, file: &Path) -> Result<()> {
        if self.0.iter().all(|column| column.values.len() == rows) { Ok(()) } else { Err(changed(file)) }
    }
}

/// The error for a file with another number of rows than when it was read before.
pub(in crate::data) fn changed(file: &Path) -> Error {
    Error::data(file, None, "has changed while it was read; try again")
}
