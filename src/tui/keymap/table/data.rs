//! Keys of the Data screen.

use super::row::{DOWN, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::action::{Action, DataAction, ListAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of the Data screen.
pub(super) static DATA: &[Row] = &[
    bind(
        "next",
        TAB,
        Action::Data(DataAction::NextSplit),
        "split",
        "show the lengths and the rows of the next split",
    ),
    bind(
        "rows",
        &[char('r')],
        Action::Data(DataAction::ToggleRows),
        "rows",
        "show rows in place of the lengths, or the lengths again",
    )
    .when(Condition::HasOneDataPane),
    bind("up", UP, Action::List(ListAction::Up), "", "one row up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one row down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten rows up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten rows down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first row"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last row"),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Data(DataAction::Refresh),
        "refresh",
        "profile the data again",
    ),
    bind("back", ESC, Action::Data(DataAction::Back), "back", "back to the Runs screen").primary(),
];
