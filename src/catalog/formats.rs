//! The kinds of files that task `custom` is read from.

use std::path::Path;

/// A kind of file with rows and named columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header; cells may stand in double quotes (RFC 4180).
    Csv,
    /// Tab-separated, with a header; quotes are ordinary text, as in GLUE's files.
    Tsv,
    /// One JSON object a line.
    JsonLines,
    /// Parquet.
    Parquet,
}

impl Format {
    /// The extensions of all formats, as a part of a sentence.
    pub const EXTENSIONS: &str = ".csv, .tsv, .jsonl (or .json) or .parquet";

    /// The format that a file's extension tells.
    pub fn of(file: &Path) -> Option<Format> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "tsv" => Some(Format::Tsv),
            "jsonl" | "json" => Some(Format::JsonLines),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_the_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/b.c/train.CSV"), Some(Format::Csv));
        assert_eq!(of("train.json"), Some(Format::JsonLines));
        assert_eq!((of("csv"), of("train.csv.gz"), of("train")), (None, None, None));
    }
}
