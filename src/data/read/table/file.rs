//! Reading of a file in the format of its extension.

use super::record::{ColumnNames, Record};
use super::{delimited, json_lines};
use crate::catalog::Format;
use crate::data::read::parquet;
use crate::error::{Error, Result};
use std::path::Path;

/// The names of the columns of a file, in order.
pub(in crate::data) fn columns(file: &Path) -> Result<Vec<String>> {
    match format(file)? {
        Format::Csv => delimited::columns(file, &read_bytes(file)?, delimited::CSV),
        Format::Tsv => delimited::columns(file, &read_bytes(file)?, delimited::TSV),
        Format::JsonLines => json_lines::columns(file, &read_bytes(file)?),
        Format::Parquet => parquet::columns(file),
    }
}

/// All rows of a file.
pub(in crate::data) fn records(file: &Path, names: &ColumnNames) -> Result<Vec<Record>> {
    match format(file)? {
        Format::Csv => delimited::read(file, &read_bytes(file)?, delimited::CSV, names),
        Format::Tsv => delimited::read(file, &read_bytes(file)?, delimited::TSV, names),
        Format::JsonLines => json_lines::read(file, &read_bytes(file)?, names),
        Format::Parquet => parquet::records(file, names),
    }
}

/// The content of a file.
pub(in crate::data::read) fn read_bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(Error::reading(file))
}

/// The format of a file according to its extension.
fn format(file: &Path) -> Result<Format> {
    Format::of(file).ok_or_else(|| {
        let problem = format!("has no known file extension; it should end in {}", Format::EXTENSIONS);
        Error::data(file, None, problem)
    })
}
