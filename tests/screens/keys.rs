//! The whole app played by keys.

use super::stage::*;

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
    let effects = play(&mut app, "j<enter>");
    let Some(Effect::StartTraining(TrainRequest::Spec(spec))) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(spec.experiment, "demo-pairs");
    update(
        &mut app,
        Msg::RunStarted { spec: spec.clone(), dir: "runs/x".into(), earlier: Vec::new(), queue: None },
    );
    assert_eq!(app.screen, Screen::Live);
    shows(&app, "preparing");
    play(&mut app, "1");
    assert_eq!(play(&mut app, "k<enter>"), [], "one at a time");
    shows(&app, "Another run is being trained");
}

#[test]
fn a_value_is_checked_as_typed_and_started_without_saving() {
    let mut app = app(120, 40);
    play(&mut app, "e");
    let at = |app: &App| {
        let form = app.form.as_ref().unwrap();
        match form.lines()[form.selected] {
            glue_tui::tui::state::form::FormLine::Field(number) => form.fields[number].key.name,
            _ => "",
        }
    };
    while at(&app) != "learning_rate" {
        play(&mut app, "j");
    }
    play(&mut app, "<enter><^u>fast");
    shows(&app, "expected a number above 0 and at most 1");
    play(&mut app, "<enter>2");
    shows(&app, "found `fast2`");
    assert_eq!(play(&mut app, "<^r>"), []);
    shows(&app, "Some values are invalid");
    play(&mut app, "<enter><enter><^u>3e-5<enter>");
    shows(&app, "was 5e-4");
    let changes = vec![("learning_rate", "3e-5".to_string())];
    let started =
        Effect::StartTraining(TrainRequest::Changed { name: "demo".into(), changes: changes.clone() });
    assert_eq!(play(&mut app, "<^r>"), [started]);
    assert_eq!(play(&mut app, "<esc>"), []);
    shows(&app, "Unsaved changes");
    assert_eq!(play(&mut app, "s"), [Effect::SaveExperiment { name: "demo".into(), changes }]);
    update(&mut app, Msg::ExperimentSaved { name: "demo".into() });
    assert!(app.form.is_none());
}

#[test]
fn nothing_typed_is_lost() {
    let mut app = app(120, 40);
    play(&mut app, "n<down><enter>-x<enter>");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x");
    play(&mut app, "2");
    play(&mut app, "1");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x", "another screen keeps the form");
    play(&mut app, "<esc><esc>");
    assert!(app.form.is_some(), "esc asks, and esc again changes nothing");
    assert_eq!(play(&mut app, "q"), []);
    shows(&app, "discard the changes and quit");
    play(&mut app, "k<esc>d");
    assert!(app.form.is_none());
}

#[test]
fn a_copy_has_the_values_of_its_original() {
    let mut app = app(120, 40);
    play(&mut app, "jjc");
    let effects = play(&mut app, "s");
    let Some(Effect::SaveExperiment { name, changes }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(name, "sst-distilbert-2");
    assert!(changes.contains(&("repeats", "8".into())), "{changes:?}");
    assert!(!changes.iter().any(|(key, _)| *key == "seed"), "{changes:?}");
}

#[test]
fn the_filter_narrows_and_goes_away() {
    let mut app = app(120, 40);
    play(&mut app, "/pairs<enter>");
    assert_eq!(app.runs.lines().len(), 2);
    play(&mut app, "<esc>");
    assert_eq!(app.runs.lines().len(), 7);
}

#[test]
fn commands_reach_the_training_and_quitting_asks() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(play(&mut app, "<space>"), [Effect::SendCommand(Command::Pause)]);
    shows(&app, "pausing");
    update(
        &mut app,
        said(0, Event::Command { step: 187, command: Command::Pause, settings: None, replayed: false }),
    );
    shows(&app, "paused");
    assert_eq!(play(&mut app, "<space>"), [Effect::SendCommand(Command::Resume)]);
    assert_eq!(play(&mut app, "v"), [Effect::SendCommand(Command::Eval)]);
    assert_eq!(play(&mut app, "q"), []);
    assert_eq!(play(&mut app, "k"), [], "keep training");
    assert!(app.popup.is_none());
    assert_eq!(play(&mut app, "<^c>s"), [Effect::SendCommand(Command::Stop)]);
    shows(&app, "stopping");
    assert_eq!(update(&mut app, Msg::RunEnded(Ok(()))), [Effect::Quit]);
}

#[test]
fn without_a_run_quitting_is_at_once() {
    assert_eq!(play(&mut app(80, 24), "q"), [Effect::Quit]);
    assert_eq!(play(&mut app(80, 24), "<^c>"), [Effect::Quit]);
}

#[test]
fn deleting_asks_and_a_running_run_stays() {
    let mut app = app(120, 40);
    assert_eq!(play(&mut app, "<end>d").last(), Some(&Effect::LoadHistory(runs()[3].dir.clone())));
    assert_eq!(play(&mut app, "<enter>"), [], "the cursor is on the answer that changes nothing");
    assert_eq!(play(&mut app, "dd"), [Effect::DeleteRun(runs()[3].dir.clone())]);
    app.runs.runs[3].status = RunStatus::Running;
    play(&mut app, "d");
    shows(&app, "This run is being trained");
}

#[test]
fn late_answers_are_dropped() {
    let mut app = judging(120, 40, "good");
    let before = app.infer.request_id;
    let effects = play(&mut app, "<space>bad");
    assert_eq!(effects.len(), 4);
    let newest = app.infer.request_id;
    update(&mut app, Msg::Prediction { request_id: newest, seconds: 0.01, result: Ok(verdict(0.2)) });
    update(&mut app, Msg::Prediction { request_id: newest - 1, seconds: 0.01, result: Ok(verdict(0.9)) });
    update(&mut app, Msg::Prediction { request_id: before, seconds: 0.01, result: Ok(verdict(0.9)) });
    let (request_id, _, shown) = app.infer.answer.clone().unwrap();
    assert_eq!((request_id, shown.output.label()), (newest, Some("negative")));
    // Other weights: answers of the old ones mean nothing.
    play(&mut app, "<^o><down><down><enter>");
    update(&mut app, Msg::Prediction { request_id: newest, seconds: 0.01, result: Ok(verdict(0.9)) });
    assert!(app.infer.answer.is_none());
}

#[test]
fn what_an_answer_rests_on_is_asked_after_it_and_only_for_the_newest() {
    let mut app = judging(80, 24, "good");
    play(&mut app, "<space>bad");
    let newest = app.infer.request_id;
    let mut answer = |request_id| {
        update(&mut app, Msg::Prediction { request_id, seconds: 0.01, result: Ok(verdict(0.9)) })
    };
    assert_eq!(answer(newest - 1), [], "somebody types on");
    let explain = Effect::Explain { request_id: newest, text: "good bad".into(), text_pair: None };
    assert_eq!(answer(newest), [explain]);
    let found = |request_id, pushes: &[(&str, f32)]| Msg::Explanation {
        request_id,
        seconds: 0.1,
        result: Ok(explanation("good bad", pushes)),
    };
    update(&mut app, found(newest - 1, &[("bad", 1.0)]));
    assert!(!text(&app).contains("why"), "an older one is dropped");
    update(&mut app, found(newest, &[("good", 1.0), ("bad", -0.4)]));
    shows(&app, "why  [[good]] <bad>");
    // It stays until the next is there, and goes with its sentence.
    play(&mut app, "<space>");
    shows(&app, "[[good]] <bad>");
    play(&mut app, "<^u>");
    assert!(!text(&app).contains("why"));
    let mut app = judging(80, 24, &"so it goes on and on, ".repeat(40));
    let (request_id, result) = (app.infer.request_id, Err("the model has no [PAD]".into()));
    update(&mut app, Msg::Explanation { request_id, seconds: 0.1, result });
    shows(&app, "the model has no [PAD]");
}

#[test]
fn earlier_sentences_come_back_and_the_new_one_is_kept() {
    let mut app = judging(120, 40, "half a sen");
    play(&mut app, "<up>");
    assert_eq!(app.infer.fields[0].text(), "i have seen worse");
    play(&mut app, "<down>");
    assert_eq!(app.infer.fields[0].text(), "half a sen");
}

#[test]
fn a_paste_of_a_megabyte_does_not_freeze() {
    let mut app = judging(120, 40, "x");
    let started = std::time::Instant::now();
    let paste = Input::Paste("woe \u{1b}[31m\u{202e}日本語\n".repeat(50_000));
    let msg = input::read(&app, &paste).unwrap();
    update(&mut app, msg);
    for _ in 0..20 {
        play(&mut app, "a<left><backspace>");
        buffer(&app);
    }
    assert!(started.elapsed().as_secs_f64() < 2.0, "{:?}", started.elapsed());
    shows(&app, "too long, truncated");
    shows(&app, "␛[31m");
}

#[test]
fn letters_that_are_keys_elsewhere_are_text_where_one_types() {
    let mut app = judging(120, 40, "q?123 jk");
    assert_eq!(app.infer.fields[0].text(), "q?123 jk");
    play(&mut app, "<f1>");
    shows(&app, "Keys");
    play(&mut app, "<esc><esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn live_weights_are_asked_for_again_but_not_too_often() {
    let mut app = training(120, 40, "demo", 200);
    let effects = play(&mut app, "i");
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: Some(180) };
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(opened.clone()) });
    shows(&app, "weights of step 180");
    let now = app.now;
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [], "too early");
    let effects = update(&mut app, Msg::Tick(now + 3.0));
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(update(&mut app, Msg::Tick(now + 9.0)), [], "one at a time");
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(OpenedModel { step: Some(190), ..opened }) });
    shows(&app, "weights of step 190");
}

#[test]
fn who_types_while_the_weights_come_or_are_renewed_still_gets_them() {
    let mut app = training(120, 40, "demo", 200);
    let effects = play(&mut app, "i");
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(play(&mut app, "good"), [], "nothing to ask yet");
    shows(&app, "loading the weights");
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: Some(180) };
    let effects = update(&mut app, Msg::ModelOpened { request_id, result: Ok(opened.clone()) });
    assert!(matches!(&effects[..], [Effect::Classify { text, .. }] if text == "good"), "{effects:?}");

    let now = app.now;
    let effects = update(&mut app, Msg::Tick(now + 3.0));
    let [Effect::OpenModel { request_id, .. }] = effects[..] else { panic!("{effects:?}") };
    play(&mut app, "<backspace><backspace><backspace><backspace>");
    update(&mut app, Msg::ModelOpened { request_id, result: Ok(OpenedModel { step: Some(190), ..opened }) });
    shows(&app, "weights of step 190");
    assert!(matches!(update(&mut app, Msg::Tick(now + 9.0))[..], [Effect::OpenModel { .. }]), "and again");
}

#[test]
fn keys_at_the_foot_do_what_they_say_and_the_help_has_all() {
    // A key that is bound twice in a place where both bindings hold could not keep its word.
    let apps = [app(120, 40), training(120, 40, "demo", 200), judging(120, 40, "x"), comparing(80, 24)];
    for app in &apps {
        let mut seen: Vec<(Context, String)> = Vec::new();
        let bindings = Context::ALL.into_iter().flat_map(|context| app.keymap.of(context));
        for binding in bindings.filter(|binding| app.holds(binding.condition)) {
            for key in binding.keys(THEME).split(' ') {
                let one = (binding.context, key.to_string());
                assert!(!seen.contains(&one), "{one:?} twice");
                seen.push(one);
            }
            assert!(!binding.sentence.is_empty());
        }
    }
}

#[test]
fn keys_of_a_file_hold_and_are_shown() {
    let text = "quit = \"ctrl-q\"\nhelp = [\"H\", \"f1\"]\n[runs]\nnew = \"+\"\n[live]\npause = \"p\"\n[compare]\nmark = \"m\"\nsame_model = []\n";
    let keymap = Keymap::read(text, Path::new("keys.toml")).unwrap();
    let with = |app: App| App { keymap: keymap.clone(), ..app };
    let mut app = with(training(120, 40, "demo", 200));
    shows(&app, " p pause ");
    shows(&app, " H help   ^Q quit");
    assert_eq!(play(&mut app, "<space>"), [], "not any more");
    assert_eq!(play(&mut app, "p"), [Effect::SendCommand(Command::Pause)]);
    play(&mut app, "H");
    shows(&app, "Keys");
    play(&mut app, "<esc>");
    assert_eq!(play(&mut app, "q"), []);
    assert!(app.popup.is_none());
    let mut app = with(crate::stage::app(120, 40));
    shows(&app, " + new ");
    play(&mut app, "4");
    shows(&app, "m marks a run");
    assert_eq!(play(&mut app, "<^q>"), [Effect::Quit]);
}

#[test]
fn the_help_is_searched() {
    let mut app = training(120, 40, "demo", 200);
    play(&mut app, "?");
    shows(&app, "pause the training");
    play(&mut app, "/LEARNING rate");
    shows(&app, "change the learning rate");
    assert!(!text(&app).contains("pause the training"));
    play(&mut app, "<enter>");
    shows(&app, "/ LEARNING rate");
    play(&mut app, "<esc>");
    shows(&app, "pause the training");
    play(&mut app, "/zzz");
    shows(&app, "no matching keys");
    play(&mut app, "<esc><esc>");
    assert!(app.popup.is_none());
}

#[test]
fn marked_runs_are_read_and_drawn_and_told_apart() {
    let mut app = app(120, 40);
    play(&mut app, "4");
    shows(&app, "space marks a run");
    let effects = play(&mut app, "<space>j<space>");
    let wanted: Vec<Effect> = runs()[..2].iter().map(|run| Effect::RequireHistory(run.dir.clone())).collect();
    assert_eq!(effects, wanted);
    shows(&app, "reading");
    answer_collects(&mut app, &effects);
    let mut signs: Vec<_> = app.compare.marks.iter().map(|mark| (mark.symbol, mark.colour)).collect();
    signs.dedup_by_key(|sign| sign.0);
    assert_eq!(signs.len(), 2);
    assert_ne!(signs[0].1, signs[1].1);
    shows(&app, "learning_rate  5e-4 ●   2e-5 ▲");
    let other = app.compare.marks[1].colour;
    // A run keeps its colour; its sign is free for the next one.
    play(&mut app, "k<space>");
    assert_eq!(app.compare.marks.len(), 1);
    play(&mut app, "<space>");
    assert_eq!((app.compare.marks[1].symbol, app.compare.marks[0].colour), (0, other));
    play(&mut app, "c");
    shows(&app, "space marks a run");
    assert_eq!(play(&mut app, "*").len(), 4);
}

#[test]
fn the_table_is_sorted_and_filtered() {
    let mut app = app(120, 40);
    play(&mut app, "4");
    let names =
        |app: &App| app.compare.rows(&app.runs.runs).iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&app).len(), 4);
    play(&mut app, "ss");
    shows(&app, "task▾");
    play(&mut app, "S");
    assert_eq!(names(&app)[0], runs()[0].name);
    play(&mut app, "<end>t");
    shows(&app, "/ task:demo");
    assert_eq!(names(&app).len(), 3);
    play(&mut app, "/ status:stop<enter>");
    assert_eq!(names(&app), ["demo-20261123-094502-99c0"]);
    shows(&app, "Runs, 1 of 4");
    assert_eq!(play(&mut app, "<enter>"), [Effect::LoadHistory(runs()[2].dir.clone())]);
    assert_eq!(app.screen, Screen::Live);
    play(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Compare, "back to where one came from");
    play(&mut app, "<esc>");
    assert_eq!(names(&app).len(), 4);
}

#[test]
fn the_cursor_reads_all_curves() {
    let mut app = comparing(120, 40);
    let end = text(&app);
    play(&mut app, &"<left>".repeat(41));
    shows(&app, " epoch 3.00 ");
    assert_ne!(text(&app), end);
    play(&mut app, "a");
    shows(&app, " step 300 ");
    play(&mut app, "aa");
    shows(&app, " examples 9,600 ");
    play(&mut app, "++y((((((");
    shows(&app, "Training loss, not smoothed, logarithmic");
    play(&mut app, "<esc>");
    assert!(!app.compare.chart.has_cursor() && app.compare.chart.is_zoomed());
    play(&mut app, "<esc>");
    assert!(!app.compare.chart.is_zoomed());
    play(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn a_run_that_grows_elsewhere_is_read_on_while_it_is_compared() {
    let mut app = comparing(120, 40);
    let now = app.now;
    // The second run was cut off: somebody may go on with it.
    let open = app.compare.marks[1].dir.clone();
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [Effect::FollowLogs(vec![open])]);
    play(&mut app, "3");
    assert_eq!(update(&mut app, Msg::Tick(now + 2.0)), []);
    // A run that is trained here is drawn as it goes.
    let mut app = training(120, 40, "demo", 200);
    let dir = app.training.as_ref().unwrap().dir.clone();
    let mut row = run("demo-20261123-110429-c691", "demo", RunStatus::Running, None, 100, 500);
    row.started = 2e9;
    row.dir = dir;
    app.runs.runs.push(row);
    play(&mut app, "4g<space><left>");
    shows(&app, " epoch 1.8");
    assert_eq!(app.followed_runs(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn one_chart_takes_the_screen_and_its_keys() {
    let mut app = training(120, 40, "demo", 330);
    play(&mut app, "f<left>");
    shows(&app, " epoch 5.00 ");
    assert!(!text(&app).contains("grad norm"));
    assert_eq!(
        play(&mut app, "<space>"),
        [Effect::SendCommand(Command::Pause)],
        "the training is still at hand"
    );
    play(&mut app, "<tab>");
    shows(&app, "Accuracy");
    play(&mut app, "+<esc>");
    assert!(app.live.is_full, "the cursor goes first, then the zoom, then the full chart");
    play(&mut app, "<esc><esc>");
    assert!(!app.live.is_full);
    shows(&app, "grad norm");
    play(&mut app, "f+f");
    assert!(!app.live.is_full && !app.live.chart.is_zoomed());
}

#[test]
fn a_thousand_runs_are_no_burden() {
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
    let begun = std::time::Instant::now();
    for keys in ["j", "<end>", "4", "j", "<end>", "s"] {
        play(&mut app, keys);
        buffer(&app);
    }
    let taken = begun.elapsed() / 6;
    assert!(taken.as_secs_f64() < 0.02, "{taken:?} a key and its frame");
}

#[test]
fn a_failed_run_says_why_and_can_be_looked_at() {
    let mut app = training(120, 40, "demo", 100);
    let effects = update(&mut app, Msg::RunEnded(Err("out of memory: batch 4096 does not fit".into())));
    assert_eq!(effects, [Effect::Refresh, Effect::Notify("demo failed".into())]);
    shows(&app, "out of memory");
    play(&mut app, "<enter>");
    assert_eq!(play(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn a_million_steps_are_drawn_in_a_moment() {
    let mut app = training(200, 60, "demo", 4);
    let recorded = recorded();
    let step = recorded
        .iter()
        .find_map(|event| if let Event::Step(step) = event { Some(step.clone()) } else { None });
    let mut step = step.unwrap();
    let started = std::time::Instant::now();
    for number in 1..=1_000_000 {
        step.step = number;
        update(&mut app, said(0, Event::Step(step.clone())));
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
