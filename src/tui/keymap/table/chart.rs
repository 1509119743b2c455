//! Keys of a chart that one can look closer at.

use super::{Row, bind, char, key};
use crate::tui::keymap::condition::has_chart;
use crate::tui::msg::Action;
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
    .when(has_chart),
    bind(
        "read_right",
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "read values further right",
    )
    .when(has_chart),
    bind(
        "zoom_in",
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "a closer look, around the cursor or the middle",
    )
    .when(has_chart),
    bind("zoom_out", &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "a wider look").when(has_chart),
    bind("whole", &[char('0')], Action::Chart(ChartKey::Whole), "", "all from beginning to end")
        .when(has_chart),
    bind("pan_left", &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "what was before")
        .when(has_chart),
    bind("pan_right", &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "what came after")
        .when(has_chart),
    bind(
        "axis",
        &[char('a')],
        Action::Chart(ChartKey::NextAxis),
        "axis",
        "over epochs, steps, time or examples",
    )
    .when(has_chart),
    bind("log", &[char('y')], Action::Chart(ChartKey::Log), "log", "logarithmic values, or linear ones")
        .when(has_chart),
    bind("smoother", &[char(')')], Action::Chart(ChartKey::Smoother), "smooth", "smooth over more")
        .when(has_chart),
    bind("rougher", &[char('(')], Action::Chart(ChartKey::Rougher), "", "smooth over less").when(has_chart),
];
