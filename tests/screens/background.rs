//! Tests of training that outlives the interface, of runs that other processes train, and of a run that is discarded.

use super::fixtures::*;

use glue_tui::event::{Command, Event, Saved};
use glue_tui::run::history::History;
use glue_tui::run::{RunChanges, RunRow, RunStatus};
use glue_tui::tui::msg::{Effect, HandOverError, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::quitting::Quitting;
use glue_tui::tui::state::runs::RunsState;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::PathBuf;

#[test]
fn training_is_handed_over_to_the_background() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(press_keys(&mut app, "qb"), [Effect::HandOver]);
    assert_shows(&app, "handing the training over");
    assert_eq!(press_keys(&mut app, "q"), [], "the program ends as soon as it is done");
    assert_eq!(update(&mut app, Msg::RunEnded(Ok(()))), [], "the run is saved");
    assert_eq!(update(&mut app, Msg::HandedOver(Ok("demo continues".into()))), [Effect::Quit]);
    assert_eq!(app.quitting.text().as_deref(), Some("demo continues"));
}

#[test]
fn training_that_cannot_be_handed_over_goes_on() {
    let error = |dirs: &[&str]| {
        let dirs = dirs.iter().map(Into::into).collect();
        Msg::HandedOver(Err(HandOverError { text: "no process".into(), dirs }))
    };
    let resume = Effect::StartTraining(TrainRequest::Resume("runs/x".into()));
    // It was not stopped.
    let mut app = training(120, 40, "demo", 200);
    press_keys(&mut app, "qb");
    assert_eq!(update(&mut app, error(&[])), []);
    assert_shows(&app, "no process");
    assert!(app.is_training() && app.quitting == Quitting::No);
    // The error arrives before the end of the run, and after it.
    let mut app = training(120, 40, "demo", 200);
    press_keys(&mut app, "qb");
    assert_eq!(update(&mut app, error(&["runs/x"])), []);
    assert_eq!(update(&mut app, Msg::RunEnded(Ok(()))), std::slice::from_ref(&resume));
    assert_shows(&app, "no process");
    let mut app = training(120, 40, "demo", 200);
    press_keys(&mut app, "qb");
    update(&mut app, Msg::RunEnded(Ok(())));
    assert_eq!(update(&mut app, error(&["runs/x"])), [resume]);
}

/// The app, opened while other processes train `running`, indices of the past runs.
fn opened(width: u16, height: u16, running: &[usize]) -> App {
    let mut app = app(width, height);
    app.runs = RunsState::default();
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: rows(running) });
    app
}

fn rows(running: &[usize]) -> Vec<RunRow> {
    let status = |(index, row): (usize, RunRow)| {
        if running.contains(&index) { RunRow { status: RunStatus::Running, ..row } } else { row }
    };
    runs().into_iter().enumerate().map(status).collect()
}

#[test]
fn interface_opens_on_the_run_of_another_process() {
    let mut app = opened(120, 40, &[2]);
    let dir = runs()[2].dir.clone();
    assert_shows(&app, "demo-20261123-094502-99c0 is being trained in another process");
    press_keys(&mut app, "kj");
    assert_shows(&app, "⏎ attach");
    assert_eq!(press_keys(&mut app, "<enter>").last(), Some(&Effect::LoadHistory(dir.clone())));
    assert_eq!(app.screen, Screen::Live);
    assert!(app.controllable_run().is_some());
    assert_eq!(press_keys(&mut app, "q"), [Effect::Quit], "it is not ours to stop");
    assert_shows(&opened(120, 40, &[1, 2]), "2 runs are being trained in other processes");
    let app = opened(120, 40, &[]);
    assert!(app.notice.is_none() && app.runs.selected == 0);
    snapshot("running-elsewhere", |width, height| opened(width, height, &[2]));
}

#[test]
fn run_beside_that_of_another_process_is_asked_for() {
    let mut app = opened(120, 40, &[2]);
    assert_eq!(press_keys(&mut app, "g<enter>"), []);
    assert_shows(&app, "demo-20261123-094502-99c0 is being trained");
    let effects = press_keys(&mut app, "t");
    assert!(matches!(effects[..], [Effect::StartTraining(TrainRequest::Spec(_))]), "{effects:?}");
    let mut app = opened(120, 40, &[2]);
    let effects = press_keys(&mut app, "g<enter>a");
    assert!(matches!(effects[..], [Effect::Enqueue(TrainRequest::Spec(_))]), "{effects:?}");
    assert_eq!(press_keys(&mut app, "<enter>k"), []);
}

#[test]
fn running_run_and_its_preview_stay_current() {
    let mut app = opened(120, 40, &[2]);
    let dir = runs()[2].dir.clone();
    let tick = |app: &mut App| {
        let now = app.now + 1.0;
        update(app, Msg::Tick(now))
    };
    assert_eq!(tick(&mut app), [Effect::PollRuns, Effect::FollowLogs(vec![dir.clone()])]);
    let events = recorded();
    let history = |count: usize| History::of(&events[..count]);
    let loaded = |count| Msg::HistoryLoaded {
        dir: dir.clone(),
        result: Ok((glue_tui::spec::built_in("demo"), vec![history(count)])),
    };
    update(&mut app, loaded(20));
    let before = text(&app);
    update(&mut app, loaded(60));
    assert_ne!(text(&app), before, "the preview follows the log");
    let mut changed = rows(&[2]);
    changed[2].steps = 337;
    changed[2].progress = 0.674;
    update(&mut app, Msg::RunsChanged(RunChanges { changed, removed: Vec::new() }));
    assert_shows(&app, "step 337 of 500");
    assert_eq!(app.runs.run().unwrap().dir, dir, "the cursor stays");
    // The history of a run that is not under the cursor is not its preview.
    press_keys(&mut app, "g");
    update(&mut app, loaded(60));
    press_keys(&mut app, "G");
    let other = Msg::HistoryLoaded {
        dir: "runs/other".into(),
        result: Ok((glue_tui::spec::built_in("demo"), vec![history(60)])),
    };
    update(&mut app, other);
    assert_ne!(app.runs.preview.as_ref().unwrap().0, PathBuf::from("runs/other"));
    // Without a run that is trained, the screen does not depend on the clock.
    let mut app = opened(120, 40, &[]);
    assert_eq!(tick(&mut app), []);
}

#[test]
fn live_offers_to_resume_a_stopped_run_and_is_never_empty() {
    let mut app = app(120, 40);
    // Without a run that was shown, it is the newest one.
    assert_eq!(press_keys(&mut app, "2"), [Effect::LoadHistory(runs()[0].dir.clone())]);
    assert!(!text(&app).contains("r resume"), "it is finished");
    // The one that was shown last is shown again.
    press_keys(&mut app, "1");
    app.runs.selected = app.runs.lines().len() - 2;
    let dir = runs()[2].dir.clone();
    assert_eq!(press_keys(&mut app, "<enter>").last(), Some(&Effect::LoadHistory(dir.clone())));
    press_keys(&mut app, "<esc>2");
    assert_eq!((app.screen, app.shown_run().map(|run| run.dir.clone())), (Screen::Live, Some(dir.clone())));
    assert_shows(&app, "r resume");
    assert_eq!(press_keys(&mut app, "r"), [Effect::StartTraining(TrainRequest::Resume(dir))]);
    // A run that was stopped here.
    let mut app = training(120, 40, "demo", 200);
    let dir = app.training.as_ref().unwrap().dir.clone();
    assert!(!text(&app).contains("r resume"));
    update(&mut app, Msg::RunEnded(Ok(())));
    let stopped = RunRow { dir: dir.clone(), ..runs()[2].clone() };
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: vec![stopped] });
    press_keys(&mut app, "<esc>2");
    assert_shows(&app, "r resume");
    assert_eq!(press_keys(&mut app, "r"), [Effect::StartTraining(TrainRequest::Resume(dir))]);
}

/// The app two seconds after the start of a run, without a checkpoint.
fn just_started(width: u16, height: u16) -> App {
    let mut app = training(width, height, "demo", 0);
    let events = recorded().into_iter().take(20).filter(|event| !matches!(event, Event::Saved(_)));
    events.for_each(|event| {
        update(&mut app, run_event(0, event));
    });
    app.now = STARTED_AT + 2.0;
    app
}

#[test]
fn run_is_discarded_in_its_first_seconds() {
    snapshot("discard", just_started);
    for keys in ["u", "1u"] {
        let mut app = just_started(120, 40);
        let dir = app.training.as_ref().unwrap().dir.clone();
        assert_shows(&app, "u discard");
        assert_eq!(press_keys(&mut app, keys).last(), Some(&Effect::DiscardTraining(dir.clone())));
        assert!(!text(&app).contains("u discard"));
        assert_eq!(update(&mut app, Msg::RunEnded(Ok(()))), [Effect::DeleteRun(dir)]);
        assert!(app.training.is_none() && app.screen == Screen::Runs);
        assert_shows(&app, "is discarded");
    }
    // Quitting waits neither for the answer to a question nor for a checkpoint.
    let mut app = just_started(120, 40);
    assert_eq!(press_keys(&mut app, "uq").last(), Some(&Effect::Quit));
    // Later, or with a checkpoint, the run stays.
    let mut app = just_started(120, 40);
    app.now = STARTED_AT + 10.5;
    assert!(!text(&app).contains("u discard"));
    assert_eq!(press_keys(&mut app, "u"), []);
    let mut app = just_started(120, 40);
    let saved = Saved { step: 5, path: "checkpoints/step-000005".into(), bytes: 1, seconds: 0.1 };
    update(&mut app, run_event(0, Event::Saved(saved)));
    assert_eq!(press_keys(&mut app, "u"), []);
    // A run that is resumed has work to lose.
    let mut app = just_started(120, 40);
    let run = app.training.clone().unwrap();
    let (spec, dir) = (Box::new(run.spec), run.dir);
    update(&mut app, Msg::RunStarted { spec, dir, earlier: run.seeds, queue: None });
    assert_eq!(press_keys(&mut app, "u"), []);
    let stop = Effect::SendCommand(Command::Stop);
    assert_eq!(press_keys(&mut app, "xx"), [stop]);
}
