//! A row of the table and the keys that several rows share.

use crate::tui::action::{Action, ListAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::keymap::key_chord::KeyChord;
use crossterm::event::{KeyCode, KeyModifiers};

/// A row of the table: a binding before the user changes its keys.
#[derive(Debug)]
pub(in crate::tui::keymap) struct Row {
    /// The action's name in `keys.toml`; never changed, because users have it in their files.
    pub(in crate::tui::keymap) name: &'static str,
    pub(in crate::tui::keymap) keys: &'static [KeyChord],
    pub(in crate::tui::keymap) action: Action,
    pub(in crate::tui::keymap) label: &'static str,
    pub(in crate::tui::keymap) description: &'static str,
    pub(in crate::tui::keymap) condition: Condition,
    pub(in crate::tui::keymap) is_primary: bool,
}

impl Row {
    /// The same row, which the footer keeps when not all rows fit.
    pub(super) const fn primary(mut self) -> Row {
        self.is_primary = true;
        self
    }

    /// The same row, active only under `condition`.
    pub(super) const fn when(mut self, condition: Condition) -> Row {
        self.condition = condition;
        self
    }
}

/// A row that is always active. `label` is the action in a word, for the footer, or empty for one that is only in
/// the help; `description` describes it there.
pub(super) const fn bind(
    name: &'static str,
    keys: &'static [KeyChord],
    action: Action,
    label: &'static str,
    description: &'static str,
) -> Row {
    Row { name, keys, action, label, description, condition: Condition::Always, is_primary: false }
}

pub(super) const fn key(code: KeyCode) -> KeyChord {
    KeyChord(code, KeyModifiers::NONE)
}

pub(super) const fn char(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::NONE)
}

pub(super) const fn ctrl(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::CONTROL)
}

pub(super) const fn alt_key(code: KeyCode) -> KeyChord {
    KeyChord(code, KeyModifiers::ALT)
}

pub(super) const fn alt(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::ALT)
}

pub(super) const ENTER: &[KeyChord] = &[key(KeyCode::Enter)];
pub(super) const ESC: &[KeyChord] = &[key(KeyCode::Esc)];
pub(super) const TAB: &[KeyChord] = &[key(KeyCode::Tab)];
pub(super) const UP: &[KeyChord] = &[key(KeyCode::Up), char('k')];
pub(super) const DOWN: &[KeyChord] = &[key(KeyCode::Down), char('j')];
pub(super) const ARROW_UP: &[KeyChord] = &[key(KeyCode::Up)];
pub(super) const ARROW_DOWN: &[KeyChord] = &[key(KeyCode::Down)];
pub(super) const PAGE_UP: &[KeyChord] = &[key(KeyCode::PageUp)];
pub(super) const PAGE_DOWN: &[KeyChord] = &[key(KeyCode::PageDown)];
pub(super) const FIRST: &[KeyChord] = &[key(KeyCode::Home), char('g')];
pub(super) const LAST: &[KeyChord] = &[key(KeyCode::End), char('G')];

/// The keys that move the cursor of a list of lines.
pub(super) static LINES: &[Row] = &[
    bind("up", UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first line"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last line"),
];

/// The description of the key that discards a run.
pub(super) const DISCARD: &str = "stop the run that was just started and delete it, in its first ten seconds";
