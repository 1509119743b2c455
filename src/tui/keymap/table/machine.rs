//! Keys of the page of what the machine does.

use super::row::{Row, bind, char, key};
use crate::tui::action::{Action, MachineAction};
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The page, whose charts are over time and are looked at together.
pub(super) static MACHINE: &[Row] = &[
    bind(
        "read_left",
        &[key(KeyCode::Left)],
        Action::Chart(ChartKey::CursorLeft),
        "read",
        "read values further left",
    ),
    bind(
        "read_right",
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "read values further right",
    ),
    bind(
        "zoom_in",
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "a closer look, around the cursor or the middle",
    ),
    bind("zoom_out", &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "a wider look"),
    bind("whole", &[char('0')], Action::Chart(ChartKey::Whole), "", "all from beginning to end"),
    bind("pan_left", &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "what was before"),
    bind("pan_right", &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "what came after"),
    bind(
        "back",
        &[key(KeyCode::Esc), char('m')],
        Action::Machine(MachineAction::Back),
        "back",
        "back to the curves",
    ),
];
