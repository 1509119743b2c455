//! Two models that classify the same text.

use super::fixtures::*;

use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::{ModelSource, OpenedModel};

use glue_tui::tui::update::update;
use std::path::PathBuf;

const OTHER: &str = "demo-20261123-094502-99c0";

/// The app with a classified text, and the request to open a second model.
fn request_comparison(width: u16, height: u16) -> (App, u64) {
    let mut app = classifying(width, height, "the plot is thin, but nobody will be bored");
    let effects = press_keys(&mut app, "<^b><down><down><down><enter>");
    let [Effect::OpenComparison { request_id, source }] = &effects[..] else { panic!("{effects:?}") };
    let dir = PathBuf::from("runs").join(OTHER);
    assert_eq!(*source, ModelSource::Run { name: OTHER.into(), dir });
    let request_id = *request_id;
    (app, request_id)
}

fn comparing_models(width: u16, height: u16) -> App {
    let (mut app, request_id) = request_comparison(width, height);
    let opened = OpenedModel { name: OTHER.into(), pair: Some(false), step: None };
    let effects = update(&mut app, Msg::ComparisonOpened { request_id, result: Ok(opened) });
    let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    update(
        &mut app,
        Msg::Prediction { request_id: *request_id, seconds: 0.006, result: Ok(prediction(0.81)) },
    );
    update(&mut app, Msg::ComparisonPrediction { request_id: *request_id, result: Ok(prediction(0.64)) });
    app
}

#[test]
fn infer_screen_with_comparison() {
    snapshot("infer-comparison", comparing_models);
}

#[test]
fn second_model_is_opened_closed_and_shows_its_error() {
    let (mut app, request_id) = request_comparison(120, 40);
    assert_shows(&app, "99c0: loading the weights");
    update(&mut app, Msg::ComparisonOpened { request_id, result: Err("has no weights yet".into()) });
    assert_shows(&app, "99c0: has no weights yet");
    let mut app = comparing_models(120, 40);
    assert_shows(&app, "64.0 %");
    let late = app.infer.request_id;
    press_keys(&mut app, "<^u>");
    update(&mut app, Msg::ComparisonPrediction { request_id: late, result: Ok(prediction(0.64)) });
    press_keys(&mut app, "x");
    let request_id = app.infer.request_id;
    update(&mut app, Msg::Prediction { request_id, seconds: 0.006, result: Ok(prediction(0.81)) });
    assert!(!text(&app).contains("64.0 %"), "an outdated prediction is dropped");
    let effects = press_keys(&mut app, "<^b><enter>");
    assert!(
        matches!(effects[..], [Effect::OpenComparison { source: ModelSource::Nothing, .. }]),
        "{effects:?}"
    );
    assert!(app.infer.comparison.is_none());
    update(&mut app, Msg::ComparisonPrediction { request_id: request_id + 9, result: Ok(prediction(0.64)) });
    assert!(!text(&app).contains("64.0 %"));
}

#[test]
fn comparison_is_drawn_at_every_size() {
    let mut app = comparing_models(0, 0);
    for width in 0..130 {
        for height in [0, 1, 5, 9, 15, 24, 40] {
            app.size = (width, height);
            buffer(&app);
        }
    }
}
