//! The pane of probes.

use super::prediction;
use crate::tui::action::{Action, InferAction};
use crate::tui::keymap::Condition;
use crate::tui::screen::{Context, Screen};
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
    let classified = &infer.probes.classified;
    let line = |(at, probe)| ProbeLine {
        probe,
        series: history.and_then(|history| history.probes.series_of(probe)),
        classified: classified.iter().find(|(other, _)| other == probe).map(|(_, output)| {
            let (label, number) = prediction::label_and_number(output);
            format!("{number}  {label}").trim_end().to_owned()
        }),
        is_selected: infer.recalled == Some(infer.history.len() + at),
    };
    let lines: Vec<_> = infer.fitting_probes().enumerate().map(line).collect();
    let key = app.key(Context::Screen(Screen::Infer), Action::Infer(InferAction::ClassifyProbes));
    let can_classify = app.holds(Condition::HasUnscoredProbes);
    let note = can_classify.then(|| format!("new: {key} classifies it"));
    probes::draw(&lines, history, note.as_deref(), theme, inner, buffer);
}
