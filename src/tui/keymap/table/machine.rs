//! Keys of the Machine screen.

use super::row::{Row, bind, char, key};
use crate::tui::action::{Action, MachineAction};
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The bindings of the Machine screen, whose charts share one time axis, zoom and cursor.
pub(super) static MACHINE: &[Row] = &[
    bind(
        "read_left",
        &[key(KeyCode::Left)],
        Action::Chart(ChartKey::CursorLeft),
        "cursor",
        "move the cursor to the left",
    ),
    bind(
        "read_right",
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "move the cursor to the right",
    ),
    bind(
        "zoom_in",
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "zoom in around the cursor, or around the middle",
    ),
    bind("zoom_out", &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "zoom out"),
    bind("whole", &[char('0')], Action::Chart(ChartKey::Whole), "", "reset the zoom"),
    bind("pan_left", &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "pan to the left"),
    bind("pan_right", &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "pan to the right"),
    bind(
        "back",
        &[key(KeyCode::Esc), char('m')],
        Action::Machine(MachineAction::Back),
        "back",
        "back to the Live screen",
    )
    .primary(),
];
