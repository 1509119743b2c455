//! All tasks of GLUE: the scoreboard on the Sweep screen, and the question before they are trained.

use super::fixtures::*;

use glue_tui::catalog::{GLUE_TASKS, Metric, TaskId, published_average, published_validation, task};
use glue_tui::export::glue::StandIns;
use glue_tui::run::sweep::{GlueAverage, MetricScore, SweepDir, SweepReport, SweepRow, Trial};
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::spec::{Experiments, Sweep, sweep_to_toml};
use glue_tui::stats::ConfidenceInterval;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::export_request::ExportRequest;
use glue_tui::tui::state::sweep::{SweepContent, SweepSource};
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::Path;

const NAME: &str = "glue-bert-base-cased-20261123-094000-7f3a";
const MODEL: &str = "google-bert/bert-base-cased";

/// The scores of the tasks that are finished, in the order of their metrics.
const SCORES: [(&str, &[f64]); 7] = [
    ("cola", &[0.571]),
    ("sst2", &[0.9232]),
    ("mrpc", &[0.8407, 0.8885]),
    ("stsb", &[0.8864, 0.8848]),
    ("mnli", &[0.8391, 0.8410]),
    ("rte", &[0.657]),
    ("wnli", &[0.5634]),
];

fn sweep() -> Sweep {
    let tasks: Vec<TaskId> = GLUE_TASKS.iter().map(|name| name.parse().unwrap()).collect();
    let overrides = [("model".to_owned(), MODEL.to_owned())];
    Experiments::shipped().sweep_of_tasks("glue-bert-base-cased", &tasks, None, &overrides).unwrap()
}

fn status(name: &str) -> Option<RunStatus> {
    match name {
        "qqp" => Some(RunStatus::Running),
        "qnli" => None,
        _ => Some(RunStatus::Finished),
    }
}

fn rows(sweep: &Sweep) -> Vec<RunRow> {
    let row = |(number, name): (u64, &&str)| {
        let status = status(name)?;
        let spec = sweep.trial(number)?;
        let run_name = format!("{NAME}.{number}");
        Some(RunRow {
            dir: Path::new("runs").join(&run_name),
            task: (*name).to_owned(),
            trial: Some(Trial { sweep: NAME.into(), trial: number }),
            started: STARTED_AT - 5000.0 + 60.0 * number as f64,
            spec: Some(spec.into()),
            ..run(&run_name, "glue-bert-base-cased", status, None, 100, 189)
        })
    };
    (0..).zip(&GLUE_TASKS).filter_map(row).collect()
}

fn score(name: &str, metric: Metric, value: f64) -> MetricScore {
    MetricScore {
        metric,
        value: Some(value),
        sd: None,
        confidence_interval: Some(ConfidenceInterval { low: value - 0.023, high: value + 0.021 }),
        seeds: 1,
        rows: 872,
        published: published_validation(MODEL, name, metric),
        published_test: None,
    }
}

/// Writes the files of the sweep, reads its report, and fills in the scores that logs would have.
fn report() -> SweepReport {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweeps").join(NAME);
    std::fs::create_dir_all(&folder).unwrap();
    let sweep = sweep();
    std::fs::write(folder.join("sweep.toml"), sweep_to_toml(&sweep)).unwrap();
    let reason = "glue: has no train split of task qnli; looked for train.tsv, train*.parquet";
    let skipped = format!(r#"{{"time":1.0,"kind":"skipped","trial":6,"reason":"{reason}"}}"#);
    std::fs::write(folder.join("decisions.jsonl"), skipped + "\n").unwrap();
    let mut report = SweepReport::read(SweepDir::at(home.path(), NAME), &rows(&sweep)).unwrap();
    let board = report.scoreboard.as_mut().unwrap();
    for (name, values) in SCORES {
        let scores = board.tasks.iter_mut().find(|scores| scores.task == name).unwrap();
        let task = task(name).unwrap();
        let metrics = task.metrics(task.labels.problem_type()).iter().zip(values);
        scores.scores = metrics.map(|(metric, value)| score(name, *metric, *value)).collect();
    }
    board.average = Some(GlueAverage { value: 0.7543, tasks: 7 });
    assert_eq!(board.published_average, published_average(MODEL));
    report
}

pub(crate) fn scoreboard(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let report = report();
    update(&mut app, Msg::SweepsListed(vec![SweepRow { started: STARTED_AT - 5000.0, ..report.row() }]));
    let source = SweepSource::Named(NAME.into());
    app.sweep.source = Some(source.clone());
    app.go_to(Screen::Sweep);
    update(&mut app, Msg::SweepLoaded { source, result: Ok(Box::new(report)) });
    app
}

#[test]
fn glue_screen() {
    snapshot("glue", |width, height| {
        let mut app = scoreboard(width, height);
        press_keys(&mut app, "jjjjjj");
        app
    });
}

#[test]
fn cursor_opens_the_run_of_a_task_and_nothing_is_compared() {
    let mut app = scoreboard(120, 40);
    assert_shows(&app, "75.4 over 7 finished tasks");
    assert_shows(&app, "78.2 on the validation splits");
    press_keys(&mut app, "jjb");
    assert!(app.sweep.group.is_none());
    assert_shows(&app, "The trials of this sweep are of different tasks.");
    assert_eq!(app.sweep.trial().unwrap().number, 2);
    press_keys(&mut app, "<enter>");
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn model_of_an_experiment_is_trained_on_all_tasks_after_a_question() {
    let mut app = app(100, 30);
    app.runs.select("demo");
    assert_eq!(press_keys(&mut app, "B"), []);
    assert_shows(&app, "Train on all tasks of GLUE?");
    let request = TrainRequest::Glue { model: "demo".into(), data_dir: None };
    assert_eq!(press_keys(&mut app, "a"), [Effect::Enqueue(request)]);
}

#[test]
fn submission_is_exported_from_the_scoreboard_and_from_the_list() {
    let request =
        |stand_ins| Effect::Export(Box::new(ExportRequest::Submission { sweep: NAME.into(), stand_ins }));
    let mut app = scoreboard(120, 40);
    assert_eq!(press_keys(&mut app, "E"), []);
    assert_eq!(press_keys(&mut app, "<enter>"), [request(StandIns::None)]);
    assert_eq!(press_keys(&mut app, "1<tab>Estand<enter>").last(), Some(&request(StandIns::Constant)));
    let note = "AX.tsv has the same label for each row: its task is running".to_string();
    update(&mut app, Msg::Exported { path: "/x/runs/exports/a/submission.zip".into(), note: Some(note) });
    assert_shows(&app, "/x/runs/exports/a/submission.zip");
    assert_shows(&app, "AX.tsv has the same label for each row");
}

#[test]
fn sweep_of_one_task_has_no_submission() {
    let mut app = scoreboard(120, 40);
    if let SweepContent::Loaded(loaded) = &mut app.sweep.content {
        loaded.report.scoreboard = None;
    }
    assert_eq!(press_keys(&mut app, "E"), []);
    assert!(app.popup.is_none());
    assert_shows(&app, "The trials of this sweep are of one task.");
}
