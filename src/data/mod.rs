//! Datasets: rows of a task → examples → token ids → the order of an epoch. Knows no model.
//!
//! [`load`] finds the files (embedded, in a local folder, named by the specification, or on the hub), reads them in
//! full, and reports anything invalid with file and line.

mod custom;
mod dataset;
mod find;
mod load;
pub mod order;
mod read;
mod source;
mod statistics;
mod tokenizer;
mod truncating;
mod wordpiece_cache;

pub use custom::infer_columns;
pub use dataset::{Dataset, Example, subsample};
pub use load::{load, load_split};
pub use source::{DatasetSource, LoadContext};
pub use statistics::{LengthHistogram, SplitStatistics, text_set};
pub use tokenizer::{Tokenized, Tokenizer, WordEncoding, WordSpan};
