//! Keys of the form and of a value in it.

use super::row::{
    ARROW_DOWN, ARROW_UP, DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, ctrl,
    key,
};
use crate::tui::action::{Action, FormAction, ListAction};
use crossterm::event::KeyCode;

/// The form.
pub(super) static FORM: &[Row] = &[
    bind(
        "open",
        ENTER,
        Action::Form(FormAction::Open),
        "change",
        "change the value under the cursor, or start",
    ),
    bind(
        "start",
        &[ctrl('r')],
        Action::Form(FormAction::Start),
        "start",
        "start with these values, without saving them",
    ),
    bind(
        "queue",
        &[char('a')],
        Action::Form(FormAction::Enqueue),
        "queue",
        "put it into the queue with these values, without saving them",
    ),
    bind(
        "save",
        &[char('s'), ctrl('s')],
        Action::Form(FormAction::Save),
        "save",
        "write the changes to the experiments file",
    ),
    bind(
        "undo",
        &[char('u'), key(KeyCode::Backspace), key(KeyCode::Delete)],
        Action::Form(FormAction::Reset),
        "undo",
        "put the value back that was there before",
    ),
    bind(
        "back",
        ESC,
        Action::Form(FormAction::Close),
        "close",
        "close the form; asks when something was changed",
    ),
    bind("up", UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first line"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last line"),
];

/// A value of it, being typed.
pub(super) static FORM_VALUE: &[Row] = &[
    bind("accept", ENTER, Action::Form(FormAction::Keep), "keep", "keep the value"),
    bind("back", ESC, Action::Form(FormAction::Discard), "undo", "put the value back that was there before"),
    bind(
        "next",
        TAB,
        Action::Form(FormAction::KeepAndNext),
        "keep, next",
        "keep the value and go to the next line",
    ),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "keep the value and go one line up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "keep the value and go one line down"),
    bind(
        "start",
        &[ctrl('r')],
        Action::Form(FormAction::Start),
        "",
        "start with these values, without saving them",
    ),
    bind(
        "save",
        &[ctrl('s')],
        Action::Form(FormAction::Save),
        "",
        "write the changes to the experiments file",
    ),
];
