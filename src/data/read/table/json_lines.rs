//! JSON Lines: one object a line, whose keys are the columns.

use super::record::{ColumnNames, LabelValue, Record, available_columns, row_error};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// The keys of the first object.
pub(super) fn columns(file: &Path, bytes: &[u8]) -> Result<Vec<String>> {
    let (number, line) = lines(bytes)
        .next()
        .ok_or_else(|| Error::data(file, None, "is empty; it should have one JSON object per line"))?;
    Ok(parse(file, number, line)?.keys().cloned().collect())
}

/// Parses the content of a file; `file` is used in error messages only.
pub(super) fn read(file: &Path, bytes: &[u8], names: &ColumnNames) -> Result<Vec<Record>> {
    lines(bytes).map(|(number, line)| record(file, number, &parse(file, number, line)?, names)).collect()
}

/// The row of an object.
fn record(file: &Path, number: u64, object: &Map<String, Value>, names: &ColumnNames) -> Result<Record> {
    let text = |name: &String| match object.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => {
            Err(row_error(file, number, &format!("column {name} is {other}; it should be a string")))
        }
        None => {
            let columns = available_columns(&object.keys().collect::<Vec<_>>());
            Err(row_error(file, number, &format!("has no column {name}; {columns}")))
        }
    };
    let label = match object.get(&names.label) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(value) => Some(label_value(value).ok_or_else(|| {
            let problem = format!("column {} is {value}; it should be a string or a number", names.label);
            row_error(file, number, &problem)
        })?),
    };
    Ok(Record {
        position: number,
        text: text(&names.text)?,
        text_pair: names.text_pair.as_ref().map(text).transpose()?,
        label,
    })
}

fn label_value(value: &Value) -> Option<LabelValue> {
    match value {
        Value::Bool(value) => Some(LabelValue::Bool(*value)),
        Value::String(text) => Some(LabelValue::Text(text.clone())),
        Value::Number(number) => {
            number.as_i64().map(LabelValue::Int).or_else(|| number.as_f64().map(LabelValue::Float))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The lines that are not blank, numbered from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let numbered = (1u64..).zip(bytes.split(|byte| *byte == b'\n'));
    numbered.filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// The object of a line.
fn parse(file: &Path, number: u64, line: &[u8]) -> Result<Map<String, Value>> {
    if number == 1 && line.trim_ascii_start().starts_with(b"[") {
        let problem = "begins with a JSON list; write each row as an object on its own line";
        return Err(row_error(file, number, problem));
    }
    serde_json::from_slice(line).map_err(|e| {
        // The message ends with a position in the line, which is always line 1.
        let message = e.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        row_error(file, number, &format!("column {}: is not a JSON object: {message}", e.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(pair: bool) -> ColumnNames {
        let text_pair = pair.then(|| "b".to_string());
        ColumnNames { text: "a".into(), text_pair, label: "label".into(), is_label_required: true }
    }

    fn error(text: &str) -> String {
        read(Path::new("rows.jsonl"), text.as_bytes(), &names(true)).unwrap_err().to_string()
    }

    #[test]
    fn label_types_are_kept_and_blank_lines_are_skipped() {
        let text = "\u{feff}{\"a\": \"x \\u00e9\", \"label\": 3}\r\n\n{\"label\": true, \"a\": \"\"}\n\
                    {\"a\": \"y\", \"label\": 0.5}\n{\"a\": \"z\", \"label\": \"neg\", \"more\": [1]}\n{\"a\": \"w\"}";
        let rows = read(Path::new("x"), text.as_bytes(), &names(false)).unwrap();
        let found: Vec<_> = rows.into_iter().map(|row| (row.position, row.text, row.label)).collect();
        let expected = [
            (1, "x é".to_string(), Some(LabelValue::Int(3))),
            (3, String::new(), Some(LabelValue::Bool(true))),
            (4, "y".into(), Some(LabelValue::Float(0.5))),
            (5, "z".into(), Some(LabelValue::Text("neg".into()))),
            (6, "w".into(), None),
        ];
        assert_eq!(found, expected);
        assert_eq!(columns(Path::new("x"), text.as_bytes()).unwrap(), ["a", "label"]);
    }

    #[test]
    fn error_has_line_and_column() {
        assert_eq!(
            error("{\"a\": \"x\", \"b\": \"y\"}\n{\"a\": \"x\"}"),
            "rows.jsonl:2: has no column b; its only column is a"
        );
        let number = error("{\"a\": 5, \"b\": \"y\"}");
        assert_eq!(number, "rows.jsonl:1: column a is 5; it should be a string");
        let incomplete = error("{\"a\": \"x\", \"b\": \"y\"}\n{\"a\": \"x\"");
        assert_eq!(incomplete, "rows.jsonl:2: column 9: is not a JSON object: EOF while parsing an object");
        assert!(error("[{\"a\": 1}]").contains("begins with a JSON list"));
        let list = error("{\"a\": \"x\", \"b\": \"y\", \"label\": [1]}");
        assert_eq!(list, "rows.jsonl:1: column label is [1]; it should be a string or a number");
        assert!(columns(Path::new("x"), b"\n").unwrap_err().to_string().contains("is empty"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(Path::new("x"), &bytes, &names(true));
            let _ = columns(Path::new("x"), &bytes);
        }
    }
}
