//! JSON lines: an object a line, whose keys are the columns.

use super::{Cell, Record, Wanted, there_are, wrong};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// The keys of the first object.
pub(super) fn columns(file: &Path, bytes: &[u8]) -> Result<Vec<String>> {
    let first = lines(bytes).next();
    let (at, line) =
        first.ok_or_else(|| Error::data(file, None, "is empty; it should have an object a line"))?;
    Ok(object(file, at, line)?.keys().cloned().collect())
}

/// Reads a whole file; `file` is only its name in errors.
pub(super) fn read(file: &Path, bytes: &[u8], wanted: &Wanted) -> Result<Vec<Record>> {
    let record = |(at, line): (u64, &[u8])| {
        let object = object(file, at, line)?;
        let text = |name: &String| match object.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => {
                Err(wrong(file, at, &format!("column {name} is {other}; it should be a text in quotes")))
            }
            None => {
                let names: Vec<&String> = object.keys().collect();
                Err(wrong(file, at, &format!("has no column {name}; {}", there_are(&names))))
            }
        };
        Ok(Record {
            at,
            text: text(&wanted.text)?,
            text_pair: wanted.text_pair.as_ref().map(text).transpose()?,
            label: match object.get(&wanted.label) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) if text.is_empty() => None,
                Some(value) => Some(cell(value).ok_or_else(|| {
                    let name = &wanted.label;
                    wrong(file, at, &format!("column {name} is {value}; it should be a word or a number"))
                })?),
            },
        })
    };
    lines(bytes).map(record).collect()
}

fn cell(value: &Value) -> Option<Cell> {
    match value {
        Value::Bool(flag) => Some(Cell::Flag(*flag)),
        Value::String(text) => Some(Cell::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Cell::Whole).or_else(|| number.as_f64().map(Cell::Real)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Lines that are not blank, numbered from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let numbered = (1u64..).zip(bytes.split(|byte| *byte == b'\n'));
    numbered.filter(|(_, line)| !line.trim_ascii().is_empty())
}

fn object(file: &Path, at: u64, line: &[u8]) -> Result<Map<String, Value>> {
    if at == 1 && line.trim_ascii_start().starts_with(b"[") {
        let problem = "begins a JSON list; write each row as an object on a line of its own";
        return Err(wrong(file, at, problem));
    }
    serde_json::from_slice(line).map_err(|e| {
        let said = e.to_string();
        let said = said.split(" at line ").next().unwrap_or_default().to_string();
        wrong(file, at, &format!("column {}: is no JSON object: {said}", e.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(pair: bool) -> Wanted {
        let text_pair = pair.then(|| "b".to_string());
        Wanted { text: "a".into(), text_pair, label: "label".into(), is_labelled: true }
    }

    fn error(text: &str) -> String {
        read(Path::new("own.jsonl"), text.as_bytes(), &wanted(true)).unwrap_err().to_string()
    }

    #[test]
    fn values_keep_their_kind_and_blank_lines_are_none() {
        let text = "\u{feff}{\"a\": \"x \\u00e9\", \"label\": 3}\r\n\n{\"label\": true, \"a\": \"\"}\n\
                    {\"a\": \"y\", \"label\": 0.5}\n{\"a\": \"z\", \"label\": \"neg\", \"more\": [1]}\n{\"a\": \"w\"}";
        let rows = read(Path::new("x"), text.as_bytes(), &wanted(false)).unwrap();
        let found: Vec<_> = rows.into_iter().map(|row| (row.at, row.text, row.label)).collect();
        let expected = [
            (1, "x é".to_string(), Some(Cell::Whole(3))),
            (3, String::new(), Some(Cell::Flag(true))),
            (4, "y".into(), Some(Cell::Real(0.5))),
            (5, "z".into(), Some(Cell::Text("neg".into()))),
            (6, "w".into(), None),
        ];
        assert_eq!(found, expected);
        assert_eq!(columns(Path::new("x"), text.as_bytes()).unwrap(), ["a", "label"]);
    }

    #[test]
    fn what_is_wrong_has_its_line_and_column() {
        assert_eq!(
            error("{\"a\": \"x\", \"b\": \"y\"}\n{\"a\": \"x\"}"),
            "own.jsonl:2: has no column b; its columns are a"
        );
        let number = error("{\"a\": 5, \"b\": \"y\"}");
        assert_eq!(number, "own.jsonl:1: column a is 5; it should be a text in quotes");
        let torn = error("{\"a\": \"x\", \"b\": \"y\"}\n{\"a\": \"x\"");
        assert_eq!(torn, "own.jsonl:2: column 9: is no JSON object: EOF while parsing an object");
        assert!(error("[{\"a\": 1}]").contains("begins a JSON list"));
        let list = error("{\"a\": \"x\", \"b\": \"y\", \"label\": [1]}");
        assert_eq!(list, "own.jsonl:1: column label is [1]; it should be a word or a number");
        assert!(columns(Path::new("x"), b"\n").unwrap_err().to_string().contains("is empty"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(Path::new("x"), &bytes, &wanted(true));
            let _ = columns(Path::new("x"), &bytes);
        }
    }
}
