//! Pieces of the screen that know no app: they borrow, draw and end.

pub mod bars;
pub mod canvas;
pub mod line_chart;
pub mod text_field;

use super::theme::{Glyph, Role, Theme};
use crate::text::{cells, clusters, shown, width as cells_of};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, Padding};

/// A framed pane with a title; the frame of one that takes the keys stands out.
pub fn pane(theme: Theme, title: &str, focused: bool) -> Block<'_> {
    let role = if focused { Role::Focus } else { Role::Frame };
    let block = Block::bordered().border_set(theme.border()).border_style(theme.style(role));
    if title.is_empty() {
        return block;
    }
    block.title(Span::styled(format!(" {} ", shown(title)), theme.style(Role::Title)))
}

/// [`pane`] with a column of air on both sides.
pub fn airy_pane(theme: Theme, title: &str, focused: bool) -> Block<'_> {
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
        out += theme.glyph(Glyph::Ellipsis);
    }
    out
}

/// `text` cut or filled up with spaces to exactly `width` cells.
pub fn fixed(theme: Theme, text: &str, width: usize) -> String {
    let mut out = cut(theme, text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(cells_of(&out))));
    out
}

/// `text` in lines of at most `width` cells, broken at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let ranges = text_field::wrap_ranges(paragraph, width);
        lines.extend(ranges.into_iter().map(|range| paragraph[range].trim_end().to_string()));
    }
    lines
}

/// The middle `width` × `height` cells of `area`, or what there is of them.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Letters, Palette};

    const THEME: Theme = Theme::new(Palette::None, Letters::Unicode);

    #[test]
    fn text_is_cut_by_cells() {
        assert_eq!(cut(THEME, "abcdef", 6), "abcdef");
        assert_eq!(cut(THEME, "abcdefg", 6), "abcde…");
        assert_eq!(cut(THEME, "日本語です", 6), "日本…");
        assert_eq!(cut(THEME, "abc", 0), "");
        assert_eq!(fixed(THEME, "日本語です", 6), "日本… ");
    }

    #[test]
    fn text_wraps_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
    }
}
