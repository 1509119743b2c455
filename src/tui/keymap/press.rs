//! A key with its modifiers: whether it was pressed, and how keyboards label it.

use crate::tui::theme::{Glyph, Theme};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press(pub(super) KeyCode, pub(super) KeyModifiers);

impl Press {
    /// As it is written on keyboards.
    pub(super) fn label(self, theme: Theme) -> String {
        let key = match self.0 {
            KeyCode::Enter => theme.glyph(Glyph::Enter).into(),
            KeyCode::Up => theme.glyph(Glyph::Up).into(),
            KeyCode::Down => theme.glyph(Glyph::Down).into(),
            KeyCode::Left => theme.glyph(Glyph::Left).into(),
            KeyCode::Right => theme.glyph(Glyph::Right).into(),
            KeyCode::PageUp => "pgup".into(),
            KeyCode::PageDown => "pgdn".into(),
            KeyCode::Backspace => theme.glyph(Glyph::Backspace).into(),
            KeyCode::Delete => "del".into(),
            KeyCode::F(number) => format!("F{number}"),
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(c) if self.1 == KeyModifiers::CONTROL => format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            other => format!("{other:?}").to_lowercase(),
        };
        if self.1 == KeyModifiers::ALT { format!("alt-{key}") } else { key }
    }

    /// Whether it is a letter or a sign where one types.
    pub(super) fn is_text(self) -> bool {
        matches!(self.0, KeyCode::Char(_)) && self.1.is_empty()
    }

    /// Whether it was pressed.
    pub(super) fn fits(self, key: &KeyEvent) -> bool {
        // Shift is part of a letter; terminals differ in whether they also tell it.
        let told = key.modifiers.difference(KeyModifiers::SHIFT);
        self.0 == key.code && self.1 == told
    }
}
