//! GLUE's tab-separated files. Columns are found by name in the header, or by position for files without a header.
//! Quotes are ordinary text and not CSV quoting, because cells begin with quotes that are not closed.

use super::budget::MemoryBudget;
use super::labels::parse_label;
use super::table::ColumnIndices;
use super::text_file::LineSource;
use crate::batch::Label;
use crate::catalog::{Columns, Labels, LocalFormat, SplitName, Task, TaskSource};
use crate::data::dataset::{Example, SplitRows};
use crate::error::{Error, Result};
use crate::text::plural;
use std::path::Path;

/// The expected format of a file.
pub(super) struct TsvFormat<'a> {
    /// Accepted column names; the first whose text columns all exist are used.
    columns: Vec<Columns>,
    labels: &'a Labels,
    /// Whether every row must have a label.
    labeled: bool,
    /// Whether a few rows with a wrong number of columns are skipped and counted.
    skip_split_rows: bool,
    /// The columns if the file has no header.
    columns_without_header: Option<&'a [&'a str]>,
}

impl<'a> TsvFormat<'a> {
    pub(super) fn new(task: &'a Task, split: SplitName, columns: &[Columns]) -> Self {
        TsvFormat {
            columns: columns.to_vec(),
            labels: &task.labels,
            labeled: split.is_required(),
            skip_split_rows: matches!(
                task.source,
                TaskSource::Files { local: LocalFormat::Tsv { has_split_rows: true, .. }, .. }
            ),
            columns_without_header: None,
        }
    }

    /// Sets the columns of files without a header. A file whose first line is a header is still read by name.
    pub(super) fn without_header(self, columns: Option<&'a [&'a str]>) -> Self {
        TsvFormat { columns_without_header: columns, ..self }
    }
}

/// Parses the content of a file; `file` is used in error messages only.
pub(super) fn read(
    file: &Path,
    lines: &mut dyn LineSource,
    format: &TsvFormat<'_>,
    budget: &mut MemoryBudget,
) -> Result<SplitRows> {
    let (number, first) = lines.next_line()?.unwrap_or((1, b""));
    let first = decode(file, number, first)?.to_string();
    let first_cells: Vec<&str> = first.split('\t').collect();
    let without_header = format.columns_without_header.filter(|_| !is_header(&first_cells, format));
    let names = without_header.unwrap_or(&first_cells);
    let layout =
        Layout { columns: column_indices(file, names, format)?, names, is_named: without_header.is_none() };

    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    let mut add = |number: u64, line: &str| {
        match layout.example(file, number, line, format)? {
            Ok(example) => {
                budget.add(example.memory(), file)?;
                rows.push(example);
            }
            Err(error) if format.skip_split_rows => skipped.push((number, error)),
            Err(error) => return Err(error),
        }
        Ok(())
    };
    if without_header.is_some() {
        add(number, &first)?;
    }
    while let Some((number, line)) = lines.next_line()? {
        add(number, decode(file, number, line)?)?;
    }
    let note = skipped.first().map(|(first, _)| {
        let rows = plural(skipped.len(), "row");
        format!("{}: skipped {rows} split by a line break, the first at line {first}", file.display())
    });
    // More than one in a thousand is not a stray line break but another file format.
    if skipped.len().saturating_mul(1000) > rows.len()
        && let Some((_, error)) = skipped.into_iter().next()
    {
        return Err(error);
    }
    Ok(SplitRows { rows, notes: note.into_iter().collect() })
}

/// The columns of a file.
struct Layout<'n> {
    columns: ColumnIndices,
    /// The names of all columns.
    names: &'n [&'n str],
    /// Whether the names are in the header.
    is_named: bool,
}

impl Layout<'_> {
    /// The example of a line. The inner error is for a line with a wrong number of columns.
    fn example(
        &self,
        file: &Path,
        number: u64,
        line: &str,
        format: &TsvFormat<'_>,
    ) -> Result<Result<Example>> {
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() != self.names.len() {
            let columns = plural(cells.len(), "column");
            let expected = if self.is_named { "the header has" } else { "expected" };
            let problem =
                format!("has {columns}, {expected} {}; separate columns by one tab each", self.names.len());
            return Ok(Err(Error::data(file, Some(number), problem)));
        }
        let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
        let label = |index: usize| label(file, number, cell(index), format);
        Ok(Ok(Example {
            text: cell(self.columns.text).to_string(),
            text_pair: self.columns.text_pair.map(|index| cell(index).to_string()),
            label: self.columns.label.map(label).transpose()?.flatten(),
        }))
    }
}

/// The text of a line.
fn decode<'b>(file: &Path, number: u64, line: &'b [u8]) -> Result<&'b str> {
    std::str::from_utf8(line).map_err(|e| {
        let problem = format!("is not UTF-8 at byte {}; convert the file", e.valid_up_to() + 1);
        Error::data(file, Some(number), problem)
    })
}

/// Whether a line contains the names of the text and label columns, and so is a header and not a row.
fn is_header(cells: &[&str], format: &TsvFormat<'_>) -> bool {
    format.columns.iter().any(|columns| {
        [Some(columns.text), columns.label].into_iter().flatten().all(|name| cells.contains(&name))
    })
}

/// The indices of the columns among `names`.
fn column_indices(file: &Path, names: &[&str], format: &TsvFormat<'_>) -> Result<ColumnIndices> {
    let index = |name: &str| names.iter().position(|found| *found == name);
    for columns in &format.columns {
        let (Some(text), text_pair) = (index(columns.text), columns.text_pair.map(index)) else { continue };
        if text_pair == Some(None) {
            continue;
        }
        // The labels of a test file are used if it has any.
        let label = format.columns.iter().find_map(|columns| columns.label).and_then(index);
        if label.is_some() || !format.labeled {
            return Ok(ColumnIndices { text, text_pair: text_pair.flatten(), label });
        }
    }
    let expected = format.columns.first().map(|columns| {
        let names = [Some(columns.text), columns.text_pair, columns.label.filter(|_| format.labeled)];
        names.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let found = if names == [""] { "none".to_string() } else { names.join(", ") };
    let problem =
        format!("the header must name the columns {}; it has {found}", expected.unwrap_or_default());
    Err(Error::data(file, Some(1), problem))
}

/// The label of a cell, `None` if the row has no label and needs none.
fn label(file: &Path, number: u64, cell: &str, format: &TsvFormat<'_>) -> Result<Option<Label>> {
    match parse_label(cell, format.labels) {
        Ok(None) if format.labeled => {
            let problem = "has no label (-1); training and validation rows need one";
            Err(Error::data(file, Some(number), problem))
        }
        Ok(label) => Ok(label),
        Err(expected) => Err(Error::data(file, Some(number), format!("label {cell:?} {expected}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text_file::TextLines;
    use super::*;
    use crate::catalog::task;
    use proptest::prelude::*;

    const SENTENCE: Columns = Columns { text: "sentence", text_pair: None, label: Some("label") };
    const PAIR: Columns =
        Columns { text: "question1", text_pair: Some("question2"), label: Some("is_duplicate") };

    fn read(file: &Path, bytes: &[u8], format: &TsvFormat<'_>) -> Result<SplitRows> {
        super::read(file, &mut TextLines::new(bytes), format, &mut MemoryBudget::for_rows())
    }

    fn parse(name: &str, split: SplitName, columns: Columns, text: &str) -> Result<SplitRows> {
        let task = task(name).unwrap();
        read(Path::new("train.tsv"), text.as_bytes(), &TsvFormat::new(task, split, &[columns]))
    }

    fn error(text: &str) -> String {
        parse("sst2", SplitName::Train, SENTENCE, text).unwrap_err().to_string()
    }

    #[test]
    fn byte_order_mark_line_ends_and_quotes_are_handled() {
        let text = "\u{feff}sentence\tlabel\r\n\"an open quote\t1\r\n say \"\"no\"\" \t0\r\n\t1";
        let rows = parse("sst2", SplitName::Train, SENTENCE, text).unwrap().rows;
        let texts: Vec<_> = rows.iter().map(|r| (r.text.as_str(), r.label.clone())).collect();
        let [yes, no] = [1, 0].map(|class| Some(Label::Class(class)));
        assert_eq!(texts, [("\"an open quote", yes.clone()), (" say \"\"no\"\" ", no), ("", yes)]);
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "is_duplicate\tid\tquestion2\tquestion1\n1\t9\tb\ta\n";
        let rows = parse("qqp", SplitName::Train, PAIR, text).unwrap().rows;
        let label = Some(Label::Class(1));
        assert_eq!(rows, [Example { text: "a".into(), text_pair: Some("b".into()), label }]);
    }

    #[test]
    fn error_names_file_and_line() {
        let wide = error("sentence\tlabel\ngood\t1\nbad\t1\textra\n");
        assert_eq!(wide, "train.tsv:3: has 3 columns, the header has 2; separate columns by one tab each");
        let label = error("sentence\tlabel\ngood\t2\n");
        assert_eq!(label, "train.tsv:2: label \"2\" should be 0 (negative) or 1 (positive)");
        assert!(error("sentence\tlabel\ngood\t-1\n").starts_with("train.tsv:2: has no label"));
        assert!(error("sentence\tlabel\ngood\t1\n\n").starts_with("train.tsv:3: has 1 column,"));
        let header = error("text\tlabel\ngood\t1\n");
        assert_eq!(
            header,
            "train.tsv:1: the header must name the columns sentence, label; it has text, label"
        );
        assert!(error("").contains("it has none"));
        assert!(error("sentence\ngood\n").contains("must name the columns sentence, label"));
    }

    #[test]
    fn invalid_utf8_is_reported_with_its_line() {
        let task = task("sst2").unwrap();
        let format = TsvFormat::new(task, SplitName::Train, &[SENTENCE]);
        let e = read(Path::new("a"), b"sentence\tlabel\nx\t1\nab\xff\t1\n", &format).unwrap_err();
        assert_eq!(e.to_string(), "a:3: is not UTF-8 at byte 3; convert the file");
    }

    #[test]
    fn columns_without_a_header_are_found_by_position() {
        let parse = |text: &str| {
            let format = TsvFormat::new(task("cola").unwrap(), SplitName::Train, &[SENTENCE]);
            let format = format.without_header(Some(&["source", "label", "mark", "sentence"]));
            read(Path::new("train.tsv"), text.as_bytes(), &format)
        };
        let row = |text: &str, class| {
            let label = Some(Label::Class(class));
            Example { text: text.into(), text_pair: None, label }
        };
        let two = parse("gj04\t1\t\tA good one.\ngj04\t0\t*\tBad \"one.").unwrap().rows;
        assert_eq!(two, [row("A good one.", 1), row("Bad \"one.", 0)]);
        // A copy with an added header.
        let named = parse("label\tsentence\n1\tA good one.\n").unwrap().rows;
        assert_eq!(named, [row("A good one.", 1)]);
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("gj04\t1\t\ta\n1\tb\n"),
            "train.tsv:2: has 2 columns, expected 4; separate columns by one tab each"
        );
        assert_eq!(
            error("gj04\t7\t\ta\n"),
            "train.tsv:1: label \"7\" should be 0 (unacceptable) or 1 (acceptable)"
        );
        assert!(parse("").is_err(), "the empty line of an empty file has one column");
    }

    #[test]
    fn labels_of_a_test_file_are_optional() {
        let none = parse("sst2", SplitName::Test, SENTENCE, "index\tsentence\n0\ta\n").unwrap().rows;
        assert_eq!(none[0].label, None);
        let some = parse("sst2", SplitName::Test, SENTENCE, "sentence\tlabel\na\t1\nb\t-1\n").unwrap().rows;
        assert_eq!((some[0].label.clone(), some[1].label.clone()), (Some(Label::Class(1)), None));
    }

    #[test]
    fn few_split_rows_of_qqp_are_skipped_and_many_are_an_error() {
        let mut text = "question1\tquestion2\tis_duplicate\n".to_string();
        text.push_str("a question that\nb\t1\n");
        let e = parse("qqp", SplitName::Train, PAIR, &text).unwrap_err().to_string();
        assert!(e.starts_with("train.tsv:2: has 1 column,"), "{e}");
        text.push_str(&"a\tb\t0\n".repeat(2000));
        let rows = parse("qqp", SplitName::Train, PAIR, &text).unwrap();
        assert_eq!(rows.rows.len(), 2000);
        assert_eq!(rows.notes, ["train.tsv: skipped 2 rows split by a line break, the first at line 2"]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for split in [SplitName::Train, SplitName::Test] {
                let format = TsvFormat::new(task("qqp").unwrap(), split, &[PAIR]);
                let _ = read(Path::new("x"), &bytes, &format);
                let mut with_header = b"question1\tquestion2\tis_duplicate\n".to_vec();
                with_header.extend(&bytes);
                let _ = read(Path::new("x"), &with_header, &format);
            }
        }

        #[test]
        fn written_rows_are_read_back(rows in proptest::collection::vec(("[^\t\r\n]{0,20}", 0u32..2), 1..20)) {
            let mut text = "sentence\tlabel\n".to_string();
            for (sentence, label) in &rows {
                text.push_str(&format!("{sentence}\t{label}\n"));
            }
            let read = parse("sst2", SplitName::Train, SENTENCE, &text).unwrap().rows;
            let read: Vec<_> = read.into_iter().map(|r| (r.text, r.label.unwrap().class().unwrap())).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
