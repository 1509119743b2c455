//! The rows of one file of a custom dataset.

use super::label_column::LabelColumn;
use crate::batch::Label;
use crate::data::dataset::Example;
use crate::data::read::MemoryBudget;
use crate::data::read::table::{ColumnNames, Position, Record, Table, TableOptions, changed, row_error};
use crate::error::{Error, Result};
use crate::text::plural;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows of this size in bytes are kept although not all of them may be used; of larger files only the labels are kept
/// until it is known which rows are used.
const KEPT_BYTES: u64 = 256 << 20;

/// The rows of a file, without the classes of their labels.
#[derive(Debug)]
pub(super) struct FileRows<'p> {
    table: Table<'p>,
    /// The labels of all rows.
    pub(super) labels: LabelColumn,
    /// All rows, unless they are too large to be kept before it is known which are used.
    rows: Option<Vec<Example>>,
    /// Notes for the log.
    pub(super) notes: Vec<String>,
}

/// What is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) options: TableOptions<'a>,
    pub(super) columns: &'a ColumnNames,
    /// Ends the reading when it is set.
    pub(super) cancelled: &'a AtomicBool,
    /// Whether only some of the rows may be used.
    pub(super) is_partial: bool,
}

impl<'p> FileRows<'p> {
    /// Reads all rows of a file.
    ///
    /// # Errors
    /// [`Error::Data`](crate::error::Error::Data) for an invalid file, a missing label that is required, and rows that
    /// do not fit into memory.
    pub(super) fn read(path: &'p Path, reading: Reading<'_>, budget: &mut MemoryBudget) -> Result<Self> {
        let columns = reading.columns;
        let table = Table::open(path, &TableOptions { columns: Some(columns), ..reading.options })?;
        let class_names =
            columns.label.one().and_then(|column| table.class_names(column)).map(<[String]>::to_vec);
        let mut labels = LabelColumn::new(class_names);
        let mut empty = EmptyTexts::default();
        let mut rows = Some(Vec::new());
        let mut kept = 0;
        table.read(columns, &mut |record| {
            if reading.cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("reading the data was canceled".into()));
            }
            if columns.is_label_required && record.label.is_none() {
                let problem =
                    format!("column {} is empty; training and validation rows need a label", columns.label);
                return Err(row_error(path, record.position, &problem));
            }
            empty.count(&record);
            let position = record.position;
            labels.push(position, record.label).map_err(|problem| {
                row_error(path, position, &format!("column {} {problem}", columns.label))
            })?;
            if let Some(kept_rows) = &mut rows {
                let row = Example { text: record.text, text_pair: record.text_pair, label: None };
                kept += row.memory();
                if reading.is_partial && kept > KEPT_BYTES {
                    rows = None;
                } else {
                    budget.check(kept, path)?;
                    kept_rows.push(row);
                }
            }
            Ok(())
        })?;
        if rows.is_some() {
            budget.add(kept, path)?;
        }
        let notes = table.notes().into_iter().chain(empty.note(path)).collect();
        Ok(FileRows { table, labels, rows, notes })
    }

    /// The file.
    pub(super) fn path(&self) -> &'p Path {
        self.table.path()
    }

    /// The labeled rows of each part, in order. `parts` has the part of each row of the file, and `labels` the label of
    /// each value of the label column; a row without a part is left out. The file is read again if its rows were not
    /// kept.
    ///
    /// # Errors
    /// [`Error::Data`](crate::error::Error::Data) if the file has changed, and for rows that do not fit into memory.
    pub(super) fn choose(
        &mut self,
        parts: &[Option<Part>],
        labels: &[Option<Label>],
        columns: &ColumnNames,
        budget: &mut MemoryBudget,
    ) -> Result<ChosenRows> {
        let mut chosen = ChosenRows::default();
        let label = |code: Option<usize>| code.and_then(|code| labels.get(code).cloned().flatten());
        let mut rows = parts.iter().copied().zip(self.labels.codes().map(label));
        if let Some(kept) = self.rows.take() {
            kept.into_iter().zip(rows).for_each(|(row, part)| chosen.push(row, part));
            return Ok(chosen);
        }
        let path = self.path();
        self.table.read(columns, &mut |record| {
            let (part, label) = rows.next().ok_or_else(|| changed(path))?;
            let row = Example { text: record.text, text_pair: record.text_pair, label: None };
            if part.is_some() {
                budget.add(row.memory(), path)?;
            }
            chosen.push(row, (part, label));
            Ok(())
        })?;
        if rows.next().is_some() { Err(changed(path)) } else { Ok(chosen) }
    }
}

/// What a row of a file is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The split that the file is named for.
    Own,
    /// Validation, held out of the training file.
    HeldOut,
}

/// The rows of a file that are used.
#[derive(Debug, Default)]
pub(super) struct ChosenRows {
    /// Those of the split that the file is named for.
    pub(super) own: Vec<Example>,
    /// Those that are held out for validation.
    pub(super) held_out: Vec<Example>,
}

impl ChosenRows {
    fn push(&mut self, row: Example, (part, label): (Option<Part>, Option<Label>)) {
        let row = Example { label, ..row };
        match part {
            Some(Part::Own) => self.own.push(row),
            Some(Part::HeldOut) => self.held_out.push(row),
            None => {}
        }
    }
}

/// Rows with an empty or missing text.
#[derive(Debug, Default)]
struct EmptyTexts {
    rows: usize,
    first: Option<Position>,
}

impl EmptyTexts {
    fn count(&mut self, record: &Record) {
        if record.text.is_empty() || record.text_pair.as_ref().is_some_and(String::is_empty) {
            self.rows += 1;
            self.first.get_or_insert(record.position);
        }
    }

    fn note(&self, path: &Path) -> Option<String> {
        let first = self.first?;
        let (file, rows) = (path.display(), plural(self.rows, "row"));
        let verb = if self.rows == 1 { "has" } else { "have" };
        Some(format!("{file}: {rows} {verb} an empty or missing text, the first at {first}; kept as empty"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::LabelColumns;

    #[test]
    fn a_file_that_changes_before_it_is_read_again_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let columns = ColumnNames {
            label: LabelColumns::One("label".into()),
            is_label_required: true,
            ..ColumnNames::of_texts("text".into(), None)
        };
        let cancelled = AtomicBool::new(false);
        let reading = Reading {
            options: TableOptions::default(),
            columns: &columns,
            cancelled: &cancelled,
            is_partial: true,
        };
        let choose = |later: &str| {
            std::fs::write(&path, "text,label\na,0\nb,1\nc,0\n").unwrap();
            let mut budget = MemoryBudget::for_rows();
            let mut rows = FileRows { rows: None, ..FileRows::read(&path, reading, &mut budget).unwrap() };
            std::fs::write(&path, later).unwrap();
            let labels = [Some(Label::Class(0)), Some(Label::Class(1))];
            rows.choose(&[None, Some(Part::Own), Some(Part::HeldOut)], &labels, &columns, &mut budget)
        };
        let chosen = choose("text,label\na,0\nb,1\nc,0\n").unwrap();
        let row = |text: &str, class| Example {
            text: text.into(),
            text_pair: None,
            label: Some(Label::Class(class)),
        };
        assert_eq!((chosen.own, chosen.held_out), (vec![row("b", 1)], vec![row("c", 0)]));
        for later in ["text,label\na,0\nb,1\n", "text,label\na,0\nb,1\nc,0\nd,1\n"] {
            let error = choose(later).unwrap_err().to_string();
            assert!(error.ends_with("a.csv: has changed while it was read; try again"), "{error}");
        }
    }
}
