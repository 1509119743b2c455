//! The lines of the help, laid out in columns.

use super::app::App;
use super::help::HelpState;
use crate::tui::screen::Context;
use crate::tui::widgets::wrap;

/// Cells of the keys before their sentences.
pub(in crate::tui) const KEYS: usize = 15;
/// Cells that are enough for most lines.
pub(in crate::tui) const COLUMN: u16 = 90;
/// Cells between two columns.
pub(in crate::tui) const GAP: u16 = 4;

/// A line of the help.
pub(in crate::tui) enum HelpLine {
    /// Where the keys below it hold.
    Heading(&'static str),
    /// Keys, or nothing where they are those of the line above, and what they do.
    Keys(String, String),
}

/// How the lines lie on the screen.
pub(in crate::tui) struct Page {
    /// The lines of each column.
    pub(in crate::tui) columns: Vec<Vec<HelpLine>>,
    /// Cells of a column.
    pub(in crate::tui) width: u16,
}

impl Page {
    /// Lines of the longest column.
    pub(in crate::tui) fn rows(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// The lines, in as many columns as are wide enough and of about the same length.
pub(in crate::tui) fn page(app: &App, help: &HelpState, screen: u16) -> Page {
    let room = screen.saturating_sub(8);
    let count = if room >= 2 * COLUMN + GAP { 2 } else { 1 };
    let width = room.min(COLUMN);
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

/// A heading and its keys for each context, that of the screen in front first; only those that contain `lower`.
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
    // An action's keys stand once, with all that they do; what depends on the line under the cursor is not
    // always told in its own words.
    let mut actions: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for binding in app.keymap.of(context) {
        let known = actions.iter_mut().find(|(name, _, _)| *name == binding.name);
        match known {
            Some((_, _, told)) if told.contains(&binding.sentence) => {}
            Some((_, _, told)) => told.push(binding.sentence),
            None => actions.push((binding.name, binding.keys(app.theme), vec![binding.sentence])),
        }
    }
    let mut lines = Vec::new();
    for (_, keys, told) in actions {
        let mut keys = if keys.is_empty() { "no key".to_string() } else { keys };
        let is_wanted = contains(heading) || contains(&keys);
        for sentence in told.into_iter().filter(|sentence| is_wanted || contains(sentence)) {
            for text in wrap(sentence, width.saturating_sub(KEYS)) {
                lines.push(HelpLine::Keys(std::mem::take(&mut keys), text));
            }
        }
    }
    (!lines.is_empty()).then(|| std::iter::once(HelpLine::Heading(heading)).chain(lines).collect())
}
