//! Precision and recall of a label by the threshold of its probability, with their 95 % intervals, and the thresholds
//! that reach some targets.

use crate::run::error_analysis::{Share, ThresholdCurve, ThresholdMetric, ThresholdPoint, ThresholdTarget};
use crate::text;
use crate::tui::state::App;
use crate::tui::state::insight::LoadedReport;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::{draw_text, draw_text_right, padded_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

/// Width of the labels of the y axis.
const MARGIN: u16 = 5;
/// Width of the table of targets, with the space before it.
const TABLE: u16 = 72;
/// Minimum width of the chart beside the table.
const MIN_CHART: u16 = 30;
/// Columns of dots between two dots of the ends of an interval.
const INTERVAL_STEP: usize = 3;

/// The metrics that are drawn, with their number on the canvas, the ASCII character of their dots and their role.
const CURVES: [(ThresholdMetric, u16, &str, Role); 2] =
    [(ThresholdMetric::Precision, 0, "p", Role::Validation), (ThresholdMetric::Recall, 1, "r", Role::Train)];
/// The number of the ends of intervals on the canvas.
const INTERVALS: u16 = 2;

/// The targets in the table.
const TARGETS: [(ThresholdMetric, f64); 8] = [
    (ThresholdMetric::Precision, 0.9),
    (ThresholdMetric::Precision, 0.95),
    (ThresholdMetric::Precision, 0.99),
    (ThresholdMetric::Recall, 0.9),
    (ThresholdMetric::Recall, 0.95),
    (ThresholdMetric::Recall, 0.99),
    (ThresholdMetric::FalsePositiveRate, 0.05),
    (ThresholdMetric::FalsePositiveRate, 0.01),
];

/// Draws the curves of a label, with the table beside them if `area` is wide.
pub(super) fn draw(
    app: &App,
    loaded: &LoadedReport,
    (label, curve): (usize, &ThresholdCurve),
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    let name = loaded.report.labels.classes().get(label).map_or(String::new(), ToString::to_string);
    let block = padded_pane(theme, &format!("Thresholds of {name}"), app.popup.is_none());
    let inner = block.inner(area);
    block.render(area, buffer);
    let is_wide = inner.width >= MIN_CHART + TABLE;
    let widths = [Constraint::Fill(1), Constraint::Length(if is_wide { TABLE } else { 0 })];
    let [left, right] = Layout::horizontal(widths).areas(inner);
    draw_legend(theme, left, buffer);
    let below = Rect { y: left.y + 1, height: left.height.saturating_sub(1), ..left };
    draw_curves(theme, curve, below, buffer);
    if is_wide {
        draw_targets(theme, curve, Rect { x: right.x + 2, width: right.width - 2, ..right }, buffer);
    }
}

/// The names of the curves in their colors.
fn draw_legend(theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let mut x = area.x + MARGIN;
    for (metric, _, _, role) in CURVES {
        let available = area.right().saturating_sub(x);
        x = draw_text(buffer, x, area.y, available, &format!("{}  ", metric.name()), theme.style(role));
    }
    let available = area.right().saturating_sub(x);
    draw_text(buffer, x, area.y, available, "dots: 95 % intervals", theme.style(Role::Muted));
}

/// The point that a threshold selects: the last that is not above it.
fn point_at(curve: &ThresholdCurve, threshold: f64) -> Option<&ThresholdPoint> {
    let after = curve.points.partition_point(|point| point.threshold <= threshold);
    curve.points.get(after.checked_sub(1)?)
}

fn draw_curves(theme: Theme, curve: &ThresholdCurve, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 || area.width <= MARGIN + 2 {
        return;
    }
    let plot = Rect { x: area.x + MARGIN, width: area.width - MARGIN, height: area.height - 1, ..area };
    let (columns, rows) = (2 * usize::from(plot.width), 4 * usize::from(plot.height));
    let y = |share: f64| ((1.0 - share.clamp(0.0, 1.0)) * (rows - 1) as f64).round() as usize;
    let share = |column: usize, metric: ThresholdMetric| {
        let point = point_at(curve, (column as f64 + 0.5) / columns as f64)?;
        curve.share(point, metric)
    };
    let mut canvas = Canvas::new(plot.width.into(), plot.height.into());
    for (metric, ..) in CURVES {
        for column in (0..columns).step_by(INTERVAL_STEP) {
            if let Some(Share { interval, .. }) = share(column, metric) {
                canvas.set(column, y(interval.low), INTERVALS);
                canvas.set(column, y(interval.high), INTERVALS);
            }
        }
    }
    for (metric, number, ..) in CURVES {
        let mut before = None;
        for column in 0..columns {
            let at = share(column, metric).map(|share| (column, y(share.value)));
            match (before, at) {
                (Some(before), Some(at)) => canvas.line(before, at, number),
                (None, Some((x, y))) => canvas.set(x, y, number),
                (_, None) => {}
            }
            before = at;
        }
    }
    blit(&canvas, theme, plot, buffer);
    for (at, end) in [(plot.y, "100 %"), (plot.bottom() - 1, "0 %")] {
        let text = format!("{end:>width$}", width = usize::from(MARGIN) - 1);
        draw_text(buffer, area.x, at, MARGIN, text.trim_end(), theme.style(Role::Muted));
    }
    draw_text(buffer, plot.x, plot.bottom(), plot.width, "0", theme.style(Role::Muted));
    draw_text_right(buffer, plot, plot.bottom(), "threshold 1", theme.style(Role::Muted));
}

fn blit(canvas: &Canvas, theme: Theme, plot: Rect, buffer: &mut Buffer) {
    let mut symbol = [0; 4];
    for (x, y, dots, owner) in canvas.cells() {
        let curve = CURVES.iter().find(|(_, number, ..)| *number == owner);
        let (plain, role) = curve.map_or((".", Role::Muted), |(_, _, plain, role)| (*plain, *role));
        let text = dots.text(theme.charts(), plain, &mut symbol);
        draw_text(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, theme.style(role));
    }
}

/// A target as text: `precision 95 %`, `FPR 1 %`.
fn target_text(metric: ThresholdMetric, value: f64) -> String {
    let name = match metric {
        ThresholdMetric::FalsePositiveRate => "FPR",
        other => other.name(),
    };
    format!("{name} {:.0} %", 100.0 * value)
}

/// The thresholds that reach the targets, with what they mean for the other metrics.
fn draw_targets(theme: Theme, curve: &ThresholdCurve, area: Rect, buffer: &mut Buffer) {
    let header =
        format!("{:<14}{:>10}{:>19}{:>19}{:>7}", "target", "threshold", "precision %", "recall %", "FPR %");
    draw_text(buffer, area.x, area.y, area.width, &header, theme.style(Role::Muted));
    for ((metric, value), y) in TARGETS.into_iter().zip(area.y + 1..area.bottom()) {
        let target = target_text(metric, value);
        let Some(point) = curve.choose(ThresholdTarget { metric, value }) else {
            let text = format!("{target:<14} not reached");
            draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Muted));
            continue;
        };
        let dash = theme.symbol(Symbol::Dash);
        let number = |metric| curve.share(point, metric).map(|share| format!("{:.1}", 100.0 * share.value));
        let with_interval = |metric| {
            let share = curve.share(point, metric)?;
            let [low, high] = [share.interval.low, share.interval.high].map(|end| 100.0 * end);
            Some(format!("{:.1} ({low:.1}{}{high:.1})", 100.0 * share.value, theme.symbol(Symbol::Range)))
        };
        let [precision, recall] = [ThresholdMetric::Precision, ThresholdMetric::Recall]
            .map(|metric| right(&with_interval(metric).unwrap_or_else(|| dash.into()), 19));
        let rate = number(ThresholdMetric::FalsePositiveRate).unwrap_or_else(|| dash.into());
        let text = format!("{target:<14}{:>10.4}{precision}{recall}{}", point.threshold, right(&rate, 7));
        draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Text));
    }
}

/// A text at the right of `width` cells.
fn right(value: &str, width: usize) -> String {
    format!("{}{value}", " ".repeat(width.saturating_sub(text::width(value))))
}
