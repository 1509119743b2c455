//! Keys of popups: messages, questions, lists to choose from, the command palette.

use super::row::{ARROW_DOWN, ARROW_UP, ENTER, ESC, PAGE_DOWN, PAGE_UP, Row, TAB, bind, char, ctrl, key};
use crate::tui::action::{Action, FilterAction, ListAction, PopupAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of a message and of the help.
pub(super) static MESSAGE: &[Row] = &[
    bind("search", &[char('/')], Action::Filter(FilterAction::Start), "search", "filter the keys by a text")
        .when(Condition::IsHelp),
    bind("accept", &[key(KeyCode::Enter), char(' ')], Action::Popup(PopupAction::Accept), "close", "close")
        .primary(),
    bind("back", &[key(KeyCode::Esc), char('q'), char('?')], Action::Popup(PopupAction::Cancel), "", "close"),
];

/// The bindings of a question.
pub(super) static QUESTION: &[Row] = &[
    bind("accept", ENTER, Action::Popup(PopupAction::Accept), "choose", "choose the answer under the cursor")
        .primary(),
    bind("back", ESC, Action::Popup(PopupAction::Cancel), "cancel", "cancel").primary(),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "one answer up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "one answer down"),
];

/// The bindings of a list to choose from.
pub(super) static CHOICE: &[Row] = &[
    bind("accept", ENTER, Action::Popup(PopupAction::Accept), "choose", "choose the item under the cursor")
        .primary(),
    bind("complete", TAB, Action::Popup(PopupAction::Complete), "complete", "complete the path")
        .when(Condition::HasPaths),
    bind("back", ESC, Action::Popup(PopupAction::Cancel), "cancel", "cancel").primary(),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
];

/// The bindings of the command palette.
pub(super) static PALETTE: &[Row] = &[
    bind("accept", ENTER, Action::Popup(PopupAction::Accept), "run", "run the command under the cursor")
        .primary(),
    bind("back", ESC, Action::Popup(PopupAction::Cancel), "cancel", "cancel").primary(),
    bind("up", &[key(KeyCode::Up), ctrl('p')], Action::List(ListAction::Up), "", "one line up"),
    bind("down", &[key(KeyCode::Down), ctrl('n')], Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
];
