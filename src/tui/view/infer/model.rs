//! The name of the model.

use crate::format;
use crate::tui::action::{Action, InferAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::run::RunState;
use crate::tui::theme::Role;

/// The name of the model, and the age of its weights.
pub(super) fn describe(app: &App) -> (String, Role) {
    let infer = &app.infer;
    let name = match &infer.source {
        ModelSource::Nothing => {
            let choose = app.key(Context::Screen(Screen::Infer), Action::Infer(InferAction::ChooseModel));
            return (format!("No model: press {choose} to choose one, or train a run first."), Role::Warning);
        }
        ModelSource::Live => app.training.as_ref().map_or("the run".into(), RunState::name),
        ModelSource::Run { name, .. } | ModelSource::Named(name) => name.clone(),
    };
    match (&infer.opened, &infer.error) {
        (_, Some(error)) => (format!("{name}: {error}"), Role::Error),
        (None, None) => (format!("{name}: loading the weights"), Role::Muted),
        (Some(opened), None) => {
            let weights = match opened.step {
                Some(step) => {
                    let age = format::duration(app.now - infer.opened_at);
                    format!("weights of step {}, {age} old", format::count(step))
                }
                None if matches!(infer.source, ModelSource::Named(_)) => "original weights".into(),
                None => "best weights".into(),
            };
            (format!("{name}, {weights}"), Role::Text)
        }
    }
}
