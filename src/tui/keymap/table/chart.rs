//! Keys of a chart with a cursor and zoom.

use super::row::{Row, bind, char, key};
use crate::tui::action::Action;
use crate::tui::keymap::condition::Condition;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The bindings of a chart.
pub(super) static CHART: &[Row] = &[
    bind(
        "read_left",
        &[key(KeyCode::Left)],
        Action::Chart(ChartKey::CursorLeft),
        "cursor",
        "move the cursor to the left",
    )
    .when(Condition::HasChart),
    bind(
        "read_right",
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "move the cursor to the right",
    )
    .when(Condition::HasChart),
    bind(
        "zoom_in",
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "zoom in around the cursor, or around the middle",
    )
    .when(Condition::HasChart),
    bind("zoom_out", &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "zoom out")
        .when(Condition::HasChart),
    bind("whole", &[char('0')], Action::Chart(ChartKey::Whole), "", "reset the zoom")
        .when(Condition::HasChart),
    bind("pan_left", &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "pan to the left")
        .when(Condition::HasChart),
    bind("pan_right", &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "pan to the right")
        .when(Condition::HasChart),
    bind(
        "axis",
        &[char('a')],
        Action::Chart(ChartKey::NextAxis),
        "axis",
        "next x axis: epochs, steps, time or examples",
    )
    .when(Condition::HasChart),
    bind("log", &[char('y')], Action::Chart(ChartKey::Log), "log", "toggle the logarithmic scale")
        .when(Condition::HasChart),
    bind("smoother", &[char(')')], Action::Chart(ChartKey::Smoother), "smooth", "smooth more")
        .when(Condition::HasChart),
    bind("rougher", &[char('(')], Action::Chart(ChartKey::Rougher), "", "smooth less")
        .when(Condition::HasChart),
];
