//! The state of the Live screen.

use crate::run::run_chart::RunChart;
use crate::tui::widgets::line_chart::ChartView;

/// The state of the Live screen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LiveState {
    /// The chart that is shown where only one fits.
    pub selected: RunChart,
    /// Whether one chart has the whole screen and takes keys.
    pub is_full: bool,
    /// Axis, zoom, cursor and smoothing of the charts.
    pub chart: ChartView,
    /// Number of lines that the log is scrolled back.
    pub log_scroll: usize,
}
