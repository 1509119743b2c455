//! Tests of the app by key presses.

use super::fixtures::*;

use crossterm::event::Event as Input;
use glue_tui::event::{Command, Event};
use glue_tui::run::RunStatus;
use glue_tui::tui::input;
use glue_tui::tui::keymap::Keymap;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::{Context, Screen};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
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
fn form_value_is_checked_while_typing_and_starts_without_saving() {
    let mut app = app(120, 40);
    press_keys(&mut app, "e");
    let at = |app: &App| {
        let form = app.form.as_ref().unwrap();
        match form.lines()[form.selected] {
            glue_tui::tui::state::form::FormLine::Field(number) => form.fields[number].key.name,
            _ => "",
        }
    };
    while at(&app) != "learning_rate" {
        press_keys(&mut app, "j");
    }
    press_keys(&mut app, "<enter><^u>fast");
    assert_shows(&app, "expected a number above 0 and at most 1");
    press_keys(&mut app, "<enter>2");
    assert_shows(&app, "found `fast2`");
    assert_eq!(press_keys(&mut app, "<^r>"), []);
    assert_shows(&app, "Some values are invalid");
    press_keys(&mut app, "<enter><enter><^u>3e-5<enter>");
    assert_shows(&app, "was 5e-4");
    let changes = vec![("learning_rate", "3e-5".to_string())];
    let started =
        Effect::StartTraining(TrainRequest::Changed { name: "demo".into(), changes: changes.clone() });
    assert_eq!(press_keys(&mut app, "<^r>"), [started]);
    assert_eq!(press_keys(&mut app, "<esc>"), []);
    assert_shows(&app, "Unsaved changes");
    assert_eq!(press_keys(&mut app, "s"), [Effect::SaveExperiment { name: "demo".into(), changes }]);
    update(&mut app, Msg::ExperimentSaved { name: "demo".into() });
    assert!(app.form.is_none());
}

#[test]
fn form_changes_are_kept_until_discarded() {
    let mut app = app(120, 40);
    press_keys(&mut app, "n<down><enter>-x<enter>");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x");
    press_keys(&mut app, "2");
    press_keys(&mut app, "1");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x", "switching screens keeps the form");
    press_keys(&mut app, "<esc><esc>");
    assert!(app.form.is_some(), "esc asks, a second esc cancels");
    assert_eq!(press_keys(&mut app, "q"), []);
    assert_shows(&app, "discard the changes and quit");
    press_keys(&mut app, "k<esc>d");
    assert!(app.form.is_none());
}

#[test]
fn copy_has_the_values_of_the_original() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjc");
    let effects = press_keys(&mut app, "s");
    let Some(Effect::SaveExperiment { name, changes }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(name, "sst-distilbert-2");
    assert!(changes.contains(&("repeats", "8".into())), "{changes:?}");
    assert!(!changes.iter().any(|(key, _)| *key == "seed"), "{changes:?}");
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
    assert_eq!(press_keys(&mut app, "k"), [], "keep training");
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
    let keymap = Keymap::read(text, Path::new("keys.toml")).unwrap();
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
    press_keys(&mut app, "4");
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
fn marked_runs_are_loaded_and_drawn_in_different_styles() {
    let mut app = app(120, 40);
    press_keys(&mut app, "4");
    assert_shows(&app, "space marks a run");
    let effects = press_keys(&mut app, "<space>j<space>");
    let expected: Vec<Effect> =
        runs()[..2].iter().map(|run| Effect::RequireHistory(run.dir.clone())).collect();
    assert_eq!(effects, expected);
    assert_shows(&app, "reading");
    load_histories(&mut app, &effects);
    let mut signs: Vec<_> = app.compare.marks.iter().map(|mark| (mark.symbol, mark.color)).collect();
    signs.dedup_by_key(|style| style.0);
    assert_eq!(signs.len(), 2);
    assert_ne!(signs[0].1, signs[1].1);
    assert_shows(&app, "learning_rate  5e-4 ●   2e-5 ▲");
    let other = app.compare.marks[1].color;
    // A run keeps its color; its symbol can be reused.
    press_keys(&mut app, "k<space>");
    assert_eq!(app.compare.marks.len(), 1);
    press_keys(&mut app, "<space>");
    assert_eq!((app.compare.marks[1].symbol, app.compare.marks[0].color), (0, other));
    press_keys(&mut app, "c");
    assert_shows(&app, "space marks a run");
    assert_eq!(press_keys(&mut app, "*").len(), 4);
}

#[test]
fn compare_table_is_sorted_and_filtered() {
    let mut app = app(120, 40);
    press_keys(&mut app, "4");
    let names =
        |app: &App| app.compare.rows(&app.runs.runs).iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&app).len(), 4);
    press_keys(&mut app, "ss");
    assert_shows(&app, "task▾");
    press_keys(&mut app, "S");
    assert_eq!(names(&app)[0], runs()[0].name);
    press_keys(&mut app, "<end>t");
    assert_shows(&app, "/ task:demo");
    assert_eq!(names(&app).len(), 3);
    press_keys(&mut app, "/ status:stop<enter>");
    assert_eq!(names(&app), ["demo-20261123-094502-99c0"]);
    assert_shows(&app, "Runs, 1 of 4");
    assert_eq!(press_keys(&mut app, "<enter>"), [Effect::LoadHistory(runs()[2].dir.clone())]);
    assert_eq!(app.screen, Screen::Live);
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Compare, "back to the previous screen");
    press_keys(&mut app, "<esc>");
    assert_eq!(names(&app).len(), 4);
}

#[test]
fn chart_cursor_shows_the_values_of_all_curves() {
    let mut app = comparing(120, 40);
    let end = text(&app);
    press_keys(&mut app, &"<left>".repeat(41));
    assert_shows(&app, " epoch 3.00 ");
    assert_ne!(text(&app), end);
    press_keys(&mut app, "a");
    assert_shows(&app, " step 300 ");
    press_keys(&mut app, "aa");
    assert_shows(&app, " examples 9,600 ");
    press_keys(&mut app, "++y((((((");
    assert_shows(&app, "Training loss, not smoothed, logarithmic");
    press_keys(&mut app, "<esc>");
    assert!(!app.compare.chart.has_cursor() && app.compare.chart.is_zoomed());
    press_keys(&mut app, "<esc>");
    assert!(!app.compare.chart.is_zoomed());
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn compared_run_of_another_process_is_followed() {
    let mut app = comparing(120, 40);
    let now = app.now;
    // The second run has no end: another process may be training it.
    let open = app.compare.marks[1].dir.clone();
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [Effect::FollowLogs(vec![open])]);
    press_keys(&mut app, "3");
    assert_eq!(update(&mut app, Msg::Tick(now + 2.0)), []);
    // A run of this process is drawn from memory.
    let mut app = training(120, 40, "demo", 200);
    let dir = app.training.as_ref().unwrap().dir.clone();
    let mut row = run("demo-20261123-110429-c691", "demo", RunStatus::Running, None, 100, 500);
    row.started = 2e9;
    row.dir = dir;
    app.runs.runs.push(row);
    press_keys(&mut app, "4g<space><left>");
    assert_shows(&app, " epoch 1.8");
    assert_eq!(app.followed_runs(), Vec::<std::path::PathBuf>::new());
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
    assert!(!app.live.is_full && !app.live.chart.is_zoomed());
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
