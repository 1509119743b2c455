//! Loading of custom datasets.

use super::classes::{is_hidden, shortened};
use super::columns::infer_columns;
use super::file_rows::{ChosenRows, FileRows, Part, Reading};
use super::hold_out;
use super::label_column::{DistinctValue, LabelColumn};
use super::label_encoding::as_written;
use super::label_reader::LabelReader;
use super::notes::ClassNotes;
use crate::batch::Label;
use crate::catalog::{Labels, ProblemType, SplitName};
use crate::data::dataset::{Dataset, Example, subsample_indices};
use crate::data::read::MemoryBudget;
use crate::data::read::table::{ColumnNames, TableOptions, row_error};
use crate::error::{Error, Result};
use crate::spec::RunSpec;
use crate::text::plural;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Loads every split of the files that `spec` names. With `is_subsampled`, only the rows that `max_train_samples` and
/// `max_eval_samples` choose are kept.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] for files that cannot be used, [`Error::Interrupted`] soon after `cancelled` is set.
pub(in crate::data) fn load(spec: &RunSpec, is_subsampled: bool, cancelled: &AtomicBool) -> Result<Dataset> {
    let mut files = CustomFiles::open(spec, is_subsampled, cancelled)?;
    let mut all = files.read_all()?;
    let reader = files.label_reader(&all)?;
    let mut notes = all.notes();
    notes.push(reader.note(&files.columns.label));
    let rows = files.rows(&mut all.train, SplitName::Train, &reader)?;
    let mut dataset = Dataset { labels: reader.labels.clone(), ..Dataset::default() };
    if let (None, Some(count)) = (&all.validation, files.totals.get(&SplitName::Validation)) {
        let (total, file) = (plural(all.train.labels.len(), "row"), files.train.display());
        notes.push(format!(
            "no validation_file: {count} of {total} of {file} held out, the same for every seed"
        ));
    }
    let class_notes = ClassNotes::new(&all.train, &reader);
    notes.extend(class_notes.similar());
    dataset.notes = notes;
    dataset.insert(SplitName::Train, rows.own);
    dataset.insert(SplitName::Validation, rows.held_out);
    let others = [(SplitName::Validation, &mut all.validation), (SplitName::Test, &mut all.test)];
    for (split, file) in others {
        if let Some(file) = file {
            dataset.insert(split, files.rows(file, split, &reader)?.own);
        }
    }
    dataset.total_rows = files.totals;
    let missing = class_notes.missing(&dataset);
    dataset.notes.extend(missing);
    Ok(dataset)
}

/// Loads one split. `labels` are by default those of the files.
pub(in crate::data) fn load_split(
    spec: &RunSpec,
    split: SplitName,
    (labels, is_subsampled): (Option<&Labels>, bool),
    cancelled: &AtomicBool,
) -> Result<Vec<Example>> {
    let mut files = CustomFiles::open(spec, is_subsampled, cancelled)?;
    let file = match split {
        SplitName::Validation => files.validation,
        SplitName::Test => Some(files.test.ok_or_else(no_test_file)?),
        _ => None,
    };
    // Without a file of its own, the split is a part of the training file.
    let own = if file.is_some() { split } else { SplitName::Train };
    let rows = if let Some(labels) = labels {
        let mut rows = files.read(file.unwrap_or(files.train), split.is_required())?;
        let reader = LabelReader::of_model(labels, &rows.labels);
        files.rows(&mut rows, own, &reader)?
    } else {
        let mut all = files.read_all()?;
        let reader = files.label_reader(&all)?;
        let file = match own {
            SplitName::Validation => all.validation.as_mut(),
            SplitName::Test => all.test.as_mut(),
            _ => None,
        };
        files.rows(file.unwrap_or(&mut all.train), own, &reader)?
    };
    Ok(if own == split { rows.own } else { rows.held_out })
}

fn no_test_file() -> Error {
    Error::Usage("task custom has no test split without a test_file in its specification".into())
}

/// The rows of all files.
struct AllRows<'a> {
    train: FileRows<'a>,
    validation: Option<FileRows<'a>>,
    test: Option<FileRows<'a>>,
}

impl AllRows<'_> {
    fn notes(&mut self) -> Vec<String> {
        let all = [Some(&mut self.train), self.validation.as_mut(), self.test.as_mut()];
        all.into_iter().flatten().flat_map(|file| std::mem::take(&mut file.notes)).collect()
    }
}

/// The files of a specification with known columns.
struct CustomFiles<'a> {
    spec: RunSpec,
    train: &'a Path,
    validation: Option<&'a Path>,
    test: Option<&'a Path>,
    columns: ColumnNames,
    budget: MemoryBudget,
    is_subsampled: bool,
    cancelled: &'a AtomicBool,
    /// Rows of each split before rows are chosen.
    totals: BTreeMap<SplitName, usize>,
}

impl<'a> CustomFiles<'a> {
    fn open(spec: &'a RunSpec, is_subsampled: bool, cancelled: &'a AtomicBool) -> Result<Self> {
        let filled = infer_columns(spec)?;
        let (Some(train), Some(text), Some(label)) =
            (spec.train_file.as_deref(), filled.text_column.clone(), filled.label_column.clone())
        else {
            return Err(Error::Usage("task custom needs a train_file".into()));
        };
        let columns = ColumnNames {
            text,
            text_pair: filled.text_pair_column.clone(),
            label,
            is_label_required: true,
            is_multi_label: spec.known_problem_type() == Some(ProblemType::MultiLabelClassification),
        };
        Ok(CustomFiles {
            spec: filled,
            train,
            validation: spec.validation_file.as_deref(),
            test: spec.test_file.as_deref(),
            columns,
            budget: MemoryBudget::for_rows(),
            is_subsampled,
            cancelled,
            totals: BTreeMap::default(),
        })
    }

    /// The rows of a file. With `is_labeled`, every row needs a label.
    fn read(&mut self, file: &'a Path, is_labeled: bool) -> Result<FileRows<'a>> {
        let columns = ColumnNames { is_label_required: is_labeled, ..self.columns.clone() };
        let reading = Reading {
            options: TableOptions::from_spec(&self.spec),
            columns: &columns,
            cancelled: self.cancelled,
            is_partial: self.is_subsampled
                && (self.spec.max_train_samples.is_some() || self.spec.max_eval_samples.is_some()),
        };
        let rows = FileRows::read(file, reading, &mut self.budget)?;
        if rows.labels.len() == 0 && is_labeled {
            return Err(Error::data(file, None, "has no rows"));
        }
        Ok(rows)
    }

    fn read_all(&mut self) -> Result<AllRows<'a>> {
        Ok(AllRows {
            train: self.read(self.train, true)?,
            validation: self.validation.map(|file| self.read(file, true)).transpose()?,
            test: self.test.map(|file| self.read(file, false)).transpose()?,
        })
    }

    /// The labels of the files.
    fn label_reader(&self, all: &AllRows<'_>) -> Result<LabelReader> {
        let others = [all.validation.as_ref(), all.test.as_ref()];
        let others: Vec<&LabelColumn> = others.into_iter().flatten().map(|file| &file.labels).collect();
        LabelReader::of_files(&self.spec, (self.train, &self.columns.label), &all.train.labels, &others)
    }

    /// For each row of the training file whether it is held out for validation.
    fn hold_out(&self, train: &FileRows<'_>, reader: &LabelReader) -> Result<Vec<bool>> {
        let rows = train.labels.len();
        if rows < 2 {
            let problem =
                "has only one row and none to hold out for validation; add rows or set validation_file";
            return Err(Error::data(train.path(), None, problem));
        }
        if self.spec.stratify == Some(false) {
            return Ok(hold_out::random(rows));
        }
        let strata = reader.strata(&train.labels);
        let of_row = |code: Option<usize>| code.map_or(u32::MAX, |code| strata[code]);
        Ok(hold_out::stratified(train.labels.codes().map(of_row).collect()))
    }

    /// The labeled rows of the file of a split, and those that are held out of the training file.
    fn rows(
        &mut self,
        file: &mut FileRows<'_>,
        split: SplitName,
        reader: &LabelReader,
    ) -> Result<ChosenRows> {
        let labels = self.labels(file, split, reader)?;
        let rows = file.labels.len();
        let mut parts = vec![Some(Part::Own); rows];
        // The folds of a cross-validation are parts of all rows.
        if split == SplitName::Train && self.validation.is_none() && self.spec.folds.is_none() {
            for (part, is_held_out) in parts.iter_mut().zip(self.hold_out(file, reader)?) {
                *part = Some(if is_held_out { Part::HeldOut } else { Part::Own });
            }
        }
        // A split with unlabeled rows is not scored, whichever rows are chosen.
        let is_labeled = file.labels.codes().all(|code| code.is_some_and(|code| labels[code].is_some()));
        for (part, split) in [(Part::Own, split), (Part::HeldOut, SplitName::Validation)] {
            let count = parts.iter().filter(|other| **other == Some(part)).count();
            if count > 0 {
                self.totals.insert(split, count);
            }
            if self.is_subsampled && is_labeled {
                keep_only(&mut parts, part, subsample_indices(&self.spec, split, count));
            }
        }
        let columns = ColumnNames { is_label_required: split.is_required(), ..self.columns.clone() };
        file.choose(&parts, &labels, &columns, &mut self.budget)
    }

    /// The label of each value of a file.
    fn labels(
        &self,
        file: &FileRows<'_>,
        split: SplitName,
        reader: &LabelReader,
    ) -> Result<Vec<Option<Label>>> {
        let label = |value: &DistinctValue| match reader.get(&value.value) {
            Some(label) => Ok(Some(label)),
            None if !split.is_required() && is_hidden(&value.value) => Ok(None),
            None => {
                let (column, label) = (&self.columns.label, as_written(&value.value));
                let problem = format!("column {column}: label {:?} {}", shortened(&label), reader.problem());
                Err(row_error(file.path(), value.first, &problem))
            }
        };
        file.labels.values().iter().map(label).collect()
    }
}

/// Leaves out the rows of a part except those with the indices `kept` in it, which are ascending; `None` keeps all.
fn keep_only(parts: &mut [Option<Part>], part: Part, kept: Option<Vec<usize>>) {
    let Some(kept) = kept else { return };
    let mut kept = kept.into_iter().peekable();
    let of_part = parts.iter_mut().filter(|other| **other == Some(part));
    for (index, other) in of_part.enumerate() {
        if kept.next_if_eq(&index).is_none() {
            *other = None;
        }
    }
}
