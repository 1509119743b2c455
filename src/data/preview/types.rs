//! The first rows of a file or folder, and what its columns are used for.

use super::column::ColumnPreview;
use super::location::DataLocation;
use crate::catalog::{ProblemType, SplitName, TaskId};
use crate::spec::{LabelColumns, RunSpec};
use std::path::PathBuf;

/// The first rows of a file or folder, its columns, and a guess at what the columns are.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// What was opened.
    pub path: PathBuf,
    /// The files that were found.
    pub location: DataLocation,
    /// The format of the training file.
    pub format: &'static str,
    /// Notes about the files, one sentence each.
    pub notes: Vec<String>,
    /// The columns, in the order of the file.
    pub columns: Vec<ColumnPreview>,
    /// The cells of the first rows.
    pub rows: Vec<Vec<String>>,
    /// The columns that are probably texts and labels.
    pub guess: ColumnRoles,
}

/// What the columns of a file are used for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnRoles {
    /// The column of the text, or of the first text of a pair.
    pub text: Option<String>,
    /// The column of the second text of a pair.
    pub text_pair: Option<String>,
    /// The column of the label, or a column with 0 or 1 for each label.
    pub labels: Vec<String>,
    /// What is predicted; by the labels of the files when absent.
    pub problem_type: Option<ProblemType>,
}

impl Preview {
    /// Whether the columns can have other roles. Those of a task of the catalog are fixed.
    pub fn has_free_roles(&self) -> bool {
        matches!(self.location, DataLocation::Files { .. })
    }

    /// The task that the files are of.
    pub fn task(&self) -> TaskId {
        self.location.task()
    }

    /// `spec` with the task, the files and the columns of these data.
    pub fn apply(&self, roles: &ColumnRoles, spec: RunSpec) -> RunSpec {
        let task = self.task();
        match &self.location {
            DataLocation::Folder { folder, .. } => RunSpec { task, data_dir: Some(folder.clone()), ..spec },
            DataLocation::Files { files } => {
                let file = |split| files.get(&split).cloned();
                RunSpec {
                    task,
                    train_file: file(SplitName::Train),
                    validation_file: file(SplitName::Validation),
                    test_file: file(SplitName::Test),
                    text_column: roles.text.clone(),
                    text_pair_column: roles.text_pair.clone(),
                    label_column: roles.label_columns(),
                    problem_type: roles.problem_type,
                    ..spec
                }
            }
        }
    }
}

impl ColumnRoles {
    /// The columns of the labels, as a specification has them.
    pub fn label_columns(&self) -> Option<LabelColumns> {
        match &self.labels[..] {
            [] => None,
            [one] => Some(LabelColumns::One(one.clone())),
            several => Some(LabelColumns::Several(several.to_vec())),
        }
    }
}
