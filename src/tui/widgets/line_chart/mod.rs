//! Curves drawn in braille, two by four dots a cell, over steps, epochs, time or examples.
//!
//! A column of dots shows the lowest and highest of all points that fall into it, so that a spike
//! is seen however long the run. It reads some buckets per column of dots, never the points. A value
//! that is not a finite number is a gap. Without Unicode each curve has its own character.

mod axes;
mod labels;
mod references;
mod scale;
mod view;

pub use references::Reference;
pub use view::{ChartKey, ChartView};

use super::canvas::Canvas;
use super::put;
use crate::format;
use crate::run::course::Course;
use crate::run::series::{Column, Series, Sight};
use crate::tui::theme::{Charts, Glyph, Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use scale::Scale;
use unicode_width::UnicodeWidthStr;

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
    Points(Glyph),
    /// A line with its sign here and there and at its end, so that it is told apart without colour.
    Marked(Glyph),
}

/// A curve of a chart.
#[derive(Debug)]
pub struct Curve<'a> {
    /// Its name, shown at its end; empty for one that needs none.
    pub name: &'a str,
    /// Its style.
    pub role: Role,
    /// How it is drawn.
    pub look: Look,
    /// Its points.
    pub series: &'a Series,
    /// What its steps are in other measures.
    pub course: &'a Course,
    /// Whether it is smoothed as the view says.
    pub is_smoothed: bool,
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
}

impl LineChart<'_> {
    /// Draws the chart. Returns what each curve reads: at the cursor, or else at its end.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Vec<Option<f64>> {
        let nothing = vec![None; self.curves.len()];
        let area = area.intersection(buffer.area);
        let Some(plot) = self.plot(area) else { return nothing };
        let (height, foot) = (plot.height, area.height - plot.height);
        let margin = area.right() - plot.right();
        let end = self.end();
        let (from, to) = self.view.range(end);
        let traces = self.traces((from, to), 2 * usize::from(plot.width));
        let Some(scale) = self.scale(&traces, height) else {
            let is_empty = self.curves.iter().all(|curve| curve.series.is_empty());
            let text = if is_empty { self.empty } else { "there is no value here" };
            let x = area.x + area.width.saturating_sub(text.width() as u16) / 2;
            put(buffer, x, area.y + area.height / 2, area.width, text, self.theme.style(Role::Muted));
            return nothing;
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
        self.draw_curves(buffer, plot, &scale, &traces);
        let read = |trace: &Trace| match cursor_at {
            Some(at) => trace.read(at),
            None => trace.last.map(|at| trace.columns[at].last),
        };
        let readings: Vec<Option<f64>> = traces.iter().map(read).collect();
        if margin > 0 {
            self.draw_labels(buffer, plot, margin, &scale, &traces, &readings);
        }
        readings
    }

    /// The cells that the curves are drawn on, if there are enough.
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

    /// The place of the right end when nothing is zoomed.
    fn end(&self) -> f64 {
        let ends = self.curves.iter().map(|curve| {
            let last = curve.series.last().map_or(0, |(step, _)| step).max(self.steps);
            curve.course.ruler(self.view.axis).at(last as f64)
        });
        let end = ends.fold(0.0, f64::max);
        if end > 0.0 { end } else { 1.0 }
    }

    fn traces(&self, (from, to): (f64, f64), columns: usize) -> Vec<Trace> {
        let last = self.curves.iter().filter_map(|curve| curve.series.last()).map(|(step, _)| step).max();
        let span = self.view.smoothing() * self.steps.max(last.unwrap_or(0)) as f64;
        let trace = |curve: &Curve<'_>| {
            let span = if curve.is_smoothed { span } else { 0.0 };
            let sight = Sight { from, to, columns, span };
            let columns = curve.series.columns(curve.course.ruler(self.view.axis), sight);
            let last = columns.iter().rposition(|column| column.finite > 0);
            Trace { columns, last }
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
                let y = draw_column(&mut canvas, (x, column), before, scale, plot.height, number as u16);
                before = Some((x, y));
                if scale.cuts_off(column.max) {
                    cut_off.push((x / 2, column.max));
                }
                match curve.look {
                    Look::Points(sign) => {
                        points += 1;
                        signs.push((x / 2, y / 4, theme.glyph(sign), curve.role));
                    }
                    // Signs of neighbours are set apart, so that curves side by side keep theirs.
                    Look::Marked(sign)
                        if trace.last == Some(x)
                            || (x.is_multiple_of(2) && (x / 2 + 7 * number).is_multiple_of(SIGN_EVERY)) =>
                    {
                        signs.push((x / 2, y / 4, theme.glyph(sign), curve.role));
                    }
                    _ => {}
                }
            }
        }
        self.draw_references(buffer, plot, scale);
        self.blit(&canvas, buffer, plot);
        // Signs on points only help while there are few of them.
        if points <= canvas.width * self.curves.len().min(4) {
            for (x, y, sign, role) in signs {
                put(buffer, plot.x + x as u16, plot.y + y as u16, 1, sign, theme.style(role));
            }
        }
        self.draw_troubles(buffer, plot, &cut_off);
    }

    fn blit(&self, canvas: &Canvas, buffer: &mut Buffer, plot: Rect) {
        let mut symbol = [0; 4];
        for (x, y, dots, owner) in canvas.cells() {
            let curve = &self.curves[usize::from(owner)];
            let text: &str = match (self.theme.charts(), curve.look) {
                (Charts::Braille, _) => dots.braille().encode_utf8(&mut symbol),
                (Charts::Blocks, _) => dots.blocks().encode_utf8(&mut symbol),
                (Charts::Ascii, Look::Points(..)) => "-",
                (Charts::Ascii, Look::Marked(sign)) => sign.text(true),
                (Charts::Ascii, Look::Line) if curve.name.is_empty() => ".",
                (Charts::Ascii, Look::Line) => "*",
            };
            let style = self.theme.style(curve.role);
            put(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, style);
        }
    }

    /// Marks what lies above the chart, and says how many points are not finite numbers.
    fn draw_troubles(&self, buffer: &mut Buffer, plot: Rect, cut_off: &[(usize, f64)]) {
        let warning = self.theme.style(Role::Warning);
        for (x, _) in cut_off {
            put(buffer, plot.x + *x as u16, plot.y, 1, self.theme.glyph(Glyph::Above), warning);
        }
        let mut said = Vec::new();
        if let Some(highest) = cut_off.iter().map(|(_, value)| *value).max_by(f64::total_cmp) {
            said.push(format!("{} up to {}", self.theme.glyph(Glyph::Above), self.value(highest)));
        }
        // The raw and the smoothed curve are of the same points.
        let raw = |curve: &&Curve<'_>| curve.role != Role::TrainRaw;
        let not_finite: u64 = self.curves.iter().filter(raw).map(|curve| curve.series.not_finite()).sum();
        if not_finite > 0 {
            said.push(format!("{not_finite} not finite"));
        }
        let text = said.join(", ");
        let x = plot.right().saturating_sub(text.width() as u16);
        if !text.is_empty() && x > plot.x && plot.height > 2 {
            put(buffer, x, plot.y + 1, plot.width, &text, warning);
        }
    }
}

/// Draws one column of dots and the line to the column before; returns the row of its mean.
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
mod tests {
    use super::*;
    use crate::event::Step;
    use crate::tui::theme::{Letters, Palette};

    const FANCY: Theme = Theme::new(Palette::None, Letters::Unicode);
    const PLAIN: Theme = Theme::new(Palette::None, Letters::Plain);

    fn series(points: impl IntoIterator<Item = (u64, f64)>) -> Series {
        let mut series = Series::default();
        points.into_iter().for_each(|(step, value)| series.push(step, value));
        series
    }

    /// A course of `steps` steps in two epochs, each step with 32 examples in half a second.
    fn course(steps: u64) -> Course {
        let mut course = Course::default();
        course.steps_per_epoch = steps / 2;
        for step in 1..=steps {
            course.step(&Step {
                step,
                epoch: 0.0,
                loss: 0.0,
                learning_rate: 0.0,
                grad_norm: 0.0,
                examples: 32,
                tokens: 640,
                seconds: 0.5,
                usage: None,
            });
        }
        course
    }

    fn chart<'a>(curves: &'a [Curve<'a>], steps: u64, theme: Theme) -> LineChart<'a> {
        let view = ChartView::default();
        LineChart { curves, view, steps, percent: false, references: &[], span: None, empty: "-", theme }
    }

    fn curve<'a>(name: &'a str, look: Look, series: &'a Series, course: &'a Course) -> Curve<'a> {
        Curve { name, role: Role::Train, look, series, course, is_smoothed: false }
    }

    fn with_keys(keys: &[ChartKey]) -> ChartView {
        let mut view = ChartView::default();
        for key in keys {
            view.apply(*key);
        }
        view
    }

    fn drawn(chart: &LineChart<'_>, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.draw(area, &mut buffer);
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_string()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_string()).collect()
    }

    #[test]
    fn a_falling_line_with_points() {
        let loss = series((1..=100).map(|step| (step, 1.0 - step as f64 / 110.0)));
        let validation = series([(0, 0.9), (50, 0.6), (100, 0.5)]);
        let course = course(100);
        let curves = [
            curve("train", Look::Line, &loss, &course),
            curve("validation", Look::Points(Glyph::Disc), &validation, &course),
        ];
        let expected = [
            "  1.0┤●⣀⠲⠤⣄⡀",
            "     │ ⠈⠉⠙⠒⠲⠤⠤⣄⣀⡀⡀",
            "     │          ⠉⠉⠙⠒⠲⠤⢤●⣀⣀⣀",
            "  0.5┤                ⠉⠙⠓⠦⠈⠉⠉⠉⠉⠉⠓⠒⠒⠒⠒⠒⠦⠤● validation",
            "     │                      ⠉⠙⠒⠦⣄⣀        0.500",
            "     │                           ⠈⠉⠓⠲⢤⣄⣀  train",
            "  0.0┤                                 ⠉⠙ 0.091",
            "     └┬────────────────┬────────────────┬",
            "      0             epoch 1             2",
        ];
        let got = drawn(&chart(&curves, 100, FANCY), 52, 9).join("\n");
        assert_eq!(got, expected.join("\n"), "\n{got}");
        let plain = drawn(&chart(&curves, 100, PLAIN), 52, 9).join("\n");
        assert!(plain.is_ascii() && plain.contains('*') && plain.contains('o'), "{plain}");
    }

    #[test]
    fn a_spike_among_a_million_steps_is_marked() {
        let loss = series((1..=1_000_000).map(|step| (step, if step == 500_000 { 80.0 } else { 0.5 })));
        let course = course(1000);
        let curves = [curve("train", Look::Line, &loss, &course)];
        let rows = drawn(&chart(&curves, 1_000_000, FANCY), 60, 12);
        assert_eq!(rows[0].matches('▲').count(), 1, "{}", rows.join("\n"));
        assert!(rows[1].contains("▲ up to 80.00"), "{}", rows.join("\n"));
    }

    #[test]
    fn gaps_stay_empty() {
        let loss = series((0..=40).map(|step| (step, if (10..30).contains(&step) { f64::NAN } else { 1.0 })));
        let course = course(40);
        let curves = [curve("", Look::Line, &loss, &course)];
        let rows = drawn(&chart(&curves, 40, FANCY), 47, 8);
        let line = rows.iter().find(|row| {
            row.contains('\u{2812}') || row.contains('⠤') || row.contains('⣀') || row.contains('⠉')
        });
        let line = line.unwrap_or_else(|| panic!("no line in\n{}", rows.join("\n")));
        let plot: Vec<char> = line.chars().skip(6).collect();
        assert!(plot[15..25].iter().all(|c| *c == ' '), "{}", rows.join("\n"));
        assert!(plot[2] != ' ' && plot[38] != ' ', "{}", rows.join("\n"));
    }

    #[test]
    fn every_size_and_no_data_is_drawn_without_harm() {
        let some = series([(1, 1.0)]);
        let none = Series::default();
        let bad = series([(1, f64::NAN)]);
        let course = Course::default();
        let log = with_keys(&[ChartKey::Log, ChartKey::NextAxis, ChartKey::NextAxis, ChartKey::CursorLeft]);
        for width in 0..40 {
            for height in 0..12 {
                for one in [&some, &none, &bad] {
                    let curves = [curve("train", Look::Line, one, &course)];
                    drawn(&chart(&curves, 1, FANCY), width, height);
                    drawn(&chart(&curves, 0, PLAIN), width, height);
                    drawn(&LineChart { view: log, ..chart(&curves, 0, FANCY) }, width, height);
                }
            }
        }
    }

    #[test]
    fn the_cursor_reads_every_curve() {
        let line = series((0..=100).map(|step| (step, step as f64)));
        let points = series([(0, 10.0), (100, 30.0)]);
        let broken = series((0..=100).map(|step| (step, if step < 80 { 1.0 } else { f64::NAN })));
        let short = series((0..=20).map(|step| (step, 5.0)));
        let course = course(100);
        let curves: Vec<Curve<'_>> =
            [&line, &points, &broken, &short].map(|series| curve("", Look::Line, series, &course)).into();
        let area = Rect::new(0, 0, 107, 20);
        let read = |view| {
            let mut buffer = Buffer::empty(area);
            LineChart { view, ..chart(&curves, 100, FANCY) }.draw(area, &mut buffer)
        };
        assert_eq!(read(ChartView::default())[..2], [Some(100.0), Some(30.0)], "without a cursor the ends");
        let mut view = with_keys(&[ChartKey::CursorLeft]);
        (0..10).for_each(|_| view.apply(ChartKey::CursorLeft));
        let readings = read(view);
        assert!((readings[0].unwrap() - 90.0).abs() < 0.6 && (readings[1].unwrap() - 28.0).abs() < 0.2);
        assert_eq!(readings[2..], [None, None], "no number and no curve read nothing");
    }

    #[test]
    fn zoomed_axes_say_where_one_is() {
        let loss = series((1..=1000).map(|step| (step, 1000.0 / step as f64)));
        let course = course(1000);
        let curves = [curve("", Look::Line, &loss, &course)];
        let foot = |keys: &[ChartKey]| {
            let view = with_keys(keys);
            let mut rows = drawn(&LineChart { view, ..chart(&curves, 1000, FANCY) }, 62, 10);
            rows.pop().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(foot(&[]), "0 epoch 1 2");
        let (zoom, axis) = (ChartKey::ZoomIn, ChartKey::NextAxis);
        assert_eq!(foot(&[zoom, zoom, axis]), "step 400 450 500 550 600");
        assert_eq!(foot(&[axis, axis]), "0:00 time 2:00 4:00 6:00 8:00");
        assert_eq!(foot(&[axis, axis, axis]), "0 examples 5k 10k 15k 20k 25k 30k");
    }

    #[test]
    fn logarithmic_values_have_a_tick_for_each_power() {
        let loss = series((1..=1000).map(|step| (step, 10.0 / step as f64)));
        let course = course(1000);
        let curves = [curve("", Look::Line, &loss, &course)];
        let view = with_keys(&[ChartKey::Log]);
        let rows = drawn(&LineChart { view, ..chart(&curves, 1000, FANCY) }, 40, 14);
        let ticks: Vec<&str> =
            rows.iter().filter_map(|row| row.split_once('┤')).map(|t| t.0.trim()).collect();
        assert_eq!(ticks, ["10", "1", "0.1", "0.01"], "{}", rows.join("\n"));
        let below = series([(1, -1.0), (2, 0.0)]);
        let curves = [curve("", Look::Line, &below, &course)];
        let rows = drawn(&LineChart { view, ..chart(&curves, 2, FANCY) }, 40, 14);
        assert!(rows.concat().contains("no value here"), "{}", rows.join("\n"));
    }
}
