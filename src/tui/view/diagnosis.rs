//! The diagnosis of a run, with the key that tries the suggested settings.

use crate::run::history::History;
use crate::tui::action::{Action, LiveAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines that the diagnosis of a run takes: one, or none without a diagnosis.
pub(super) fn height(history: &History) -> u16 {
    u16::from(!history.diagnoses.is_empty())
}

/// Draws the newest diagnosis in one line: the problem, what to try, and the sentence as far as it fits.
pub(super) fn draw(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let Some(diagnosis) = history.diagnoses.last() else { return };
    let theme = app.theme;
    let mut parts = vec![diagnosis.problem.name().to_owned()];
    if let Some(settings) = diagnosis.suggestion() {
        let key = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::TrySuggestion));
        parts.push(format!("{key} tries {settings}"));
    }
    parts.push(diagnosis.text.clone());
    let text = truncate(theme, &parts.join(theme.symbol(Symbol::Dot)), usize::from(area.width));
    draw_text(buffer, area.x, area.y, area.width, &text, theme.style(Role::Warning));
}
