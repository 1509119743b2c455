//! A file whose texts are to be predicted, and a copy of it with the predictions.

use super::custom::infer_text_columns;
use super::new_column::NewColumn;
use super::read::embedded_columns;
use super::read::table::{ColumnNames, Destination, Table, TableOptions, available_columns};
use crate::catalog::{Columns, FileFormat, LocalFormat, Task, TaskSource};
use crate::error::{Error, Result};
use crate::spec::RunSpec;
use std::io::Write;
use std::path::Path;

/// The columns of the texts, where they are given.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextColumns<'a> {
    /// The column of the text, or of the first text of a pair.
    pub text: Option<&'a str>,
    /// The column of the second text.
    pub text_pair: Option<&'a str>,
}

/// A file with known text columns.
#[derive(Debug)]
pub struct InputTable<'p> {
    table: Table<'p>,
    columns: ColumnNames,
}

impl<'p> InputTable<'p> {
    /// Opens a file. The texts are in the columns that are given, or else in those that the run with `spec` was trained
    /// on, or else in the columns that training would choose. `is_pair` says whether the model takes pairs, if known.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Data`] if the file cannot be read or its text columns are not known.
    pub fn open(
        path: &'p Path,
        spec: Option<&RunSpec>,
        given: TextColumns<'_>,
        is_pair: Option<bool>,
    ) -> Result<Self> {
        let custom = spec.filter(|spec| spec.task().is_custom());
        let options = custom.map(TableOptions::from_spec).unwrap_or_default();
        let known = given.text.or(custom.and_then(|spec| spec.text_column.as_deref()));
        let table = Table::open_with_column(path, &options, known)?;
        let (text, text_pair) = text_columns(path, &table, spec, given, is_pair)?;
        Ok(InputTable { table, columns: ColumnNames::of_texts(text, text_pair) })
    }

    /// The names of all columns.
    pub fn names(&self) -> &[String] {
        self.table.names()
    }

    /// The format of the content.
    pub fn format(&self) -> FileFormat {
        self.table.format()
    }

    /// What was detected in the file, for the user.
    pub fn notes(&self) -> Vec<String> {
        self.table.notes()
    }

    /// Reads the texts of every row in order.
    ///
    /// # Errors
    /// [`Error::Data`] for an invalid row, and the errors of `on_texts`.
    pub fn read(&self, on_texts: &mut dyn FnMut((String, Option<String>)) -> Result<()>) -> Result<()> {
        self.table.read(&self.columns, &mut |record| on_texts((record.text, record.text_pair)))
    }

    /// Writes all rows with all columns and `new` ones to `out`, whose name is `out_name`, in the format of the file.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::Data`] if the file has changed since it was read.
    pub fn copy_with(&self, new: &[NewColumn], out_name: &Path, out: &mut (dyn Write + Send)) -> Result<()> {
        self.table.copy_with(new, Destination { name: out_name, writer: out })
    }
}

/// The columns of the texts in a table.
fn text_columns(
    path: &Path,
    table: &Table<'_>,
    spec: Option<&RunSpec>,
    given: TextColumns<'_>,
    is_pair: Option<bool>,
) -> Result<(String, Option<String>)> {
    let names = table.names();
    let has = |name: &String| names.contains(name);
    let is_suitable = |(text, text_pair): &(String, Option<String>)| {
        has(text)
            && text_pair.as_ref().is_none_or(has)
            && is_pair.is_none_or(|pair| pair == text_pair.is_some())
    };
    if given.text.is_some() || given.text_pair.is_some() {
        return given_columns(path, table, given, is_pair);
    }
    let trained = spec.map(trained_columns).unwrap_or_default().into_iter();
    let trained = trained.map(|(text, pair)| (table.resolve(&text), pair.map(|pair| table.resolve(&pair))));
    let mut candidates = trained.chain(infer_text_columns(names, &"label".into()));
    candidates.find(is_suitable).ok_or_else(|| {
        let what = if is_pair == Some(true) { "text columns" } else { "text column" };
        let problem = format!(
            "has no unambiguous {what}; name it with --text-column, and --text-pair-column for pairs; {}",
            available_columns(names)
        );
        Error::data(path, None, problem)
    })
}

fn given_columns(
    path: &Path,
    table: &Table<'_>,
    given: TextColumns<'_>,
    is_pair: Option<bool>,
) -> Result<(String, Option<String>)> {
    let check = |name: &str| {
        let name = table.resolve(name);
        if table.names().contains(&name) {
            return Ok(name);
        }
        Err(Error::data(path, None, format!("has no column {name}; {}", available_columns(table.names()))))
    };
    let (text, text_pair) = match (given.text, given.text_pair, is_pair) {
        (None, ..) => return Err(Error::Usage("--text-pair-column needs --text-column".into())),
        (Some(_), None, Some(true)) => {
            return Err(Error::Usage(
                "the model expects a pair of texts; name the second column with --text-pair-column".into(),
            ));
        }
        (Some(_), Some(_), Some(false)) => {
            return Err(Error::Usage("the model expects a single text; leave --text-pair-column out".into()));
        }
        (Some(text), text_pair, _) => (text, text_pair),
    };
    Ok((check(text)?, text_pair.map(check).transpose()?))
}

/// The text columns of the files that a run was trained on, in each of their formats.
fn trained_columns(spec: &RunSpec) -> Vec<(String, Option<String>)> {
    let task = spec.task();
    match &spec.text_column {
        Some(text) if task.is_custom() => vec![(text.clone(), spec.text_pair_column.clone())],
        _ => task_columns(task),
    }
}

fn task_columns(task: &Task) -> Vec<(String, Option<String>)> {
    let columns = match &task.source {
        TaskSource::Files { local: LocalFormat::Tsv { columns, .. }, hub, .. } => vec![columns, &hub.columns],
        TaskSource::Files { hub, .. } => vec![&hub.columns],
        TaskSource::Embedded(_) => vec![embedded_columns(task)],
        TaskSource::Custom => Vec::new(),
    };
    let names = |columns: &Columns| (columns.text.to_string(), columns.text_pair.map(str::to_string));
    columns.into_iter().map(names).collect()
}
