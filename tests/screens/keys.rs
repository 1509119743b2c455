//! Tests of the list of runs, the commands to a run, popups and key bindings by key presses.

use super::fixtures::*;

use glue_tui::event::{Command, Event};
use glue_tui::run::RunStatus;
use glue_tui::tui::keymap::Keymap;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::{Context, Screen};
use glue_tui::tui::state::App;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::Path;

#[test]
fn enter_starts_the_experiment_under_the_cursor() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "j<enter>");
    let Some(Effect::StartTraining(TrainRequest::Spec(spec))) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(spec.experiment, "demo-pairs");
    update(
        &mut app,
        Msg::RunStarted { spec: spec.clone(), dir: "runs/x".into(), earlier: Vec::new(), queue: None },
    );
    assert_eq!(app.screen, Screen::Live);
    assert_shows(&app, "preparing");
    press_keys(&mut app, "1");
    assert_eq!(press_keys(&mut app, "k<enter>"), [], "one run at a time");
    assert_shows(&app, "Another run is being trained");
}

#[test]
fn second_enter_while_a_run_is_started_does_nothing() {
    let mut app = app(120, 40);
    assert!(matches!(press_keys(&mut app, "<enter>").as_slice(), [Effect::StartTraining(_)]));
    assert_eq!(press_keys(&mut app, "<enter>"), []);
    assert!(app.popup.is_none());
    assert_shows(&app, "a run is being started");
    update(&mut app, Msg::StartFailed("runs: cannot be written".into()));
    assert_shows(&app, "Cannot start the run");
    press_keys(&mut app, "<enter>");
    assert!(matches!(press_keys(&mut app, "<enter>").as_slice(), [Effect::StartTraining(_)]));
}

#[test]
fn filter_is_applied_and_cleared() {
    let mut app = app(120, 40);
    press_keys(&mut app, "/pairs<enter>");
    assert_eq!(app.runs.lines().len(), 2);
    press_keys(&mut app, "<esc>");
    assert_eq!(app.runs.lines().len(), 7);
}

#[test]
fn commands_are_sent_and_quitting_asks() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(press_keys(&mut app, "<space>"), [Effect::SendCommand(Command::Pause)]);
    assert_shows(&app, "pausing");
    update(
        &mut app,
        run_event(
            0,
            Event::Command {
                step: 187,
                command: Command::Pause,
                settings: None,
                replayed: false,
                error: None,
            },
        ),
    );
    assert_shows(&app, "paused");
    assert_eq!(press_keys(&mut app, "<space>"), [Effect::SendCommand(Command::Resume)]);
    assert_eq!(press_keys(&mut app, "v"), [Effect::SendCommand(Command::Eval)]);
    assert_eq!(press_keys(&mut app, "q"), []);
    assert_eq!(press_keys(&mut app, "k"), [], "cancel");
    assert!(app.popup.is_none());
    assert_eq!(press_keys(&mut app, "<^c>s"), [Effect::SendCommand(Command::Stop)]);
    assert_shows(&app, "stopping");
    assert_eq!(update(&mut app, Msg::RunEnded(Ok(()))), [Effect::Quit]);
}

#[test]
fn quitting_without_a_run_does_not_ask() {
    assert_eq!(press_keys(&mut app(80, 24), "q"), [Effect::Quit]);
    assert_eq!(press_keys(&mut app(80, 24), "<^c>"), [Effect::Quit]);
}

#[test]
fn deleting_asks_and_keeps_a_running_run() {
    let mut app = app(120, 40);
    assert_eq!(press_keys(&mut app, "<end>d").last(), Some(&Effect::LoadHistory(runs()[3].dir.clone())));
    assert_eq!(press_keys(&mut app, "<enter>"), [], "the cursor is on the answer that changes nothing");
    assert_eq!(press_keys(&mut app, "dd"), [Effect::DeleteRun(runs()[3].dir.clone())]);
    app.runs.runs[3].status = RunStatus::Running;
    press_keys(&mut app, "d");
    assert_shows(&app, "This run is being trained");
}

#[test]
fn unreadable_run_is_named_and_can_only_be_deleted() {
    let mut app = app_on_unreadable_run(80, 24);
    assert!(!text(&app).contains("curves"));
    assert_eq!(press_keys(&mut app, "<enter>w"), []);
    assert_eq!(app.screen, Screen::Runs);
    press_keys(&mut app, "4");
    assert_shows(&app, "demo 1c2d");
    press_keys(&mut app, "1d");
    assert_shows(&app, "Delete");
}

#[test]
fn active_bindings_have_unique_keys_and_a_description() {
    let apps =
        vec![app(120, 40), training(120, 40, "demo", 200), classifying(120, 40, "x"), comparing(80, 24)];
    for app in &apps {
        let mut seen: Vec<(Context, String)> = Vec::new();
        let bindings = Context::ALL.into_iter().flat_map(|context| app.keymap.of(context));
        for binding in bindings.filter(|binding| app.holds(binding.condition)) {
            for key in binding.keys(THEME).split(' ') {
                let one = (binding.context, key.to_string());
                assert!(!seen.contains(&one), "{one:?} twice");
                seen.push(one);
            }
            assert!(!binding.description.is_empty());
        }
    }
}

#[test]
fn keys_of_the_user_file_are_used_and_shown() {
    let text = "quit = \"ctrl-q\"\nhelp = [\"H\", \"f1\"]\n[runs]\nnew = \"+\"\n[live]\npause = \"p\"\n[compare]\nmark = \"m\"\nsame_model = []\n";
    let keymap = Keymap::read(text, Path::new("keys.toml")).complete().unwrap();
    let with = |app: App| App { keymap: keymap.clone(), ..app };
    let mut app = with(training(120, 40, "demo", 200));
    assert_shows(&app, " p pause ");
    assert_shows(&app, " H help   ^Q quit");
    assert_eq!(press_keys(&mut app, "<space>"), [], "the default key is replaced");
    assert_eq!(press_keys(&mut app, "p"), [Effect::SendCommand(Command::Pause)]);
    press_keys(&mut app, "H");
    assert_shows(&app, "Keys");
    press_keys(&mut app, "<esc>");
    assert_eq!(press_keys(&mut app, "q"), []);
    assert!(app.popup.is_none());
    let mut app = with(crate::fixtures::app(120, 40));
    assert_shows(&app, " + new ");
    press_keys(&mut app, "4c");
    assert_shows(&app, "m marks a run");
    assert_eq!(press_keys(&mut app, "<^q>"), [Effect::Quit]);
}

#[test]
fn help_is_filtered() {
    let mut app = training(120, 40, "demo", 200);
    press_keys(&mut app, "?");
    assert_shows(&app, "pause the training");
    press_keys(&mut app, "/LEARNING rate");
    assert_shows(&app, "change the learning rate");
    assert!(!text(&app).contains("pause the training"));
    press_keys(&mut app, "<enter>");
    assert_shows(&app, "/ LEARNING rate");
    press_keys(&mut app, "<esc>");
    assert_shows(&app, "pause the training");
    press_keys(&mut app, "/zzz");
    assert_shows(&app, "no matching keys");
    press_keys(&mut app, "<esc><esc>");
    assert!(app.popup.is_none());
}

#[test]
fn full_chart_takes_the_chart_keys() {
    let mut app = training(120, 40, "demo", 330);
    press_keys(&mut app, "f<left>");
    assert_shows(&app, " epoch 5.00 ");
    assert!(!text(&app).contains("grad norm"));
    assert_eq!(
        press_keys(&mut app, "<space>"),
        [Effect::SendCommand(Command::Pause)],
        "the keys of the run still work"
    );
    press_keys(&mut app, "<tab>");
    assert_shows(&app, "Accuracy");
    press_keys(&mut app, "+<esc>");
    assert!(app.live.is_full, "esc clears the cursor, then the zoom, then closes the full chart");
    press_keys(&mut app, "<esc><esc>");
    assert!(!app.live.is_full);
    assert_shows(&app, "grad norm");
    press_keys(&mut app, "f+f");
    assert!(!app.live.is_full && app.live.chart.is_zoomed(), "the panes have the same zoom");
    press_keys(&mut app, "<esc>");
    assert!(!app.live.chart.is_zoomed());
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn thousand_runs_are_drawn_fast() {
    let mut app = app(200, 60);
    let all: Vec<_> = (0..1000)
        .map(|number| {
            let name = format!("demo-20261123-{number:06}-0000");
            let mut row = run(&name, "demo", RunStatus::Finished, Some(f64::from(number) / 1e3), 500, 500);
            row.started += f64::from(number);
            row
        })
        .collect();
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: all });
    let started = std::time::Instant::now();
    for keys in ["j", "<end>", "4", "j", "<end>", "s"] {
        press_keys(&mut app, keys);
        buffer(&app);
    }
    let taken = started.elapsed() / 6;
    assert!(taken.as_secs_f64() < 0.02, "{taken:?} for each key and frame");
}

#[test]
fn failed_run_shows_its_error() {
    let mut app = training(120, 40, "demo", 100);
    let effects = update(&mut app, Msg::RunEnded(Err("out of memory: batch 4096 does not fit".into())));
    assert_eq!(effects, [Effect::Refresh, Effect::Notify("demo failed".into())]);
    assert_shows(&app, "out of memory");
    press_keys(&mut app, "<enter>");
    assert_eq!(press_keys(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn million_steps_are_drawn_fast() {
    let mut app = training(200, 60, "demo", 4);
    let recorded = recorded();
    let step = recorded
        .iter()
        .find_map(|event| if let Event::Step(step) = event { Some(step.clone()) } else { None });
    let mut step = step.unwrap();
    let started = std::time::Instant::now();
    for number in 1..=1_000_000 {
        step.step = number;
        update(&mut app, run_event(0, Event::Step(step.clone())));
    }
    let taken = started.elapsed();
    let started = std::time::Instant::now();
    for _ in 0..10 {
        buffer(&app);
    }
    let drawn = started.elapsed() / 10;
    assert!(taken.as_secs_f64() < 30.0, "{taken:?}");
    assert!(drawn.as_secs_f64() < 0.05, "{drawn:?}");
}
