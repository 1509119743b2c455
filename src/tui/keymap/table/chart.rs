//! Keys of a chart that one can look closer at.

use super::row::{Row, bind, char, key};
use crate::tui::action::Action;
use crate::tui::keymap::condition::Condition;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// A chart.
pub(super) static CHART: &[Row] = &[
    bind(
        "read_left",
        &[key(KeyCode::Left)],
        Action::Chart(ChartKey::CursorLeft),
        "read",
        "read values further left",
    )
    .when(Condition::HasChart),
    bind(
        "read_right",
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "read values further right",
    )
    .when(Condition::HasChart),
    bind(
        "zoom_in",
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "a closer look, around the cursor or the middle",
    )
    .when(Condition::HasChart),
    bind("zoom_out", &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "a wider look")
        .when(Condition::HasChart),
    bind("whole", &[char('0')], Action::Chart(ChartKey::Whole), "", "all from beginning to end")
        .when(Condition::HasChart),
    bind("pan_left", &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "what was before")
        .when(Condition::HasChart),
    bind("pan_right", &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "what came after")
        .when(Condition::HasChart),
    bind(
        "axis",
        &[char('a')],
        Action::Chart(ChartKey::NextAxis),
        "axis",
        "over epochs, steps, time or examples",
    )
    .when(Condition::HasChart),
    bind("log", &[char('y')], Action::Chart(ChartKey::Log), "log", "logarithmic values, or linear ones")
        .when(Condition::HasChart),
    bind("smoother", &[char(')')], Action::Chart(ChartKey::Smoother), "smooth", "smooth over more")
        .when(Condition::HasChart),
    bind("rougher", &[char('(')], Action::Chart(ChartKey::Rougher), "", "smooth over less")
        .when(Condition::HasChart),
];
