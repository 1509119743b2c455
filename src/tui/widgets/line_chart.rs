//! Curves over steps, drawn in braille: two by four dots a cell.
//!
//! A column of dots shows the lowest and highest of all points that fall into it, so that a spike
//! is seen however long the run. It reads one entry per column of dots, never the points. A value
//! that is not a finite number is a gap. Without Unicode each curve has its own character.

use super::put;
use crate::run::series::{Column, Series};
use crate::tui::format;
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

/// Cells of the labels at the value axis, the axis included.
const AXIS: u16 = 6;
/// The least that a chart of shares spans.
const LEAST_PERCENT: f64 = 0.05;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A line through dense points.
    Line,
    /// Few points with a sign on each and a line between; the second sign is for ASCII.
    Points(&'static str, &'static str),
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
}

/// A chart. Later curves are in front of earlier ones.
#[derive(Debug)]
pub struct LineChart<'a> {
    /// The curves.
    pub curves: &'a [Curve<'a>],
    /// Steps at the right end.
    pub steps: u64,
    /// Steps of one epoch; 0 when not known.
    pub steps_per_epoch: u64,
    /// Whether values are shares, shown times a hundred.
    pub percent: bool,
    /// A value to compare with, as a dashed line.
    pub reference: Option<f64>,
    /// What to say while there is no point.
    pub empty: &'a str,
    /// Styles and signs.
    pub theme: Theme,
}

/// The value axis: ends, distance of the ticks, and whether values above the end are cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    from: f64,
    to: f64,
    tick: f64,
}

impl Scale {
    /// Row of dots of a value, from the top; values outside are moved to the edge.
    fn dot(self, value: f64, height: u16) -> usize {
        let dots = f64::from(height) * 4.0 - 1.0;
        let share = (self.to - value) / (self.to - self.from);
        (share * dots).round().clamp(0.0, dots) as usize
    }
}

/// Dots, two by four a cell, with the curve that each cell belongs to.
struct Canvas {
    width: usize,
    height: usize,
    bits: Vec<u8>,
    owner: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, bits: vec![0; width * height], owner: vec![0; width * height] }
    }

    /// Sets a dot for `curve`. A cell shows one curve only: the one in front takes it.
    fn set(&mut self, x: usize, y: usize, curve: u8) {
        const LEFT: [u8; 4] = [0x01, 0x02, 0x04, 0x40];
        const RIGHT: [u8; 4] = [0x08, 0x10, 0x20, 0x80];
        let (column, row) = (x / 2, y / 4);
        if column >= self.width || row >= self.height {
            return;
        }
        let cell = row * self.width + column;
        if self.owner[cell] != curve + 1 {
            self.owner[cell] = curve + 1;
            self.bits[cell] = 0;
        }
        self.bits[cell] |= if x.is_multiple_of(2) { LEFT[y % 4] } else { RIGHT[y % 4] };
    }

    fn vertical(&mut self, x: usize, from: usize, to: usize, curve: u8) {
        for y in from.min(to)..=from.max(to) {
            self.set(x, y, curve);
        }
    }

    /// A line that leaves no hole between columns.
    fn line(&mut self, (x0, y0): (usize, usize), (x1, y1): (usize, usize), curve: u8) {
        let width = (x1 - x0).max(1) as f64;
        let at = |x: usize| y0 as f64 + (y1 as f64 - y0 as f64) * (x - x0) as f64 / width;
        let mut before = y0;
        for x in x0..=x1 {
            let y = at(x).round() as usize;
            // Half of a step belongs to the column before, half to this one.
            let middle = usize::midpoint(before, y);
            if x > x0 {
                self.vertical(x - 1, before, middle, curve);
            }
            self.vertical(x, middle, y, curve);
            before = y;
        }
    }
}

impl Widget for &LineChart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.width < AXIS + 4 || area.height < 2 {
            return;
        }
        let Some(bounds) = self.bounds() else {
            let y = area.y + area.height / 2;
            let x = area.x + area.width.saturating_sub(self.empty.width() as u16) / 2;
            put(buffer, x, y, area.width, self.empty, self.theme.style(Role::Muted));
            return;
        };
        let foot = if area.height >= 5 { 2 } else { 0 };
        let labels = self.labels(area.height - foot);
        let widest = labels.iter().map(Label::width).max().unwrap_or(0);
        let margin = if area.width >= 3 * (widest + AXIS) { widest } else { 0 };
        let plot = Rect {
            x: area.x + AXIS,
            y: area.y,
            width: area.width - AXIS - margin,
            height: area.height - foot,
        };
        let scale = self.scale(bounds, plot.height);
        self.draw_axes(buffer, plot, foot > 0, scale);
        self.draw_curves(buffer, plot, scale);
        if margin > 0 {
            self.draw_labels(buffer, plot, margin, scale, labels);
        }
    }
}

/// What stands at the end of a curve.
struct Label<'a> {
    name: &'a str,
    value: String,
    at: f64,
    step: u64,
    role: Role,
    lines: u16,
}

impl Label<'_> {
    fn width(&self) -> u16 {
        let name = if self.lines > 1 { self.name.width() } else { 0 };
        1 + name.max(self.value.width()) as u16
    }
}

impl LineChart<'_> {
    fn end(&self) -> f64 {
        let last = self.curves.iter().filter_map(|curve| curve.series.last()).map(|(step, _)| step).max();
        self.steps.max(last.unwrap_or(0)).max(1) as f64
    }

    /// The lowest and highest value to show. Of extremes far above all else only the mark shows,
    /// so that one spike does not flatten the rest.
    fn bounds(&self) -> Option<(f64, f64)> {
        let mut low = f64::INFINITY;
        let mut highs = Vec::new();
        let mut floor = f64::NEG_INFINITY;
        for curve in self.curves {
            let Some((min, max)) = curve.series.bounds() else { continue };
            low = low.min(min);
            match curve.look {
                Look::Line => highs.extend(curve.series.extremes().map(|(.., max)| max)),
                Look::Points(..) => floor = floor.max(max),
            }
        }
        highs.sort_by(f64::total_cmp);
        let highest = highs.last().copied().unwrap_or(f64::NEG_INFINITY).max(floor);
        if !highest.is_finite() {
            return None;
        }
        let usual = highs.get(highs.len().saturating_sub(1) * 98 / 100).copied().unwrap_or(floor).max(floor);
        let high = if highs.len() >= 50 && highest > 3.0 * usual { 1.3 * usual } else { highest };
        Some(match self.reference {
            Some(reference) if reference.is_finite() => (low.min(reference), high.max(reference)),
            _ => (low, high),
        })
    }

    fn scale(&self, (low, high): (f64, f64), height: u16) -> Scale {
        let low = if !self.percent && low > 0.0 && low < 0.6 * high { 0.0 } else { low };
        // Scores that differ by a hair must not look as if they were worlds apart.
        let (low, high) = if self.percent && high - low < LEAST_PERCENT {
            let middle = f64::midpoint(low, high);
            (middle - LEAST_PERCENT / 2.0, middle + LEAST_PERCENT / 2.0)
        } else {
            (low, high)
        };
        let span = if high > low { high - low } else { (0.1 * high.abs()).max(0.01) };
        let tick = nice(span / f64::from((height / 3).clamp(1, 5)));
        let mut from = (low / tick).floor() * tick;
        let mut to = (high / tick).ceil() * tick;
        if to - from < tick / 2.0 {
            (from, to) = (from - tick, to + tick);
        }
        if self.percent && high <= 1.0 {
            to = to.min(1.0);
        }
        if low >= 0.0 {
            from = from.max(0.0);
        }
        Scale { from, to, tick }
    }

    fn label(&self, value: f64, tick: f64) -> String {
        let (value, tick) = if self.percent { (100.0 * value, 100.0 * tick) } else { (value, tick) };
        if value.abs() >= 1000.0 {
            return format::short(value);
        }
        let decimals = (-(tick.log10() + 1e-9).floor()).clamp(0.0, 4.0) as usize;
        format!("{value:.decimals$}")
    }

    fn value(&self, value: f64) -> String {
        if self.percent { format!("{:.1}", 100.0 * value) } else { format::loss(value) }
    }

    fn draw_axes(&self, buffer: &mut Buffer, plot: Rect, foot: bool, scale: Scale) {
        let theme = self.theme;
        let (frame, muted) = (theme.style(Role::Frame), theme.style(Role::Muted));
        for y in plot.top()..plot.bottom() {
            put(buffer, plot.x - 1, y, 1, theme.sign("│", "|"), frame);
        }
        let ticks = ((scale.to - scale.from) / scale.tick).round() as u64;
        let mut free = plot.bottom();
        for tick in 0..=ticks.min(20) {
            let value = scale.from + tick as f64 * scale.tick;
            let y = plot.y + scale.dot(value, plot.height) as u16 / 4;
            if y >= free {
                continue;
            }
            free = y;
            put(buffer, plot.x - 1, y, 1, theme.sign("┤", "+"), frame);
            let text = format!("{:>5}", self.label(value, scale.tick));
            put(buffer, plot.x - AXIS, y, AXIS - 1, &text, muted);
        }
        if foot {
            let line = theme.sign("└", "+").to_string() + &theme.sign("─", "-").repeat(plot.width as usize);
            put(buffer, plot.x - 1, plot.bottom(), plot.width + 1, &line, frame);
            self.draw_steps(buffer, plot);
        }
    }

    /// Marks epochs below the axis, or steps when there is less than one epoch.
    fn draw_steps(&self, buffer: &mut Buffer, plot: Rect) {
        let end = self.end();
        let epochs = if self.steps_per_epoch > 0 { end / self.steps_per_epoch as f64 } else { 0.0 };
        let in_epochs = epochs >= 0.999;
        let (unit, length) = if in_epochs { (self.steps_per_epoch as f64, epochs) } else { (1.0, end) };
        let most = f64::from(plot.width / 8).clamp(1.0, 12.0);
        let every = nice(length / most).max(1.0).round();
        let (frame, muted) = (self.theme.style(Role::Frame), self.theme.style(Role::Muted));
        let mut free = plot.x;
        let mut number = 0.0;
        while number <= length + 1e-6 {
            let x = plot.x + (number * unit / end * f64::from(plot.width - 1)).round() as u16;
            let first = number == every;
            let mut text = if in_epochs { format!("{number}") } else { format::short(number) };
            if !in_epochs && number < 1000.0 {
                text = format!("{number}");
            }
            if first {
                let word = if in_epochs { "epoch" } else { "step" };
                text = format!("{word} {text}");
            }
            let width = text.width() as u16;
            let start =
                x.saturating_sub(width / 2).clamp(plot.x, (plot.right()).saturating_sub(width).max(plot.x));
            if start >= free && start + width <= plot.right() {
                put(buffer, x, plot.bottom(), 1, self.theme.sign("┬", "+"), frame);
                put(buffer, start, plot.bottom() + 1, width, &text, muted);
                free = start + width + 1;
            }
            number += every;
        }
    }

    fn draw_curves(&self, buffer: &mut Buffer, plot: Rect, scale: Scale) {
        let theme = self.theme;
        let mut canvas = Canvas::new(plot.width as usize, plot.height as usize);
        let mut signs = Vec::new();
        let mut cut_off = Vec::new();
        let mut not_finite = 0;
        for (number, curve) in self.curves.iter().enumerate() {
            let columns = curve.series.columns(0.0, self.end(), 2 * canvas.width);
            not_finite += if curve.name.is_empty() { 0 } else { curve.series.not_finite() };
            let mut before = None;
            for (x, column) in columns.iter().enumerate() {
                if column.is_gap() {
                    before = None;
                }
                if column.finite == 0 {
                    continue;
                }
                let y = draw_column(&mut canvas, (x, column), before, scale, plot.height, number as u8);
                before = Some((x, y));
                if column.max > scale.to * (1.0 + 1e-9) {
                    cut_off.push((x / 2, column.max));
                }
                if let Look::Points(sign, plain) = curve.look {
                    signs.push((x / 2, y / 4, theme.sign(sign, plain), curve.role));
                }
            }
        }
        self.draw_reference(buffer, plot, scale);
        self.blit(&canvas, buffer, plot);
        // Signs only help while there are few of them.
        if signs.len() <= canvas.width {
            for (x, y, sign, role) in signs {
                put(buffer, plot.x + x as u16, plot.y + y as u16, 1, sign, theme.style(role));
            }
        }
        self.draw_troubles(buffer, plot, &cut_off, not_finite);
    }

    fn blit(&self, canvas: &Canvas, buffer: &mut Buffer, plot: Rect) {
        let mut symbol = [0; 4];
        for (cell, bits) in canvas.bits.iter().enumerate().filter(|(_, bits)| **bits > 0) {
            let curve = &self.curves[canvas.owner[cell] as usize - 1];
            let (x, y) = (cell % canvas.width, cell / canvas.width);
            let braille = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
            let text: &str = match (self.theme.ascii, curve.look) {
                (false, _) => braille.encode_utf8(&mut symbol),
                (true, Look::Points(..)) => "-",
                (true, Look::Line) if curve.name.is_empty() => ".",
                (true, Look::Line) => "*",
            };
            let style = self.theme.style(curve.role);
            put(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, style);
        }
    }

    fn draw_reference(&self, buffer: &mut Buffer, plot: Rect, scale: Scale) {
        let Some(reference) = self.reference.filter(|value| value.is_finite()) else { return };
        let y = plot.y + scale.dot(reference, plot.height) as u16 / 4;
        for x in (plot.x..plot.right()).step_by(2) {
            put(buffer, x, y, 1, self.theme.sign("╌", "-"), self.theme.style(Role::Frame));
        }
    }

    /// Marks what lies above the chart, and says how many points are not finite numbers.
    fn draw_troubles(&self, buffer: &mut Buffer, plot: Rect, cut_off: &[(usize, f64)], not_finite: u64) {
        let warning = self.theme.style(Role::Warning);
        for (x, _) in cut_off {
            put(buffer, plot.x + *x as u16, plot.y, 1, self.theme.sign("▲", "^"), warning);
        }
        let mut said = Vec::new();
        if let Some(highest) = cut_off.iter().map(|(_, value)| *value).max_by(f64::total_cmp) {
            said.push(format!("{} up to {}", self.theme.sign("▲", "^"), self.value(highest)));
        }
        if not_finite > 0 {
            said.push(format!("{not_finite} not finite"));
        }
        let text = said.join(", ");
        let x = plot.right().saturating_sub(text.width() as u16);
        if !text.is_empty() && x > plot.x && plot.height > 2 {
            put(buffer, x, plot.y + 1, plot.width, &text, warning);
        }
    }

    fn labels(&self, height: u16) -> Vec<Label<'_>> {
        let named = self.curves.iter().filter(|curve| !curve.name.is_empty());
        let mut labels: Vec<Label<'_>> = named
            .filter_map(|curve| {
                let (step, value) = curve.series.last_finite()?;
                let at = value;
                Some(Label {
                    name: curve.name,
                    value: self.value(value),
                    at,
                    step,
                    role: curve.role,
                    lines: 2,
                })
            })
            .collect();
        if height < 2 * labels.len() as u16 {
            for label in &mut labels {
                label.lines = 1;
            }
        }
        labels
    }

    /// Puts the labels to the right of where the curves end, moved apart where they would meet.
    fn draw_labels(
        &self,
        buffer: &mut Buffer,
        plot: Rect,
        margin: u16,
        scale: Scale,
        mut labels: Vec<Label<'_>>,
    ) {
        labels.sort_by(|a, b| b.at.total_cmp(&a.at));
        let last = labels.iter().map(|label| label.step).max().unwrap_or(0) as f64;
        let x = plot.x + (last / self.end() * f64::from(plot.width - 1)).round() as u16 + 1;
        let mut free = plot.y;
        let mut below: u16 = labels.iter().map(|label| label.lines).sum();
        for label in labels {
            let wanted = plot.y + scale.dot(label.at, plot.height) as u16 / 4;
            let y = wanted.min(plot.bottom().saturating_sub(below)).max(free);
            if y + label.lines > plot.bottom() {
                return;
            }
            let style = self.theme.style(label.role);
            for line in y..y + label.lines {
                put(buffer, x, line, margin, &" ".repeat(margin as usize), self.theme.style(Role::Text));
            }
            if label.lines > 1 {
                put(buffer, x + 1, y, margin - 1, label.name, style);
            }
            put(buffer, x + 1, y + label.lines - 1, margin - 1, &label.value, style);
            free = y + label.lines;
            below -= label.lines;
        }
    }
}

/// Draws one column of dots and the line to the column before; returns the row of its mean.
fn draw_column(
    canvas: &mut Canvas,
    (x, column): (usize, &Column),
    before: Option<(usize, usize)>,
    scale: Scale,
    height: u16,
    curve: u8,
) -> usize {
    let y = scale.dot(column.mean, height);
    if let Some(before) = before {
        canvas.line(before, (x, y), curve);
    }
    let top = scale.dot(column.max, height);
    let bottom = scale.dot(column.min, height);
    canvas.vertical(x, top, bottom, curve);
    y
}

/// The nearest of 1, 2, 5 × 10ⁿ at or above `step`.
fn nice(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|nice| *nice >= step * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Palette;

    const FANCY: Theme = Theme { palette: Palette::None, ascii: false };
    const PLAIN: Theme = Theme { palette: Palette::None, ascii: true };

    fn series(points: impl IntoIterator<Item = (u64, f64)>) -> Series {
        let mut series = Series::default();
        points.into_iter().for_each(|(step, value)| series.push(step, value));
        series
    }

    fn chart<'a>(curves: &'a [Curve<'a>], steps: u64, theme: Theme) -> LineChart<'a> {
        LineChart {
            curves,
            steps,
            steps_per_epoch: steps / 2,
            percent: false,
            reference: None,
            empty: "-",
            theme,
        }
    }

    fn curve<'a>(name: &'a str, look: Look, series: &'a Series) -> Curve<'a> {
        Curve { name, role: Role::Train, look, series }
    }

    fn drawn(chart: &LineChart<'_>, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer);
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_string()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_string()).collect()
    }

    #[test]
    fn a_falling_line_with_points() {
        let loss = series((1..=100).map(|step| (step, 1.0 - step as f64 / 110.0)));
        let validation = series([(0, 0.9), (50, 0.6), (100, 0.5)]);
        let curves =
            [curve("train", Look::Line, &loss), curve("validation", Look::Points("•", "o"), &validation)];
        let expected = [
            "  1.0┤•⣀⠲⠤⣄⡀",
            "     │ ⠈⠉⠙⠒⠲⠤⠤⣄⣀⡀⡀",
            "     │          ⠉⠉⠙⠒⠲⠤⢤•⣀⣀⣀",
            "  0.5┤                ⠉⠙⠓⠦⠈⠉⠉⠉⠉⠉⠓⠒⠒⠒⠒⠒⠦⠤• validation",
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
        let curves = [curve("train", Look::Line, &loss)];
        let rows = drawn(&chart(&curves, 1_000_000, FANCY), 60, 12);
        assert_eq!(rows[0].matches('▲').count(), 1, "{}", rows.join("\n"));
        assert!(rows[1].contains("▲ up to 80.00"), "{}", rows.join("\n"));
    }

    #[test]
    fn gaps_stay_empty() {
        let loss = series((0..=40).map(|step| (step, if (10..30).contains(&step) { f64::NAN } else { 1.0 })));
        let curves = [curve("", Look::Line, &loss)];
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
        for width in 0..40 {
            for height in 0..12 {
                for one in [&some, &none, &bad] {
                    let curves = [curve("train", Look::Line, one)];
                    drawn(&chart(&curves, 1, FANCY), width, height);
                    drawn(&chart(&curves, 0, PLAIN), width, height);
                }
            }
        }
    }

    #[test]
    fn ticks_are_nice() {
        assert_eq!([0.13, 1.0, 3.0, 7.0].map(nice), [0.2, 1.0, 5.0, 10.0]);
        assert_eq!([0.0, f64::NAN].map(nice), [1.0, 1.0]);
    }
}
