//! The queue on the Runs screen.

use super::fixtures::*;

use glue_tui::event::{Command, Event};
use glue_tui::run::queue::{Queue, QueueEdit};
use glue_tui::run::{MeasuredSpeed, Start};
use glue_tui::spec::RunSpec;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::{Path, PathBuf};

fn spec(app: &App, name: &str) -> RunSpec {
    app.runs.experiments.iter().find(|row| row.name == name).unwrap().spec.clone().unwrap()
}

/// A queue of experiments; if a run is named, the first entry has started as that run.
fn queue(app: &App, names: &[&str], started: Option<&str>) -> Queue {
    let home = tempfile::tempdir().unwrap();
    for name in names {
        Queue::edit(home.path(), QueueEdit::Add(Box::new(Start::New(spec(app, name))))).unwrap();
    }
    let mut queue = Queue::read(home.path()).unwrap();
    if let Some(dir) = started {
        queue.entries[0].run = Some(Path::new("runs").join(dir));
        queue.entries[0].is_started = true;
    }
    queue
}

/// The app with a measured speed of `demo`.
fn app_with_measured_speed(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let estimate = MeasuredSpeed { spec: spec(&app, "demo"), steps_per_epoch: 100, seconds_per_step: 0.2 };
    app.runs.runs[1].measured_speed = Some(estimate);
    app
}

const RUN_NAME: &str = "demo-20261123-110429-c691";

/// The app that trains the first entry of a queue.
pub(crate) fn training_queue(width: u16, height: u16, names: &[&str]) -> App {
    let mut app = app_with_measured_speed(width, height);
    let queue = queue(&app, names, Some(RUN_NAME));
    let (spec, dir) = (Box::new(spec(&app, "demo")), PathBuf::from("runs").join(RUN_NAME));
    update(&mut app, Msg::RunStarted { spec, dir, earlier: Vec::new(), queue: Some(queue) });
    for event in recorded().into_iter().take(330) {
        update(&mut app, run_event(0, event));
    }
    app.now = STARTED_AT + 97.0;
    app
}

#[test]
fn queue_screen() {
    snapshot("queue", |width, height| {
        let mut app = training_queue(width, height, &["demo", "demo", "sst-distilbert", "demo-pairs"]);
        press_keys(&mut app, "<tab>jj");
        app
    });
}

#[test]
fn queue_screen_held() {
    snapshot("queue-held", |width, height| {
        let mut app = app_with_measured_speed(width, height);
        let mut queue = queue(&app, &["demo", "demo"], None);
        queue.is_held = true;
        assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(queue))), []);
        press_keys(&mut app, "<tab>j");
        app
    });
}

#[test]
fn queued_experiment_starts_when_no_run_is_being_trained() {
    let mut app = app_with_measured_speed(120, 40);
    let demo = TrainRequest::Spec(Box::new(spec(&app, "demo")));
    assert_eq!(press_keys(&mut app, "a"), [Effect::Enqueue(demo)]);
    let one = queue(&app, &["demo"], None);
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(one))), [Effect::StartNext]);
    // The screen stays.
    let started = queue(&app, &["demo"], Some(RUN_NAME));
    let (spec, dir) = (Box::new(spec(&app, "demo")), PathBuf::from("runs").join(RUN_NAME));
    update(&mut app, Msg::RunStarted { spec, dir, earlier: Vec::new(), queue: Some(started) });
    assert_eq!(app.screen, Screen::Runs);
    let two = queue(&app, &["demo", "demo-pairs"], Some(RUN_NAME));
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(two))), [], "one run at a time");
    assert_shows(&app, "1 waiting");
    // A stopped run can be queued too.
    let stopped = app.runs.runs[2].dir.clone();
    assert_eq!(
        press_keys(&mut app, "<end><up>a").last(),
        Some(&Effect::Enqueue(TrainRequest::Resume(stopped)))
    );
}

#[test]
fn starting_a_run_while_another_is_trained_offers_the_queue() {
    let mut app = training(120, 40, "demo", 200);
    let pairs = TrainRequest::Spec(Box::new(spec(&app, "demo-pairs")));
    assert_eq!(press_keys(&mut app, "1j<enter>"), [Effect::Refresh]);
    assert_shows(&app, "Another run is being trained");
    assert_eq!(press_keys(&mut app, "a"), [Effect::Enqueue(pairs)]);
    press_keys(&mut app, "e");
    let request = TrainRequest::Changed { name: "demo-pairs".into(), changes: Vec::new() };
    assert_eq!(press_keys(&mut app, "a"), [Effect::Enqueue(request)], "from the form as well");
}

#[test]
fn entries_are_moved_removed_and_held() {
    let mut app = training_queue(120, 40, &["demo", "demo-pairs", "sst-distilbert"]);
    press_keys(&mut app, "<tab>");
    assert_eq!(press_keys(&mut app, "Jd"), [], "the current run cannot be removed");
    assert_shows(&app, "Stop it first");
    press_keys(&mut app, "<enter>j");
    assert_eq!(press_keys(&mut app, "J"), [Effect::EditQueue(QueueEdit::MoveDown(1))]);
    assert_eq!(press_keys(&mut app, "K"), [Effect::EditQueue(QueueEdit::MoveUp(1))]);
    assert_eq!(press_keys(&mut app, "d"), [Effect::EditQueue(QueueEdit::Remove(1))]);
    // The cursor stays on its line.
    let mut other = app.runs.queue.list.clone();
    other.entries.swap(1, 2);
    update(&mut app, Msg::QueueLoaded(Ok(other)));
    assert_eq!(app.runs.line().unwrap().name(), "demo-pairs");
    assert_eq!(press_keys(&mut app, "<enter>"), [Effect::EditQueue(QueueEdit::MoveToFront(1))]);
    assert_eq!(press_keys(&mut app, "h"), [Effect::EditQueue(QueueEdit::SetHeld(true))]);
    let mut held = app.runs.queue.list.clone();
    held.is_held = true;
    update(&mut app, Msg::QueueLoaded(Ok(held)));
    assert_shows(&app, "queue held, 2 waiting");
    assert_eq!(press_keys(&mut app, "h"), [Effect::EditQueue(QueueEdit::SetHeld(false))]);
}

#[test]
fn queue_continues_after_a_failed_run_and_notifies_at_the_end() {
    let mut app = training_queue(120, 40, &["demo", "demo-pairs"]);
    let effects = update(&mut app, Msg::RunEnded(Err("out of memory".into())));
    let notice = Effect::Notify("demo failed, best accuracy 54.0; 1 more in the queue".into());
    assert_eq!(effects, [Effect::Refresh, Effect::EditQueue(QueueEdit::Remove(0)), notice]);
    assert!(app.popup.is_none(), "no message covers the next run");
    let mut rest = queue(&app, &["demo", "demo-pairs"], None);
    rest.entries.remove(0);
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(rest.clone()))), [Effect::StartNext]);
    rest.entries[0].run = Some("runs/x".into());
    rest.entries[0].is_started = true;
    let spec = Box::new(spec(&app, "demo-pairs"));
    update(&mut app, Msg::RunStarted { spec, dir: "runs/x".into(), earlier: Vec::new(), queue: Some(rest) });
    let effects = update(&mut app, Msg::RunEnded(Ok(())));
    let Some(Effect::Notify(notice)) = effects.last() else { panic!("{effects:?}") };
    assert!(notice.ends_with("the queue is done: 2 runs, 1 failed"), "{notice}");
}

#[test]
fn stopping_offers_to_hold_the_queue_and_quitting_holds_it() {
    let hold = Effect::EditQueue(QueueEdit::SetHeld(true));
    let stop = Effect::SendCommand(Command::Stop);
    let mut app = training_queue(120, 40, &["demo", "demo-pairs"]);
    press_keys(&mut app, "2x");
    assert_shows(&app, "stop and save, then start the next queued run");
    assert_eq!(press_keys(&mut app, "x"), [Effect::SendCommand(Command::Stop)]);
    let mut app = training_queue(120, 40, &["demo", "demo-pairs"]);
    assert_eq!(press_keys(&mut app, "2xh"), [hold.clone(), stop.clone()]);
    let mut app = training_queue(120, 40, &["demo", "demo-pairs"]);
    assert_eq!(press_keys(&mut app, "qs"), [hold.clone(), stop]);
    assert_eq!(
        update(&mut app, Msg::RunEnded(Ok(()))),
        [Effect::Quit],
        "the entry stays, so that the run can be resumed"
    );
    let mut app = training_queue(120, 40, &["demo"]);
    press_keys(&mut app, "q");
    assert_shows(&app, "The queue is held");
    assert_eq!(press_keys(&mut app, "q"), [hold, Effect::Quit]);
}

#[test]
fn queue_is_polled_while_another_process_trains() {
    let mut app = app_with_measured_speed(120, 40);
    assert_eq!(update(&mut app, Msg::Tick(STARTED_AT + 1.0)), [], "an empty queue is not polled");
    let one = queue(&app, &["demo"], None);
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(one))), [Effect::StartNext]);
    assert_eq!(update(&mut app, Msg::Tick(STARTED_AT + 2.0)), [Effect::PollQueue, Effect::StartNext]);
    let why = "runs/queue.toml: expected a value; delete it to begin a new queue";
    assert_eq!(update(&mut app, Msg::QueueLoaded(Err(why.into()))), []);
    assert_shows(&app, "cannot read the queue");
    assert_shows(&app, "delete it to begin");
    assert_eq!(update(&mut app, Msg::Tick(STARTED_AT + 3.0)), [Effect::PollQueue], "no run starts meanwhile");
}

#[test]
fn queue_starts_runs_beside_a_training_on_several_devices_only() {
    let mut app = training_queue(120, 40, &["demo", "demo"]);
    let poll = [Effect::PollRuns, Effect::PollQueue];
    assert_eq!(update(&mut app, Msg::Tick(STARTED_AT + 2.0)), poll);
    assert_eq!(update(&mut app, Msg::SeveralDevices), []);
    let effects = update(&mut app, Msg::Tick(STARTED_AT + 3.0));
    assert_eq!(effects, [&poll[..], &[Effect::StartNext]].concat());
}

#[test]
fn time_left_is_measured_or_unknown() {
    let mut app = app_with_measured_speed(120, 40);
    let list = queue(&app, &["demo-pairs"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    assert_shows(&app, "1 run · — left");
    let list = queue(&app, &["demo", "demo"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    assert_shows(&app, "2 runs · 3:20 left");
    let list = queue(&app, &["demo", "demo-pairs"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    assert_shows(&app, "2 runs · at least 1:40 left");
    // A run that is being trained before the queue counts too.
    let mut app = training_queue(120, 40, &["demo", "demo"]);
    let before = glue_tui::tui::state::estimates::estimate_queue(&app);
    assert!(before.is_known && before.seconds > 20.0, "{before:?}");
    for event in recorded().into_iter().skip(330) {
        if !matches!(event, Event::Ended { .. }) {
            update(&mut app, run_event(0, event));
        }
    }
    assert!(glue_tui::tui::state::estimates::estimate_queue(&app).seconds < before.seconds);
}
