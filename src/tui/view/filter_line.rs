//! The filter below a list of runs, with what is wrong with it.

use crate::tui::state::filter::FilterField;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{draw_text, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Lines that the filter needs: none unless it is being edited or not empty, one more for what is wrong with it.
pub(super) fn height(filter: &FilterField) -> u16 {
    match (filter.is_editing || !filter.text().is_empty(), filter.problem()) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(_)) => 2,
    }
}

/// Splits `inner` into the area of a list and, if the filter is being edited or not empty, last lines for the filter and
/// what is wrong with it.
pub(super) fn areas(filter: &FilterField, inner: Rect) -> (Rect, Option<Rect>) {
    let height = height(filter).min(inner.height.saturating_sub(1));
    if height == 0 {
        return (inner, None);
    }
    let list = Rect { height: inner.height - height, ..inner };
    (list, Some(Rect { y: list.bottom(), height, ..inner }))
}

/// Draws the filter in its area; returns the position of the terminal's cursor while it is edited.
pub(super) fn draw(filter: &FilterField, area: Rect, theme: Theme, buffer: &mut Buffer) -> Option<Position> {
    let cursor = filter.field().draw_filter(buffer, Rect { height: 1, ..area }, theme);
    if let (Some(problem), 2..) = (filter.problem(), area.height) {
        let width = area.width.saturating_sub(3);
        let problem = truncate(theme, &problem, usize::from(width));
        draw_text(buffer, area.x + 3, area.y + 1, width, &problem, theme.style(Role::Warning));
    }
    filter.is_editing.then_some(cursor)
}
