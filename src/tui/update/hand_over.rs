//! Handing the training over to a process in the background, so that it continues when the interface has ended.

use super::live;
use crate::tui::msg::{Effect, HandOverError};
use crate::tui::state::App;
use crate::tui::state::quitting::Quitting;
use crate::tui::state::train_request::TrainRequest;

/// Starts to hand over the training.
pub(super) fn start(app: &mut App) -> Vec<Effect> {
    app.quitting = Quitting::AfterHandOver;
    app.notice = Some("handing the training over to the background".into());
    vec![Effect::HandOver]
}

/// Quits once the training is handed over. If it is not, it continues here.
pub(super) fn done(app: &mut App, result: Result<String, HandOverError>) -> Vec<Effect> {
    app.notice = None;
    match result {
        Ok(text) => {
            app.quitting = Quitting::HandedOver(text);
            vec![Effect::Quit]
        }
        Err(HandOverError { text, dirs }) => {
            app.show_error("Cannot keep training in the background", text);
            app.quitting = Quitting::No;
            match dirs.into_iter().next() {
                Some(dir) if app.is_training() => app.quitting = Quitting::Resume(dir),
                Some(dir) => return live::start(app, TrainRequest::Resume(dir)),
                None => {}
            }
            Vec::new()
        }
    }
}
