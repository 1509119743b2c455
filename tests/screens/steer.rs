//! What a live run is told by keys: its learning rate, its length, and a run that another process trains.

use super::stage::*;

use glue_tui::event::{Command, Event, Status, TrainingSettings, now};
use glue_tui::run::RunStatus;
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::update::update;

#[test]
fn learning_rate_popup() {
    snapshot("steer-rate", |width, height| {
        let mut app = training(width, height, "demo", 330);
        play(&mut app, "l");
        app
    });
}

#[test]
fn length_popup() {
    snapshot("steer-length", |width, height| {
        let mut app = training(width, height, "demo", 330);
        play(&mut app, "e");
        app
    });
}

fn obeyed(app: &mut App, step: u64, command: Command, settings: TrainingSettings) {
    let event = Event::Command { step, command, settings: Some(settings), replayed: false };
    update(app, said(0, event));
}

#[test]
fn the_learning_rate_is_halved_and_set() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(play(&mut app, "l<enter>"), [Effect::SendCommand(Command::Halve)]);
    shows(&app, "changing");
    obeyed(&mut app, 187, Command::Halve, TrainingSettings { learning_rate: 2.5e-4, total_steps: 500 });
    shows(&app, "learning_rate 2.5e-4 from step");
    // The next half is that of the half.
    play(&mut app, "l");
    shows(&app, "learning_rate is 2.5e-4");
    shows(&app, "1.25e-4");
    assert_eq!(play(&mut app, "1e-4<enter>"), [Effect::SendCommand(Command::LearningRate(1e-4))]);
    assert_eq!(play(&mut app, "lfast<enter>"), []);
    shows(&app, "a number above 0");
    assert_eq!(play(&mut app, "<enter>l<esc>"), []);
    assert!(app.popup.is_none());
}

#[test]
fn the_run_becomes_longer_and_shorter() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(play(&mut app, "e<enter>"), [Effect::SendCommand(Command::NumTrainEpochs(6.0))]);
    obeyed(
        &mut app,
        187,
        Command::NumTrainEpochs(6.0),
        TrainingSettings { learning_rate: 5e-4, total_steps: 600 },
    );
    shows(&app, "/ 600");
    shows(&app, "of 6");
    shows(&app, "600 steps in total");
    assert_eq!(play(&mut app, "e250 steps<enter>"), [Effect::SendCommand(Command::MaxSteps(250))]);
    assert_eq!(play(&mut app, "e2.5<enter>"), [Effect::SendCommand(Command::NumTrainEpochs(2.5))]);
    assert_eq!(play(&mut app, "enow<enter>"), [Effect::SendCommand(Command::MaxSteps(1))]);
    assert_eq!(play(&mut app, "e9 lives<enter>"), []);
    shows(&app, "the unit is epochs or steps");
}

/// The app on a run of the list that another process trains.
fn elsewhere() -> App {
    let mut app = app(120, 40);
    app.runs.runs[1].status = RunStatus::Running;
    play(&mut app, "jjjj<enter>");
    let mut events = recorded();
    events.truncate(200);
    let spec = glue_tui::spec::built_in("demo");
    let dir = app.runs.runs[1].dir.clone();
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) });
    app
}

#[test]
fn a_run_that_another_process_trains_is_told_through_its_directory() {
    let mut app = elsewhere();
    assert_eq!(app.screen, Screen::Live);
    let dir = app.runs.runs[1].dir.clone();
    shows(&app, "running");
    assert_eq!(play(&mut app, "<space>"), [Effect::SendCommandTo(dir.clone(), Command::Pause)]);
    shows(&app, "pausing");
    assert_eq!(play(&mut app, "l<enter>"), [Effect::SendCommandTo(dir.clone(), Command::Halve)]);
    assert_eq!(play(&mut app, "xx"), [Effect::SendCommandTo(dir.clone(), Command::Stop)]);
    // Once it is over nobody hears.
    let mut events = recorded();
    events.truncate(200);
    events.push(Event::Ended { time: now(), status: Status::Stopped, error: None });
    let spec = glue_tui::spec::built_in("demo");
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) });
    assert_eq!(play(&mut app, "<space>lex"), []);
    assert!(app.popup.is_none());
}
