//! The suffix of a chart title.

use crate::format;
use crate::tui::widgets::line_chart::ChartView;

/// Settings of the view that differ from the defaults, as the suffix of a title.
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
