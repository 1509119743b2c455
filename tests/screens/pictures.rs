//! The pictures of the README: the screens over the recorded runs of `tests/data/runs`, read as the
//! interface reads any run directory.
//!
//! They are in `assets/pictures/`; `INSTA_UPDATE=always cargo test --test screens` rewrites them with the snapshots.

use super::fixtures::*;
use super::svg::svg;

use glue_tui::event::Event;
use glue_tui::predict::{Attributions, ModelOutput, Prediction, WordAttribution};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::history::History;
use glue_tui::run::{self, RunDir};
use glue_tui::spec::Experiments;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::experiment::ExperimentRow;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::update::update;
use serde_json::Value;
use std::path::{Path, PathBuf};

const SIZE: (u16, u16) = (120, 34);

/// The interface opened on the shipped experiments and the recorded runs, the newest first.
fn opened() -> App {
    let mut runs = run::list(&data("runs")).unwrap();
    runs.sort_by(|a, b| b.started.total_cmp(&a.started));
    assert!(runs.len() > 2, "no recorded runs");
    let now = runs[0].started + 60.0;
    let mut app = App::new(THEME, SIZE, now, "x86_64, 2 threads".into());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments.toml");
    let experiments = Experiments::open(Some(&file)).unwrap();
    let rows = ExperimentRow::all(&experiments);
    let effects = update(&mut app, Msg::Listed { experiments: Ok(rows), runs });
    run_effects(&mut app, effects);
    app
}

/// Carries out the effects that read runs.
fn run_effects(app: &mut App, effects: Vec<Effect>) {
    for effect in effects {
        let msg = match effect {
            Effect::LoadHistory(dir) | Effect::RequireHistory(dir) => {
                let (spec, events) = (RunDir::at(&dir).spec().unwrap(), events(&dir));
                Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&events)])) }
            }
            Effect::LoadPredictions(of) => {
                let result = ErrorReport::read(std::slice::from_ref(&of.dir), None)
                    .map(Box::new)
                    .map_err(|e| e.to_string());
                Msg::PredictionsLoaded { subject: of, result }
            }
            _ => continue,
        };
        let next = update(app, msg);
        run_effects(app, next);
    }
}

fn events(dir: &Path) -> Vec<Event> {
    run::replay(dir).unwrap()
}

fn press_and_run(app: &mut App, keys: &str) {
    let effects = press_keys(app, keys);
    run_effects(app, effects);
}

/// The directory of the recorded run of an experiment with this learning rate.
fn recorded_run(app: &App, experiment: &str, learning_rate: f64) -> PathBuf {
    let mut runs = app.runs.runs.iter().filter(|run| run.experiment == experiment);
    let matches = |dir: &Path| RunDir::at(dir).spec().unwrap().learning_rate == learning_rate;
    runs.find(|run| matches(&run.dir)).expect("a recorded run").dir.clone()
}

/// Moves the cursor of the Runs screen to a run.
fn go_to(app: &mut App, dir: &Path) {
    for _ in 0..app.runs.lines().len() {
        if app.runs.run().is_some_and(|run| run.dir == dir) {
            return;
        }
        press_and_run(app, "j");
    }
    panic!("{} is not in the list", dir.display());
}

/// Compares a picture with the file in `assets/pictures/`, or rewrites the file.
#[track_caller]
fn picture(name: &str, title: &str, app: &App) {
    let got = svg(&buffer(app), title);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/pictures/{name}.svg"));
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &got).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = got.lines().zip(expected.lines()).position(|(got, expected)| got != expected);
    assert!(
        got == expected,
        "{} differs from the screen (from its line {:?}); INSTA_UPDATE=always rewrites it\n{}",
        path.display(),
        differing.map(|line| line + 1),
        text(app)
    );
}

#[test]
fn picture_of_runs() {
    let mut app = opened();
    let dir = recorded_run(&app, "demo", 5e-4);
    go_to(&mut app, &dir);
    picture("runs", "The Runs screen: experiments, past runs, and the results of the selected one", &app);
}

#[test]
fn picture_of_live() {
    let mut app = opened();
    let dir = recorded_run(&app, "demo", 5e-4);
    let spec = RunDir::at(&dir).spec().unwrap();
    let events = events(&dir);
    let count =
        events.iter().position(|event| matches!(event, Event::Step(step) if step.step == 217)).unwrap();
    app.runs.runs.retain(|run| run.dir != dir);
    let started_at = events.iter().find_map(|event| match event {
        Event::Started(started) => Some(started.time),
        _ => None,
    });
    app.now = started_at.expect("a recorded run has a start");
    update(
        &mut app,
        Msg::RunStarted { spec: Box::new(spec), dir: dir.clone(), earlier: Vec::new(), queue: None },
    );
    let mut seconds = 0.0;
    for event in events.into_iter().take(count) {
        match &event {
            Event::Step(step) => seconds += step.seconds,
            Event::Eval(eval) => seconds += eval.seconds,
            _ => {}
        }
        let event = run::RunEvent { repeat: 0, dir: dir.as_path().into(), event };
        update(&mut app, Msg::RunEvent(event));
    }
    app.now += seconds;
    picture(
        "live",
        "The Live screen while the demo is trained: losses, accuracy, speed, scores and the log",
        &app,
    );
}

#[test]
fn picture_of_infer() {
    let mut app = opened();
    let dir = recorded_run(&app, "demo", 5e-4);
    go_to(&mut app, &dir);
    let effects = press_keys(&mut app, "i");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    let opened = OpenedModel { name, pair: Some(false), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    let predictions = std::fs::read_to_string(data("runs/verdicts.jsonl")).unwrap();
    let count = predictions.lines().count();
    for (number, line) in predictions.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let effects = press_keys(&mut app, line["text"].as_str().unwrap());
        let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
        let request_id = *request_id;
        update(&mut app, Msg::Prediction { request_id, seconds: 0.002, result: Ok(prediction_of(&line)) });
        let result = Ok(attributions_of(&line));
        update(&mut app, Msg::Explanation { request_id, seconds: 0.02, result });
        if number + 1 < count {
            press_keys(&mut app, "<enter>");
        }
    }
    picture("infer", "The Infer screen: a text, its prediction and word attributions, and the history", &app);
}

/// The output of `glue-tui predict` for a text.
fn prediction_of(value: &Value) -> Prediction {
    let probabilities = value["probabilities"].as_object().unwrap();
    let label = value["label"].as_str().unwrap();
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let output = ModelOutput::Label {
        label: label.into(),
        probability: number(&probabilities[label]),
        probabilities: probabilities.iter().map(|(label, p)| (label.clone(), number(p))).collect(),
    };
    Prediction {
        output,
        tokens: value["tokens"].as_u64().unwrap() as usize,
        truncated: value["truncated"].as_bool().unwrap(),
    }
}

/// The word attributions of `glue-tui predict --explain`.
fn attributions_of(value: &Value) -> Attributions {
    let word = |word: &Value| WordAttribution {
        text: word["text"].as_str().unwrap().into(),
        start: word["start"].as_u64().unwrap() as usize,
        end: word["end"].as_u64().unwrap() as usize,
        value: word["value"].as_f64().unwrap() as f32,
        sequence: 0,
    };
    let words = value["saliency"].as_array().unwrap().iter().map(word).collect();
    Attributions { label: value["label"].as_str().unwrap().into(), words }
}

#[test]
fn picture_of_compare() {
    let mut app = opened();
    press_and_run(&mut app, "4");
    let demos: Vec<bool> =
        app.compare.rows(&app.runs.runs).iter().map(|run| run.experiment == "demo").collect();
    for is_demo in demos {
        press_and_run(&mut app, if is_demo { "<space>j" } else { "j" });
    }
    press_and_run(&mut app, "g<tab>");
    picture(
        "compare",
        "The Compare screen: three runs with their curves and what differs in their settings",
        &app,
    );
}

#[test]
fn picture_of_insight() {
    let mut app = opened();
    let dir = recorded_run(&app, "demo", 5e-4);
    go_to(&mut app, &dir);
    press_and_run(&mut app, "w");
    assert_eq!(app.screen, Screen::Insight);
    press_and_run(&mut app, "<down>");
    picture(
        "insight",
        "The Insight screen: confusion matrix, calibration and the rows that the model gets wrong",
        &app,
    );
}
