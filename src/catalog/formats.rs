//! The file formats of task `custom`.

use std::path::Path;

/// A file format with rows and named columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values with a header; cells may be quoted (RFC 4180).
    Csv,
    /// Tab-separated values with a header; quotes are ordinary characters, as in GLUE's files.
    Tsv,
    /// JSON Lines: one object per line.
    JsonLines,
    /// Parquet.
    Parquet,
}

impl FileFormat {
    /// The extensions of all formats, for messages.
    pub const EXTENSIONS: &str = ".csv, .tsv, .jsonl (or .json) or .parquet";

    /// The format of a file by its extension; `None` for an unknown one.
    pub fn of(file: &Path) -> Option<FileFormat> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(FileFormat::Csv),
            "tsv" => Some(FileFormat::Tsv),
            "jsonl" | "json" => Some(FileFormat::JsonLines),
            "parquet" => Some(FileFormat::Parquet),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_follows_from_the_extension() {
        let of = |name: &str| FileFormat::of(Path::new(name));
        assert_eq!(of("a/b.c/train.CSV"), Some(FileFormat::Csv));
        assert_eq!(of("train.json"), Some(FileFormat::JsonLines));
        assert_eq!((of("csv"), of("train.csv.gz"), of("train")), (None, None, None));
    }
}
