//! A chart of points, or of a line in steps, with a linear or logarithmic horizontal axis.

use super::canvas::Canvas;
use super::draw::draw_text;
use crate::run::axis::ticks::{log_steps, nice};
use crate::text::width;
use crate::tui::theme::{Role, Symbol, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns of the labels of the vertical axis.
const AXIS: u16 = 8;
/// The most labels of the horizontal axis.
const MAX_LABELS: f64 = 6.0;

/// Points of one kind.
#[derive(Debug)]
pub struct PointSet {
    /// The position of each.
    pub points: Vec<(f64, f64)>,
    /// Their color.
    pub role: Role,
    /// Their character without Unicode.
    pub ascii: &'static str,
    /// Whether they are joined by a line that stays at a value until the next point.
    pub is_line: bool,
}

/// A chart of points.
pub struct ScatterChart<'a> {
    /// The points; of several in a cell, the last one is visible.
    pub sets: Vec<PointSet>,
    /// A point that is marked by a symbol.
    pub marked: Option<(f64, f64)>,
    /// Whether the horizontal axis is logarithmic.
    pub is_log: bool,
    /// The places of the labels below the horizontal axis, and their texts; those of round numbers if there are none.
    pub labels: Vec<(f64, String)>,
    /// The text of a value of the horizontal axis.
    pub x_text: &'a dyn Fn(f64) -> String,
    /// The text of a value of the vertical axis.
    pub y_text: &'a dyn Fn(f64) -> String,
    /// What to say without points.
    pub empty: &'a str,
    /// The theme.
    pub theme: Theme,
}

/// The positions of an axis.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Range {
    /// The range of `values` with a margin on both sides; `None` without any.
    fn of(values: impl Iterator<Item = f64>, is_log: bool) -> Option<Range> {
        let position = |value: f64| if is_log { value.ln() } else { value };
        let values = values.filter(|value| value.is_finite() && (!is_log || *value > 0.0)).map(position);
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if !low.is_finite() {
            return None;
        }
        let margin = if high > low { 0.04 * (high - low) } else { 0.05 * low.abs().max(0.1) };
        Some(Range { low: low - margin, high: high + margin, is_log })
    }

    /// Where a value is between the ends, 0..=1.
    fn share(&self, value: f64) -> f64 {
        let position = if self.is_log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        ((position - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn contains(&self, value: f64) -> bool {
        let position = if self.is_log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        (self.low..=self.high).contains(&position)
    }

    /// Round values in the range.
    fn ticks(&self, most: f64) -> Vec<f64> {
        if self.is_log {
            let all = log_steps(self.low.exp(), self.high.exp());
            let inside: Vec<f64> = all.into_iter().filter(|tick| self.contains(*tick)).collect();
            let every = (inside.len() as f64 / most).ceil().max(1.0) as usize;
            return inside.into_iter().step_by(every).collect();
        }
        let distance = nice((self.high - self.low) / most);
        let first = (self.low / distance).ceil();
        let ticks = (0..=most as usize + 1).map(|number| (first + number as f64) * distance);
        ticks.filter(|tick| self.contains(*tick)).collect()
    }
}

impl ScatterChart<'_> {
    /// Draws the chart.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) {
        if area.width < AXIS + 4 || area.height < 3 {
            return;
        }
        let plot = Rect { x: area.x + AXIS, width: area.width - AXIS, height: area.height - 1, ..area };
        let points = || self.sets.iter().flat_map(|set| &set.points);
        let x = Range::of(points().map(|point| point.0), self.is_log);
        let y = Range::of(points().map(|point| point.1), false);
        let (Some(x), Some(y)) = (x, y) else {
            let at = area.x + area.width.saturating_sub(width(self.empty) as u16) / 2;
            draw_text(
                buffer,
                at,
                area.y + area.height / 2,
                area.width,
                self.empty,
                self.theme.style(Role::Muted),
            );
            return;
        };
        self.draw_axes(buffer, area, plot, (x, y));
        self.draw_points(buffer, plot, (x, y));
    }

    /// Draws the points into `plot`, which shows these ranges.
    fn draw_points(&self, buffer: &mut Buffer, plot: Rect, (x, y): (Range, Range)) {
        let mut canvas = Canvas::new(usize::from(plot.width), usize::from(plot.height));
        let dot = |point: &(f64, f64)| {
            let column = x.share(point.0) * f64::from(2 * plot.width - 1);
            let row = (1.0 - y.share(point.1)) * f64::from(4 * plot.height - 1);
            (column.round() as usize, row.round() as usize)
        };
        for (number, set) in self.sets.iter().enumerate() {
            let mut before: Option<(usize, usize)> = None;
            for point in &set.points {
                let (column, row) = dot(point);
                if let Some((from, level)) = before.filter(|_| set.is_line) {
                    (from..=column).for_each(|at| canvas.set(at, level, number as u16));
                    canvas.vertical(column, level.min(row), level.max(row), number as u16);
                }
                // A single dot is hard to see.
                let dots = if set.is_line { 1 } else { 2 };
                for (right, down) in [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().take(dots * dots) {
                    canvas.set(column - column % dots + right, row - row % dots + down, number as u16);
                }
                before = Some((column, row));
            }
            if let Some((from, level)) = before.filter(|_| set.is_line) {
                (from..2 * usize::from(plot.width)).for_each(|at| canvas.set(at, level, number as u16));
            }
        }
        let mut symbol = [0; 4];
        for (column, row, dots, owner) in canvas.cells() {
            let Some(set) = self.sets.get(usize::from(owner)) else { continue };
            let text = dots.text(self.theme.charts(), set.ascii, &mut symbol);
            draw_text(
                buffer,
                plot.x + column as u16,
                plot.y + row as u16,
                1,
                text,
                self.theme.style(set.role),
            );
        }
        if let Some(point) = self.marked {
            let (column, row) = dot(&point);
            let (column, row) = (plot.x + (column / 2) as u16, plot.y + (row / 4) as u16);
            draw_text(
                buffer,
                column,
                row,
                1,
                self.theme.symbol(Symbol::Run(0)),
                self.theme.style(Role::Selected),
            );
        }
    }

    /// Draws the labels of both axes.
    fn draw_axes(&self, buffer: &mut Buffer, area: Rect, plot: Rect, (x, y): (Range, Range)) {
        let (theme, muted) = (self.theme, self.theme.style(Role::Muted));
        for row in plot.y..plot.bottom() {
            draw_text(buffer, plot.x - 1, row, 1, theme.symbol(Symbol::Axis), theme.style(Role::Frame));
        }
        for tick in y.ticks((f64::from(plot.height) / 3.0).clamp(1.0, 8.0)) {
            let row = plot.y + ((1.0 - y.share(tick)) * f64::from(plot.height - 1)).round() as u16;
            let text = (self.y_text)(tick);
            let at = (plot.x - 1).saturating_sub(1 + width(&text) as u16).max(area.x);
            draw_text(buffer, at, row, AXIS - 2, &text, muted);
        }
        let most = (f64::from(plot.width) / 12.0).clamp(1.0, MAX_LABELS);
        let labels = if self.labels.is_empty() {
            x.ticks(most).into_iter().map(|tick| (tick, (self.x_text)(tick))).collect()
        } else {
            self.labels.clone()
        };
        let mut end = area.x;
        for (tick, text) in labels {
            let center = plot.x + (x.share(tick) * f64::from(plot.width - 1)).round() as u16;
            let columns = width(&text) as u16;
            let at = center.saturating_sub(columns / 2).min(area.right().saturating_sub(columns)).max(area.x);
            if at >= end && x.contains(tick) {
                end = draw_text(buffer, at, area.bottom() - 1, columns, &text, muted) + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let log = Range::of([1e-5, 1e-3].into_iter(), true).unwrap();
        assert!(log.ticks(6.0).iter().all(|tick| (8e-6..=1.3e-3).contains(tick)));
        let linear = Range::of([0.0, 10.0].into_iter(), false).unwrap();
        assert_eq!(linear.ticks(5.0), [0.0, 5.0, 10.0]);
        assert!(Range::of([f64::NAN].into_iter(), false).is_none());
        let one = Range::of([3.0].into_iter(), false).unwrap();
        assert!((0.4..0.6).contains(&one.share(3.0)), "a single value is in the middle");
    }
}
