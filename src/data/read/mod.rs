//! Readers of the file formats. No row is dropped silently: an invalid row is an error with file and position, or is
//! counted in a note.

mod budget;
mod encoding;
mod input;
mod labels;
mod parquet;
mod split;
pub(super) mod table;
mod text_file;
mod trees;
mod tsv;

pub(super) use budget::MemoryBudget;
pub(super) use parquet::write_columns as write_parquet;
pub(super) use split::{embedded_columns, read_split};
