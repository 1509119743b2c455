//! Pieces of the screen that know no app: they borrow, draw and end.

pub mod bars;
pub mod line_chart;
pub mod text_field;

use super::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, Padding};
use unicode_width::UnicodeWidthStr;

/// A framed pane with a title; the frame of one that takes the keys stands out.
pub fn pane(theme: Theme, title: &str, focused: bool) -> Block<'_> {
    let role = if focused { Role::Focus } else { Role::Frame };
    let block = Block::bordered().border_set(theme.border()).border_style(theme.style(role));
    if title.is_empty() {
        return block;
    }
    block.title(Span::styled(format!(" {title} "), theme.style(Role::Title)))
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
    buffer.set_stringn(x, y, text, width as usize, style).0
}

/// Writes one line of text that ends at column `right` (exclusive).
pub fn put_right(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    let width = (text.width() as u16).min(area.width);
    put(buffer, area.right() - width, y, width, text, style);
}

/// `text` in at most `width` cells, with an ellipsis where it is cut.
pub fn cut(theme: Theme, text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let ellipsis = theme.sign("…", "~");
    let mut out = String::new();
    let mut used = 0;
    for grapheme in Span::raw(text).styled_graphemes(Style::new()) {
        used += grapheme.symbol.width();
        if used + 1 > width {
            break;
        }
        out += grapheme.symbol;
    }
    if width > 0 {
        out += ellipsis;
    }
    out
}

/// `text` cut or filled up with spaces to exactly `width` cells.
pub fn fixed(theme: Theme, text: &str, width: usize) -> String {
    let mut out = cut(theme, text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(out.width())));
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

/// Text that came from outside with its control and direction characters made visible, so that
/// it can neither move the cursor nor hide what it says.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
            '\x7f' => '\u{2421}',
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Palette;

    const THEME: Theme = Theme { palette: Palette::None, ascii: false };

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

    #[test]
    fn hostile_text_is_harmless() {
        assert_eq!(harmless("a\x1b[31mb\tc\u{202e}d"), "a␛[31mb c\u{fffd}d");
    }
}
