//! Marks of the changes during a run, on the horizontal axis.

use super::chart::{ChangeMark, LineChart};
use crate::tui::theme::Symbol;
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A visible mark and its column of cells.
pub(super) struct PlacedChange<'a> {
    pub(super) mark: &'a ChangeMark<'a>,
    pub(super) x: usize,
}

impl LineChart<'_> {
    /// The marks in the visible range of the axis.
    pub(super) fn changes_in(&self, plot: Rect, range: (f64, f64)) -> Vec<PlacedChange<'_>> {
        let changes = self.changes.iter().filter_map(|mark| {
            let at = mark.step_axis.mapper(self.view.axis).at(mark.step as f64);
            Some(PlacedChange { mark, x: column_of(at, range, plot)? })
        });
        changes.collect()
    }

    /// Draws the marks over the axis below the plot.
    pub(super) fn draw_changes(&self, buffer: &mut Buffer, plot: Rect, changes: &[PlacedChange<'_>]) {
        for PlacedChange { mark, x } in changes {
            let style = self.theme.style(mark.role);
            let symbol = self.theme.symbol(Symbol::Change);
            draw_text(buffer, plot.x + *x as u16, plot.bottom(), 1, symbol, style);
        }
    }
}

/// The column of cells of a position on the horizontal axis, if it is visible.
pub(super) fn column_of(at: f64, (from, to): (f64, f64), plot: Rect) -> Option<usize> {
    let fraction = (at - from) / (to - from);
    let is_visible = (0.0..=1.0).contains(&fraction);
    is_visible.then(|| (fraction * f64::from(plot.width.saturating_sub(1))).round() as usize)
}
