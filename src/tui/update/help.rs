//! Actions of the help.

use super::list::moved;
use crate::tui::action::{FilterAction, ListAction};
use crate::tui::state::App;
use crate::tui::state::help::HelpState;
use crate::tui::state::help_page::page;
use crate::tui::widgets::text_field::Edit;

/// Scrolls.
pub(super) fn scroll(app: &App, help: &mut HelpState, action: ListAction) {
    let height = app.size.1.saturating_sub(6).max(1) as usize;
    let last = page(app, help, app.size.0).rows().saturating_sub(height);
    help.first = moved(help.first, last + 1, action);
}

/// Starts, ends or clears the search.
pub(super) fn filter(help: &mut HelpState, action: FilterAction) {
    match action {
        FilterAction::Start => help.is_searching = true,
        FilterAction::Accept => help.is_searching = false,
        FilterAction::Clear => *help = HelpState::default(),
    }
}

/// Types into the search.
pub(super) fn type_in(help: &mut HelpState, edit: &Edit) {
    if help.is_searching && help.search.edit(edit) {
        help.first = 0;
    }
}
