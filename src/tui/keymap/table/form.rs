//! Keys of the form and of a value in it.

use super::{
    ARROW_DOWN, ARROW_UP, DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, ctrl,
    key,
};
use crate::tui::msg::Action;
use crossterm::event::KeyCode;

/// The form.
pub(super) static FORM: &[Row] = &[
    bind("open", ENTER, Action::Enter, "change", "change the value under the cursor, or start"),
    bind("start", &[ctrl('r')], Action::StartForm, "start", "start with these values, without saving them"),
    bind(
        "queue",
        &[char('a')],
        Action::Enqueue,
        "queue",
        "put it into the queue with these values, without saving them",
    ),
    bind(
        "save",
        &[char('s'), ctrl('s')],
        Action::SaveForm,
        "save",
        "write the changes to the experiments file",
    ),
    bind(
        "undo",
        &[char('u'), key(KeyCode::Backspace), key(KeyCode::Delete)],
        Action::Reset,
        "undo",
        "put the value back that was there before",
    ),
    bind("back", ESC, Action::Back, "close", "close the form; asks when something was changed"),
    bind("up", UP, Action::Up, "", "one line up"),
    bind("down", DOWN, Action::Down, "", "one line down"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind("first", FIRST, Action::First, "", "to the first line"),
    bind("last", LAST, Action::Last, "", "to the last line"),
];

/// A value of it, being typed.
pub(super) static FORM_LINE: &[Row] = &[
    bind("accept", ENTER, Action::Enter, "keep", "keep the value"),
    bind("back", ESC, Action::Back, "undo", "put the value back that was there before"),
    bind("next", TAB, Action::Next, "keep, next", "keep the value and go to the next line"),
    bind("up", ARROW_UP, Action::Up, "", "keep the value and go one line up"),
    bind("down", ARROW_DOWN, Action::Down, "", "keep the value and go one line down"),
    bind("start", &[ctrl('r')], Action::StartForm, "", "start with these values, without saving them"),
    bind("save", &[ctrl('s')], Action::SaveForm, "", "write the changes to the experiments file"),
];
