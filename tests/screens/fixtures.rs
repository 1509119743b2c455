//! Fixtures: the app with made-up experiments, recorded events and key presses.

use super::recording::{recording, text_of};
use super::terminals;
use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use glue_tui::catalog::Metric;
use glue_tui::error::Error;
use glue_tui::event::Event;
use glue_tui::predict::{Attributions, ModelOutput, Prediction, WordAttribution};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::history::History;
use glue_tui::run::{DiskUse, Repeats, RunEvent, RunNotes, RunRow, RunStatus, SettingChange, unreadable};
use glue_tui::spec::{Experiments, RunSpec};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::experiment::ExperimentRow;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;
use glue_tui::tui::{input, view};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const THEME: Theme = Theme::new(ColorDepth::Ansi256, Charset::Unicode);
pub(crate) const SIZES: [(u16, u16); 5] = [(80, 24), (100, 30), (120, 40), (200, 60), (40, 10)];
/// 2026-11-23, 11:04:29 UTC, the time of the recorded events.
pub(crate) const STARTED_AT: f64 = 1_795_431_869.0;

pub(crate) const FILE: &str = r#"
# Sentiment of short reviews, on a model the program carries: learns in under a minute
[experiment.demo]
num_train_epochs = 5
learning_rate = 5e-4

# Do two questions ask the same? Data and model inside, a minute or two
[experiment.demo-pairs]
task = "demo-pairs"
num_train_epochs = 5
learning_rate = 5e-4

# The article's DistilBERT on the treebank's whole sentences: 84.0 % validation, 85.1 % test
[experiment.sst-distilbert]
model = "distilbert/distilbert-base-uncased"
task = "sst"
lr_scheduler_type = "constant"
weight_decay = 0.0
adam_epsilon = 1e-6
max_grad_norm = 0
repeats = 8
"#;

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub(crate) fn recorded() -> Vec<Event> {
    recorded_in("demo.jsonl")
}

pub(crate) fn recorded_in(file: &str) -> Vec<Event> {
    let text = std::fs::read_to_string(data("events").join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn experiments() -> Vec<ExperimentRow> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("experiments.toml");
    std::fs::write(&path, FILE).unwrap();
    ExperimentRow::all(&Experiments::open(Some(&path)).unwrap())
}

pub(crate) fn run(
    name: &str,
    experiment: &str,
    status: RunStatus,
    best: Option<f64>,
    steps: u64,
    total: u64,
) -> RunRow {
    RunRow {
        dir: Path::new("runs").join(name),
        name: name.into(),
        experiment: experiment.into(),
        task: if experiment.starts_with("sst") { "sst".into() } else { experiment.into() },
        model: "demo".into(),
        seed: 42,
        status,
        best: best.map(|value| (Metric::Accuracy, value)),
        steps,
        total_steps: total,
        progress: steps as f64 / total as f64,
        disk: Some(DiskUse { bytes: 21_700_000, prunable_bytes: 16_300_000 }),
        has_best_weights: best.is_some(),
        spec: Some(Arc::new(RunSpec {
            learning_rate: 5e-4,
            num_train_epochs: 5.0,
            ..glue_tui::spec::built_in(experiment)
        })),
        train_seconds: 31.0 + steps as f64,
        started: STARTED_AT - 3600.0,
        ..RunRow::default()
    }
}

pub(crate) fn runs() -> Vec<RunRow> {
    let sst = run(
        "sst-distilbert-20261123-101502-7f3a",
        "sst-distilbert",
        RunStatus::Finished,
        Some(0.846),
        801,
        801,
    );
    vec![
        RunRow { repeats: Some(Repeats { count: 8, mean: 0.841, sd: 0.004 }), ..sst },
        RunRow {
            notes: RunNotes { tags: vec!["paper".into()], ..RunNotes::default() },
            changes: vec![SettingChange {
                step: 120,
                seed: 42,
                key: "learning_rate",
                from: Some(5e-4),
                to: 2.5e-4,
            }],
            ..run("demo-20261123-095711-01ab", "demo", RunStatus::Finished, Some(0.924), 500, 500)
        },
        run("demo-20261123-094502-99c0", "demo", RunStatus::Stopped, Some(0.887), 205, 500),
        RunRow {
            error: Some(
                "the loss of step 17 is NaN with gradient norm inf; lower learning_rate (now 0.5)".into(),
            ),
            ..run("demo-pairs-20261122-221001-4d2e", "demo-pairs", RunStatus::Failed, None, 17, 500)
        },
    ]
}

/// The Insight screen with the report of a past run, the only one in the list.
pub(crate) fn analyzing(width: u16, height: u16, run: RunRow, report: ErrorReport) -> App {
    let mut app = app(width, height);
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: vec![run] });
    let effects = press_keys(&mut app, "jjjw");
    let Some(Effect::LoadPredictions(subject)) = effects.last() else { panic!("{effects:?}") };
    let subject = subject.clone();
    update(&mut app, Msg::PredictionsLoaded { subject, result: Ok(Box::new(report)) });
    app
}

/// The app with the experiments and runs above, and a last run with a damaged specification under the cursor.
pub(crate) fn app_on_unreadable_run(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let dir = Path::new("runs/demo-20261124-071500-1c2d");
    let error = Error::data(dir.join("spec.toml"), Some(7), "unknown key `from_a_later_version`");
    let runs = runs().into_iter().chain([unreadable(dir, &error)]).collect();
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs });
    press(&mut app, KeyCode::End, KeyModifiers::NONE);
    app
}

/// The app with the experiments and runs above.
pub(crate) fn app(width: u16, height: u16) -> App {
    let mut app = App::new(THEME, (width, height), STARTED_AT, "x86_64, 2 threads".into());
    let effects = update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: runs() });
    assert_eq!(effects, []);
    app
}

pub(crate) fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    let event = Input::Key(KeyEvent::new(code, modifiers));
    input::read(app, &event).map_or(Vec::new(), |msg| update(app, msg))
}

/// Presses keys: characters as they are, named keys in angle brackets, `<^s>` for control.
pub(crate) fn press_keys(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (code, modifiers) = if let Some((name, after)) = name {
            rest = after;
            parse_key(name)
        } else {
            rest = &rest[first.len_utf8()..];
            (KeyCode::Char(first), KeyModifiers::NONE)
        };
        effects.extend(press(app, code, modifiers));
    }
    effects
}

pub(crate) fn parse_key(name: &str) -> (KeyCode, KeyModifiers) {
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "backspace" => KeyCode::Backspace,
        "space" => KeyCode::Char(' '),
        "f1" => KeyCode::F(1),
        "f4" => KeyCode::F(4),
        "f5" => KeyCode::F(5),
        _ => {
            let letter = name.strip_prefix('^').and_then(|rest| rest.chars().next());
            let letter = letter.unwrap_or_else(|| panic!("no key <{name}>"));
            return (KeyCode::Char(letter), KeyModifiers::CONTROL);
        }
    };
    (code, KeyModifiers::NONE)
}

pub(crate) fn buffer(app: &App) -> Buffer {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buffer = Buffer::empty(area);
    view::draw_on(app, area, &mut buffer);
    buffer
}

pub(crate) fn text(app: &App) -> String {
    text_of(&buffer(app))
}

#[track_caller]
pub(crate) fn assert_shows(app: &App, expected: &str) {
    let text = text(app);
    assert!(text.contains(expected), "no {expected:?} in\n{text}");
}

/// Compares the screen at every size with its snapshot, see [`super::recording`]; a screen of
/// [`terminals::SCREENS`] also on terminals of each kind.
#[track_caller]
pub(crate) fn snapshot(name: &str, build: impl Fn(u16, u16) -> App) {
    let of_size =
        |(width, height): (u16, u16)| format!("{width}x{height}\n{}", recording(name, build(width, height)));
    assert_recorded(name, &SIZES.map(of_size).concat());
    if terminals::SCREENS.contains(&name) {
        assert_recorded(&terminals::snapshot_name(name), &terminals::recording(build));
    }
}

#[track_caller]
fn assert_recorded(name: &str, got: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, got));
}

pub(crate) fn run_event(repeat: u64, event: Event) -> Msg {
    Msg::RunEvent(RunEvent { repeat, dir: Arc::from(Path::new("runs/demo-20261123-110429-c691")), event })
}

/// The app while it trains `experiment`, after the first `count` recorded events.
pub(crate) fn training(width: u16, height: u16, experiment: &str, count: usize) -> App {
    let mut app = app(width, height);
    let spec = app.runs.experiments.iter().find(|row| row.name == experiment).unwrap().spec.clone().unwrap();
    let dir = PathBuf::from(format!("runs/{experiment}-20261123-110429-c691"));
    update(&mut app, Msg::RunStarted { spec: Box::new(spec), dir, earlier: Vec::new(), queue: None });
    for event in recorded().into_iter().take(count) {
        update(&mut app, run_event(0, event));
    }
    app.now = STARTED_AT + 97.0;
    app
}

pub(crate) fn prediction(positive: f32) -> Prediction {
    let (label, probability) =
        if positive > 0.5 { ("positive", positive) } else { ("negative", 1.0 - positive) };
    let output = ModelOutput::Label {
        label: label.into(),
        probability,
        probabilities: vec![("negative".into(), 1.0 - positive), ("positive".into(), positive)],
    };
    Prediction { output, tokens: 12, truncated: false }
}

/// Word attributions, from words of the text and their values.
pub(crate) fn attributions(text: &str, values: &[(&str, f32)]) -> Attributions {
    let attribution = |(word, value): &(&str, f32)| {
        let byte = text.find(word).unwrap_or_else(|| panic!("{word} is not in {text}"));
        let start = text[..byte].chars().count();
        WordAttribution {
            text: (*word).into(),
            start,
            end: start + word.chars().count(),
            value: *value,
            sequence: 0,
        }
    };
    Attributions { label: "positive".into(), words: values.iter().map(attribution).collect() }
}

/// The app with an open model, and `text` typed and classified.
pub(crate) fn classifying(width: u16, height: u16, text: &str) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "jjjji");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    for text in ["i have seen worse", text] {
        let effects = press_keys(&mut app, text);
        let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
        update(
            &mut app,
            Msg::Prediction { request_id: *request_id, seconds: 0.006, result: Ok(prediction(0.81)) },
        );
        if text.starts_with("i have") {
            press_keys(&mut app, "<enter>");
        }
    }
    app
}

/// The history of the first `count` recorded events, with the losses multiplied by `factor`.
pub(crate) fn scaled_history(factor: f64, count: usize) -> History {
    let mut history = History::default();
    for mut event in recorded().into_iter().take(count) {
        match &mut event {
            Event::Step(step) => step.loss *= factor,
            Event::Eval(eval) => {
                eval.scores.loss *= factor;
                let accuracy = eval.scores.get(Metric::Accuracy).map(|value| value / factor.sqrt());
                eval.scores.metrics.insert(Metric::Accuracy, accuracy);
            }
            _ => {}
        }
        history.fold(&event);
    }
    history
}

/// Replies to the effects that load histories: each run is slightly worse than the previous one.
pub(crate) fn load_histories(app: &mut App, effects: &[Effect]) {
    for effect in effects {
        let Effect::RequireHistory(dir) = effect else { continue };
        let index = app.compare.marks.iter().position(|mark| mark.dir == *dir).unwrap();
        let seed = 42 + index as u64 % 2;
        let learning_rate = [5e-4, 2e-5, 1e-4][index % 3];
        let spec = RunSpec { learning_rate, seed, ..glue_tui::spec::built_in("demo") };
        let count = if index == 1 { 260 } else { usize::MAX };
        let histories = vec![scaled_history(1.0 + 0.25 * index as f64, count)];
        update(app, Msg::HistoryLoaded { dir: dir.clone(), result: Ok((spec, histories)) });
    }
}

/// The Compare screen with the first three runs marked.
pub(crate) fn comparing(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "4j<space>j<space>");
    load_histories(&mut app, &effects);
    app
}
