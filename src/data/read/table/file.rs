//! Reading of a file in the format of its extension.

use super::record::{ColumnNames, Record};
use super::{delimited, json_lines};
use crate::catalog::FileFormat;
use crate::data::read::parquet;
use crate::error::{Error, Result};
use std::path::Path;

/// The names of the columns of a file, in order.
pub(in crate::data) fn columns(file: &Path) -> Result<Vec<String>> {
    match format(file)? {
        FileFormat::Csv => delimited::columns(file, &read_bytes(file)?, delimited::CSV),
        FileFormat::Tsv => delimited::columns(file, &read_bytes(file)?, delimited::TSV),
        FileFormat::JsonLines => json_lines::columns(file, &read_bytes(file)?),
        FileFormat::Parquet => parquet::columns(file),
    }
}

/// All rows of a file.
pub(in crate::data) fn records(file: &Path, names: &ColumnNames) -> Result<Vec<Record>> {
    match format(file)? {
        FileFormat::Csv => delimited::read(file, &read_bytes(file)?, delimited::CSV, names),
        FileFormat::Tsv => delimited::read(file, &read_bytes(file)?, delimited::TSV, names),
        FileFormat::JsonLines => json_lines::read(file, &read_bytes(file)?, names),
        FileFormat::Parquet => parquet::records(file, names),
    }
}

/// The content of a file.
pub(in crate::data::read) fn read_bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(Error::reading(file))
}

/// The format of a file according to its extension.
fn format(file: &Path) -> Result<FileFormat> {
    FileFormat::of(file).ok_or_else(|| {
        let problem = format!("has no known file extension; it should end in {}", FileFormat::EXTENSIONS);
        Error::data(file, None, problem)
    })
}
