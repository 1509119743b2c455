//! Commands to a live run: learning rate, length, and runs of another process.

use super::fixtures::*;

use glue_tui::event::{Command, Event, Status, TrainingSettings, now};
use glue_tui::run::RunStatus;
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::update::update;

#[test]
fn learning_rate_popup() {
    snapshot("learning-rate", |width, height| {
        let mut app = training(width, height, "demo", 330);
        press_keys(&mut app, "l");
        app
    });
}

#[test]
fn length_popup() {
    snapshot("length", |width, height| {
        let mut app = training(width, height, "demo", 330);
        press_keys(&mut app, "e");
        app
    });
}

fn acknowledge(app: &mut App, step: u64, command: Command, settings: TrainingSettings) {
    let event = Event::Command { step, command, settings: Some(settings), replayed: false, error: None };
    update(app, run_event(0, event));
}

#[test]
fn learning_rate_is_halved_and_set() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(press_keys(&mut app, "l<enter>"), [Effect::SendCommand(Command::Halve)]);
    assert_shows(&app, "changing");
    acknowledge(&mut app, 187, Command::Halve, TrainingSettings { learning_rate: 2.5e-4, total_steps: 500 });
    assert_shows(&app, "learning_rate 2.5e-4 from step");
    // Halving again starts from the halved rate.
    press_keys(&mut app, "l");
    assert_shows(&app, "learning_rate is 2.5e-4");
    assert_shows(&app, "1.25e-4");
    assert_eq!(press_keys(&mut app, "1e-4<enter>"), [Effect::SendCommand(Command::LearningRate(1e-4))]);
    assert_eq!(press_keys(&mut app, "lfast<enter>"), []);
    assert_shows(&app, "a number above 0");
    assert_eq!(press_keys(&mut app, "<enter>l<esc>"), []);
    assert!(app.popup.is_none());
}

#[test]
fn length_is_increased_and_decreased() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(press_keys(&mut app, "e<enter>"), [Effect::SendCommand(Command::NumTrainEpochs(6.0))]);
    acknowledge(
        &mut app,
        187,
        Command::NumTrainEpochs(6.0),
        TrainingSettings { learning_rate: 5e-4, total_steps: 600 },
    );
    assert_shows(&app, "/ 600");
    assert_shows(&app, "of 6");
    assert_shows(&app, "600 steps in total");
    assert_eq!(press_keys(&mut app, "e250 steps<enter>"), [Effect::SendCommand(Command::MaxSteps(250))]);
    assert_eq!(press_keys(&mut app, "e2.5<enter>"), [Effect::SendCommand(Command::NumTrainEpochs(2.5))]);
    assert_eq!(press_keys(&mut app, "enow<enter>"), [Effect::SendCommand(Command::MaxSteps(1))]);
    assert_eq!(press_keys(&mut app, "e9 lives<enter>"), []);
    assert_shows(&app, "the unit is epochs or steps");
}

/// The app on a past run that another process trains.
fn external_run() -> App {
    let mut app = app(120, 40);
    app.runs.runs[1].status = RunStatus::Running;
    press_keys(&mut app, "jjjj<enter>");
    let mut events = recorded();
    events.truncate(200);
    let spec = glue_tui::spec::built_in("demo");
    let dir = app.runs.runs[1].dir.clone();
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) });
    app
}

#[test]
fn commands_to_a_run_of_another_process_go_through_its_directory() {
    let mut app = external_run();
    assert_eq!(app.screen, Screen::Live);
    let dir = app.runs.runs[1].dir.clone();
    assert_shows(&app, "running");
    assert_eq!(press_keys(&mut app, "<space>"), [Effect::SendCommandTo(dir.clone(), Command::Pause)]);
    assert_shows(&app, "pausing");
    assert_eq!(press_keys(&mut app, "l<enter>"), [Effect::SendCommandTo(dir.clone(), Command::Halve)]);
    assert_eq!(press_keys(&mut app, "xx"), [Effect::SendCommandTo(dir.clone(), Command::Stop)]);
    // A run that has ended takes no commands.
    let mut events = recorded();
    events.truncate(200);
    events.push(Event::Ended { time: now(), status: Status::Stopped, error: None });
    let spec = glue_tui::spec::built_in("demo");
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) });
    assert_eq!(press_keys(&mut app, "<space>lex"), []);
    assert!(app.popup.is_none());
}
