//! Curves over steps, drawn in braille: two by four dots a cell.
//!
//! A column of dots shows the lowest and highest of all points that fall into it, so that a spike
//! is seen however long the run. It reads one entry per column of dots, never the points. A value
//! that is not a finite number is a gap. Without Unicode each curve has its own character.

mod axes;
mod labels;

use super::canvas::Canvas;
use super::put;
use crate::format;
use crate::run::series::{Column, Series};
use crate::tui::theme::{Role, Theme};
use axes::Scale;
use labels::Label;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

/// Cells of the labels at the value axis, the axis included.
const AXIS: u16 = 6;

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

    fn value(&self, value: f64) -> String {
        if self.percent { format!("{:.1}", 100.0 * value) } else { format::loss(value) }
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
        for (x, y, braille, owner) in canvas.cells() {
            let curve = &self.curves[usize::from(owner)];
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
}
