//! Keys of the form of an experiment.

use super::row::{ARROW_DOWN, ARROW_UP, ENTER, ESC, Row, TAB, bind, char, ctrl, key};
use crate::tui::action::{Action, FormAction, ListAction};
use crossterm::event::KeyCode;

/// The bindings of the form.
pub(super) static FORM: &[Row] = &[
    bind("open", ENTER, Action::Form(FormAction::Open), "edit", "edit the value under the cursor, or start")
        .primary(),
    bind(
        "start",
        &[ctrl('r')],
        Action::Form(FormAction::Start),
        "start",
        "start with these values without saving them",
    ),
    bind(
        "queue",
        &[char('a')],
        Action::Form(FormAction::Enqueue),
        "queue",
        "add to the queue with these values without saving them",
    ),
    bind(
        "save",
        &[char('s'), ctrl('s')],
        Action::Form(FormAction::Save),
        "save",
        "save the changes to the experiments file",
    ),
    bind(
        "undo",
        &[char('u'), key(KeyCode::Backspace), key(KeyCode::Delete)],
        Action::Form(FormAction::Reset),
        "undo",
        "undo the change of the value under the cursor",
    ),
    bind(
        "back",
        ESC,
        Action::Form(FormAction::Close),
        "close",
        "close the form; asks for confirmation if a value was changed",
    ),
];

/// The bindings while a value of the form is being typed.
pub(super) static FORM_VALUE: &[Row] = &[
    bind("accept", ENTER, Action::Form(FormAction::Accept), "accept", "accept the value").primary(),
    bind("back", ESC, Action::Form(FormAction::Discard), "undo", "discard the typed value").primary(),
    bind(
        "next",
        TAB,
        Action::Form(FormAction::AcceptAndNext),
        "accept, next",
        "accept the value and go to the next line",
    ),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "accept the value and go one line up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "accept the value and go one line down"),
    bind(
        "start",
        &[ctrl('r')],
        Action::Form(FormAction::Start),
        "",
        "start with these values without saving them",
    ),
    bind(
        "save",
        &[ctrl('s')],
        Action::Form(FormAction::Save),
        "",
        "save the changes to the experiments file",
    ),
];
