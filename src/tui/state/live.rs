//! The state of the Live screen.

use crate::tui::widgets::line_chart::ChartView;

/// The state of the Live screen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LiveState {
    /// Whether the scores are shown where only one chart fits.
    pub shows_score: bool,
    /// Whether one chart has the whole screen and takes keys.
    pub is_full: bool,
    /// Axis, zoom, cursor and smoothing of the charts.
    pub chart: ChartView,
    /// Number of lines that the log is scrolled back.
    pub log_scroll: usize,
}
