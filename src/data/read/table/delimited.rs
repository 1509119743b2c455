//! CSV and TSV. The first line names the columns.

use super::{Cell, Places, Record, Wanted, wrong};
use crate::error::{Error, Result};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::path::Path;

/// How cells are set apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    delimiter: u8,
    /// Whether double quotes enclose a cell.
    has_quotes: bool,
    /// What to do about a row with another number of columns than the header.
    advice: &'static str,
}

pub(super) const CSV: Dialect = Dialect {
    delimiter: b',',
    has_quotes: true,
    advice: "a cell with a comma in it stands in double quotes",
};

pub(super) const TSV: Dialect =
    Dialect { delimiter: b'\t', has_quotes: false, advice: "separate columns by one tab each" };

/// The names in the header.
pub(super) fn columns(file: &Path, bytes: &[u8], dialect: Dialect) -> Result<Vec<String>> {
    let header = reader(bytes, dialect).byte_headers().map_err(|e| broken(file, 1, &e, dialect))?.clone();
    let name = |cell: &[u8]| text(file, 1, cell, "the header").map(|name| name.trim().to_string());
    let names: Vec<String> = header.iter().map(name).collect::<Result<_>>()?;
    if names.is_empty() {
        return Err(Error::data(file, None, "is empty; its first line names the columns"));
    }
    Ok(names)
}

/// Reads a whole file; `file` is only its name in errors.
pub(super) fn read(file: &Path, bytes: &[u8], dialect: Dialect, wanted: &Wanted) -> Result<Vec<Record>> {
    let names = columns(file, bytes, dialect)?;
    let places = Places::of(file, &names, wanted)?;
    let mut reader = reader(bytes, dialect);
    reader.byte_headers().map_err(|e| broken(file, 1, &e, dialect))?;
    let mut lines = Lines { bytes: whole(bytes), at: 0, line: 1 };
    let mut records = Vec::new();
    let mut row = ByteRecord::new();
    loop {
        let begin = reader.position().byte() as usize;
        let line = lines.line_of(begin);
        if !reader.read_byte_record(&mut row).map_err(|e| broken(file, line, &e, dialect))? {
            return Ok(records);
        }
        let is_last = reader.position().byte() as usize >= lines.bytes.len();
        if dialect.has_quotes && is_last && is_open(&row, &lines.bytes[begin..]) {
            return Err(wrong(file, line, "a double quote opens a cell and none closes it"));
        }
        let cell = |place: usize| text(file, line, &row[place], &names[place]);
        records.push(Record {
            at: line,
            text: cell(places.text)?,
            text_pair: places.text_pair.map(cell).transpose()?,
            label: places.label.map(cell).transpose()?.filter(|label| !label.is_empty()).map(Cell::Text),
        });
    }
}

/// The file without a byte-order mark.
fn whole(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn reader(bytes: &[u8], dialect: Dialect) -> Reader<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(dialect.delimiter).quoting(dialect.has_quotes);
    builder.from_reader(whole(bytes))
}

fn text(file: &Path, line: u64, cell: &[u8], column: &str) -> Result<String> {
    let text = std::str::from_utf8(cell);
    let text =
        text.map_err(|_| wrong(file, line, &format!("column {column}: is not UTF-8; convert the file")))?;
    Ok(text.to_string())
}

fn broken(file: &Path, line: u64, error: &csv::Error, dialect: Dialect) -> Error {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let advice = dialect.advice;
            wrong(file, line, &format!("has {len} columns where the header has {expected_len}; {advice}"))
        }
        _ => wrong(file, line, &format!("cannot be read: {error}")),
    }
}

/// Whether the last row of a file ends inside quotes: whatever came after them went into its last cell.
fn is_open(row: &ByteRecord, rest: &[u8]) -> bool {
    let is_long = row.iter().any(|cell| cell.contains(&b'\n'));
    // One more piece than there are quotes.
    let pieces = rest.split(|byte| *byte == b'"').count();
    is_long && pieces % 2 == 0
}

/// Counts lines up to places that only go on.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the row that begins at `byte`, or after the line ends that stand there.
    fn line_of(&mut self, byte: usize) -> u64 {
        let ends = self.bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let begin = byte + ends;
        self.line += self.bytes[self.at..begin].split(|byte| *byte == b'\n').count() as u64 - 1;
        self.at = begin;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted() -> Wanted {
        Wanted { text: "text".into(), text_pair: None, label: "label".into(), is_labelled: true }
    }

    fn parse(text: &str, dialect: Dialect) -> Result<Vec<(u64, String, Option<Cell>)>> {
        let rows = read(Path::new("own.csv"), text.as_bytes(), dialect, &wanted())?;
        Ok(rows.into_iter().map(|row| (row.at, row.text, row.label)).collect())
    }

    fn error(text: &str) -> String {
        parse(text, CSV).unwrap_err().to_string()
    }

    fn word(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    #[test]
    fn quotes_enclose_commas_quotes_and_line_breaks() {
        let text = "\u{feff}id,text,label\r\n1,\"a, \"\"b\"\"\r\nc\",good\r\n\r\n2,5\" wide,bad\r\n3,,";
        let rows = parse(text, CSV).unwrap();
        let expected = [
            (2, "a, \"b\"\r\nc".to_string(), Some(word("good"))),
            (5, "5\" wide".into(), Some(word("bad"))),
            (6, String::new(), None),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn in_tsv_quotes_are_text() {
        let rows = parse("label\ttext\nx\t\"an open, quote\ny\tb\n", TSV).unwrap();
        assert_eq!(rows, [(2, "\"an open, quote".into(), Some(word("x"))), (3, "b".into(), Some(word("y")))]);
    }

    #[test]
    fn what_is_wrong_has_its_line_and_column() {
        let wide = error("text,label\n\"a\nb\",x\na, b,x\n");
        let advice = "a cell with a comma in it stands in double quotes";
        assert_eq!(wide, format!("own.csv:4: has 3 columns where the header has 2; {advice}"));
        assert_eq!(error("text,tag\na,x\n"), "own.csv: has no column label; its columns are text, tag");
        assert_eq!(error("text,label,text\n"), "own.csv: has two columns called text; rename one");
        assert_eq!(error(""), "own.csv: is empty; its first line names the columns");
        let open = error("label,text\nx,a\nx,\"never closed\ny,b\ny,c\n");
        assert_eq!(open, "own.csv:3: a double quote opens a cell and none closes it");
        let e = read(Path::new("own.csv"), b"text,label\na,x\n\xff,y\n", CSV, &wanted()).unwrap_err();
        assert_eq!(e.to_string(), "own.csv:3: column text: is not UTF-8; convert the file");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = [b"text,label\n", &bytes[..]].concat();
            for dialect in [CSV, TSV] {
                let _ = read(Path::new("x"), &bytes, dialect, &wanted());
                let _ = read(Path::new("x"), &whole, dialect, &wanted());
            }
        }

        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec((".{0,20}", "[a-z]{1,5}"), 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["text", "label"]).unwrap();
            for (text, label) in &rows {
                writer.write_record([text, label]).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read = parse(&text, CSV).unwrap();
            let read: Vec<_> = read.into_iter().map(|(_, text, label)| (text, label)).collect();
            let expected: Vec<_> = rows.into_iter().map(|(text, label)| (text, Some(word(&label)))).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
