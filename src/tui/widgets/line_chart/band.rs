//! Several seeds of a run as one curve: their mean with a band of one standard deviation.
//!
//! A band is also distinguishable without color: it is a pattern of separate dots behind an unbroken curve, and two
//! bands have different patterns.

use super::chart::{LineChart, Trace};
use super::scale::Scale;
use crate::run::Repeats;
use crate::run::series::Column;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Merges the traces of several seeds. A column with a point of any seed has the mean over the seeds that reach it,
/// and the mean minus and plus their standard deviation as minimum and maximum. Seeds without a point there are
/// interpolated.
pub(super) fn merged(seeds: &[Trace]) -> Trace {
    let width = seeds.first().map_or(0, |trace| trace.columns.len());
    let column = |at: usize| {
        let columns = || seeds.iter().map(|trace| &trace.columns[at]);
        let not_finite = columns().map(|column| column.not_finite).sum();
        let has_point = columns().any(|column| column.finite > 0);
        let values = seeds.iter().filter(|_| has_point).filter_map(|trace| trace.read(at));
        match Repeats::of(values) {
            None => Column { not_finite, ..Column::EMPTY },
            Some(Repeats { count, mean, sd }) => {
                Column { min: mean - sd, max: mean + sd, mean, last: mean, finite: count, not_finite }
            }
        }
    };
    Trace::of((0..width).map(column).collect())
}

impl LineChart<'_> {
    /// Draws the bands. Curves are drawn over them.
    pub(super) fn draw_bands(&self, buffer: &mut Buffer, plot: Rect, scale: &Scale, traces: &[Trace]) {
        let theme = self.theme;
        let mut canvas = Canvas::new(plot.width as usize, plot.height as usize);
        let bands = self.curves.iter().zip(traces).enumerate().filter(|(_, (curve, _))| curve.is_band());
        for (number, (_, trace)) in bands {
            let mut before: Option<(usize, &Column)> = None;
            for (x, column) in trace.columns.iter().enumerate() {
                if column.is_gap() {
                    before = None;
                }
                if column.finite == 0 || !scale.shows(column.max) {
                    continue;
                }
                let from = before.unwrap_or((x, column));
                fill(&mut canvas, from, (x, column), (scale, plot.height), number as u16);
                before = Some((x, column));
            }
        }
        let mut symbol = [0; 4];
        for (x, y, dots, curve) in canvas.cells() {
            let text = dots.text(theme.charts(), ":", &mut symbol);
            let style = theme.faint(self.curves[usize::from(curve)].role);
            draw_text(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, style);
        }
    }
}

/// Fills the area between the minima and maxima of two columns with a pattern of dots.
fn fill(
    canvas: &mut Canvas,
    (x0, first): (usize, &Column),
    (x1, last): (usize, &Column),
    (scale, height): (&Scale, u16),
    curve: u16,
) {
    for x in x0..=x1 {
        let fraction = if x1 > x0 { (x - x0) as f64 / (x1 - x0) as f64 } else { 1.0 };
        let between = |a: f64, b: f64| a + fraction * (b - a);
        let (low, high) = (between(first.min, last.min), between(first.max, last.max));
        if high <= low {
            continue;
        }
        for y in scale.dot(high, height)..=scale.dot(low, height) {
            // Every fourth dot; the next band uses the other columns.
            if (x + usize::from(curve)).is_multiple_of(2) && (y + x / 2).is_multiple_of(2) {
                canvas.set(x, y, curve);
            }
        }
    }
}
