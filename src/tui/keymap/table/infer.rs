//! Keys of the inference pane, where letters are text.

use super::row::{ARROW_DOWN, ARROW_UP, ENTER, ESC, Row, TAB, bind, ctrl};
use crate::tui::action::{Action, InferAction, ListAction};
use crate::tui::keymap::condition::Condition;

/// The sentences.
pub(super) static INFER: &[Row] = &[
    bind(
        "accept",
        ENTER,
        Action::Infer(InferAction::Keep),
        "keep",
        "keep the sentence in the list below and begin anew",
    ),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "earlier", "an earlier sentence"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "a later sentence"),
    bind("next", TAB, Action::Infer(InferAction::OtherText), "other text", "the other text of the pair")
        .when(Condition::IsTextPair),
    bind(
        "pin",
        &[ctrl('p')],
        Action::Infer(InferAction::TogglePin),
        "pin",
        "let every evaluation judge the sentence too, or no longer",
    ),
    bind(
        "weights",
        &[ctrl('o')],
        Action::Infer(InferAction::ChooseModel),
        "weights",
        "choose which weights judge",
    ),
    bind(
        "beside",
        &[ctrl('b')],
        Action::Infer(InferAction::ChooseComparison),
        "beside",
        "choose a second set of weights that judges too, or none",
    ),
    bind(
        "fresh",
        &[ctrl('r')],
        Action::Infer(InferAction::Refresh),
        "fresh",
        "take the weights as they are now",
    )
    .when(Condition::IsLiveModel),
    bind("back", ESC, Action::Infer(InferAction::Back), "back", "back to the screen before"),
];
