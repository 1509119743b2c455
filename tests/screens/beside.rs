//! Two sets of weights that judge the same sentence.

use super::stage::*;

use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::{ModelSource, OpenedModel};

use glue_tui::tui::update::update;
use std::path::PathBuf;

const OTHER: &str = "demo-20261123-094502-99c0";

/// A sentence that is judged, and the request for a second set of weights.
fn open_comparison(width: u16, height: u16) -> (App, u64) {
    let mut app = judging(width, height, "the plot is thin, but nobody will be bored");
    let effects = play(&mut app, "<^b><down><down><down><enter>");
    let [Effect::OpenComparison { request_id, source }] = &effects[..] else { panic!("{effects:?}") };
    let dir = PathBuf::from("runs").join(OTHER);
    assert_eq!(*source, ModelSource::Run { name: OTHER.into(), dir });
    let request_id = *request_id;
    (app, request_id)
}

fn both(width: u16, height: u16) -> App {
    let (mut app, request_id) = open_comparison(width, height);
    let opened = OpenedModel { name: OTHER.into(), pair: Some(false), step: None };
    let effects = update(&mut app, Msg::ComparisonOpened { request_id, result: Ok(opened) });
    let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    update(&mut app, Msg::Prediction { request_id: *request_id, seconds: 0.006, result: Ok(verdict(0.81)) });
    update(&mut app, Msg::ComparisonPrediction { request_id: *request_id, result: Ok(verdict(0.64)) });
    app
}

#[test]
fn infer_screen_with_two_sets_of_weights() {
    snapshot("infer-beside", both);
}

#[test]
fn the_second_weights_come_and_go_and_say_why_they_do_not() {
    let (mut app, request_id) = open_comparison(120, 40);
    shows(&app, "99c0: loading the weights");
    update(&mut app, Msg::ComparisonOpened { request_id, result: Err("has no weights yet".into()) });
    shows(&app, "99c0: has no weights yet");
    let mut app = both(120, 40);
    shows(&app, "64.0 %");
    let late = app.infer.request_id;
    play(&mut app, "<^u>");
    update(&mut app, Msg::ComparisonPrediction { request_id: late, result: Ok(verdict(0.64)) });
    play(&mut app, "x");
    let request_id = app.infer.request_id;
    update(&mut app, Msg::Prediction { request_id, seconds: 0.006, result: Ok(verdict(0.81)) });
    assert!(!text(&app).contains("64.0 %"), "what is late is dropped");
    let effects = play(&mut app, "<^b><enter>");
    assert!(
        matches!(effects[..], [Effect::OpenComparison { source: ModelSource::Nothing, .. }]),
        "{effects:?}"
    );
    assert!(app.infer.comparison.is_none());
    update(&mut app, Msg::ComparisonPrediction { request_id: request_id + 9, result: Ok(verdict(0.64)) });
    assert!(!text(&app).contains("64.0 %"));
}

#[test]
fn two_sets_of_weights_are_drawn_at_every_size() {
    let mut app = both(0, 0);
    for width in 0..130 {
        for height in [0, 1, 5, 9, 15, 24, 40] {
            app.size = (width, height);
            buffer(&app);
        }
    }
}
