//! The queue on the Runs screen: seen, changed, and gone on with by what the world says.

use super::stage::*;

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

/// A queue of experiments as the world would read it; the first has begun in that directory, if any.
fn queue(app: &App, names: &[&str], begun: Option<&str>) -> Queue {
    let home = tempfile::tempdir().unwrap();
    for name in names {
        Queue::edit(home.path(), QueueEdit::Add(Box::new(Start::New(spec(app, name))))).unwrap();
    }
    let mut queue = Queue::read(home.path()).unwrap();
    if let Some(dir) = begun {
        queue.entries[0].run = Some(Path::new("runs").join(dir));
        queue.entries[0].is_started = true;
    }
    queue
}

/// The app that knows how fast `demo` is.
fn measured_seconds(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let estimate = MeasuredSpeed { spec: spec(&app, "demo"), steps_per_epoch: 100, seconds_per_step: 0.2 };
    app.runs.runs[1].measured_speed = Some(estimate);
    app
}

const BEGUN_DIR: &str = "demo-20261123-110429-c691";

/// The app that trains the first of a queue.
fn working(width: u16, height: u16, names: &[&str]) -> App {
    let mut app = measured_seconds(width, height);
    let queue = queue(&app, names, Some(BEGUN_DIR));
    let (spec, dir) = (Box::new(spec(&app, "demo")), PathBuf::from("runs").join(BEGUN_DIR));
    update(&mut app, Msg::RunStarted { spec, dir, earlier: Vec::new(), queue: Some(queue) });
    for event in recorded().into_iter().take(330) {
        update(&mut app, said(0, event));
    }
    app.now = BEGUN + 97.0;
    app
}

#[test]
fn queue_screen() {
    snapshot("queue", |width, height| {
        let mut app = working(width, height, &["demo", "demo", "sst-distilbert", "demo-pairs"]);
        play(&mut app, "<tab>jj");
        app
    });
}

#[test]
fn queue_screen_held() {
    snapshot("queue-held", |width, height| {
        let mut app = measured_seconds(width, height);
        let mut queue = queue(&app, &["demo", "demo"], None);
        queue.is_held = true;
        assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(queue))), []);
        play(&mut app, "<tab>j");
        app
    });
}

#[test]
fn an_experiment_is_queued_and_begun_when_nothing_else_is_trained() {
    let mut app = measured_seconds(120, 40);
    let demo = TrainRequest::Spec(Box::new(spec(&app, "demo")));
    assert_eq!(play(&mut app, "a"), [Effect::Enqueue(demo)]);
    let one = queue(&app, &["demo"], None);
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(one))), [Effect::StartNext]);
    // Nobody is taken away from where they are.
    let begun = queue(&app, &["demo"], Some(BEGUN_DIR));
    let (spec, dir) = (Box::new(spec(&app, "demo")), PathBuf::from("runs").join(BEGUN_DIR));
    update(&mut app, Msg::RunStarted { spec, dir, earlier: Vec::new(), queue: Some(begun) });
    assert_eq!(app.screen, Screen::Runs);
    let two = queue(&app, &["demo", "demo-pairs"], Some(BEGUN_DIR));
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(two))), [], "one after the other");
    shows(&app, "1 waiting");
    // A run that was stopped waits for its turn, too.
    let stopped = app.runs.runs[2].dir.clone();
    assert_eq!(play(&mut app, "<end><up>a").last(), Some(&Effect::Enqueue(TrainRequest::Resume(stopped))));
}

#[test]
fn what_is_begun_by_hand_while_something_is_trained_can_be_queued() {
    let mut app = training(120, 40, "demo", 200);
    let pairs = TrainRequest::Spec(Box::new(spec(&app, "demo-pairs")));
    assert_eq!(play(&mut app, "1j<enter>"), [Effect::Refresh]);
    shows(&app, "Another run is being trained");
    assert_eq!(play(&mut app, "a"), [Effect::Enqueue(pairs)]);
    play(&mut app, "e");
    let work = TrainRequest::Changed { name: "demo-pairs".into(), changes: Vec::new() };
    assert_eq!(play(&mut app, "a"), [Effect::Enqueue(work)], "from the form as well");
}

#[test]
fn entries_are_moved_removed_and_held() {
    let mut app = working(120, 40, &["demo", "demo-pairs", "sst-distilbert"]);
    play(&mut app, "<tab>");
    assert_eq!(play(&mut app, "Jd"), [], "what is being trained stays");
    shows(&app, "Stop it first");
    play(&mut app, "<enter>j");
    assert_eq!(play(&mut app, "J"), [Effect::EditQueue(QueueEdit::MoveDown(1))]);
    assert_eq!(play(&mut app, "K"), [Effect::EditQueue(QueueEdit::MoveUp(1))]);
    assert_eq!(play(&mut app, "d"), [Effect::EditQueue(QueueEdit::Remove(1))]);
    // The cursor goes with the line.
    let mut other = app.runs.queue.list.clone();
    other.entries.swap(1, 2);
    update(&mut app, Msg::QueueLoaded(Ok(other)));
    assert_eq!(app.runs.line().unwrap().name(), "demo-pairs");
    assert_eq!(play(&mut app, "<enter>"), [Effect::EditQueue(QueueEdit::MoveToFront(1))]);
    assert_eq!(play(&mut app, "h"), [Effect::EditQueue(QueueEdit::SetHeld(true))]);
    let mut held = app.runs.queue.list.clone();
    held.is_held = true;
    update(&mut app, Msg::QueueLoaded(Ok(held)));
    shows(&app, "queue held, 2 waiting");
    assert_eq!(play(&mut app, "h"), [Effect::EditQueue(QueueEdit::SetHeld(false))]);
}

#[test]
fn it_goes_on_after_a_failed_run_and_says_when_it_is_done() {
    let mut app = working(120, 40, &["demo", "demo-pairs"]);
    let effects = update(&mut app, Msg::RunEnded(Err("out of memory".into())));
    let notice = Effect::Notify("demo failed, best accuracy 54.0; 1 more in the queue".into());
    assert_eq!(effects, [Effect::Refresh, Effect::EditQueue(QueueEdit::Remove(0)), notice]);
    assert!(app.popup.is_none(), "a message would be in the way of who watches the next");
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
fn stopping_asks_what_becomes_of_the_queue_and_quitting_holds_it() {
    let hold = Effect::EditQueue(QueueEdit::SetHeld(true));
    let stop = Effect::SendCommand(Command::Stop);
    let mut app = working(120, 40, &["demo", "demo-pairs"]);
    play(&mut app, "2x");
    shows(&app, "stop and save, then start the next queued run");
    assert_eq!(play(&mut app, "x"), [Effect::SendCommand(Command::Stop)]);
    let mut app = working(120, 40, &["demo", "demo-pairs"]);
    assert_eq!(play(&mut app, "2xh"), [hold.clone(), stop.clone()]);
    let mut app = working(120, 40, &["demo", "demo-pairs"]);
    assert_eq!(play(&mut app, "qs"), [hold.clone(), stop]);
    assert_eq!(
        update(&mut app, Msg::RunEnded(Ok(()))),
        [Effect::Quit],
        "its entry stays, to be gone on with"
    );
    let mut app = working(120, 40, &["demo"]);
    play(&mut app, "q");
    shows(&app, "The queue is held");
    assert_eq!(play(&mut app, "q"), [hold, Effect::Quit]);
}

#[test]
fn while_others_train_it_looks_now_and_then() {
    let mut app = measured_seconds(120, 40);
    assert_eq!(update(&mut app, Msg::Tick(BEGUN + 1.0)), [], "without a queue there is nothing to look at");
    let one = queue(&app, &["demo"], None);
    assert_eq!(update(&mut app, Msg::QueueLoaded(Ok(one))), [Effect::StartNext]);
    assert_eq!(update(&mut app, Msg::Tick(BEGUN + 2.0)), [Effect::PollQueue, Effect::StartNext]);
    let why = "runs/queue.toml: expected a value; delete it to begin a new queue";
    assert_eq!(update(&mut app, Msg::QueueLoaded(Err(why.into()))), []);
    shows(&app, "cannot read the queue");
    shows(&app, "delete it to begin");
    assert_eq!(update(&mut app, Msg::Tick(BEGUN + 3.0)), [Effect::PollQueue], "nothing is begun meanwhile");
}

#[test]
fn time_left_is_measured_or_a_dash() {
    let mut app = measured_seconds(120, 40);
    let list = queue(&app, &["demo-pairs"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    shows(&app, "1 run · — left");
    let list = queue(&app, &["demo", "demo"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    shows(&app, "2 runs · 3:20 left");
    let list = queue(&app, &["demo", "demo-pairs"], None);
    update(&mut app, Msg::QueueLoaded(Ok(list)));
    shows(&app, "2 runs · at least 1:40 left");
    // What is trained before it counts as well.
    let mut app = working(120, 40, &["demo", "demo"]);
    let before = glue_tui::tui::state::estimates::estimate_queue(&app);
    assert!(before.is_known && before.seconds > 20.0, "{before:?}");
    for event in recorded().into_iter().skip(330) {
        if !matches!(event, Event::Ended { .. }) {
            update(&mut app, said(0, event));
        }
    }
    assert!(glue_tui::tui::state::estimates::estimate_queue(&app).seconds < before.seconds);
}
