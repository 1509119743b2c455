//! Moves of the cursor in a list.

use crate::tui::action::ListAction;

/// The index of the cursor after a move among `count` lines.
pub(super) fn moved(index: usize, count: usize, action: ListAction) -> usize {
    let last = count.saturating_sub(1);
    match action {
        ListAction::Up => index.saturating_sub(1),
        ListAction::Down => index + 1,
        ListAction::PageUp => index.saturating_sub(10),
        ListAction::PageDown => index + 10,
        ListAction::First => 0,
        ListAction::Last => last,
    }
    .min(last)
}
