//! The diagnosis of a run on the Live and the Runs screen, and training again with its settings.

use super::fixtures::*;

use glue_tui::event::{Command, Event, Problem, Status, now};
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::collections::BTreeMap;

/// A diagnosis at the time of the event before it, so that snapshots do not change.
fn diagnosis() -> Event {
    Event::Note {
        time: 0.0,
        warning: true,
        text: "the model predicts positive for every validation row and the loss stays at 0.693, the entropy of the \
               classes: the learning rate is probably too low; try learning_rate = 5e-4"
            .into(),
        problem: Some(Problem::NotLearning),
        settings: BTreeMap::from([("learning_rate".to_owned(), "5e-4".to_owned())]),
    }
}

fn diagnosed(width: u16, height: u16) -> App {
    let mut app = training(width, height, "demo", 330);
    update(&mut app, run_event(0, diagnosis()));
    app
}

/// The learning rate of the run that an effect starts or queues.
fn learning_rate(effect: &Effect) -> f64 {
    match effect {
        Effect::StartTraining(TrainRequest::Spec(spec)) | Effect::Enqueue(TrainRequest::Spec(spec)) => {
            spec.learning_rate
        }
        effect => panic!("{effect:?}"),
    }
}

#[test]
fn live_screen_with_a_diagnosis() {
    snapshot("live-diagnosis", diagnosed);
}

#[test]
fn suggestion_popup() {
    snapshot("suggestion", |width, height| {
        let mut app = diagnosed(width, height);
        press_keys(&mut app, "!");
        app
    });
}

#[test]
fn the_key_stops_the_run_and_trains_with_the_suggested_settings() {
    let mut app = diagnosed(120, 40);
    assert_shows(&app, "! tries learning_rate = 5e-4");
    assert_eq!(press_keys(&mut app, "!"), []);
    let effects = press_keys(&mut app, "x");
    assert_eq!(learning_rate(&effects[0]), 5e-4);
    assert_eq!(effects[1..], [Effect::SendCommand(Command::Stop)]);
    press_keys(&mut app, "!");
    assert_eq!(learning_rate(&press_keys(&mut app, "a")[0]), 5e-4);
    press_keys(&mut app, "!");
    assert_eq!(press_keys(&mut app, "k"), []);
}

#[test]
fn a_finished_run_is_trained_again() {
    let mut app = diagnosed(80, 24);
    update(&mut app, run_event(0, Event::Ended { time: now(), status: Status::Finished, error: None }));
    update(&mut app, Msg::RunEnded(Ok(())));
    press_keys(&mut app, "!");
    assert_shows(&app, "Train again");
    assert_eq!(learning_rate(&press_keys(&mut app, "t")[0]), 5e-4);
}

#[test]
fn the_diagnosis_disappears_when_it_no_longer_applies() {
    let mut app = diagnosed(120, 40);
    update(&mut app, run_event(0, Event::resolved(Problem::NotLearning, "the model learns")));
    assert!(!text(&app).contains("not learning"), "{}", text(&app));
    assert!(app.suggestion().is_none());
    press_keys(&mut app, "!");
    assert!(app.popup.is_none());
}

#[test]
fn a_past_run_shows_its_diagnosis_and_can_be_trained_again() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjjj");
    let dir = app.runs.run().unwrap().dir.clone();
    let mut events = recorded();
    events.push(diagnosis());
    let spec = glue_tui::spec::built_in("demo");
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) });
    assert_eq!(app.screen, Screen::Runs);
    assert_shows(&app, "the model predicts positive");
    press_keys(&mut app, "!");
    assert_eq!(learning_rate(&press_keys(&mut app, "t")[0]), 5e-4);
}
