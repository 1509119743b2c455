//! A first look at a file or folder with data: its rows, its columns, and what they probably are.

mod column;
mod guess;
mod location;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod types;

pub use column::{ColumnKind, ColumnPreview};
pub use location::DataLocation;
pub use types::{ColumnRoles, Preview};
