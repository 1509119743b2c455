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
    let (Some(diagnosis), Some(summary)) = (history.diagnoses.last(), summary(app, history)) else { return };
    let text = [&summary, app.theme.symbol(Symbol::Dot), &diagnosis.text].concat();
    let text = truncate(app.theme, &text, usize::from(area.width));
    draw_text(buffer, area.x, area.y, area.width, &text, app.theme.style(Role::Warning));
}

/// The problem of the newest diagnosis and what to try: `not learning · ! tries learning_rate = 5e-4`.
pub(super) fn summary(app: &App, history: &History) -> Option<String> {
    let diagnosis = history.diagnoses.last()?;
    let problem = diagnosis.problem.name();
    let Some(settings) = diagnosis.suggestion() else { return Some(problem.to_owned()) };
    let key = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::TrySuggestion));
    Some(format!("{problem}{}{key} tries {settings}", app.theme.symbol(Symbol::Dot)))
}
