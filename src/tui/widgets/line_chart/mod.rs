//! Line charts in braille, with two by four dots per cell, over steps, epochs, time or examples.
//!
//! A column of dots shows the minimum and maximum of all points in it, so that spikes are visible in runs of any
//! length. Drawing reads a few buckets per column of dots, not the points. Values that are not finite are gaps.
//! Without Unicode, each curve has its own ASCII character.

mod axes;
mod band;
mod changes;
mod chart;
mod labels;
mod legend;
mod references;
mod scale;
mod view;

pub use chart::{ChangeMark, Curve, CurveStyle, Dash, LineChart, Reading, Reference};
pub use view::{ChartColumn, ChartKey, ChartView, Seeds};

use super::canvas::Canvas;
use super::draw::draw_text;
use crate::run::series::{Column, Viewport};
use crate::text;
use crate::tui::theme::{Role, Symbol};
use chart::{AXIS, Trace};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use scale::Scale;

/// Distance of the markers along a curve, in cells.
const MARKER_DISTANCE: usize = 24;

impl LineChart<'_> {
    /// Draws the chart. Returns the value of each curve at the cursor, or without a cursor at its end.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Vec<Option<Reading>> {
        let no_readings = vec![None; self.curves.len()];
        let area = area.intersection(buffer.area);
        let Some(plot) = self.plot(area) else { return no_readings };
        let (height, axis_height) = (plot.height, area.height - plot.height);
        let margin = area.right() - plot.right();
        let end = self.end();
        let (from, to) = self.view.range(end);
        let traces = self.traces((from, to), 2 * usize::from(plot.width));
        let Some(scale) = self.scale(&traces, height) else {
            let is_empty = self.curves.iter().all(|curve| curve.last_step().is_none());
            let text = if is_empty { self.empty } else { "No values in this range" };
            let x = area.x + area.width.saturating_sub(text::width(text) as u16) / 2;
            draw_text(buffer, x, area.y + area.height / 2, area.width, text, self.theme.style(Role::Muted));
            return no_readings;
        };
        let cursor = self.view.cursor(end);
        let cursor_at = cursor.map(|at| {
            let share = if to > from { ((at - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
            (share * f64::from(2 * plot.width - 1)).round() as usize
        });
        self.draw_y_axis(buffer, plot, &scale);
        let changes = self.changes_in(plot, (from, to));
        if axis_height > 0 {
            let cursor = cursor.zip(cursor_at.map(|at| at / 2));
            self.draw_x_axis(buffer, plot, (from, to), cursor, &changes);
            self.draw_changes(buffer, plot, &changes);
        }
        if let Some(at) = cursor_at {
            self.draw_cursor(buffer, plot, at / 2, (from, to));
        }
        self.draw_bands(buffer, plot, &scale, &traces);
        self.draw_curves(buffer, plot, &scale, &traces);
        let readings: Vec<Option<Reading>> = self
            .curves
            .iter()
            .zip(&traces)
            .map(|(curve, trace)| {
                let at = cursor_at.or(trace.last)?;
                let value = if cursor_at.is_some() { trace.read(at)? } else { trace.columns[at].last };
                let sd = if curve.is_band() { trace.spread(at) } else { 0.0 };
                Some(Reading { value, sd })
            })
            .collect();
        if margin > 0 {
            self.draw_labels(buffer, plot, margin, &scale, &traces, &readings);
        }
        readings
    }

    /// The area of the curves, if the chart is large enough.
    pub fn plot(&self, area: Rect) -> Option<Rect> {
        if area.width < AXIS + 4 || area.height < 2 {
            return None;
        }
        let height = area.height - if area.height >= 5 { 2 } else { 0 };
        let width = area.width - AXIS - self.margin(area.width, height);
        Some(Rect { x: area.x + AXIS, y: area.y, width, height })
    }

    /// The right end of the horizontal axis when the chart is not zoomed.
    fn end(&self) -> f64 {
        let ends = self.curves.iter().map(|curve| {
            let last = curve.last_step().unwrap_or(0).max(self.steps);
            curve.step_axis.mapper(self.view.axis).at(last as f64)
        });
        let end = ends.fold(0.0, f64::max);
        if end > 0.0 { end } else { 1.0 }
    }

    fn traces(&self, (from, to): (f64, f64), columns: usize) -> Vec<Trace> {
        let last = self.curves.iter().filter_map(Curve::last_step).max();
        let span = self.view.smoothing() * self.steps.max(last.unwrap_or(0)) as f64;
        let trace = |curve: &Curve<'_>| {
            let span = if curve.is_smoothed { span } else { 0.0 };
            let viewport = Viewport { from, to, columns, span };
            let mapper = curve.step_axis.mapper(self.view.axis);
            let mut seeds: Vec<Trace> =
                curve.series.iter().map(|series| Trace::of(series.columns(mapper, viewport))).collect();
            match seeds.len() {
                1 => seeds.remove(0),
                _ => band::merged(&seeds),
            }
        };
        self.curves.iter().map(trace).collect()
    }

    fn draw_curves(&self, buffer: &mut Buffer, plot: Rect, scale: &Scale, traces: &[Trace]) {
        let theme = self.theme;
        let mut canvas = Canvas::new(plot.width as usize, plot.height as usize);
        let mut markers = Vec::new();
        let mut points = 0;
        let mut cut_off = Vec::new();
        for (number, (curve, trace)) in self.curves.iter().zip(traces).enumerate() {
            let mut before = None;
            for (x, column) in trace.columns.iter().enumerate() {
                if column.is_gap() {
                    before = None;
                }
                if column.finite == 0 || !scale.shows(column.max) {
                    continue;
                }
                let y = if curve.is_band() {
                    draw_mean(&mut canvas, (x, column), before, (scale, plot.height), (number, curve.dash))
                } else {
                    draw_column(&mut canvas, (x, column), before, (scale, plot.height), (number, curve.dash))
                };
                before = Some((x, y));
                if scale.cuts_off(column.max) {
                    cut_off.push((x / 2, column.max));
                }
                match curve.style {
                    CurveStyle::Points(symbol) => {
                        points += 1;
                        markers.push((x / 2, y / 4, theme.symbol(symbol), number));
                    }
                    // Markers of different curves are staggered, so that adjacent curves both show theirs.
                    CurveStyle::Marked(symbol)
                        if trace.last == Some(x)
                            || (x.is_multiple_of(2)
                                && (x / 2 + 7 * number).is_multiple_of(MARKER_DISTANCE)) =>
                    {
                        markers.push((x / 2, y / 4, theme.symbol(symbol), number));
                    }
                    _ => {}
                }
            }
        }
        self.draw_references(buffer, plot, scale);
        self.blit(&canvas, buffer, plot);
        // Markers are only useful if there are few points.
        if points <= canvas.width * self.curves.len().min(4) {
            let styles = self.styles();
            for (x, y, symbol, number) in markers {
                draw_symbol(buffer, plot, (x, y), symbol, styles[number]);
            }
        }
        self.draw_warnings(buffer, plot, &cut_off);
    }

    /// The style of each curve.
    fn styles(&self) -> Vec<Style> {
        let style = |curve: &Curve<'_>| {
            if curve.is_faint { self.theme.faint(curve.role) } else { self.theme.style(curve.role) }
        };
        self.curves.iter().map(style).collect()
    }

    fn blit(&self, canvas: &Canvas, buffer: &mut Buffer, plot: Rect) {
        let (styles, mut symbol) = (self.styles(), [0; 4]);
        for (x, y, dots, owner) in canvas.cells() {
            let number = usize::from(owner);
            let (style, plain) = (styles[number], self.curves[number].plain());
            let text = dots.text(self.theme.charts(), plain, &mut symbol);
            draw_symbol(buffer, plot, (x, y), text, style);
        }
    }

    /// Marks values above the chart, and reports how many points are not finite.
    fn draw_warnings(&self, buffer: &mut Buffer, plot: Rect, cut_off: &[(usize, f64)]) {
        let warning = self.theme.style(Role::Warning);
        for (x, _) in cut_off {
            draw_text(buffer, plot.x + *x as u16, plot.y, 1, self.theme.symbol(Symbol::Above), warning);
        }
        let mut messages = Vec::new();
        if let Some(highest) = cut_off.iter().map(|(_, value)| *value).max_by(f64::total_cmp) {
            messages.push(format!("{} up to {}", self.theme.symbol(Symbol::Above), self.value(highest)));
        }
        // The raw and the smoothed curve have the same points.
        let raw = |curve: &&Curve<'_>| curve.role != Role::TrainRaw;
        let not_finite: u64 = self
            .curves
            .iter()
            .filter(raw)
            .flat_map(|curve| &curve.series)
            .map(|series| series.not_finite())
            .sum();
        if not_finite > 0 {
            messages.push(format!("{not_finite} not finite"));
        }
        let text = messages.join(", ");
        let x = plot.right().saturating_sub(text::width(&text) as u16);
        if !text.is_empty() && x > plot.x && plot.height > 2 {
            draw_text(buffer, x, plot.y + 1, plot.width, &text, warning);
        }
    }
}

/// Draws a symbol of one cell, without the checks of `draw_text`.
fn draw_symbol(buffer: &mut Buffer, plot: Rect, (x, y): (usize, usize), symbol: &str, style: Style) {
    if let Some(cell) = buffer.cell_mut((plot.x + x as u16, plot.y + y as u16)) {
        cell.set_symbol(symbol).set_style(style);
    }
}

/// Draws the mean of several seeds and the line from the previous column; returns its row.
fn draw_mean(
    canvas: &mut Canvas,
    (x, column): (usize, &Column),
    before: Option<(usize, usize)>,
    (scale, height): (&Scale, u16),
    (curve, dash): (usize, Dash),
) -> usize {
    let y = scale.dot(column.mean, height);
    canvas.dashed(before.unwrap_or((x, y)), (x, y), curve as u16, |x| dash.is_on(x));
    y
}

/// Draws one column of dots and the line from the previous column; returns the row of its mean.
fn draw_column(
    canvas: &mut Canvas,
    (x, column): (usize, &Column),
    before: Option<(usize, usize)>,
    (scale, height): (&Scale, u16),
    (curve, dash): (usize, Dash),
) -> usize {
    let (y, curve) = (scale.dot(column.mean, height), curve as u16);
    if let Some(before) = before {
        if dash == Dash::Solid {
            canvas.line(before, (x, y), curve);
        } else {
            canvas.dashed(before, (x, y), curve, |x| dash.is_on(x));
        }
    }
    if !dash.is_on(x) {
        return y;
    }
    if column.max > column.min {
        canvas.vertical(x, scale.dot(column.max, height), scale.dot(column.min, height), curve);
    } else {
        canvas.set(x, y, curve);
    }
    y
}

#[cfg(test)]
mod tests;
