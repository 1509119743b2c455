//! The text in the middle of a screen that has nothing to show yet.

use crate::tui::state::App;
use crate::tui::theme::Role;
use crate::tui::widgets::{draw_text, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Maximum width of the text in cells.
const MAX_WIDTH: u16 = 72;
/// Minimum width of the left and right margins together in cells.
const MARGINS: u16 = 8;

/// Draws a wrapped text at a third of the height of `area`, with `role` for its first paragraph.
pub(super) fn draw(app: &App, text: &str, role: Role, area: Rect, buffer: &mut Buffer) {
    let width = area.width.saturating_sub(MARGINS).min(MAX_WIDTH);
    let x = area.x + (area.width - width) / 2;
    let first = area.y + area.height / 3;
    let (heading, rest) = text.split_once('\n').unwrap_or((text, ""));
    let heading = wrap(heading, usize::from(width)).into_iter().map(|line| (line, role));
    let rest = wrap(rest, usize::from(width)).into_iter().map(|line| (line, Role::Muted));
    for ((line, role), y) in heading.chain(rest).zip(first..area.bottom()) {
        draw_text(buffer, x, y, width, &line, app.theme.style(role));
    }
}
