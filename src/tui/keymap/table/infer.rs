//! Keys of the inference pane, where letters are text.

use super::{ARROW_DOWN, ARROW_UP, ENTER, ESC, Row, TAB, bind, ctrl};
use crate::tui::keymap::condition::{is_live_model, is_pair};
use crate::tui::msg::Action;

/// The sentences.
pub(super) static INFER: &[Row] = &[
    bind("accept", ENTER, Action::Enter, "keep", "keep the sentence in the list below and begin anew"),
    bind("up", ARROW_UP, Action::Up, "earlier", "an earlier sentence"),
    bind("down", ARROW_DOWN, Action::Down, "", "a later sentence"),
    bind("next", TAB, Action::Next, "other text", "the other text of the pair").when(is_pair),
    bind(
        "pin",
        &[ctrl('p')],
        Action::Probe,
        "pin",
        "let every evaluation judge the sentence too, or no longer",
    ),
    bind("weights", &[ctrl('o')], Action::Weights, "weights", "choose which weights judge"),
    bind(
        "beside",
        &[ctrl('b')],
        Action::Compare,
        "beside",
        "choose a second set of weights that judges too, or none",
    ),
    bind("fresh", &[ctrl('r')], Action::Fresh, "fresh", "take the weights as they are now")
        .when(is_live_model),
    bind("back", ESC, Action::Back, "back", "back to the screen before"),
];
