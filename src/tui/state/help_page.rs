//! The lines of the help, laid out in columns.

use super::app::App;
use super::help::HelpState;
use crate::tui::screen::Context;
use crate::tui::widgets::wrap;

/// Width of the column of keys, in cells.
pub(in crate::tui) const KEYS: usize = 15;
/// Width of a column of the help, in cells.
pub(in crate::tui) const COLUMN: u16 = 90;
/// Gap between two columns, in cells.
pub(in crate::tui) const GAP: u16 = 4;

/// A line of the help.
pub(in crate::tui) enum HelpLine {
    /// The name of a context.
    Heading(&'static str),
    /// Keys and a description; the keys are empty if they are those of the line above.
    Keys(String, String),
}

/// The layout of the help.
pub(in crate::tui) struct Page {
    /// The lines of each column.
    pub(in crate::tui) columns: Vec<Vec<HelpLine>>,
    /// Cells of a column.
    pub(in crate::tui) width: u16,
}

impl Page {
    /// Number of lines of the longest column.
    pub(in crate::tui) fn rows(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Lays out the help in one or two columns of about the same length.
pub(in crate::tui) fn page(app: &App, help: &HelpState, screen: u16) -> Page {
    let available = screen.saturating_sub(8);
    let count = if available >= 2 * COLUMN + GAP { 2 } else { 1 };
    let width = available.min(COLUMN);
    let groups = groups(app, &help.search.text().trim().to_lowercase(), width as usize);
    let all: usize = groups.iter().map(|group| group.len() + 1).sum();
    let mut columns: Vec<Vec<HelpLine>> = Vec::new();
    for group in groups {
        match columns.last_mut() {
            Some(column) if column.len() < all / count => {
                column.push(HelpLine::Heading(""));
                column.extend(group);
            }
            _ => columns.push(group),
        }
    }
    Page { columns, width }
}

/// The lines of each context, the current ones first; only those that contain `lower`.
fn groups(app: &App, lower: &str, width: usize) -> Vec<Vec<HelpLine>> {
    let behind = app.contexts_behind_popup();
    let rest =
        Context::ALL.into_iter().filter(|context| !behind.contains(context) && *context != Context::Global);
    let contexts = behind.iter().copied().chain([Context::Global]).chain(rest);
    contexts.filter_map(|context| group(app, context, lower, width)).collect()
}

fn group(app: &App, context: Context, lower: &str, width: usize) -> Option<Vec<HelpLine>> {
    let heading = context.heading();
    let contains = |text: &str| text.to_lowercase().contains(lower);
    // An action that depends on the item under the cursor has several bindings: its keys are listed once, with each
    // different description.
    let mut actions: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for binding in app.keymap.of(context) {
        let listed = actions.iter_mut().find(|(name, _, _)| *name == binding.name);
        match listed {
            Some((_, _, descriptions)) if descriptions.contains(&binding.description) => {}
            Some((_, _, descriptions)) => descriptions.push(binding.description),
            None => actions.push((binding.name, binding.keys(app.theme), vec![binding.description])),
        }
    }
    let mut lines = Vec::new();
    for (_, keys, descriptions) in actions {
        let mut keys = if keys.is_empty() { "no key".to_string() } else { keys };
        let is_match = contains(heading) || contains(&keys);
        for description in descriptions.into_iter().filter(|description| is_match || contains(description)) {
            for text in wrap(description, width.saturating_sub(KEYS)) {
                lines.push(HelpLine::Keys(std::mem::take(&mut keys), text));
            }
        }
    }
    (!lines.is_empty()).then(|| std::iter::once(HelpLine::Heading(heading)).chain(lines).collect())
}
