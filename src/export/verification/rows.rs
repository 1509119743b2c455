//! The rows that an export is verified with.

use super::generated::generated_texts;
use crate::catalog::Labels;
use crate::data::{self, DatasetSource, Example, InputTable, LoadContext, TextColumns, rows_digest};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::text::plural;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Where rows are from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum RowSource {
    /// The validation split of the run.
    Validation {
        /// The task.
        task: String,
    },
    /// A file with texts.
    File {
        /// The file.
        file: PathBuf,
    },
    /// Texts that the program makes up.
    Generated {
        /// Why the validation split of the run is not used, if the model is from one.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl RowSource {
    /// As part of a sentence: `872 validation rows of task sst2`.
    pub(crate) fn describe(&self, count: usize) -> String {
        match self {
            RowSource::Validation { task } => {
                format!("{} of task {task}", plural(count as u64, "validation row"))
            }
            RowSource::File { file } => format!("{} of {}", plural(count as u64, "row"), file.display()),
            RowSource::Generated { .. } => plural(count as u64, "generated text"),
        }
    }
}

/// Rows, and where they are from.
#[derive(Debug)]
pub(in crate::export) struct VerificationRows {
    pub(in crate::export) rows: Vec<Example>,
    pub(in crate::export) source: RowSource,
}

impl VerificationRows {
    /// The rows of a file.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Data`] if the file cannot be read or has no rows.
    pub(in crate::export) fn of_file(
        path: &Path,
        columns: TextColumns<'_>,
        spec: Option<&RunSpec>,
    ) -> Result<Self> {
        let table = InputTable::open(path, spec, columns, spec.map(RunSpec::is_pair))?;
        let mut rows = Vec::new();
        table.read(&mut |(text, text_pair)| {
            rows.push(Example { text, text_pair, label: None });
            Ok(())
        })?;
        if rows.is_empty() {
            return Err(Error::data(path, None, "has no rows; an export is verified with at least one"));
        }
        Ok(VerificationRows { rows, source: RowSource::File { file: path.to_path_buf() } })
    }

    /// The validation rows of a run, or generated texts if they cannot be read, or if there are none with labels.
    pub(in crate::export) fn of_run(
        spec: &RunSpec,
        labels: &Labels,
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
        max_length: usize,
    ) -> Self {
        let reason = match validation_rows(spec, labels, hub, watch) {
            Ok(rows) if !rows.is_empty() && rows.iter().all(|row| row.label.is_some()) => {
                let source = RowSource::Validation { task: spec.task.to_string() };
                return VerificationRows { rows, source };
            }
            Ok(_) => "the validation split has no labels".into(),
            Err(error) => error.to_string(),
        };
        let rows = generated_texts(max_length, Some(spec.is_pair()));
        VerificationRows { rows, source: RowSource::Generated { reason: Some(reason) } }
    }

    /// Generated texts.
    pub(in crate::export) fn generated(max_length: usize) -> Self {
        VerificationRows {
            rows: generated_texts(max_length, None),
            source: RowSource::Generated { reason: None },
        }
    }

    /// Whether every row has a label.
    pub(in crate::export) fn are_labeled(&self) -> bool {
        matches!(self.source, RowSource::Validation { .. })
    }

    /// SHA-256 of texts and labels.
    pub(in crate::export) fn digest(&self) -> String {
        rows_digest(&self.rows)
    }
}

/// The validation rows that the run evaluates.
fn validation_rows(
    spec: &RunSpec,
    labels: &Labels,
    hub: &Hub,
    watch: &mut dyn FnMut(Progress),
) -> Result<Vec<Example>> {
    let cancelled = AtomicBool::new(false);
    let mut context = LoadContext { hub, on_progress: watch, cancelled: &cancelled };
    let split = SplitName::Validation;
    let source = DatasetSource { labels: Some(labels), ..DatasetSource::from_spec(spec) };
    data::load_selected(source, (spec, split), &mut context)
}
