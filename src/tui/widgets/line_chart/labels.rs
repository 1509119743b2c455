//! Labels at the ends of the curves: names and values.

use super::chart::{AXIS, Curve, LineChart, Reading, Trace};
use super::scale::Scale;
use crate::text;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Width of a value in cells.
const VALUE_WIDTH: u16 = 6;
/// Width of a mean with standard deviation in cells.
const MEAN_WIDTH: u16 = 12;

/// The label of a curve.
struct Label<'a> {
    name: &'a str,
    value: String,
    /// The row of dots where the curve ends.
    dot: usize,
    role: Role,
}

impl LineChart<'_> {
    /// Whether the names of the curves are at their ends in a chart in `area`.
    pub(super) fn has_names(&self, area: Rect) -> bool {
        let named = self.curves.iter().filter(is_labeled).count();
        self.plot(area).is_some_and(|plot| plot.right() < area.right() && lines(named, plot.height) > 1)
    }

    /// Whether the values of the curves are at their ends in a chart in `area`.
    pub(super) fn has_values(&self, area: Rect) -> bool {
        self.plot(area).is_some_and(|plot| plot.right() < area.right())
    }

    /// Width of the labels to the right of a chart of `width` × `height`; 0 if it is too narrow for labels.
    pub(super) fn margin(&self, width: u16, height: u16) -> u16 {
        let named = || self.curves.iter().filter(is_labeled);
        let lines = lines(named().count(), height);
        let cells = named().map(|curve| {
            let name = if lines > 1 { text::width(curve.name) as u16 } else { 0 };
            name.max(if curve.is_band() { MEAN_WIDTH } else { VALUE_WIDTH })
        });
        match cells.max() {
            Some(cells) if width >= 3 * (1 + cells + AXIS) => 1 + cells,
            _ => 0,
        }
    }

    /// Draws the labels to the right of the ends of the curves, without overlap.
    pub(super) fn draw_labels(
        &self,
        buffer: &mut Buffer,
        plot: Rect,
        margin: u16,
        scale: &Scale,
        traces: &[Trace],
        readings: &[Option<Reading>],
    ) {
        let mut last = 0;
        let mut labels = Vec::new();
        for ((curve, trace), reading) in self.curves.iter().zip(traces).zip(readings) {
            let Some(end) = trace.last.filter(|_| !curve.name.is_empty()) else { continue };
            last = last.max(end);
            let dot = scale.dot(trace.columns[end].mean, plot.height);
            let value = reading
                .map_or_else(|| self.theme.symbol(Symbol::Dash).into(), |reading| self.reading(reading));
            labels.push(Label { name: curve.name, value, dot, role: curve.role });
        }
        labels.sort_by_key(|label| label.dot);
        let lines = lines(labels.len(), plot.height);
        let x = plot.x + (last / 2) as u16 + 1;
        let mut free_top = plot.y;
        let mut below = lines * labels.len() as u16;
        for label in labels {
            let preferred = plot.y + label.dot as u16 / 4;
            let y = preferred.min(plot.bottom().saturating_sub(below)).max(free_top);
            if y + lines > plot.bottom() {
                return;
            }
            let style = self.theme.style(label.role);
            for line in y..y + lines {
                draw_text(
                    buffer,
                    x,
                    line,
                    margin,
                    &" ".repeat(margin as usize),
                    self.theme.style(Role::Text),
                );
            }
            if lines > 1 {
                draw_text(buffer, x + 1, y, margin - 1, label.name, style);
            }
            draw_text(buffer, x + 1, y + lines - 1, margin - 1, &label.value, style);
            free_top = y + lines;
            below -= lines;
        }
    }
}

/// Whether a curve has a label.
fn is_labeled(curve: &&Curve<'_>) -> bool {
    !curve.name.is_empty() && curve.last_step().is_some()
}

/// Lines per label: 2 for name and value, or 1 for the value only if `labels` labels do not fit.
fn lines(labels: usize, height: u16) -> u16 {
    if usize::from(height) < 2 * labels { 1 } else { 2 }
}
