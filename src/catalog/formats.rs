//! The file formats of task `custom`.

use std::path::Path;

/// A file format with rows and named columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Delimited text whose cells may be quoted (RFC 4180).
    Csv,
    /// Tab-separated values; quotes are ordinary characters, as in GLUE's files, unless they enclose cells throughout.
    Tsv,
    /// JSON objects: one per line, one after another, or in an array.
    Json,
    /// Parquet.
    Parquet,
}

/// Extensions of formats that are not read: what they are, and what to do.
const UNSUPPORTED: &[(&[&str], &str)] = &[
    (&["xlsx", "xls", "xlsm", "ods"], "a workbook of a spreadsheet; save the sheet as CSV"),
    (&["avro"], "an Avro file; convert it to Parquet or JSON Lines"),
    (&["feather", "arrow", "ipc"], "an Arrow file; save it as Parquet"),
    (&["orc"], "an ORC file; convert it to Parquet"),
    (&["h5", "hdf5", "hdf"], "an HDF5 file; convert it to Parquet or CSV"),
    (&["db", "sqlite", "sqlite3"], "a database; export the table as CSV"),
    (&["pkl", "pickle", "joblib"], "a Python pickle, which can run code; save it as Parquet or CSV"),
    (&["zip", "tar", "tgz", "7z", "rar"], "an archive; unpack it"),
    (&["xz", "bz2"], "compressed with another program than gzip or zstd; decompress it"),
    (&["docx", "doc", "odt", "pdf", "rtf"], "a document; save its texts as CSV or JSON Lines"),
];

impl FileFormat {
    /// The format of a file by its extension, before that of a compression; `None` for an unknown one.
    pub fn of(file: &Path) -> Option<FileFormat> {
        match extension(file)?.as_str() {
            "csv" => Some(FileFormat::Csv),
            "tsv" | "tab" => Some(FileFormat::Tsv),
            "json" | "jsonl" | "ndjson" => Some(FileFormat::Json),
            "parquet" | "pq" => Some(FileFormat::Parquet),
            _ => None,
        }
    }

    /// The name for a message.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Csv => "CSV",
            FileFormat::Tsv => "tab-separated text",
            FileFormat::Json => "JSON",
            FileFormat::Parquet => "Parquet",
        }
    }

    /// What a file is and what to do, if its extension is of a format that is not read.
    pub fn unsupported(file: &Path) -> Option<&'static str> {
        let extension = extension(file)?;
        let is_same = |(extensions, _): &&(&[&str], &str)| extensions.contains(&extension.as_str());
        UNSUPPORTED.iter().find(is_same).map(|(_, what)| *what)
    }
}

/// The extension in lower case, before that of a compression.
fn extension(file: &Path) -> Option<String> {
    let of = |file: &Path| Some(file.extension()?.to_str()?.to_ascii_lowercase());
    match of(file)?.as_str() {
        "gz" | "gzip" | "zst" | "zstd" => of(Path::new(file.file_stem()?)),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_follows_from_the_extension() {
        let of = |name: &str| FileFormat::of(Path::new(name));
        assert_eq!(of("a/b.c/train.CSV"), Some(FileFormat::Csv));
        assert_eq!((of("train.json"), of("a.ndjson")), (Some(FileFormat::Json), Some(FileFormat::Json)));
        assert_eq!((of("train.csv.gz"), of("a.tsv.ZST")), (Some(FileFormat::Csv), Some(FileFormat::Tsv)));
        assert_eq!((of("csv"), of("train.gz"), of("train"), of("train.txt")), (None, None, None, None));
    }

    #[test]
    fn formats_that_are_not_read_have_advice() {
        let what = |name: &str| FileFormat::unsupported(Path::new(name));
        assert!(what("a.XLSX").is_some_and(|what| what.contains("save the sheet as CSV")));
        assert!(what("train.csv.zip").is_some_and(|what| what.contains("unpack it")));
        assert_eq!((what("a.csv"), what("a.txt"), what("a"), what("a.csv.gz")), (None, None, None, None));
    }
}
