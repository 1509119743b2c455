//! GLUE's tab-separated files. Columns are found by the header's names, or by their place where a task's
//! files have no header; quotes are ordinary text,
//! never CSV quoting, because cells begin with quotes that are not closed.

use super::super::{Example, Rows};
use super::{SPLIT_ROWS, label_of};
use crate::batch::Label;
use crate::catalog::{Columns, Labels, Task};
use crate::error::{Error, Result};
use crate::event::SplitName;
use std::path::Path;

/// What is expected of a file.
pub(super) struct Layout<'a> {
    /// The ways the columns may be named; the first whose texts are all there is taken.
    columns: Vec<Columns>,
    labels: &'a Labels,
    /// Whether every row must have a label.
    labelled: bool,
    /// Whether a few rows with a wrong number of columns are left out and told.
    skip_split_rows: bool,
    /// What the columns are when the first line is a row already.
    unnamed: Option<&'a [&'a str]>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(task: &'a Task, split: SplitName, columns: &[Columns]) -> Self {
        Layout {
            columns: columns.to_vec(),
            labels: &task.labels,
            labelled: split.is_required(),
            skip_split_rows: SPLIT_ROWS.contains(&task.name),
            unnamed: None,
        }
    }

    /// The same for a file that has no header but these columns.
    pub(super) fn unnamed(self, unnamed: Option<&'a [&'a str]>) -> Self {
        Layout { unnamed, ..self }
    }
}

/// Places of the wanted columns in a row.
struct Places {
    width: usize,
    text: usize,
    text_pair: Option<usize>,
    label: Option<usize>,
}

/// Reads a whole file; `file` is only its name in errors.
pub(super) fn read(file: &Path, bytes: &[u8], layout: &Layout<'_>) -> Result<Rows> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // A newline ends a row, so one at the end of the file begins no further row.
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut lines = bytes.split(|byte| *byte == b'\n').zip(1u64..).peekable();
    let first = lines.peek().map_or(Ok(""), |(line, number)| text_of(file, *number, line))?;
    let first: Vec<&str> = first.split('\t').collect();
    let unnamed = layout.unnamed.filter(|_| !is_header(&first, layout));
    let places = places(file, unnamed.unwrap_or(&first), layout)?;
    if unnamed.is_none() {
        lines.next();
    }

    let mut rows = Vec::new();
    let mut skipped = Vec::new();
    for (line, number) in lines {
        let line = text_of(file, number, line)?;
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() != places.width {
            let said = if unnamed.is_some() { "where there should be" } else { "where the header has" };
            let problem = format!(
                "has {} columns {said} {}; separate columns by one tab each",
                cells.len(),
                places.width
            );
            skipped.push((number, problem));
            if layout.skip_split_rows {
                continue;
            }
            return Err(too_many_skipped(file, &skipped));
        }
        rows.push(Example {
            text: cells[places.text].to_string(),
            text_pair: places.text_pair.map(|place| cells[place].to_string()),
            label: match places.label {
                Some(place) => label(file, number, cells[place], layout)?,
                None => None,
            },
        });
    }
    // More than one in a thousand is no stray line break but a file of another make.
    if skipped.len() * 1000 > rows.len() {
        return Err(too_many_skipped(file, &skipped));
    }
    Ok(Rows { rows, notes: note(file, &skipped).into_iter().collect() })
}

fn text_of<'b>(file: &Path, number: u64, line: &'b [u8]) -> Result<&'b str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    std::str::from_utf8(line).map_err(|e| {
        Error::data(
            file,
            Some(number),
            format!("is not UTF-8 at byte {}; convert the file", e.valid_up_to() + 1),
        )
    })
}

/// Whether a line has the names of the wanted columns in it, and so is no row.
fn is_header(cells: &[&str], layout: &Layout<'_>) -> bool {
    layout.columns.iter().any(|columns| {
        [Some(columns.text), columns.label].into_iter().flatten().all(|name| cells.contains(&name))
    })
}

fn places(file: &Path, names: &[&str], layout: &Layout<'_>) -> Result<Places> {
    let place = |name: &str| names.iter().position(|found| *found == name);
    for columns in &layout.columns {
        let (Some(text), text_pair) = (place(columns.text), columns.text_pair.map(place)) else { continue };
        if text_pair == Some(None) {
            continue;
        }
        // A test file that has labels is used with them, whatever it should look like.
        let label = layout.columns.iter().find_map(|columns| columns.label).and_then(place);
        if label.is_some() || !layout.labelled {
            return Ok(Places { width: names.len(), text, text_pair: text_pair.flatten(), label });
        }
    }
    let columns = &layout.columns[0];
    let wanted: Vec<&str> =
        [Some(columns.text), columns.text_pair, columns.label.filter(|_| layout.labelled)]
            .into_iter()
            .flatten()
            .collect();
    Err(Error::data(
        file,
        Some(1),
        format!(
            "the header must name the columns {}; it has {}",
            wanted.join(", "),
            if names == [""] { "none".to_string() } else { names.join(", ") }
        ),
    ))
}

fn label(file: &Path, number: u64, cell: &str, layout: &Layout<'_>) -> Result<Option<Label>> {
    match label_of(cell, layout.labels) {
        Ok(None) if layout.labelled => {
            let problem = "has no label (-1); rows to train on or to choose by need one";
            Err(Error::data(file, Some(number), problem))
        }
        Ok(label) => Ok(label),
        Err(expected) => Err(Error::data(file, Some(number), format!("label {cell:?} {expected}"))),
    }
}

fn too_many_skipped(file: &Path, skipped: &[(u64, String)]) -> Error {
    let (number, problem) = &skipped[0];
    Error::data(file, Some(*number), problem.clone())
}

fn note(file: &Path, skipped: &[(u64, String)]) -> Option<String> {
    let (first, _) = skipped.first()?;
    Some(format!(
        "{}: {} rows were left out because a line break has split them, the first at line {first}",
        file.display(),
        skipped.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;
    use proptest::prelude::*;

    const SENTENCE: Columns = Columns { text: "sentence", text_pair: None, label: Some("label") };
    const PAIR: Columns =
        Columns { text: "question1", text_pair: Some("question2"), label: Some("is_duplicate") };

    fn parse(name: &str, split: SplitName, columns: Columns, text: &str) -> Result<Rows> {
        let task = task(name).unwrap();
        read(Path::new("train.tsv"), text.as_bytes(), &Layout::new(task, split, &[columns]))
    }

    fn error(text: &str) -> String {
        parse("sst2", SplitName::Train, SENTENCE, text).unwrap_err().to_string()
    }

    #[test]
    fn quotes_marks_line_ends_and_a_missing_last_newline_are_as_they_are() {
        let text = "\u{feff}sentence\tlabel\r\n\"an open quote\t1\r\n say \"\"no\"\" \t0\r\n\t1";
        let rows = parse("sst2", SplitName::Train, SENTENCE, text).unwrap().rows;
        let texts: Vec<_> = rows.iter().map(|r| (r.text.as_str(), r.label)).collect();
        let [yes, no] = [1, 0].map(|class| Some(Label::Class(class)));
        assert_eq!(texts, [("\"an open quote", yes), (" say \"\"no\"\" ", no), ("", yes)]);
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "is_duplicate\tid\tquestion2\tquestion1\n1\t9\tb\ta\n";
        let rows = parse("qqp", SplitName::Train, PAIR, text).unwrap().rows;
        let label = Some(Label::Class(1));
        assert_eq!(rows, [Example { text: "a".into(), text_pair: Some("b".into()), label }]);
    }

    #[test]
    fn a_malformed_row_is_named_by_file_and_line() {
        let wide = error("sentence\tlabel\ngood\t1\nbad\t1\textra\n");
        assert_eq!(
            wide,
            "train.tsv:3: has 3 columns where the header has 2; separate columns by one tab each"
        );
        let label = error("sentence\tlabel\ngood\t2\n");
        assert_eq!(label, "train.tsv:2: label \"2\" should be 0 (negative) or 1 (positive)");
        assert!(error("sentence\tlabel\ngood\t-1\n").starts_with("train.tsv:2: has no label"));
        assert!(error("sentence\tlabel\ngood\t1\n\n").starts_with("train.tsv:3: has 1 columns"));
        let header = error("text\tlabel\ngood\t1\n");
        assert_eq!(
            header,
            "train.tsv:1: the header must name the columns sentence, label; it has text, label"
        );
        assert!(error("").contains("it has none"));
        assert!(error("sentence\ngood\n").contains("must name the columns sentence, label"));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_line() {
        let task = task("sst2").unwrap();
        let layout = Layout::new(task, SplitName::Train, &[SENTENCE]);
        let e = read(Path::new("a"), b"sentence\tlabel\nx\t1\nab\xff\t1\n", &layout).unwrap_err();
        assert_eq!(e.to_string(), "a:3: is not UTF-8 at byte 3; convert the file");
    }

    #[test]
    fn columns_without_a_header_are_found_by_their_place() {
        let parse = |text: &str| {
            let layout = Layout::new(task("cola").unwrap(), SplitName::Train, &[SENTENCE]);
            let layout = layout.unnamed(Some(&["source", "label", "mark", "sentence"]));
            read(Path::new("train.tsv"), text.as_bytes(), &layout)
        };
        let row = |text: &str, class| {
            let label = Some(Label::Class(class));
            Example { text: text.into(), text_pair: None, label }
        };
        let two = parse("gj04\t1\t\tA good one.\ngj04\t0\t*\tBad \"one.").unwrap().rows;
        assert_eq!(two, [row("A good one.", 1), row("Bad \"one.", 0)]);
        // A copy that somebody has given a header.
        let named = parse("label\tsentence\n1\tA good one.\n").unwrap().rows;
        assert_eq!(named, [row("A good one.", 1)]);
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("gj04\t1\t\ta\n1\tb\n"),
            "train.tsv:2: has 2 columns where there should be 4; separate columns by one tab each"
        );
        assert_eq!(
            error("gj04\t7\t\ta\n"),
            "train.tsv:1: label \"7\" should be 0 (unacceptable) or 1 (acceptable)"
        );
        assert!(parse("").is_err(), "an empty file has no row of four columns");
    }

    #[test]
    fn a_test_file_may_have_labels_or_none() {
        let none = parse("sst2", SplitName::Test, SENTENCE, "index\tsentence\n0\ta\n").unwrap().rows;
        assert_eq!(none[0].label, None);
        let some = parse("sst2", SplitName::Test, SENTENCE, "sentence\tlabel\na\t1\nb\t-1\n").unwrap().rows;
        assert_eq!((some[0].label, some[1].label), (Some(Label::Class(1)), None));
    }

    #[test]
    fn few_split_rows_of_qqp_are_told_and_many_are_an_error() {
        let mut text = "question1\tquestion2\tis_duplicate\n".to_string();
        text.push_str("a question that\nb\t1\n");
        let e = parse("qqp", SplitName::Train, PAIR, &text).unwrap_err().to_string();
        assert!(e.starts_with("train.tsv:2: has 1 columns"), "{e}");
        text.push_str(&"a\tb\t0\n".repeat(2000));
        let rows = parse("qqp", SplitName::Train, PAIR, &text).unwrap();
        assert_eq!(rows.rows.len(), 2000);
        assert_eq!(
            rows.notes,
            ["train.tsv: 2 rows were left out because a line break has split them, the first at line 2"]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for split in [SplitName::Train, SplitName::Test] {
                let layout = Layout::new(task("qqp").unwrap(), split, &[PAIR]);
                let _ = read(Path::new("x"), &bytes, &layout);
                let mut whole = b"question1\tquestion2\tis_duplicate\n".to_vec();
                whole.extend(&bytes);
                let _ = read(Path::new("x"), &whole, &layout);
            }
        }

        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(("[^\t\r\n]{0,20}", 0u32..2), 1..20)) {
            let mut text = "sentence\tlabel\n".to_string();
            for (sentence, label) in &rows {
                text.push_str(&format!("{sentence}\t{label}\n"));
            }
            let read = parse("sst2", SplitName::Train, SENTENCE, &text).unwrap().rows;
            let read: Vec<_> = read.into_iter().map(|r| (r.text, r.label.unwrap().number() as u32)).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
