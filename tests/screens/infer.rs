//! Tests of the Infer screen by key presses.

use super::fixtures::*;

use crossterm::event::Event as Input;
use glue_tui::tui::input;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::update::update;

#[test]
fn outdated_predictions_are_dropped() {
    let mut app = classifying(120, 40, "good");
    let before = app.infer.request_id;
    let effects = press_keys(&mut app, "<space>bad");
    assert_eq!(effects.len(), 4);
    let newest = app.infer.request_id;
    update(&mut app, Msg::Prediction { request_id: newest, seconds: 0.01, result: Ok(prediction(0.2)) });
    update(&mut app, Msg::Prediction { request_id: newest - 1, seconds: 0.01, result: Ok(prediction(0.9)) });
    update(&mut app, Msg::Prediction { request_id: before, seconds: 0.01, result: Ok(prediction(0.9)) });
    let (request_id, _, shown) = app.infer.prediction.clone().unwrap();
    assert_eq!(
        (request_id, shown.output.most_probable().map(|(label, _)| label)),
        (newest, Some("negative"))
    );
    // Predictions of the previous model are dropped.
    press_keys(&mut app, "<^o><down><down><enter>");
    update(&mut app, Msg::Prediction { request_id: newest, seconds: 0.01, result: Ok(prediction(0.9)) });
    assert!(app.infer.prediction.is_none());
}

#[test]
fn attributions_are_requested_for_the_newest_prediction_only() {
    let mut app = classifying(80, 24, "good");
    press_keys(&mut app, "<space>bad");
    let newest = app.infer.request_id;
    let mut predict = |request_id| {
        update(&mut app, Msg::Prediction { request_id, seconds: 0.01, result: Ok(prediction(0.9)) })
    };
    assert_eq!(predict(newest - 1), [], "a newer request is pending");
    let explain = Effect::Explain { request_id: newest, text: "good bad".into(), text_pair: None };
    assert_eq!(predict(newest), [explain]);
    let computed = |request_id, values: &[(&str, f32)]| Msg::Explanation {
        request_id,
        seconds: 0.1,
        result: Ok(attributions("good bad", values)),
    };
    update(&mut app, computed(newest - 1, &[("bad", 1.0)]));
    assert!(!text(&app).contains("why"), "outdated attributions are dropped");
    update(&mut app, computed(newest, &[("good", 1.0), ("bad", -0.4)]));
    assert_shows(&app, "why  [[good]] <bad>");
    // They stay until the next ones are computed, and are cleared with the text.
    press_keys(&mut app, "<space>");
    assert_shows(&app, "[[good]] <bad>");
    press_keys(&mut app, "<^u>");
    assert!(!text(&app).contains("why"));
    let mut app = classifying(80, 24, &"so it goes on and on, ".repeat(40));
    let (request_id, result) = (app.infer.request_id, Err("the model has no [PAD]".into()));
    update(&mut app, Msg::Explanation { request_id, seconds: 0.1, result });
    assert_shows(&app, "the model has no [PAD]");
}

#[test]
fn up_recalls_earlier_texts_and_down_restores_the_draft() {
    let mut app = classifying(120, 40, "half a sen");
    press_keys(&mut app, "<up>");
    assert_eq!(app.infer.fields[0].text(), "i have seen worse");
    press_keys(&mut app, "<down>");
    assert_eq!(app.infer.fields[0].text(), "half a sen");
}

#[test]
fn history_names_the_model_of_each_answer() {
    let mut app = classifying(120, 40, "x");
    press_keys(&mut app, "<^u>");
    assert!(!text(&app).contains("other-model"));
    let effects = press_keys(&mut app, "<^o>other-model<enter>");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "other-model".into(), pair: Some(false), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    let effects = press_keys(&mut app, "i have seen worse");
    let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    update(&mut app, Msg::Prediction { request_id: *request_id, seconds: 0.01, result: Ok(prediction(0.2)) });
    press_keys(&mut app, "<enter>");
    let models: Vec<&str> = app.infer.history.iter().map(|entry| entry.model.as_str()).collect();
    assert_eq!(models, ["other-model", "demo"], "answers of two models to one text");
    let lines: Vec<String> = text(&app).lines().map(str::to_owned).collect();
    for model in ["other-model", "demo"] {
        assert!(
            lines.iter().any(|line| line.contains("i have seen worse") && line.contains(model)),
            "{model}"
        );
    }
}

#[test]
fn large_paste_is_fast() {
    let mut app = classifying(120, 40, "x");
    let started = std::time::Instant::now();
    let paste = Input::Paste("woe \u{1b}[31m\u{202e}日本語\n".repeat(50_000));
    let msg = input::read(&app, &paste).unwrap();
    update(&mut app, msg);
    for _ in 0..20 {
        press_keys(&mut app, "a<left><backspace>");
        buffer(&app);
    }
    assert!(started.elapsed().as_secs_f64() < 2.0, "{:?}", started.elapsed());
    assert_shows(&app, "too long, truncated");
    assert_shows(&app, "␛[31m");
}

#[test]
fn letters_are_text_in_text_fields() {
    let mut app = classifying(120, 40, "q?123 jk");
    assert_eq!(app.infer.fields[0].text(), "q?123 jk");
    press_keys(&mut app, "<f1>");
    assert_shows(&app, "Keys");
    press_keys(&mut app, "<esc><esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn live_weights_are_refreshed_with_a_pause() {
    let mut app = training(120, 40, "demo", 200);
    let effects = press_keys(&mut app, "i");
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: Some(180) };
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(opened.clone()) });
    assert_shows(&app, "weights of step 180");
    let now = app.now;
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [], "too early");
    let effects = update(&mut app, Msg::Tick(now + 3.0));
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(update(&mut app, Msg::Tick(now + 9.0)), [], "one run at a time");
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(OpenedModel { step: Some(190), ..opened }) });
    assert_shows(&app, "weights of step 190");
}

#[test]
fn typing_while_a_model_is_loading_is_classified_when_it_is_ready() {
    let mut app = training(120, 40, "demo", 200);
    let effects = press_keys(&mut app, "i");
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(press_keys(&mut app, "good"), [], "no model is loaded yet");
    assert_shows(&app, "loading the weights");
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: Some(180) };
    let effects = update(&mut app, Msg::ModelOpened { request_id, result: Ok(opened.clone()) });
    assert!(matches!(&effects[..], [Effect::Classify { text, .. }] if text == "good"), "{effects:?}");

    let now = app.now;
    let effects = update(&mut app, Msg::Tick(now + 3.0));
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    press_keys(&mut app, "<backspace><backspace><backspace><backspace>");
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(OpenedModel { step: Some(190), ..opened }) });
    assert_shows(&app, "weights of step 190");
    assert!(matches!(update(&mut app, Msg::Tick(now + 9.0))[..], [Effect::OpenModel { .. }]), "and again");
}
