//! Datasets of task `custom`, from files that the specification names. The labels of the training file are the classes.

mod classes;
mod columns;
mod file_rows;
mod headerless;
mod hold_out;
mod label_column;
mod label_encoding;
mod label_reader;
mod label_sets;
mod load;
mod notes;
#[cfg(test)]
mod tests;

pub(super) use columns::infer_text_columns;
pub use columns::{ColumnError, check_columns, column_names, infer_columns, infer_columns_by_key};
pub(super) use label_encoding::LabelEncoding;
pub(super) use label_sets::SetNotation;
pub(super) use load::{load, load_split};
