//! Keys of the Data screen.

use super::row::{ESC, Row, TAB, bind, key};
use crate::tui::action::{Action, DataAction};
use crossterm::event::KeyCode;

/// The bindings of the Data screen.
pub(super) static DATA: &[Row] = &[
    bind("next", TAB, Action::Data(DataAction::NextSplit), "split", "show the lengths of the next split"),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Data(DataAction::Refresh),
        "refresh",
        "profile the data again",
    ),
    bind("back", ESC, Action::Data(DataAction::Back), "back", "back to the Runs screen").primary(),
];
