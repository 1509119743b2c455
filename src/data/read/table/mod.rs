//! Files of task `custom`: rows with named columns in CSV, TSV, JSON or Parquet.

mod cell;
mod copy;
mod delimited;
mod dialect;
mod json;
mod json_layout;
mod json_values;
mod non_finite;
mod open;
mod quoting;
mod record;
mod swallowed;
#[cfg(test)]
mod tests;

pub(super) use cell::OnRow;
pub(in crate::data) use cell::{Cell, LabelValue, Position, row_error};
pub(in crate::data) use copy::{Destination, changed};
pub(in crate::data) use open::{Table, TableOptions};
pub(super) use record::ColumnIndices;
pub(in crate::data) use record::{ColumnNames, Record, available_columns};
