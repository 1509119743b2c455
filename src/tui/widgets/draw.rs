//! Panes and lines of text.

use crate::text::{cells, clusters, shown, width as cells_of};
use crate::tui::theme::{Role, Symbol, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, Padding};

/// A framed pane with a title; the frame of one that takes the keys stands out.
pub fn pane(theme: Theme, title: &str, focused: bool) -> Block<'static> {
    let role = if focused { Role::Focus } else { Role::Frame };
    let block = Block::bordered().border_set(theme.border()).border_style(theme.style(role));
    if title.is_empty() {
        return block;
    }
    block.title(Span::styled(format!(" {} ", shown(title)), theme.style(Role::Title)))
}

/// [`pane`] with a column of air on both sides.
pub fn airy_pane(theme: Theme, title: &str, focused: bool) -> Block<'static> {
    pane(theme, title, focused).padding(Padding::horizontal(1))
}

/// Writes one line of text, cut to `width` cells and to the buffer; returns the column after it.
pub fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if width == 0 || !buffer.area.contains(Position { x, y }) {
        return x;
    }
    buffer.set_stringn(x, y, shown(text), width as usize, style).0
}

/// Writes one line of text that ends at column `right` (exclusive).
pub fn put_right(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    let width = (cells_of(text) as u16).min(area.width);
    put(buffer, area.right() - width, y, width, text, style);
}

/// `text` in at most `width` cells, with an ellipsis where it is cut.
pub fn cut(theme: Theme, text: &str, width: usize) -> String {
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
        out += theme.glyph(Symbol::Ellipsis);
    }
    out
}

/// `text` cut or filled up with spaces to exactly `width` cells.
pub fn fixed(theme: Theme, text: &str, width: usize) -> String {
    let mut out = cut(theme, text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(cells_of(&out))));
    out
}

/// The first of `count` lines that are in sight in a list of so many `height` lines. The line after the one
/// under the cursor stays in sight, so that one sees where the list goes on.
pub fn first_in_sight(at: usize, count: usize, height: usize) -> usize {
    (at + 2).saturating_sub(height).min(count.saturating_sub(height)).min(at)
}

/// The line of a list in `area` that a place of the screen is on, with the first in sight on its top.
pub fn line_under(area: Rect, first: usize, place: Position) -> Option<usize> {
    area.contains(place).then(|| first + usize::from(place.y - area.y))
}

/// The middle `width` × `height` cells of `area`, or what there is of them.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
