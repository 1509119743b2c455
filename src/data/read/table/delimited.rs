//! CSV and TSV. The first line names the columns.

use super::record::{ColumnIndices, ColumnNames, LabelValue, Record, row_error};
use crate::error::{Error, Result};
use crate::text::plural;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::path::Path;

/// How cells are delimited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    delimiter: u8,
    /// Whether double quotes enclose a cell.
    has_quotes: bool,
    /// How to fix a row whose number of columns differs from the header.
    advice: &'static str,
}

pub(super) const CSV: Dialect = Dialect {
    delimiter: b',',
    has_quotes: true,
    advice: "enclose a cell that contains a comma in double quotes",
};

pub(super) const TSV: Dialect =
    Dialect { delimiter: b'\t', has_quotes: false, advice: "separate columns by one tab each" };

/// The column names in the header.
pub(super) fn columns(file: &Path, bytes: &[u8], dialect: Dialect) -> Result<Vec<String>> {
    let mut reader = reader(bytes, dialect);
    let header = reader.byte_headers().map_err(|e| csv_error(file, 1, &e, dialect))?;
    let name = |cell: &[u8]| decode(file, 1, cell, "the header").map(|name| name.trim().to_string());
    let names: Vec<String> = header.iter().map(name).collect::<Result<_>>()?;
    if names.is_empty() {
        return Err(Error::data(file, None, "is empty; its first line should name the columns"));
    }
    Ok(names)
}

/// Parses the content of a file; `file` is used in error messages only.
pub(super) fn read(file: &Path, bytes: &[u8], dialect: Dialect, names: &ColumnNames) -> Result<Vec<Record>> {
    let header = columns(file, bytes, dialect)?;
    let columns = ColumnIndices::find(file, &header, names)?;
    let mut reader = reader(bytes, dialect);
    reader.byte_headers().map_err(|e| csv_error(file, 1, &e, dialect))?;
    let mut lines = LineCounter { bytes: without_bom(bytes), offset: 0, line: 1 };
    let mut records = Vec::new();
    let mut row = ByteRecord::new();
    loop {
        let start = offset(&reader);
        let line = lines.line_of(start);
        if !reader.read_byte_record(&mut row).map_err(|e| csv_error(file, line, &e, dialect))? {
            return Ok(records);
        }
        let is_last = offset(&reader) >= lines.bytes.len();
        if dialect.has_quotes && is_last && has_open_quote(&row, lines.bytes.get(start..).unwrap_or_default())
        {
            return Err(row_error(file, line, "a double quote opens a cell and none closes it"));
        }
        let cell = |column: usize| {
            let name = header.get(column).map_or("", String::as_str);
            decode(file, line, row.get(column).unwrap_or_default(), name)
        };
        let label = columns.label.map(cell).transpose()?.filter(|label| !label.is_empty());
        records.push(Record {
            position: line,
            text: cell(columns.text)?,
            text_pair: columns.text_pair.map(cell).transpose()?,
            label: label.map(LabelValue::Text),
        });
    }
}

/// The content without a byte-order mark.
fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn reader(bytes: &[u8], dialect: Dialect) -> Reader<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(dialect.delimiter).quoting(dialect.has_quotes);
    builder.from_reader(without_bom(bytes))
}

/// The byte offset of the next row.
fn offset(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// The text of a cell.
fn decode(file: &Path, line: u64, cell: &[u8], column: &str) -> Result<String> {
    let text = std::str::from_utf8(cell)
        .map_err(|_| row_error(file, line, &format!("column {column}: is not UTF-8; convert the file")))?;
    Ok(text.to_string())
}

fn csv_error(file: &Path, line: u64, error: &csv::Error, dialect: Dialect) -> Error {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let (columns, advice) = (plural(*len, "column"), dialect.advice);
            row_error(file, line, &format!("has {columns}, the header has {expected_len}; {advice}"))
        }
        _ => row_error(file, line, &format!("cannot be read: {error}")),
    }
}

/// Number of bytes equal to `wanted`.
fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes.iter().fold(0, |count, byte| count + usize::from(*byte == wanted))
}

/// Whether a quote opens a cell of the last row of a file and none closes it. `rest` is the content from the start of
/// that row.
fn has_open_quote(row: &ByteRecord, rest: &[u8]) -> bool {
    let spans_lines = row.iter().any(|cell| cell.contains(&b'\n'));
    spans_lines && count(rest, b'"') % 2 == 1
}

/// Computes the line numbers of increasing byte offsets.
struct LineCounter<'b> {
    bytes: &'b [u8],
    /// The offset up to which lines are counted.
    offset: usize,
    /// The line at that offset, from 1.
    line: u64,
}

impl LineCounter<'_> {
    /// The line of the row that begins at `start` or after the line ends at `start`.
    fn line_of(&mut self, start: usize) -> u64 {
        let is_line_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let line_ends = self.bytes.iter().skip(start).take_while(is_line_end).count();
        let start = (start + line_ends).min(self.bytes.len());
        let passed = self.bytes.get(self.offset..start).unwrap_or_default();
        self.line += count(passed, b'\n') as u64;
        self.offset = start;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> ColumnNames {
        ColumnNames { text: "text".into(), text_pair: None, label: "label".into(), is_label_required: true }
    }

    fn parse(text: &str, dialect: Dialect) -> Result<Vec<(u64, String, Option<LabelValue>)>> {
        let rows = read(Path::new("rows.csv"), text.as_bytes(), dialect, &names())?;
        Ok(rows.into_iter().map(|row| (row.position, row.text, row.label)).collect())
    }

    fn error(text: &str) -> String {
        parse(text, CSV).unwrap_err().to_string()
    }

    fn label(text: &str) -> LabelValue {
        LabelValue::Text(text.into())
    }

    #[test]
    fn quotes_enclose_commas_quotes_and_line_breaks() {
        let text = "\u{feff}id,text,label\r\n1,\"a, \"\"b\"\"\r\nc\",good\r\n\r\n2,5\" wide,bad\r\n3,,";
        let rows = parse(text, CSV).unwrap();
        let expected = [
            (2, "a, \"b\"\r\nc".to_string(), Some(label("good"))),
            (5, "5\" wide".into(), Some(label("bad"))),
            (6, String::new(), None),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn quotes_in_tsv_are_text() {
        let rows = parse("label\ttext\nx\t\"an open, quote\ny\tb\n", TSV).unwrap();
        assert_eq!(
            rows,
            [(2, "\"an open, quote".into(), Some(label("x"))), (3, "b".into(), Some(label("y")))]
        );
    }

    #[test]
    fn error_has_line_and_column() {
        let wide = error("text,label\n\"a\nb\",x\na, b,x\n");
        let advice = "enclose a cell that contains a comma in double quotes";
        assert_eq!(wide, format!("rows.csv:4: has 3 columns, the header has 2; {advice}"));
        assert_eq!(error("text,tag\na,x\n"), "rows.csv: has no column label; its columns are text, tag");
        assert_eq!(error("text,label,text\n"), "rows.csv: has two columns called text; rename one");
        assert_eq!(error(""), "rows.csv: is empty; its first line should name the columns");
        let open = error("label,text\nx,a\nx,\"never closed\ny,b\ny,c\n");
        assert_eq!(open, "rows.csv:3: a double quote opens a cell and none closes it");
        let e = read(Path::new("rows.csv"), b"text,label\na,x\n\xff,y\n", CSV, &names()).unwrap_err();
        assert_eq!(e.to_string(), "rows.csv:3: column text: is not UTF-8; convert the file");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let with_header = [b"text,label\n", &bytes[..]].concat();
            for dialect in [CSV, TSV] {
                let _ = read(Path::new("x"), &bytes, dialect, &names());
                let _ = read(Path::new("x"), &with_header, dialect, &names());
            }
        }

        #[test]
        fn written_rows_are_read_back(rows in proptest::collection::vec((".{0,20}", "[a-z]{1,5}"), 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["text", "label"]).unwrap();
            for (text, label) in &rows {
                writer.write_record([text, label]).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read = parse(&text, CSV).unwrap();
            let read: Vec<_> = read.into_iter().map(|(_, text, label)| (text, label)).collect();
            let expected: Vec<_> = rows.into_iter().map(|(text, name)| (text, Some(label(&name)))).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
