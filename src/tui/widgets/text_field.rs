//! A text field, drawn as one line or as a wrapped paragraph.
//!
//! The cursor moves by grapheme clusters. Inserted text is sanitized and its length is limited, so that no paste can
//! freeze or corrupt the screen.

use super::draw::draw_text;
use super::wrap::wrap_ranges;
use crate::text::{clusters, sanitize, width};
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::ops::Range;

/// An edit of the text, or a movement of the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Insert text at the cursor.
    Insert(String),
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character after the cursor.
    Delete,
    /// Delete the word before the cursor.
    DeleteWord,
    /// Delete the text before the cursor.
    DeleteToStart,
    /// Delete the text after the cursor.
    DeleteToEnd,
    /// Move one character to the left.
    Left,
    /// Move one character to the right.
    Right,
    /// Move one word to the left.
    WordLeft,
    /// Move one word to the right.
    WordRight,
    /// Move to the beginning.
    Home,
    /// Move to the end.
    End,
}

/// A text with a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextField {
    text: String,
    /// Byte offset of the cursor.
    cursor: usize,
    is_truncated: bool,
}

impl TextField {
    /// Maximum length in bytes; inputs of a model are far shorter.
    pub const MAX_BYTES: usize = 8192;

    /// A field with `text`, and the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut field = TextField::default();
        field.edit(&Edit::Insert(text.to_string()));
        field
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether inserted text was too long and was truncated.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Applies `edit`; returns whether the text changed.
    pub fn edit(&mut self, edit: &Edit) -> bool {
        let length = self.text.len();
        match edit {
            Edit::Insert(text) => self.insert(text),
            Edit::Backspace => self.delete(self.before()..self.cursor),
            Edit::Delete => self.delete(self.cursor..self.after()),
            Edit::DeleteWord => self.delete(self.word_before()..self.cursor),
            Edit::DeleteToStart => self.delete(0..self.cursor),
            Edit::DeleteToEnd => self.delete(self.cursor..length),
            Edit::Left => self.cursor = self.before(),
            Edit::Right => self.cursor = self.after(),
            Edit::WordLeft => self.cursor = self.word_before(),
            Edit::WordRight => self.cursor = self.word_after(),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = length,
        }
        if self.text.len() < Self::MAX_BYTES / 2 && !matches!(edit, Edit::Insert(_)) {
            self.is_truncated = false;
        }
        self.text.len() != length
    }

    fn insert(&mut self, text: &str) {
        let available = Self::MAX_BYTES.saturating_sub(self.text.len());
        // Sanitizing may make text three times as long, so truncate it before and after.
        let mut clean = sanitize(&text[..floor_boundary(text, available)]);
        clean.truncate(floor_boundary(&clean, available));
        self.is_truncated |= text.len() > available;
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
    }

    fn delete(&mut self, range: Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    fn before(&self) -> usize {
        let last = clusters(&self.text[..self.cursor]).last().map_or(0, |(_, symbol)| symbol.len());
        self.cursor - last
    }

    fn after(&self) -> usize {
        let next = clusters(&self.text[self.cursor..]).next().map_or(0, |(_, symbol)| symbol.len());
        self.cursor + next
    }

    fn word_before(&self) -> usize {
        let trimmed = self.text[..self.cursor].trim_end();
        trimmed.rfind(char::is_whitespace).map_or(0, |at| at + 1)
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.len() - rest.trim_start().len();
        self.cursor + rest[word..].find(char::is_whitespace).map_or(rest.len(), |at| word + at)
    }

    /// Draws the filter of a list; returns the position of the terminal's cursor.
    pub fn draw_filter(&self, buffer: &mut Buffer, footer: Rect, theme: Theme) -> Position {
        let x = draw_text(buffer, footer.x, footer.y, footer.width, " / ", theme.style(Role::Key));
        let field = Rect { x, width: footer.right().saturating_sub(x), ..footer };
        self.draw_line(buffer, field, theme.style(Role::Text))
    }

    /// Draws the field as one line; returns the position of the terminal's cursor.
    pub fn draw_line(&self, buffer: &mut Buffer, area: Rect, style: Style) -> Position {
        // Scrolls the text so that the cursor is visible.
        let visible = (area.width as usize).saturating_sub(1);
        let mut start = 0;
        while width(&self.text[start..self.cursor]) > visible {
            start += clusters(&self.text[start..]).next().map_or(1, |(_, symbol)| symbol.len());
        }
        draw_text(buffer, area.x, area.y, area.width, &self.text[start..], style);
        let x = area.x + width(&self.text[start..self.cursor]) as u16;
        Position { x: x.min(area.right().saturating_sub(1)), y: area.y }
    }

    /// Draws the field as a paragraph, or `empty` if there is no text; returns the position of the terminal's cursor.
    pub fn draw_paragraph(&self, buffer: &mut Buffer, area: Rect, theme: Theme, empty: &str) -> Position {
        if self.text.is_empty() || area.is_empty() {
            draw_text(buffer, area.x, area.y, area.width, empty, theme.style(Role::Muted));
            return Position { x: area.x, y: area.y };
        }
        let rows = wrap_ranges(&self.text, (area.width as usize).max(1));
        let at = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let height = area.height as usize;
        let first = (at + 1).saturating_sub(height);
        for (line, row) in rows.iter().enumerate().skip(first).take(height) {
            let y = area.y + (line - first) as u16;
            draw_text(buffer, area.x, y, area.width, &self.text[row.clone()], theme.style(Role::Text));
        }
        let x = area.x + width(&self.text[rows[at].start..self.cursor]) as u16;
        let y = area.y + (at - first) as u16;
        Position { x: x.min(area.right().saturating_sub(1)), y: y.min(area.bottom().saturating_sub(1)) }
    }
}

/// The last character boundary at or before `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};

    fn typed(edits: &[Edit]) -> (String, usize) {
        let mut field = TextField::new("the plot is thin");
        for edit in edits {
            field.edit(edit);
        }
        (field.text, field.cursor)
    }

    #[test]
    fn edits_match_a_shell() {
        assert_eq!(typed(&[Edit::DeleteWord]), ("the plot is ".into(), 12));
        assert_eq!(typed(&[Edit::WordLeft, Edit::WordLeft, Edit::DeleteToEnd]), ("the plot ".into(), 9));
        assert_eq!(typed(&[Edit::Home, Edit::WordRight, Edit::Delete]), ("theplot is thin".into(), 3));
        assert_eq!(typed(&[Edit::Home, Edit::Backspace, Edit::Left]), ("the plot is thin".into(), 0));
        assert_eq!(typed(&[Edit::DeleteToStart, Edit::Insert("é".into())]), ("é".into(), 2));
    }

    #[test]
    fn cursor_moves_by_grapheme_clusters() {
        let mut field = TextField::new("a👩‍👩‍👧e\u{301}日");
        let mut positions = Vec::new();
        for _ in 0..5 {
            positions.push(field.cursor);
            field.edit(&Edit::Left);
        }
        assert_eq!(positions, [25, 22, 19, 1, 0]);
    }

    #[test]
    fn huge_paste_is_truncated() {
        let mut field = TextField::default();
        let started = std::time::Instant::now();
        field.edit(&Edit::Insert("日\x1b".repeat(300_000)));
        assert!(started.elapsed().as_millis() < 200, "{:?}", started.elapsed());
        assert!(field.text().len() <= TextField::MAX_BYTES && field.is_truncated());
        assert!(!field.text().contains('\x1b'));
    }

    #[test]
    fn rows_wrap_and_scroll_to_cursor() {
        let theme = Theme::new(ColorDepth::None, Charset::Unicode);
        let area = Rect::new(0, 0, 10, 2);
        let mut buffer = Buffer::empty(area);
        let field = TextField::new("one two three four five");
        let at = field.draw_paragraph(&mut buffer, area, theme, "");
        let row = |y| (0..10).map(|x| buffer[(x, y)].symbol().to_string()).collect::<String>();
        assert_eq!([row(0), row(1)], ["three four", "five      "]);
        assert_eq!(at, Position { x: 4, y: 1 });
        assert_eq!(field.draw_line(&mut buffer, area, Style::new()), Position { x: 9, y: 0 });
    }

    #[test]
    fn empty_area_draws_nothing() {
        let theme = Theme::new(ColorDepth::None, Charset::Unicode);
        let mut buffer = Buffer::empty(Rect::ZERO);
        let field = TextField::new("日本語");
        field.draw_line(&mut buffer, Rect::ZERO, Style::new());
        field.draw_paragraph(&mut buffer, Rect::ZERO, theme, "x");
        assert_eq!(wrap_ranges("", 3).len(), 1);
        assert_eq!(wrap_ranges("日本", 1), [0..3, 3..6]);
        assert_eq!(wrap_ranges(" abcd日", 4), [0..1, 1..5, 5..8]);
    }
}
