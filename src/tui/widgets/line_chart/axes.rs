//! The axes of a chart: ends and ticks, and what stands at them.

use super::{AXIS, LineChart};
use crate::format;
use crate::tui::theme::Role;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// The least that a chart of shares spans.
const LEAST_PERCENT: f64 = 0.05;

/// The value axis: ends, distance of the ticks, and whether values above the end are cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) tick: f64,
}

impl Scale {
    /// Row of dots of a value, from the top; values outside are moved to the edge.
    pub(super) fn dot(self, value: f64, height: u16) -> usize {
        let dots = f64::from(height) * 4.0 - 1.0;
        let share = (self.to - value) / (self.to - self.from);
        (share * dots).round().clamp(0.0, dots) as usize
    }
}

impl LineChart<'_> {
    pub(super) fn scale(&self, (low, high): (f64, f64), height: u16) -> Scale {
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

    pub(super) fn draw_axes(&self, buffer: &mut Buffer, plot: Rect, foot: bool, scale: Scale) {
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

    #[test]
    fn ticks_are_nice() {
        assert_eq!([0.13, 1.0, 3.0, 7.0].map(nice), [0.2, 1.0, 5.0, 10.0]);
        assert_eq!([0.0, f64::NAN].map(nice), [1.0, 1.0]);
    }
}
