//! Actions of the Infer screen.

mod classify;
mod comparison;
mod model;
mod probes;

pub(super) use classify::{prediction, recall};
pub(super) use comparison::{choose_comparison, comparison_opened, comparison_prediction};
pub(super) use model::{choose_model, enter, model_opened, open, open_example, refresh_if_old};
pub(super) use probes::{history_loaded, probes_classified, probes_loaded};

use crate::tui::action::InferAction;
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::widgets::text_field::Edit;

/// Applies an action.
pub(super) fn act(app: &mut App, action: InferAction) -> Vec<Effect> {
    let infer = &mut app.infer;
    match action {
        InferAction::AddToHistory if infer.is_pair() && infer.focused_field == 0 => infer.focused_field = 1,
        InferAction::AddToHistory => return classify::add_to_history(infer),
        InferAction::OtherText => {
            infer.focused_field = if infer.is_pair() { 1 - infer.focused_field } else { 0 }
        }
        InferAction::ToggleProbe => return probes::toggle(app),
        InferAction::ChooseModel => model::ask_model(app),
        InferAction::ChooseComparison => comparison::ask_comparison(app),
        InferAction::ClassifyProbes => return probes::classify(app),
        InferAction::Refresh => return classify::refresh(infer),
        InferAction::Back => {
            let is_here = app.previous_screen == Screen::Infer;
            app.go_to(if is_here { Screen::Runs } else { app.previous_screen });
        }
    }
    Vec::new()
}

/// Types into the text.
pub(super) fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    let infer = &mut app.infer;
    let at = if infer.is_pair() { infer.focused_field } else { 0 };
    if infer.fields[at].edit(edit) || matches!(edit, Edit::Insert(_)) {
        infer.recalled = None;
        return classify::classify(infer);
    }
    Vec::new()
}
