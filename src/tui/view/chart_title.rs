//! The end of a chart's title.

use crate::format;
use crate::tui::widgets::line_chart::ChartView;

/// What is unusual in how a chart is looked at, for the end of its title.
pub(super) fn view_suffix(view: &ChartView) -> String {
    let mut words = String::new();
    if view.smoothing() != ChartView::default().smoothing() {
        words += &match view.smoothing() {
            0.0 => ", not smoothed".to_string(),
            share => format!(", smoothed over {} %", format::real(100.0 * share)),
        };
    }
    if view.is_log {
        words += ", logarithmic";
    }
    words
}
