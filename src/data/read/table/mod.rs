//! Files of task `custom`: rows with named columns in CSV, TSV, JSON Lines or Parquet.

mod delimited;
mod file;
mod json_lines;
mod record;

pub(super) use file::read_bytes;
pub(in crate::data) use file::{columns, records};
pub(super) use record::ColumnIndices;
pub(in crate::data) use record::{ColumnNames, LabelValue, Record, available_columns, row_error};
