//! The pane of probes.

use crate::tui::state::App;
use crate::tui::state::infer::InferState;
use crate::tui::theme::Role;
use crate::tui::view::probes::{self, ProbeLine};
use crate::tui::widgets::{draw_text, padded_pane, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// Height of the pane with its border; 0 if there are no probes.
pub(super) fn height(infer: &InferState) -> u16 {
    match (&infer.probes.error, infer.fitting_probes().count()) {
        (None, 0) => 0,
        (Some(_), count) => count.max(2) as u16 + 2,
        (None, count) => count as u16 + 2,
    }
}

/// Draws the pane.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let (theme, infer) = (app.theme, &app.infer);
    let block = padded_pane(theme, "Probes", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    if let Some(error) = &infer.probes.error {
        for (line, y) in wrap(error, usize::from(inner.width)).iter().zip(inner.y..inner.bottom()) {
            draw_text(buffer, inner.x, y, inner.width, line, theme.style(Role::Warning));
        }
        return;
    }
    let history = infer.run_history(app.training.as_ref());
    let line = |(at, probe)| ProbeLine {
        probe,
        series: history.and_then(|history| history.probes.series_of(probe)),
        is_selected: infer.recalled == Some(infer.history.len() + at),
    };
    let lines: Vec<_> = infer.fitting_probes().enumerate().map(line).collect();
    probes::draw(&lines, history, theme, inner, buffer);
}
