//! Datasets: rows of a task → examples → token ids → the order of an epoch. Knows no model.
//!
//! [`load`] finds the files (embedded, in a local folder, named by the specification, or on the hub), reads them in
//! full, and reports anything invalid with file and line.

mod custom;
mod dataset;
mod digest;
mod find;
mod folds;
mod input_table;
mod load;
mod new_column;
pub mod order;
mod preview;
mod read;
mod select;
mod source;
mod statistics;
mod strata;
mod tokenizer;
mod truncating;
mod wordpiece_cache;
mod write_columns;

pub use custom::{ColumnError, check_columns, column_names, infer_columns, infer_columns_by_key};
pub use dataset::{Dataset, Example, subsample, subsample_split};
pub use digest::rows_digest;
pub use input_table::{InputTable, TextColumns};
pub use load::{check_files, load, load_split};
pub use new_column::{NewColumn, NewValues, unique_names};
pub use preview::{ColumnKind, ColumnPreview, ColumnRoles, DataLocation, Preview};
pub use select::{has_fold, load_selected, select, selected_rows, source_split};
pub use source::{DatasetSource, LoadContext};
pub use statistics::{LengthHistogram, SplitStatistics, text_set};
pub use tokenizer::{Tokenized, Tokenizer, WordEncoding, WordSpan};
pub use write_columns::write_columns;
