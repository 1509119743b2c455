//! Line charts in braille, with two by four dots per cell, over steps, epochs, time or examples.
//!
//! A column of dots shows the minimum and maximum of all points in it, so that spikes are visible in runs of any
//! length. Drawing reads a few buckets per column of dots, not the points. Values that are not finite are gaps.
//! Without Unicode, each curve has its own ASCII character.

mod axes;
mod band;
mod labels;
mod references;
mod scale;
mod view;

pub use references::Reference;
pub use view::{ChartKey, ChartView, Seeds};

use super::canvas::Canvas;
use super::put;
use crate::format;
use crate::run::axis::StepAxis;
use crate::run::series::{Column, Series, Viewport};
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use scale::Scale;

/// Cells of the labels at the value axis, the axis included.
const AXIS: u16 = 6;
/// Cells between two signs along a marked curve.
const SIGN_EVERY: usize = 24;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A line through dense points.
    Line,
    /// Few points with a sign on each and a line between.
    Points(Symbol),
    /// A line with its sign here and there and at its end, so that it is told apart without colour.
    Marked(Symbol),
    /// A dashed line, for the mean that one of its seeds is drawn in front of.
    Mean,
}

/// A curve of a chart.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// Its name, shown at its end; empty for one that needs none.
    pub name: &'a str,
    /// Its style.
    pub role: Role,
    /// How it is drawn.
    pub look: Look,
    /// Its points. Of several seeds the mean is drawn, with a band of their standard deviation around it.
    pub series: Vec<&'a Series>,
    /// What its steps are in other measures. One for all seeds, so that they are aligned by their steps
    /// whatever the axis is.
    pub course: &'a StepAxis,
    /// Whether it is smoothed as the view says.
    pub is_smoothed: bool,
}

impl Curve<'_> {
    fn is_band(&self) -> bool {
        self.series.len() > 1
    }

    /// What its dots are where there are only letters.
    fn plain(&self) -> &'static str {
        match self.look {
            Look::Points(..) => "-",
            Look::Marked(sign) => sign.text(true),
            Look::Mean => "=",
            Look::Line if self.name.is_empty() => ".",
            Look::Line => "*",
        }
    }

    /// The last step of the seed that came furthest.
    fn last_step(&self) -> Option<u64> {
        self.series.iter().filter_map(|series| series.last()).map(|(step, _)| step).max()
    }
}

/// What a curve says at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value; of several seeds the mean.
    pub value: f64,
    /// The standard deviation over the seeds; 0 for one.
    pub sd: f64,
}

/// A chart. Later curves are in front of earlier ones.
#[derive(Debug)]
pub struct LineChart<'a> {
    /// The curves.
    pub curves: &'a [Curve<'a>],
    /// How they are looked at.
    pub view: ChartView,
    /// Steps that the chart has room for at least.
    pub steps: u64,
    /// Whether values are shares, shown times a hundred.
    pub percent: bool,
    /// Values to compare with.
    pub references: &'a [Reference<'a>],
    /// Values that the chart spans at least, if any.
    pub span: Option<(f64, f64)>,
    /// What to say while there is no point.
    pub empty: &'a str,
    /// Styles and signs.
    pub theme: Theme,
}

/// A curve in columns of dots.
struct Trace {
    columns: Vec<Column>,
    /// The last column that has a value.
    last: Option<usize>,
}

impl Trace {
    fn of(columns: Vec<Column>) -> Self {
        let last = columns.iter().rposition(|column| column.finite > 0);
        Trace { columns, last }
    }

    /// The value in a column, on the straight line between its neighbours where it has none itself.
    fn read(&self, at: usize) -> Option<f64> {
        let column = self.columns.get(at)?;
        if column.finite > 0 {
            return Some(column.mean);
        }
        let left = self.columns[..at].iter().rposition(|column| column.finite + column.not_finite > 0)?;
        let right = self.columns[at..].iter().position(|column| column.finite + column.not_finite > 0)? + at;
        let (before, after) = (&self.columns[left], &self.columns[right]);
        if column.is_gap() || before.is_gap() || after.is_gap() {
            return None;
        }
        let share = (at - left) as f64 / (right - left) as f64;
        Some(before.mean + share * (after.mean - before.mean))
    }

    /// How far a band goes to either side, as of the last column that has a value.
    fn spread(&self, at: usize) -> f64 {
        let column = self.columns[..=at].iter().rfind(|column| column.finite > 0);
        column.map_or(0.0, |column| column.max - column.mean)
    }
}

impl LineChart<'_> {
    /// Draws the chart. Returns the value of each curve at the cursor, or without a cursor at its end.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Vec<Option<Reading>> {
        let no_readings = vec![None; self.curves.len()];
        let area = area.intersection(buffer.area);
        let Some(plot) = self.plot(area) else { return no_readings };
        let (height, foot) = (plot.height, area.height - plot.height);
        let margin = area.right() - plot.right();
        let end = self.end();
        let (from, to) = self.view.range(end);
        let traces = self.traces((from, to), 2 * usize::from(plot.width));
        let Some(scale) = self.scale(&traces, height) else {
            let is_empty = self.curves.iter().all(|curve| curve.last_step().is_none());
            let text = if is_empty { self.empty } else { "No values in this range" };
            let x = area.x + area.width.saturating_sub(text::width(text) as u16) / 2;
            put(buffer, x, area.y + area.height / 2, area.width, text, self.theme.style(Role::Muted));
            return no_readings;
        };
        let cursor = self.view.cursor(end);
        let cursor_at = cursor.map(|at| {
            let share = if to > from { ((at - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
            (share * f64::from(2 * plot.width - 1)).round() as usize
        });
        self.draw_values(buffer, plot, &scale);
        if foot > 0 {
            self.draw_places(buffer, plot, (from, to), cursor.zip(cursor_at.map(|at| at / 2)));
        }
        if let Some(at) = cursor_at {
            self.draw_cursor(buffer, plot, at / 2);
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

    /// A value of this chart as a person reads it, in at most six characters.
    pub fn value(&self, value: f64) -> String {
        match value {
            value if self.percent => format!("{:.1}", 100.0 * value),
            value if value != 0.0 && value.abs() < 1e-3 => format::learning_rate(value),
            value => format::loss(value),
        }
    }

    /// What a curve reads: `0.412`, or of several seeds `0.412 ±0.031`.
    pub fn reading(&self, Reading { value, sd }: Reading) -> String {
        let around = match sd {
            0.0 => String::new(),
            sd => format!(" {}{}", self.theme.glyph(Symbol::PlusMinus), self.value(sd)),
        };
        self.value(value) + &around
    }

    /// The right end of the horizontal axis when the chart is not zoomed.
    fn end(&self) -> f64 {
        let ends = self.curves.iter().map(|curve| {
            let last = curve.last_step().unwrap_or(0).max(self.steps);
            curve.course.mapper(self.view.axis).at(last as f64)
        });
        let end = ends.fold(0.0, f64::max);
        if end > 0.0 { end } else { 1.0 }
    }

    fn traces(&self, (from, to): (f64, f64), columns: usize) -> Vec<Trace> {
        let last = self.curves.iter().filter_map(Curve::last_step).max();
        let span = self.view.smoothing() * self.steps.max(last.unwrap_or(0)) as f64;
        let trace = |curve: &Curve<'_>| {
            let span = if curve.is_smoothed { span } else { 0.0 };
            let sight = Viewport { from, to, columns, span };
            let ruler = curve.course.mapper(self.view.axis);
            let mut seeds: Vec<Trace> =
                curve.series.iter().map(|series| Trace::of(series.columns(ruler, sight))).collect();
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
        let mut signs = Vec::new();
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
                    draw_mean(
                        &mut canvas,
                        (x, column),
                        before,
                        (scale, plot.height),
                        (number as u16, curve.look),
                    )
                } else {
                    draw_column(&mut canvas, (x, column), before, scale, plot.height, number as u16)
                };
                before = Some((x, y));
                if scale.cuts_off(column.max) {
                    cut_off.push((x / 2, column.max));
                }
                match curve.look {
                    Look::Points(sign) => {
                        points += 1;
                        signs.push((x / 2, y / 4, theme.glyph(sign), number));
                    }
                    // Markers of different curves are staggered, so that adjacent curves both show theirs.
                    Look::Marked(sign)
                        if trace.last == Some(x)
                            || (x.is_multiple_of(2) && (x / 2 + 7 * number).is_multiple_of(SIGN_EVERY)) =>
                    {
                        signs.push((x / 2, y / 4, theme.glyph(sign), number));
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
            for (x, y, sign, number) in signs {
                put_sign(buffer, plot, (x, y), sign, styles[number]);
            }
        }
        self.draw_warnings(buffer, plot, &cut_off);
    }

    /// The style of each curve.
    fn styles(&self) -> Vec<Style> {
        self.curves.iter().map(|curve| self.theme.style(curve.role)).collect()
    }

    fn blit(&self, canvas: &Canvas, buffer: &mut Buffer, plot: Rect) {
        let (styles, mut symbol) = (self.styles(), [0; 4]);
        for (x, y, dots, owner) in canvas.cells() {
            let number = usize::from(owner);
            let (style, plain) = (styles[number], self.curves[number].plain());
            let text = dots.text(self.theme.charts(), plain, &mut symbol);
            put_sign(buffer, plot, (x, y), text, style);
        }
    }

    /// Marks values above the chart, and reports how many points are not finite.
    fn draw_warnings(&self, buffer: &mut Buffer, plot: Rect, cut_off: &[(usize, f64)]) {
        let warning = self.theme.style(Role::Warning);
        for (x, _) in cut_off {
            put(buffer, plot.x + *x as u16, plot.y, 1, self.theme.glyph(Symbol::Above), warning);
        }
        let mut messages = Vec::new();
        if let Some(highest) = cut_off.iter().map(|(_, value)| *value).max_by(f64::total_cmp) {
            messages.push(format!("{} up to {}", self.theme.glyph(Symbol::Above), self.value(highest)));
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
            put(buffer, x, plot.y + 1, plot.width, &text, warning);
        }
    }
}

/// Draws a symbol of one cell, without the checks of `put`.
fn put_sign(buffer: &mut Buffer, plot: Rect, (x, y): (usize, usize), sign: &str, style: Style) {
    if let Some(cell) = buffer.cell_mut((plot.x + x as u16, plot.y + y as u16)) {
        cell.set_symbol(sign).set_style(style);
    }
}

/// Draws the mean of several seeds and the line from the previous column; returns its row.
fn draw_mean(
    canvas: &mut Canvas,
    (x, column): (usize, &Column),
    before: Option<(usize, usize)>,
    (scale, height): (&Scale, u16),
    (curve, look): (u16, Look),
) -> usize {
    let y = scale.dot(column.mean, height);
    canvas.dashed(before.unwrap_or((x, y)), (x, y), curve, |x| band::is_dash(look, x));
    y
}

/// Draws one column of dots and the line from the previous column; returns the row of its mean.
fn draw_column(
    canvas: &mut Canvas,
    (x, column): (usize, &Column),
    before: Option<(usize, usize)>,
    scale: &Scale,
    height: u16,
    curve: u16,
) -> usize {
    let y = scale.dot(column.mean, height);
    if let Some(before) = before {
        canvas.line(before, (x, y), curve);
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
