//! Keys of the rows that an experiment would be trained on.

use super::{ESC, Row, TAB, bind, key};
use crate::tui::msg::Action;
use crossterm::event::KeyCode;

/// The counts.
pub(super) static DATA: &[Row] = &[
    bind("next", TAB, Action::Next, "split", "the lengths of the next split"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Refresh, "count again", "read and count the rows again"),
    bind("back", ESC, Action::Back, "back", "back to the experiments"),
];
