//! Parquet files. Columns are found by name in the schema of the file.

mod cells;
mod class_names;
mod copy;
mod file;
mod file_error;
mod footer;
mod format;
mod page_size;
mod pages;
mod task;
mod thrift;

pub(super) use copy::copy_with;
pub(in crate::data) use copy::write_columns;
pub(super) use file::ParquetTable;
pub(super) use task::read;
