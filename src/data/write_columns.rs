//! Files with columns that this program has computed.

use super::new_column::NewColumn;
use super::read::write_parquet;
use crate::catalog::FileFormat;
use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Writes columns of the same number of rows to `out`, whose name is `name`. CSV and tab-separated text have a header, and
/// JSON is an object a line.
///
/// # Errors
/// [`Error::Write`].
pub fn write_columns(
    columns: &[NewColumn],
    format: FileFormat,
    name: &Path,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    match format {
        FileFormat::Csv => write_delimited(columns, b',', name, out),
        FileFormat::Tsv => write_delimited(columns, b'\t', name, out),
        FileFormat::Json => write_json_lines(columns, name, out),
        FileFormat::Parquet => write_parquet(columns, name, out),
    }
}

fn rows(columns: &[NewColumn]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

fn write_delimited(columns: &[NewColumn], delimiter: u8, name: &Path, out: &mut dyn Write) -> Result<()> {
    let writing = |error: csv::Error| Error::writing(name)(std::io::Error::other(error));
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    writer.write_record(columns.iter().map(|column| &column.name)).map_err(writing)?;
    for row in 0..rows(columns) {
        let cells = columns.iter().map(|column| column.values.cell(row).unwrap_or_default());
        writer.write_record(cells).map_err(writing)?;
    }
    writer.flush().map_err(Error::writing(name))
}

fn write_json_lines(columns: &[NewColumn], name: &Path, out: &mut dyn Write) -> Result<()> {
    for row in 0..rows(columns) {
        let member = |column: &NewColumn| {
            let key = serde_json::to_string(&column.name).ok()?;
            Some(format!("{key}:{}", column.values.json(row)?))
        };
        let members: Vec<String> = columns.iter().filter_map(member).collect();
        writeln!(out, "{{{}}}", members.join(",")).map_err(Error::writing(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::new_column::NewValues;

    fn columns() -> Vec<NewColumn> {
        let column = |name: &str, values| NewColumn { name: name.into(), values };
        vec![
            column("row", NewValues::Integer(vec![0, 7])),
            column("text", NewValues::Text(vec!["a\tb \"c\"".into(), "two\nlines".into()])),
            column("labels", NewValues::TextList(vec![vec![], vec!["x".into(), "y".into()]])),
            column("probability", NewValues::Number(vec![0.25, 1.0])),
        ]
    }

    fn written(format: FileFormat) -> Vec<u8> {
        let mut out = Vec::new();
        write_columns(&columns(), format, Path::new("out"), &mut out).unwrap();
        out
    }

    #[test]
    fn text_files_have_every_cell() {
        for (format, delimiter) in [(FileFormat::Csv, b','), (FileFormat::Tsv, b'\t')] {
            let bytes = written(format);
            let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(&bytes[..]);
            assert_eq!(reader.headers().unwrap(), vec!["row", "text", "labels", "probability"]);
            let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            assert_eq!(rows[0], vec!["0", "a\tb \"c\"", "[]", "0.25"]);
            assert_eq!(rows[1], vec!["7", "two\nlines", "[\"x\",\"y\"]", "1.0"]);
        }
        let lines = String::from_utf8(written(FileFormat::Json)).unwrap();
        assert_eq!(
            lines.lines().last().unwrap(),
            r#"{"row":7,"text":"two\nlines","labels":["x","y"],"probability":1.0}"#
        );
    }

    #[test]
    fn parquet_file_is_read_by_the_library() {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), written(FileFormat::Parquet)).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(file.path()).unwrap()).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 2);
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert!(rows[0].contains("row: 0") && rows[1].contains("two\nlines"), "{rows:?}");
    }
}
