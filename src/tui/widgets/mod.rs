//! Widgets: parts of the screen that do not depend on the application state.

pub mod bars;
pub mod canvas;
mod draw;
pub mod line_chart;
pub mod scatter;
pub mod text_field;
mod wrap;

pub use draw::{
    centered, draw_text, draw_text_right, draw_title, first_visible, fit_width, fitting, line_at_position,
    padded_pane, pane, truncate,
};
pub use wrap::{wrap, wrap_ranges};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{clusters, width as cells_of};
    use crate::tui::theme::{Charset, ColorDepth, Theme};
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::{Position, Rect};
    use ratatui::style::Style;
    use ratatui::widgets::Widget;

    const THEME: Theme = Theme::new(ColorDepth::None, Charset::Unicode);

    #[test]
    fn text_is_truncated_by_cells() {
        assert_eq!(truncate(THEME, "abcdef", 6), "abcdef");
        assert_eq!(truncate(THEME, "abcdefg", 6), "abcde…");
        assert_eq!(truncate(THEME, "日本語です", 6), "日本…");
        assert_eq!(truncate(THEME, "abc", 0), "");
        assert_eq!(fit_width(THEME, "日本語です", 6), "日本… ");
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
            draws_within(line, |buffer| { draw_text(buffer, 2, 1, width, &text, style); })?;
            draws_within(line, |buffer| draw_text_right(buffer, line, 1, &text, style))?;
            draws_within(area, |buffer| pane(THEME, &text, true).render(area, buffer))?;
            let cells = width as usize;
            prop_assert!(cells_of(&truncate(THEME, &text, cells)) <= cells);
            prop_assert_eq!(cells_of(&fit_width(THEME, &text, cells)), cells);
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
