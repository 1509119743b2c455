//! Pieces of the screen that know no app: they borrow, draw and end.

pub mod bars;
pub mod canvas;
pub mod line_chart;
pub mod text_field;

use super::theme::{Role, Symbol, Theme};
use crate::text::{cells, clusters, shown, width as cells_of};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};
    use proptest::prelude::*;
    use ratatui::widgets::Widget;

    const THEME: Theme = Theme::new(ColorDepth::None, Charset::Unicode);

    #[test]
    fn text_is_truncated_by_cells() {
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

    /// Hostile text: control and bidirectional characters, escape sequences, wide characters and grapheme clusters,
    /// isolated combining marks.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[ -~]{0,6}",
            prop::sample::select(vec![
                "\x1b[31m",
                "\x1b]0;x\x07",
                "\r\n",
                "\t",
                "\u{9b}2J",
                "\u{202e}",
                "\u{2066}",
                "\u{feff}",
                "👩\u{200d}👩\u{200d}👧",
                "👍🏽",
                "❤\u{fe0f}",
                "1\u{fe0f}\u{20e3}",
                "🇩🇪",
                "日本",
                "e\u{301}",
                "\u{301}",
                "שלום",
                "\u{644}\u{627}",
                "ｶﾞ",
                "क्षि",
                "각",
                "\u{200b}",
                "\u{ad}",
                "﷽",
            ])
            .prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// Draws on a buffer of `#`. Checks that cells outside of `inside` do not change, and that cells inside have no
    /// control characters and the right width.
    fn draws_within(inside: Rect, draw: impl FnOnce(&mut Buffer)) -> Result<(), TestCaseError> {
        let mut buffer = Buffer::filled(Rect::new(0, 0, 24, 6), ratatui::buffer::Cell::new("#"));
        draw(&mut buffer);
        for y in 0..6 {
            let mut covered = 0;
            for x in 0..24 {
                let symbol = buffer[(x, y)].symbol();
                let is_inside = inside.contains(Position { x, y });
                prop_assert!(is_inside || symbol == "#", "{symbol:?} at {x}, {y}");
                prop_assert!(!symbol.contains(char::is_control), "{symbol:?}");
                if x < covered || !is_inside {
                    continue;
                }
                let cells: usize =
                    symbol.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)).sum();
                prop_assert!(x + cells as u16 <= inside.right(), "{symbol:?} at {x}");
                prop_assert_eq!(cells, cells_of(symbol), "{:?}", symbol);
                covered = x + cells as u16;
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn widgets_draw_within_their_area(text in hostile(), width in 0_u16..20, at in 0_usize..12) {
            let area = Rect::new(2, 1, width, 3);
            let line = Rect { height: 1, ..area };
            let style = Style::new();
            draws_within(line, |buffer| { put(buffer, 2, 1, width, &text, style); })?;
            draws_within(line, |buffer| put_right(buffer, line, 1, &text, style))?;
            draws_within(area, |buffer| pane(THEME, &text, true).render(area, buffer))?;
            let cells = width as usize;
            prop_assert!(cells_of(&cut(THEME, &text, cells)) <= cells);
            prop_assert_eq!(cells_of(&fixed(THEME, &text, cells)), cells);
            for line in wrap(&text, cells.max(4)) {
                let is_one = clusters(&line).count() == 1;
                prop_assert!(is_one || cells_of(&line) <= cells.max(4), "{line:?}");
            }
            let mut field = text_field::TextField::new(&text);
            (0..at).for_each(|_| { field.edit(&text_field::Edit::Left); });
            draws_within(line, |buffer| { field.draw_line(buffer, line, style); })?;
            draws_within(area, |buffer| { field.draw_paragraph(buffer, area, THEME, ""); })?;
            for place in [
                field.draw_line(&mut Buffer::empty(line), line, style),
                field.draw_paragraph(&mut Buffer::empty(area), area, THEME, ""),
            ] {
                prop_assert!(width == 0 || area.contains(place), "{place:?}");
            }
        }
    }
}
