//! Hand-written TOML files: where the user's configuration files are, and errors with line and column.

mod files;
mod recovery;
mod source;
mod suggest;

pub use files::{folder, read};
pub use recovery::{ReadableToml, SYNTAX_ERROR};
pub use source::{Parsed, TomlSource, describe_value, invalid_utf8, sort};
pub use suggest::{closest_match, expected_one_of, ranked_by_similarity, unknown_name};
