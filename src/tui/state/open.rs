//! The state of the Open screen: a file or folder with data, before it is an experiment.

use crate::catalog::ProblemType;
use crate::data::{ColumnRoles, Preview};
use std::path::PathBuf;

/// The state of the screen.
#[derive(Debug, Default)]
pub struct OpenState {
    /// The file or folder.
    pub path: PathBuf,
    /// Its first rows, once they are read; or the error.
    pub result: Option<Result<Preview, String>>,
    /// What the columns are used for.
    pub roles: ColumnRoles,
    /// The model that was chosen.
    pub model: Option<String>,
    /// The column under the cursor.
    pub column: usize,
    /// The first row that is shown.
    pub first_row: usize,
}

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnUse {
    /// The text.
    Text,
    /// The second text.
    TextPair,
    /// The label, or one of them.
    Label,
}

impl OpenState {
    /// The screen on a path of which nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        OpenState { path, ..OpenState::default() }
    }

    /// The first rows, once they are read.
    pub fn preview(&self) -> Option<&Preview> {
        self.result.as_ref()?.as_ref().ok()
    }

    /// The name of the column under the cursor.
    pub fn column_name(&self) -> Option<&str> {
        self.preview()?.columns.get(self.column).map(|column| column.name.as_str())
    }

    /// What a column is used for.
    pub fn use_of(&self, column: &str) -> Option<ColumnUse> {
        let roles = &self.roles;
        if roles.text.as_deref() == Some(column) {
            Some(ColumnUse::Text)
        } else if roles.text_pair.as_deref() == Some(column) {
            Some(ColumnUse::TextPair)
        } else {
            roles.labels.iter().any(|label| label == column).then_some(ColumnUse::Label)
        }
    }

    /// Uses the column under the cursor as the text; a column has one use.
    pub fn set_text(&mut self) {
        let Some(name) = self.column_name().map(str::to_string) else { return };
        self.clear_use(&name);
        self.roles.text = Some(name);
    }

    /// Uses the column under the cursor as the second text, or does not if it is that already.
    pub fn toggle_text_pair(&mut self) {
        let Some(name) = self.column_name().map(str::to_string) else { return };
        let was_pair = self.use_of(&name) == Some(ColumnUse::TextPair);
        self.clear_use(&name);
        self.roles.text_pair = (!was_pair).then_some(name);
    }

    /// Uses the column under the cursor as the label. A column of 0 and 1 is added to such columns that are labels
    /// already, and taken from them again.
    pub fn toggle_label(&mut self) {
        let Some(column) = self.preview().and_then(|preview| preview.columns.get(self.column)) else {
            return;
        };
        let (name, is_binary) = (column.name.clone(), column.is_binary);
        let was_label = self.use_of(&name) == Some(ColumnUse::Label);
        let are_binary = self.roles.labels.iter().all(|label| self.is_binary(label));
        if was_label && self.roles.labels.len() > 1 {
            self.roles.labels.retain(|label| *label != name);
        } else if !was_label {
            self.clear_use(&name);
            if !(is_binary && are_binary) {
                self.roles.labels.clear();
            }
            self.roles.labels.push(name);
        }
        self.roles.problem_type = None;
        // In the order of the file.
        let order: Vec<String> = self
            .preview()
            .map_or(Vec::new(), |preview| preview.columns.iter().map(|c| c.name.clone()).collect());
        self.roles.labels.sort_by_key(|label| order.iter().position(|name| name == label));
    }

    /// Switches to the next problem type; after the last one, the labels decide again.
    pub fn next_problem_type(&mut self) {
        let all = ProblemType::ALL;
        self.roles.problem_type = match self.roles.problem_type {
            None => all.first().copied(),
            Some(current) => all.iter().skip_while(|other| **other != current).nth(1).copied(),
        };
    }

    fn is_binary(&self, column: &str) -> bool {
        let columns = self.preview().map_or(&[][..], |preview| &preview.columns);
        columns.iter().any(|other| other.name == column && other.is_binary)
    }

    fn clear_use(&mut self, name: &str) {
        let roles = &mut self.roles;
        for role in [&mut roles.text, &mut roles.text_pair] {
            if role.as_deref() == Some(name) {
                *role = None;
            }
        }
        roles.labels.retain(|label| label != name);
    }

    /// What no column is used for yet, so that the data cannot be trained on.
    pub fn missing(&self) -> Option<ColumnUse> {
        match self.preview().filter(|preview| preview.has_free_roles()) {
            Some(_) if self.roles.text.is_none() => Some(ColumnUse::Text),
            Some(_) if self.roles.labels.is_empty() => Some(ColumnUse::Label),
            _ => None,
        }
    }
}
