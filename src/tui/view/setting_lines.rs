//! Lines of a name and a value.

use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{draw_text, fit_width, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Width of the names of settings in cells.
pub(super) const LABEL: usize = 15;

/// Draws a line if it is inside `area`; returns the next line.
pub(super) fn next_line(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) -> u16 {
    if y < area.bottom() {
        draw_text(buffer, area.x, y, area.width, text, style);
    }
    y + 1
}

/// Draws a name and its wrapped value; returns the next line.
pub(super) fn setting(
    buffer: &mut Buffer,
    area: Rect,
    mut y: u16,
    label: &str,
    value: &str,
    theme: Theme,
) -> u16 {
    let label = if y < area.bottom() { fit_width(theme, label, LABEL) } else { return y };
    draw_text(buffer, area.x, y, area.width, &label, theme.style(Role::Muted));
    let x = area.x + LABEL as u16;
    let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
    for line in wrap(value, rest.width as usize) {
        y = next_line(buffer, rest, y, &line, theme.style(Role::Text));
    }
    y
}
