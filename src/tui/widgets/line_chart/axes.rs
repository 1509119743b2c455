//! The labels at the axes of a chart, and the cursor.

use super::changes::{PlacedChange, column_of};
use super::chart::{AXIS, LineChart};
use super::scale::Scale;
use crate::format;
use crate::run::axis::Axis;
use crate::run::axis::ticks::{distance, tick_text};
use crate::text;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

impl LineChart<'_> {
    /// Draws the vertical axis with its ticks and their labels.
    pub(super) fn draw_y_axis(&self, buffer: &mut Buffer, plot: Rect, scale: &Scale) {
        let theme = self.theme;
        let (frame, muted) = (theme.style(Role::Frame), theme.style(Role::Muted));
        for y in plot.top()..plot.bottom() {
            draw_text(buffer, plot.x - 1, y, 1, theme.symbol(Symbol::Axis), frame);
        }
        let mut free_bottom = plot.bottom();
        for (value, label) in scale.ticks.iter().zip(self.tick_labels(scale)) {
            let y = plot.y + scale.dot(*value, plot.height) as u16 / 4;
            if y >= free_bottom {
                continue;
            }
            free_bottom = y;
            draw_text(buffer, plot.x - 1, y, 1, theme.symbol(Symbol::AxisTick), frame);
            draw_text(buffer, plot.x - AXIS, y, AXIS - 1, &format!("{label:>5}"), muted);
        }
    }

    /// Draws the horizontal axis with its ticks, and the label of the cursor, given as position and column. The first
    /// tick label other than 0 is preceded by the name of the axis.
    pub(super) fn draw_x_axis(
        &self,
        buffer: &mut Buffer,
        plot: Rect,
        (from, to): (f64, f64),
        cursor: Option<(f64, usize)>,
        changes: &[PlacedChange<'_>],
    ) {
        let (axis, theme) = (self.view.axis, self.theme);
        let (frame, muted) = (theme.style(Role::Frame), theme.style(Role::Muted));
        let line = theme.symbol(Symbol::Corner).to_string()
            + &theme.symbol(Symbol::Rule).repeat(plot.width as usize);
        draw_text(buffer, plot.x - 1, plot.bottom(), plot.width + 1, &line, frame);
        let cursor_label =
            cursor.map(|(position, x)| self.draw_cursor_label(buffer, plot, (x, position), changes));
        let span = to - from;
        let every = distance(axis, span, f64::from(plot.width / 8).clamp(1.0, 12.0));
        let mut free_left = plot.x;
        let mut is_named = false;
        let mut number = (from / every - 1e-9).ceil();
        while number * every <= to + 1e-9 * span {
            let position = number * every;
            let x = plot.x + ((position - from) / span * f64::from(plot.width - 1)).round() as u16;
            let mut text = tick_text(axis, position, every, to);
            if !is_named && number > 0.0 {
                text = format!("{} {text}", axis.name());
            }
            let width = text::width(&text) as u16;
            let start =
                x.saturating_sub(width / 2).clamp(plot.x, (plot.right()).saturating_sub(width).max(plot.x));
            let is_hidden = cursor_label.is_some_and(|(left, right)| start < right && start + width > left);
            if start >= free_left && start + width <= plot.right() && !is_hidden {
                draw_text(buffer, x, plot.bottom(), 1, theme.symbol(Symbol::PositionTick), frame);
                draw_text(buffer, start, plot.bottom() + 1, width, &text, muted);
                free_left = start + width + 1;
                is_named |= number > 0.0;
            }
            number += 1.0;
        }
    }

    /// Draws the cursor at column `x` of the plot and the start of the selected range, behind the curves.
    pub(super) fn draw_cursor(&self, buffer: &mut Buffer, plot: Rect, x: usize, (from, to): (f64, f64)) {
        let theme = self.theme;
        let mut line = |x: usize, role| {
            for y in plot.top()..plot.bottom() {
                draw_text(buffer, plot.x + x as u16, y, 1, theme.symbol(Symbol::Reading), theme.style(role));
            }
        };
        line(x, Role::Key);
        let anchor = self.view.selected_from(self.end());
        let Some(anchor) = anchor.and_then(|at| column_of(at, (from, to), plot)) else { return };
        line(anchor, Role::Focus);
        let (left, right) = (anchor.min(x), anchor.max(x));
        let range = theme.symbol(Symbol::Full).repeat(right - left + 1);
        let style = theme.style(Role::Focus);
        draw_text(buffer, plot.x + left as u16, plot.bottom(), plot.width, &range, style);
    }

    /// Draws the position of the cursor below the plot, with the changes of the run there; returns the columns of the
    /// label.
    fn draw_cursor_label(
        &self,
        buffer: &mut Buffer,
        plot: Rect,
        (x, position): (usize, f64),
        changes: &[PlacedChange<'_>],
    ) -> (u16, u16) {
        let theme = self.theme;
        let mut text = format!(" {} {} ", self.view.axis.name(), position_text(self.view.axis, position));
        for change in changes.iter().filter(|change| change.x.abs_diff(x) <= 1) {
            text += &format!("{} ", change.mark.text);
        }
        let text = truncate(theme, &text, usize::from(plot.width));
        let width = text::width(&text) as u16;
        let middle = (plot.x + x as u16).saturating_sub(width / 2);
        let start = middle.clamp(plot.x, plot.right().saturating_sub(width).max(plot.x));
        draw_text(
            buffer,
            start,
            plot.bottom() + 1,
            plot.right().saturating_sub(start),
            &text,
            theme.style(Role::Selected),
        );
        (start, start + width)
    }
}

/// The label of the cursor, with full precision.
fn position_text(axis: Axis, position: f64) -> String {
    match axis {
        Axis::Epoch => format!("{position:.2}"),
        Axis::Step | Axis::Examples => format::count(position.round() as u64),
        Axis::Time => format::duration(position),
    }
}
