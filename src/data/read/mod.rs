//! Readers of the file formats. No row is dropped silently: an invalid row is an error with file and position, or is
//! counted in a note.

mod labels;
mod parquet;
mod split;
pub(super) mod table;
mod trees;
mod tsv;

pub(super) use split::read_split;
