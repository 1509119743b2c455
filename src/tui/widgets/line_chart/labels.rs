//! Names and newest values at the ends of the curves.

use super::LineChart;
use super::axes::Scale;
use crate::tui::theme::Role;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// What stands at the end of a curve.
pub(super) struct Label<'a> {
    name: &'a str,
    value: String,
    at: f64,
    step: u64,
    role: Role,
    lines: u16,
}

impl Label<'_> {
    pub(super) fn width(&self) -> u16 {
        let name = if self.lines > 1 { self.name.width() } else { 0 };
        1 + name.max(self.value.width()) as u16
    }
}

impl LineChart<'_> {
    pub(super) fn labels(&self, height: u16) -> Vec<Label<'_>> {
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
    pub(super) fn draw_labels(
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
