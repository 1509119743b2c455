//! Training again with the settings that a diagnosis suggests.

use super::control;
use super::navigate::Step;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::popup::{Popup, Reply};
use crate::tui::state::train_request::TrainRequest;

/// Asks whether to train the diagnosed run again with the suggested settings.
pub(super) fn ask(app: &mut App) -> Vec<Step> {
    let Some(suggestion) = app.suggestion() else { return Vec::new() };
    let changed = suggestion.spec.with(&suggestion.diagnosis.overrides());
    let settings = suggestion.diagnosis.suggestion().unwrap_or_default();
    let (finding, experiment) = (&suggestion.diagnosis.text, &suggestion.spec.experiment);
    let text = format!("{finding}.\n\nTrains {experiment} from the start as a new run with {settings}.");
    let request = match changed {
        Ok(spec) => TrainRequest::Spec(Box::new(spec)),
        Err(error) => {
            app.show_error("The suggested settings do not fit", error.to_string());
            return Vec::new();
        }
    };
    let start = if app.is_training() {
        ('x', "stop the current run and save it, then train", Reply::StopAndTrain(request.clone()))
    } else {
        ('t', "train", Reply::Train(request.clone()))
    };
    let answers =
        vec![start, ('a', "add to the queue", Reply::Enqueue(request)), ('k', "cancel", Reply::Nothing)];
    app.popup = Some(Popup::question("Train again with the suggested settings", text, answers));
    Vec::new()
}

/// Queues the run and stops the current one, which saves its work. The queue then continues.
pub(super) fn stop_and_train(app: &mut App, request: TrainRequest) -> Vec<Effect> {
    let mut effects = vec![Effect::Enqueue(request)];
    effects.extend(control::stop_training(app));
    effects
}
