//! Tables of every format, from bytes to records.

use super::{ColumnNames, LabelValue, Position, Table, TableOptions};
use crate::error::Result;
use proptest::prelude::*;
use std::path::PathBuf;

/// The text and the label of a row with its position.
type Row = (u64, String, Option<LabelValue>);

fn names() -> ColumnNames {
    ColumnNames {
        text: "text".into(),
        text_pair: None,
        label: "label".into(),
        is_label_required: true,
        is_multi_label: false,
    }
}

/// A file in a folder of its own.
struct TestFile {
    folder: tempfile::TempDir,
    name: String,
}

impl TestFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let file = TestFile { folder: tempfile::tempdir().unwrap(), name: name.into() };
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    fn read(&self, options: &TableOptions<'_>) -> Result<(Vec<Row>, Vec<String>)> {
        let (path, names) = (self.path(), names());
        let table = Table::open(&path, &TableOptions { columns: Some(&names), ..*options })?;
        let mut rows = Vec::new();
        table.read(&names, &mut |record| {
            let (Position::Line(number) | Position::Row(number)) = record.position;
            rows.push((number, record.text, record.label));
            Ok(())
        })?;
        Ok((rows, table.notes()))
    }

    /// The columns without knowing which are wanted.
    fn columns(&self) -> Result<(Vec<String>, bool)> {
        let path = self.path();
        let table = Table::open(&path, &TableOptions::default())?;
        Ok((table.names().to_vec(), table.has_header()))
    }

    fn strip(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn read_as(name: &str, bytes: &[u8], options: &TableOptions<'_>) -> std::result::Result<Vec<Row>, String> {
    let file = TestFile::new(name, bytes);
    file.read(options).map(|(rows, _)| rows).map_err(|error| file.strip(&error.to_string()))
}

fn read(name: &str, bytes: &[u8]) -> Vec<Row> {
    read_as(name, bytes, &TableOptions::default()).unwrap()
}

fn error(name: &str, text: &str) -> String {
    read_as(name, text.as_bytes(), &TableOptions::default()).unwrap_err()
}

/// The notes about a file.
fn notes(name: &str, bytes: &[u8]) -> String {
    let file = TestFile::new(name, bytes);
    let (_, notes) = file.read(&TableOptions::default()).unwrap();
    file.strip(&notes.join("\n"))
}

#[expect(clippy::unnecessary_wraps, reason = "a label of a row may be missing")]
fn word(text: &str) -> Option<LabelValue> {
    Some(LabelValue::Text(text.into()))
}

fn texts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.1.as_str()).collect()
}

#[test]
fn quotes_enclose_commas_quotes_and_line_breaks() {
    let text = "\u{feff}id,text,label\r\n1,\"a, \"\"b\"\"\r\nc\",good\r\n\r\n2,5\" wide,bad\r\n3,,";
    let expected = [
        (2, "a, \"b\"\r\nc".to_string(), word("good")),
        (5, "5\" wide".into(), word("bad")),
        (6, String::new(), None),
    ];
    assert_eq!(read("rows.csv", text.as_bytes()), expected);
}

#[test]
fn errors_of_delimited_text_have_line_and_column() {
    let wide = error("rows.csv", "text,label\n\"a\nb\",x\na, b,x\n");
    let advice = "enclose a cell that contains a comma in double quotes";
    assert_eq!(wide, format!("rows.csv:4: has 3 columns, the header has 2; {advice}"));
    assert_eq!(
        error("rows.csv", "text,tag\na,x\n"),
        "rows.csv: has no column label; its columns are text, tag"
    );
    assert_eq!(
        error("rows.csv", "text,label,text\nx,y,z\n"),
        "rows.csv: has two columns called text; rename one"
    );
    assert_eq!(error("rows.csv", ""), "rows.csv: is empty; its first line should name the columns");
    let open = error("rows.csv", "label,text\nx,a\nx,\"never closed\ny,b\ny,c\n");
    let not_closed =
        "a double quote opens a cell and none closes it; close it, or double a quote that is text";
    assert_eq!(open, format!("rows.csv:3: {not_closed}"));
    let first = error("rows.csv", "text,label\na,x\n\"never closed,x\nb,y\nc,y\n");
    assert_eq!(first, format!("rows.csv:3: {not_closed}"), "the row would have one column");
    let header = error("rows.csv", "\"text,label\na,x\nb,x\nc,y\n");
    assert_eq!(header, format!("rows.csv:1: {not_closed}"));
    let next = error("rows.csv", "text,label\na,x\n\"open,x\nb,y\n\"c,d\",y\ne,x\n");
    assert!(next.starts_with("rows.csv:3: a double quote opens a cell of 3 lines in a row of"), "{next}");
    let label = "utf-8".parse().unwrap();
    let utf8 = TableOptions { encoding: Some(&label), ..TableOptions::default() };
    let invalid = read_as("rows.csv", b"text,label\na,x\n\xff,y\n", &utf8).unwrap_err();
    assert_eq!(invalid, "rows.csv:3: column text: is not UTF-8; convert the file or set encoding");
    let tsv = error("rows.tsv", "text\tlabel\na\tx\nb\n");
    assert_eq!(tsv, "rows.tsv:3: has 1 column, the header has 2; separate columns by one tab each");
}

#[test]
fn line_numbers_are_right_across_the_buffer() {
    for line_end in ["\n", "\r\n"] {
        let mut text = format!("text,label{line_end}");
        for row in 0..30_000 {
            let blank = if row % 7 == 0 { line_end } else { "" };
            text.push_str(&format!("row {row},x{line_end}{blank}"));
        }
        let rows = read("rows.csv", text.as_bytes());
        let mut line = 2;
        for (number, row) in rows.iter().enumerate() {
            assert_eq!((row.0, row.1.as_str()), (line, format!("row {number}").as_str()));
            line += if number % 7 == 0 { 2 } else { 1 };
        }
    }
}

#[test]
fn delimiter_is_found() {
    let expected = [(2, "a, b".to_string(), word("x")), (3, "c".into(), word("y"))];
    for (name, text) in [
        ("rows.csv", "text;label\na, b;x\nc;y\n"),
        ("rows.csv", "text\tlabel\na, b\tx\nc\ty\n"),
        ("rows.csv", "text|label\na, b|x\nc|y\n"),
        ("rows.csv", "text,label\n\"a, b\",x\nc,y\n"),
        ("rows.tsv", "text\tlabel\na, b\tx\nc\ty\n"),
        ("rows.tsv", "text,label\n\"a, b\",x\nc,y\n"),
        ("rows", "text;label\r\na, b;x\r\nc;y\r\n"),
        ("rows.txt", "text,label\n\"a, b\",x\nc,y\n"),
    ] {
        assert_eq!(read(name, text.as_bytes()), expected, "{text:?}");
    }
    assert!(notes("a.csv", b"text;label\na, b;x\n").contains("a.csv: read with delimiter ';'"));
    assert_eq!(notes("a.csv", b"text,label\na;b,x\nc,y\n"), "");
    let rows = read("rows.csv", b"sep=;\r\ntext;label\r\n\"a;b\";x\r\n");
    assert_eq!(rows, [(3, "a;b".to_string(), word("x"))]);
    let given = TableOptions { delimiter: Some(b':'), ..TableOptions::default() };
    assert_eq!(texts(&read_as("rows.csv", b"text:label\na, b:x\n", &given).unwrap()), ["a, b"]);
    // A malformed row does not change the delimiter.
    assert!(error("rows.csv", "text,label\na,x\nb;c,d,y\n").starts_with("rows.csv:3: has 3 columns"));
}

#[test]
fn header_is_found() {
    let columns = |name: &str, text: &str| TestFile::new(name, text.as_bytes()).columns().unwrap();
    let numbered = |count: usize| ((1..=count).map(|n| format!("column{n}")).collect::<Vec<_>>(), false);
    assert_eq!(columns("a.csv", "1,Title,The ladder\n2,Title,The stove\n"), numbered(3));
    assert_eq!(columns("a.tsv", "0\tThe ladder\n1\tThe stove\n0\tThe lamp\n"), numbered(2));
    assert_eq!(columns("a.csv", "good,The ladder\nbad,The stove\ngood,The lamp\n"), numbered(2));
    for header in ["review,stars", "Text,Label", ",text,label", "2019,label", "a,b"] {
        let width = header.split(',').count();
        let (names, has_header) = columns("a.csv", &format!("{header}\n{}\n", vec!["x"; width].join(",")));
        assert_eq!((names.join(","), has_header), (header.to_string(), true));
    }
    // The names of the wanted columns tell whether there is a header.
    let wanted = ColumnNames { text: "column2".into(), label: "column1".into(), ..names() };
    let file = TestFile::new("a.csv", b"good,The ladder\n");
    let path = file.path();
    let options = TableOptions { columns: Some(&wanted), ..TableOptions::default() };
    let table = Table::open(&path, &options).unwrap();
    assert!(!table.has_header());
    assert_eq!(
        (table.resolve("2"), table.resolve("column2")),
        ("column2".to_string(), "column2".to_string())
    );
    let given = TableOptions { has_header: Some(true), ..TableOptions::default() };
    assert!(Table::open(&path, &given).unwrap().has_header());
}

#[test]
fn quoted_tsv_is_told_from_quotes_that_are_text() {
    let quoted = "text\tlabel\n\"\"\"The stove\"\" they said\"\tx\nplain\ty\n";
    assert_eq!(texts(&read("a.tsv", quoted.as_bytes())), ["\"The stove\" they said", "plain"]);
    let newline = "text\tlabel\n\"The stove\nthey said\"\tx\n\"a\nb\"\ty\n";
    let rows = read("a.tsv", newline.as_bytes());
    assert_eq!((rows[0].1.as_str(), rows[1].0), ("The stove\nthey said", 4));
    let all = "\"text\"\t\"label\"\n\"The stove\"\t\"x\"\n";
    assert_eq!(read("a.tsv", all.as_bytes()), [(2, "The stove".to_string(), word("x"))]);
    for literal in [
        "label\ttext\nx\t\"an open, quote\ny\tb\n",
        "label\ttext\nx\t\"quoted\" and more\ny\t\"\"twice\"\" \n",
        "label\ttext\nx\t\"an open quote\ny\tand a closing one\"\n",
        "text\tlabel\n\"a whole quotation\"\tx\nb\ty\n",
        "text\tlabel\n\"a\"\"b\"\tx\n\"open\ty\n",
    ] {
        let rows = read("a.tsv", literal.as_bytes());
        assert!(rows.iter().any(|row| row.1.starts_with('"')), "{literal:?}: {rows:?}");
        assert_eq!(rows.len(), 2);
    }
    let note = notes("a.tsv", b"text\tlabel\n\"a\"\"b\"\tx\n\"open\ty\n");
    assert!(note.contains("quotes are read as text: 1 cell in double quotes, the first at line 2"), "{note}");
    assert_eq!(notes("a.tsv", b"text\tlabel\n\"open\ty\n"), "");
}

#[test]
fn encoding_is_found() {
    let utf16 = |text: &str, big: bool| {
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let text = "text,label\nthe café was très bien,x\nЖ,y\n";
    for (bytes, name) in [
        (text.as_bytes().to_vec(), ""),
        ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), ""),
        ([b"\xFF\xFE".to_vec(), utf16(text, false)].concat(), "UTF-16LE"),
        ([b"\xFE\xFF".to_vec(), utf16(text, true)].concat(), "UTF-16BE"),
        (utf16(text, false), "UTF-16LE"),
        (utf16(text, true), "UTF-16BE"),
    ] {
        assert_eq!(texts(&read("a.csv", &bytes)), ["the café was très bien", "Ж"], "{name}");
        assert!(notes("a.csv", &bytes).ends_with(name), "{name}");
    }
    let lines = utf16("{\"text\": \"é\", \"label\": 1}\n", false);
    assert_eq!(texts(&read("a.jsonl", &[b"\xFF\xFE", &lines[..]].concat())), ["é"]);
    let latin = b"text;label\nIt\x92s tr\xe8s bien, caf\xe9;x\n";
    assert_eq!(texts(&read("a.csv", latin))[0], "It’s très bien, café");
    assert!(notes("a.csv", latin).contains("windows-1252"));
}

#[test]
fn encoding_may_be_given() {
    let read_with = |content: &[u8], label: &str| {
        let label = label.parse().unwrap();
        read_as("a.csv", content, &TableOptions { encoding: Some(&label), ..TableOptions::default() })
    };
    let (shift_jis, _, _) = encoding_rs::SHIFT_JIS.encode("text,label\n映画はよかった,x\n");
    for label in ["shift_jis", "cp932", "Shift-JIS"] {
        assert_eq!(texts(&read_with(&shift_jis, label).unwrap()), ["映画はよかった"]);
    }
    assert_eq!(texts(&read("a.csv", &shift_jis)), ["映画はよかった"]);
    assert_eq!(texts(&read_with(b"text,label\n\xe9,x\n", "latin-1").unwrap()), ["é"]);
    let wrong = read_with(b"text,label\na,x\n\x81\x00,y\n", "shift_jis").unwrap_err();
    assert!(wrong.starts_with("a.csv: line 3 is not valid Shift_JIS"), "{wrong}");
    let damaged = ["text,label\né,".as_bytes(), b"\xFF\n", "ü,y\n".as_bytes()].concat();
    let damaged = read_as("a.csv", &damaged, &TableOptions::default()).unwrap_err();
    assert!(damaged.starts_with("a.csv:2: is not UTF-8, while 2 other characters"), "{damaged}");
}

#[test]
fn compressed_files_are_read() {
    use std::io::Write;
    let text = b"text,label\na,x\nb,y\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(text.as_slice(), 3).unwrap();
    for bytes in [&gzip, &zstd] {
        for name in ["a.csv.gz", "a.csv.zst", "a.csv", "a"] {
            assert_eq!(texts(&read(name, bytes)), ["a", "b"], "{name}");
        }
        let torn = read_as("a.csv.gz", &bytes[..bytes.len() - 6], &TableOptions::default()).unwrap_err();
        assert!(torn.contains("the file is incomplete or damaged"), "{torn}");
    }
    let twice = [gzip.as_slice(), &gzip[..]].concat();
    assert_eq!(read("a.csv.gz", &twice).len(), 5);
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (bytes, what) in [
        (b"PK\x03\x04rest".as_slice(), "save the sheet as CSV"),
        (b"Obj\x01rest", "is Avro; convert it to Parquet or JSON Lines"),
        (b"ARROW1\0\0", "is Arrow IPC or Feather; save it as Parquet"),
        (b"\x80\x04\x95rest", "is a Python pickle"),
    ] {
        let found = read_as("a.csv", bytes, &TableOptions::default()).unwrap_err();
        assert!(found.contains(what), "{found}");
    }
    let folder = TestFile::new("a.csv", b"");
    let path = folder.folder.path().to_path_buf();
    assert!(Table::open(&path, &TableOptions::default()).unwrap_err().to_string().contains("is a folder"));
}

#[test]
fn json_objects_are_read_in_every_layout() {
    let rows = ["{\"text\": \"a\\né\", \"label\": 1}", "{\"label\": \"x\", \"text\": \"b\", \"more\": [{}]}"];
    let pretty = "{\n  \"text\": \"a\\né\",\n  \"label\": 1\n}";
    for (name, text) in [
        ("a.jsonl", format!("{}\n\n{}\n", rows[0], rows[1])),
        ("a.ndjson", format!("\u{feff}{}\r\n{}", rows[0], rows[1])),
        ("a.json", format!("[{}, {}]", rows[0], rows[1])),
        ("a.json", format!("\n[\n{pretty},\n{}\n]\n", rows[1])),
        ("a.jsonl", format!("{pretty}\n{}\n", rows[1])),
        ("a.json", format!("{{\"version\": [1], \"data\": [{}, {}]}}", rows[0], rows[1])),
        ("a.json", format!("{{\n\"rows\": [\n{pretty},{}\n]\n}}", rows[1])),
        ("a", format!("[{}, {}]", rows[0], rows[1])),
        ("a.csv", format!("{}\n{}\n", rows[0], rows[1])),
        ("a.txt", format!("{}\n{}\n", rows[0], rows[1])),
    ] {
        let found = read(name, text.as_bytes());
        assert_eq!(texts(&found), ["a\né", "b"], "{text}");
        assert_eq!((&found[0].2, &found[1].2), (&Some(LabelValue::Int(1)), &word("x")), "{text}");
    }
}

#[test]
fn json_values_keep_their_types_and_missing_ones_are_empty() {
    let text = "{\"text\": \"x \\u00e9\", \"label\": 3}\r\n\n{\"label\": true, \"text\": \"\"}\n\
                {\"text\": null, \"label\": 0.5}\n{\"label\": \"neg\", \"more\": [1]}\n{\"text\": \"w\"}\n\
                {\"text\": \"NaN\", \"label\": NaN, \"score\": -Infinity}";
    let expected = [
        (1, "x é".to_string(), Some(LabelValue::Int(3))),
        (3, String::new(), Some(LabelValue::Bool(true))),
        (4, String::new(), Some(LabelValue::Float(0.5))),
        (5, String::new(), word("neg")),
        (6, "w".into(), None),
        (7, "NaN".into(), None),
    ];
    assert_eq!(read("a.jsonl", text.as_bytes()), expected);
    let array = format!("[{}]", text.replace("\r\n\n", ",").replace('\n', ","));
    let found = read("a.json", array.as_bytes());
    assert_eq!(texts(&found), texts(&expected));
    // The first object does not have all keys.
    let late = TestFile::new("a.jsonl", b"{\"id\": 1}\n{\"id\": 2, \"text\": \"a\", \"label\": 1}\n");
    assert_eq!(late.columns().unwrap().0, ["id", "text", "label"]);
}

#[test]
fn errors_of_json_have_line_and_column() {
    assert_eq!(
        error("a.jsonl", "{\"text\": \"x\"}"),
        "a.jsonl: has no column label; its only column is text"
    );
    let number = error("a.jsonl", "{\"text\": 5, \"label\": \"y\"}");
    assert_eq!(number, "a.jsonl:1: column text is 5; it should be a string");
    let incomplete = error("a.jsonl", "{\"text\": \"x\", \"label\": \"y\"}\n{\"text\": \"x\"");
    assert_eq!(incomplete, "a.jsonl:2: column 12: is not a JSON object: EOF while parsing an object");
    let list = error("a.jsonl", "{\"text\": \"x\", \"label\": [[1]]}");
    assert_eq!(list, "a.jsonl:1: column label has [1] in a list; it should be a string or a number");
    let object = error("a.jsonl", "{\"text\": \"x\", \"label\": {\"a\": 1}}");
    assert!(
        object.starts_with("a.jsonl:1: column label is ") && object.ends_with("a string or a number"),
        "{object}"
    );
    assert!(error("a.jsonl", "\n").contains("is empty"));
    let comma = error("a.jsonl", "{\"text\": \"a\", \"label\": 1},\n{\"text\": \"b\", \"label\": 1},\n");
    assert_eq!(comma, "a.jsonl:1: column 26: is not a JSON object: trailing characters");
    let element = error("a.json", "[\n{\"text\": \"a\", \"label\": 1},\n5]");
    assert!(element.starts_with("a.json:3: column 2: invalid type: integer `5`"), "{element}");
    let second = error("a.json", "[{\"text\": \"a\", \"label\": 1}, {\"text\": 7, \"label\": 1}]");
    assert_eq!(second, "a.json: row 2: column text is 7; it should be a string");
}

#[test]
fn rows_above_the_maximum_size_are_an_error() {
    let long = "x".repeat((super::super::budget::MAX_ROW_BYTES + 200_000) as usize);
    for (name, text) in [
        ("a.csv", format!("text,label\na,x\n{long},y\n")),
        ("a.csv", format!("text,label\na,x\n\"{long}\n")),
        ("a.jsonl", format!("{{\"text\": \"a\", \"label\": 1}}\n{{\"text\": \"{long}\", \"label\": 1}}\n")),
        ("a.json", format!("[{{\"text\": \"a\", \"label\": 1}}, {{\"text\": \"{long}\", \"label\": 1}}]\n")),
    ] {
        let found = error(name, &text);
        assert!(found.contains("is longer than 67.1 MB, the maximum"), "{found}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        name in "a\\.(csv|tsv|json|parquet|gz)",
    ) {
        let _ = read_as(&name, &bytes, &TableOptions::default());
        let _ = read_as(&name, &[b"text,label\n", &bytes[..]].concat(), &TableOptions::default());
        let _ = read_as(&name, &[b"[{\"text\":", &bytes[..]].concat(), &TableOptions::default());
        let _ = TestFile::new(&name, &bytes).columns();
    }

    #[test]
    fn written_rows_are_read_back(rows in proptest::collection::vec((".{0,20}", "[a-z]{1,5}"), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["text", "label"]).unwrap();
        for (text, label) in &rows {
            writer.write_record([text, label]).unwrap();
        }
        let found = read("a.csv", &writer.into_inner().unwrap());
        let found: Vec<_> = found.into_iter().map(|(_, text, label)| (text, label)).collect();
        let expected: Vec<_> = rows.iter().map(|(text, name)| (text.clone(), word(name))).collect();
        prop_assert_eq!(found, expected);
        let lines = rows.iter().map(|(text, label)| serde_json::json!({"text": text, "label": label}).to_string());
        let found = read("a.jsonl", (lines.collect::<Vec<_>>().join("\n") + "\n").as_bytes());
        prop_assert_eq!(texts(&found), rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>());
    }
}
