//! The filter of a list of runs while it is typed and applied.

use crate::run::filter::RunFilter;
use crate::tui::widgets::text_field::{Edit, TextField};

/// The filter of a list of runs.
#[derive(Debug, Default)]
pub struct FilterField {
    field: TextField,
    filter: RunFilter,
    /// Whether it is being typed.
    pub is_editing: bool,
}

impl FilterField {
    /// The text.
    pub fn text(&self) -> &str {
        self.field.text()
    }

    /// The text field.
    pub(in crate::tui) fn field(&self) -> &TextField {
        &self.field
    }

    /// The filter that the text describes.
    pub(in crate::tui) fn filter(&self) -> &RunFilter {
        &self.filter
    }

    /// Edits the text; returns whether it changed.
    pub(in crate::tui) fn edit(&mut self, edit: &Edit) -> bool {
        let is_changed = self.field.edit(edit);
        if is_changed {
            self.filter = RunFilter::parse(self.field.text());
        }
        is_changed
    }

    /// Replaces the text.
    pub(in crate::tui) fn set(&mut self, text: &str) {
        self.field = TextField::new(text);
        self.filter = RunFilter::parse(self.field.text());
    }

    /// Why a term is not valid.
    pub(in crate::tui) fn problem(&self) -> Option<String> {
        self.filter.problems().first().map(ToString::to_string)
    }
}
