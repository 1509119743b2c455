//! Keys of the Open screen.

use super::row::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, UP, bind, char, ctrl, key};
use crate::tui::action::{Action, ListAction, OpenAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of the Open screen.
pub(super) static OPEN: &[Row] = &[
    bind("train", ENTER, Action::Open(OpenAction::Train), "train", "train a model on these data"),
    bind(
        "text",
        &[char('t')],
        Action::Open(OpenAction::Text),
        "text",
        "use the column under the cursor as the text",
    )
    .when(Condition::HasFreeColumns),
    bind(
        "text_pair",
        &[char('p')],
        Action::Open(OpenAction::TextPair),
        "pair",
        "use the column under the cursor as the second text of a pair, or no longer",
    )
    .when(Condition::HasFreeColumns),
    bind(
        "label",
        &[char('l')],
        Action::Open(OpenAction::Label),
        "label",
        "use the column under the cursor as the label; several columns of 0 and 1 are several labels",
    )
    .when(Condition::HasFreeColumns),
    bind("model", &[char('m')], Action::Open(OpenAction::ChooseModel), "model", "choose the model"),
    bind(
        "save",
        &[char('s'), ctrl('s')],
        Action::Open(OpenAction::Save),
        "save",
        "save the experiment to the experiments file, without training",
    ),
    bind("edit", &[char('e')], Action::Open(OpenAction::Edit), "edit", "edit all settings in the form"),
    bind(
        "problem_type",
        &[char('y')],
        Action::Open(OpenAction::ProblemType),
        "",
        "predict a class, any number of labels, or a number",
    )
    .when(Condition::HasFreeColumns),
    bind("open", &[char('o')], Action::Open(OpenAction::ChooseFile), "", "open another file or folder"),
    bind(
        "left",
        &[key(KeyCode::Left), key(KeyCode::BackTab)],
        Action::Open(OpenAction::Left),
        "",
        "one column to the left",
    ),
    bind(
        "right",
        &[key(KeyCode::Right), key(KeyCode::Tab)],
        Action::Open(OpenAction::Right),
        "",
        "one column to the right",
    ),
    bind("up", UP, Action::List(ListAction::Up), "", "one row up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one row down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten rows up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten rows down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first row"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last row"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Open(OpenAction::Refresh), "", "read the data again"),
    bind("back", ESC, Action::Open(OpenAction::Back), "back", "back to the Runs screen"),
];
