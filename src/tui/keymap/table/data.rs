//! Keys of the rows that an experiment would be trained on.

use super::row::{ESC, Row, TAB, bind, key};
use crate::tui::action::{Action, DataAction};
use crossterm::event::KeyCode;

/// The counts.
pub(super) static DATA: &[Row] = &[
    bind("next", TAB, Action::Data(DataAction::NextSplit), "split", "the lengths of the next split"),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Data(DataAction::Refresh),
        "count again",
        "read and count the rows again",
    ),
    bind("back", ESC, Action::Data(DataAction::Back), "back", "back to the experiments"),
];
