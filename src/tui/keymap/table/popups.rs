//! Keys of what lies over a screen: messages, questions, lists to choose from.

use super::{
    ARROW_DOWN, ARROW_UP, DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, UP, bind, char, key,
};
use crate::tui::keymap::condition::in_help;
use crate::tui::msg::Action;
use crossterm::event::KeyCode;

/// A message, or the help.
pub(super) static MESSAGE: &[Row] = &[
    bind("search", &[char('/')], Action::Filter, "search", "show only keys that contain a text")
        .when(in_help),
    bind("accept", &[key(KeyCode::Enter), char(' ')], Action::Enter, "close", "close"),
    bind("back", &[key(KeyCode::Esc), char('q'), char('?')], Action::Back, "", "close"),
    bind("up", UP, Action::Up, "", "one line up"),
    bind("down", DOWN, Action::Down, "", "one line down"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind("first", FIRST, Action::First, "", "to the first line"),
    bind("last", LAST, Action::Last, "", "to the last line"),
];

/// A question.
pub(super) static QUESTION: &[Row] = &[
    bind("accept", ENTER, Action::Enter, "choose", "give the answer under the cursor"),
    bind("back", ESC, Action::Back, "change nothing", "change nothing"),
    bind("up", ARROW_UP, Action::Up, "", "one answer up"),
    bind("down", ARROW_DOWN, Action::Down, "", "one answer down"),
];

/// A list to choose from.
pub(super) static CHOICE: &[Row] = &[
    bind("accept", ENTER, Action::Enter, "choose", "take what is under the cursor"),
    bind("back", ESC, Action::Back, "leave as it is", "leave it as it is"),
    bind("up", ARROW_UP, Action::Up, "", "one line up"),
    bind("down", ARROW_DOWN, Action::Down, "", "one line down"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
];
