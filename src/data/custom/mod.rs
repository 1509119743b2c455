//! Task `custom`: datasets in files that the specification names.

mod classes;
mod columns;
mod load;

pub use columns::infer_columns;
pub(super) use load::{load, load_split};
