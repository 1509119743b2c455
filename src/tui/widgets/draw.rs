//! Panes and lines of text.

use crate::text::{cells, clusters, drawable, width as cells_of};
use crate::tui::theme::{Role, Symbol, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use ratatui::widgets::{Block, Padding};

/// A bordered pane with a title; the border of a focused pane is highlighted.
pub fn pane(theme: Theme, title: &str, focused: bool) -> Block<'static> {
    let role = if focused { Role::Focus } else { Role::Frame };
    let block = Block::bordered().border_set(theme.border()).border_style(theme.style(role));
    if title.is_empty() {
        return block;
    }
    block.title(Span::styled(format!(" {} ", drawable(title)), theme.style(Role::Title)))
}

/// [`pane`] with one column of padding on both sides.
pub fn padded_pane(theme: Theme, title: &str, focused: bool) -> Block<'static> {
    pane(theme, title, focused).padding(Padding::horizontal(1))
}

/// Writes one line of text, truncated to `width` cells and to the buffer; returns the column after it.
pub fn draw_text(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if width == 0 || !buffer.area.contains(Position { x, y }) {
        return x;
    }
    // A style adds its modifiers to those of the cells, and text over faint symbols must not be faint in part.
    let style =
        if style.add_modifier.contains(Modifier::DIM) { style } else { style.remove_modifier(Modifier::DIM) };
    buffer.set_stringn(x, y, drawable(text), width as usize, style).0
}

/// Writes one line of text that ends at column `right` (exclusive).
pub fn draw_text_right(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    let width = (cells_of(text) as u16).min(area.width);
    draw_text(buffer, area.right() - width, y, width, text, style);
}

/// Writes the title of a screen at the top of `area`, truncated so that `right` more cells fit behind it.
pub fn draw_title(theme: Theme, buffer: &mut Buffer, area: Rect, text: &str, right: usize) {
    let available = usize::from(area.width).saturating_sub(right + 2);
    let text = truncate(theme, text, available);
    draw_text(buffer, area.x + 1, area.y, area.width, &text, theme.style(Role::Title));
}

/// `text` truncated to at most `width` cells, with an ellipsis.
pub fn truncate(theme: Theme, text: &str, width: usize) -> String {
    if cells_of(text) <= width {
        return text.to_string();
    }
    let mut out = String::new();
    let mut used = 0;
    for (_, cluster) in clusters(text) {
        used += cells(cluster);
        if used + 1 > width {
            break;
        }
        out += cluster;
    }
    if width > 0 {
        out += theme.symbol(Symbol::Ellipsis);
    }
    out
}

/// `text` truncated or padded with spaces to exactly `width` cells.
pub fn fit_width(theme: Theme, text: &str, width: usize) -> String {
    let mut out = truncate(theme, text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(cells_of(&out))));
    out
}

/// The first visible line of a list with `count` lines in an area of `height` lines, if line `at` is selected. The
/// line after the selected one is visible too.
pub fn first_visible(at: usize, count: usize, height: usize) -> usize {
    (at + 2).saturating_sub(height).min(count.saturating_sub(height)).min(at)
}

/// How many of `count` lines to draw in `height` lines, and how many are left out: if not all fit, the last line is for
/// the number of those.
pub fn fitting(count: usize, height: usize) -> (usize, usize) {
    let visible = if count <= height { count } else { height.saturating_sub(1) };
    (visible, count - visible)
}

/// The line of a list in `area` at a position of the screen, where `first` is the first visible line.
pub fn line_at_position(area: Rect, first: usize, position: Position) -> Option<usize> {
    area.contains(position).then(|| first + usize::from(position.y - area.y))
}

/// The centered area of at most `width` × `height` cells in `area`.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
