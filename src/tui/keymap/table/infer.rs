//! Keys of the Infer screen, where letters are text.

use super::row::{ARROW_DOWN, ARROW_UP, ENTER, ESC, Row, TAB, bind, ctrl};
use crate::tui::action::{Action, InferAction, ListAction};
use crate::tui::keymap::condition::Condition;

/// The bindings of the Infer screen.
pub(super) static INFER: &[Row] = &[
    bind(
        "accept",
        ENTER,
        Action::Infer(InferAction::AddToHistory),
        "add",
        "add the text to the history and clear the input",
    )
    .primary(),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "recall", "recall the previous text"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "recall the next text"),
    bind(
        "next",
        TAB,
        Action::Infer(InferAction::OtherText),
        "other text",
        "switch to the other text of the pair",
    )
    .when(Condition::IsTextPair),
    bind(
        "pin",
        &[ctrl('p')],
        Action::Infer(InferAction::ToggleProbe),
        "probe",
        "add the text to the probes, which every evaluation classifies, or remove it",
    ),
    bind("weights", &[ctrl('o')], Action::Infer(InferAction::ChooseModel), "model", "choose the model"),
    bind(
        "beside",
        &[ctrl('b')],
        Action::Infer(InferAction::ChooseComparison),
        "compare with",
        "choose a second model to compare with, or none",
    ),
    bind(
        "fresh",
        &[ctrl('r')],
        Action::Infer(InferAction::Refresh),
        "refresh",
        "load the current weights of the run",
    )
    .when(Condition::IsLiveModel),
    bind(
        "fresh",
        &[ctrl('r')],
        Action::Infer(InferAction::ClassifyProbes),
        "classify probes",
        "classify the probes that no evaluation of this model classified",
    )
    .when(Condition::HasUnscoredProbes),
    bind("back", ESC, Action::Infer(InferAction::Back), "back", "back to the previous screen"),
];
