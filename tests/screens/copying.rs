//! Copying the selection and exporting.

use super::fixtures::*;
use super::insight::{loaded, report};
use glue_tui::catalog::FileFormat;
use glue_tui::event::{Progress, SplitName, Unit};
use glue_tui::export::chart::ChartRange;
use glue_tui::export::{MetricsFormat, ModelFormat};
use glue_tui::hub::Pushed;
use glue_tui::run::run_chart::RunChart;
use glue_tui::run::{RunChanges, RunRow};
use glue_tui::spec::RunSpec;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::copied::{Copied, CopiedContent};
use glue_tui::tui::state::export_request::{ChartContent, ChartFormat, ExportRequest};
use glue_tui::tui::state::popup::Popup;
use glue_tui::tui::update::update;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `Y` copies.
#[track_caller]
fn copied(app: &mut App) -> Copied {
    let effects = press_keys(app, "Y");
    let [Effect::Copy(copied)] = &effects[..] else { panic!("{effects:?}") };
    copied.clone()
}

#[track_caller]
fn copied_text(app: &mut App) -> String {
    match copied(app).content {
        CopiedContent::Text(text) => text,
        CopiedContent::Path(path) => panic!("{}", path.display()),
    }
}

fn path(text: &str) -> CopiedContent {
    CopiedContent::Path(PathBuf::from(text))
}

#[test]
fn each_screen_copies_its_selection() {
    let mut app = app(120, 40);
    assert_eq!(copied_text(&mut app), "glue-tui train demo");
    press_keys(&mut app, "jjj");
    assert_eq!(copied(&mut app).content, path("runs/sst-distilbert-20261123-101502-7f3a"));
    let mut app = training(120, 40, "demo", 330);
    assert_eq!(copied(&mut app).content, path("runs/demo-20261123-110429-c691"));
    (0..60).for_each(|_| drop(press_keys(&mut app, "<left>")));
    let values = copied_text(&mut app);
    for name in
        ["epoch\t", "loss train\t", "score validation\t", "learning-rate learning_rate\t", "grad-norm"]
    {
        assert!(values.contains(name), "{values}");
    }
    let mut app = comparing(120, 40);
    assert!(matches!(copied(&mut app).content, CopiedContent::Path(_)));
    press_keys(&mut app, &"<left>".repeat(70));
    let values = copied_text(&mut app);
    assert!(values.lines().count() >= 2 && values.contains("demo-20261123-094502-99c0\t"), "{values}");
    let mut app = loaded(120, 40, report());
    press_keys(&mut app, "<tab>");
    let row = copied_text(&mut app);
    assert!(text(&app).contains(&row), "{row}");
}

#[test]
fn prediction_is_copied_while_text_is_typed() {
    let mut app = classifying(120, 40, "not bad");
    let effects = press_keys(&mut app, "<^y>");
    let [Effect::Copy(copied)] = &effects[..] else { panic!("{effects:?}") };
    let CopiedContent::Text(text) = &copied.content else { panic!("{copied:?}") };
    let object: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!((&object["text"], &object["label"]), (&"not bad".into(), &"positive".into()));
}

#[test]
fn result_of_copying_is_shown() {
    let mut app = app(120, 40);
    update(&mut app, Msg::Copied { what: "the path", file: None });
    assert_shows(&app, "copied the path");
    update(&mut app, Msg::Copied { what: "the path", file: Some("/home/me/runs/exports/copied.txt".into()) });
    assert_shows(&app, "/home/me/runs/exports/copied.txt");
    // A message is copied too.
    assert!(copied_text(&mut app).contains("copied.txt"));
}

#[test]
fn export_menu_offers_what_the_run_has() {
    let mut app = app(120, 40);
    assert_eq!(press_keys(&mut app, "E"), [], "an experiment has nothing to export");
    assert!(app.popup.is_none());
    press_keys(&mut app, "jjjE");
    for item in
        ["Hugging Face folder", "chart as SVG", "chart as CSV", "predictions of a file", "command line"]
    {
        assert_shows(&app, item);
    }
    let dir = || PathBuf::from("runs/sst-distilbert-20261123-101502-7f3a");
    let effects = press_keys(&mut app, "hugging<enter>");
    assert_eq!(
        effects,
        [Effect::Export(Box::new(ExportRequest::Model { run: dir(), format: ModelFormat::Hf }))]
    );
    assert_eq!(
        press_keys(&mut app, "Ecommand<enter>"),
        [Effect::Export(Box::new(ExportRequest::CommandLine(dir())))]
    );
    let effects = press_keys(&mut app, "Epredictions<enter>my file.csv<enter>");
    let request = ExportRequest::Predictions { run: dir(), file: "my file.csv".into() };
    assert_eq!(effects.last(), Some(&Effect::Export(Box::new(request))));
    update(&mut app, Msg::Exported { path: "/x/runs/exports/a.csv".into(), note: None });
    assert!(matches!(app.popup, Some(Popup::Message { .. })));
    assert_shows(&app, "/x/runs/exports/a.csv");
    // A failed run without weights.
    press_keys(&mut app, "<esc>jjjE");
    assert!(!text(&app).contains("Hugging Face folder"), "{}", text(&app));
    assert!(!text(&app).contains("push to the hub"), "{}", text(&app));
    assert_shows(&app, "TensorBoard event file");
}

#[test]
fn adapters_are_exported_from_runs_that_have_them() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjjE");
    assert!(!text(&app).contains("PEFT adapters"), "{}", text(&app));
    press_keys(&mut app, "<esc>");
    let changed: Vec<RunRow> = runs()
        .into_iter()
        .map(|row| {
            let spec = row.spec.as_deref().map(|spec| Arc::new(RunSpec { lora_r: Some(8), ..spec.clone() }));
            RunRow { spec, ..row }
        })
        .collect();
    update(&mut app, Msg::RunsChanged(RunChanges { changed, removed: Vec::new() }));
    let effects = press_keys(&mut app, "Epeft<enter>");
    let run = PathBuf::from("runs/sst-distilbert-20261123-101502-7f3a");
    assert_eq!(effects, [Effect::Export(Box::new(ExportRequest::Model { run, format: ModelFormat::Peft }))]);
}

#[test]
fn metrics_and_predictions_of_a_split_are_exported() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjj");
    let dir = || PathBuf::from("runs/sst-distilbert-20261123-101502-7f3a");
    let mut exported = |keys: &str| {
        let effects = press_keys(&mut app, keys);
        let [Effect::Export(request)] = &effects[..] else { panic!("{keys}: {effects:?}") };
        (**request).clone()
    };
    assert_eq!(exported("Etensorboard<enter>"), ExportRequest::TensorBoard(dir()));
    assert_eq!(exported("Emetrics<enter>json<enter>"), ExportRequest::Metrics(dir(), MetricsFormat::Jsonl));
    let (split, format) = (SplitName::Test, FileFormat::Parquet);
    assert_eq!(
        exported("Esplit<enter>test as parquet<enter>"),
        ExportRequest::SplitPredictions { run: dir(), split, format }
    );
}

#[test]
fn run_of_a_task_of_glue_has_files_of_a_submission() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjjE");
    assert!(!text(&app).contains("GLUE submission"), "{}", text(&app));
    press_keys(&mut app, "<esc>");
    app.runs.runs.iter_mut().for_each(|run| run.task = "sst2".into());
    let dir = PathBuf::from("runs/sst-distilbert-20261123-101502-7f3a");
    let request = Effect::Export(Box::new(ExportRequest::SubmissionFiles(dir)));
    assert_eq!(press_keys(&mut app, "Esubmission<enter>"), [request]);
}

#[test]
fn run_is_pushed_after_a_question() {
    let mut app = app(120, 40);
    let dir = || PathBuf::from("runs/sst-distilbert-20261123-101502-7f3a");
    press_keys(&mut app, "jjj");
    assert_eq!(press_keys(&mut app, "Epush<enter>me/my-model<enter>"), []);
    assert_shows(&app, "to me/my-model");
    assert_eq!(press_keys(&mut app, "<enter>"), [], "the cursor is on the answer that uploads nothing");
    let effects = press_keys(&mut app, "Epush<enter>me/my-model<enter>v");
    let request = ExportRequest::Push { run: dir(), repo: "me/my-model".into(), private: true };
    assert_eq!(effects, [Effect::Export(Box::new(request))]);
    let (what, unit) = ("uploading model.safetensors".to_string(), Unit::Bytes);
    update(&mut app, Msg::WorkProgress(Progress { what, done: 30, total: Some(120), unit }));
    assert_shows(&app, "uploading model.safetensors, 25 %");
    let url = "https://huggingface.co/me/my-model".to_string();
    let pushed = Pushed { url, commit: Some("9f8e7d".into()), files: 7 };
    update(&mut app, Msg::Pushed(pushed.clone()));
    assert_shows(&app, "https://huggingface.co/me/my-model");
    assert_shows(&app, "7 files, commit 9f8e7d");
    press_keys(&mut app, "<esc>");
    update(&mut app, Msg::Pushed(Pushed { commit: None, files: 0, ..pushed }));
    assert_shows(&app, "has these files already");
}

#[test]
fn chart_is_exported_as_it_is_shown() {
    let mut app = training(120, 40, "demo", 330);
    let effects = press_keys(&mut app, "a+Esvg<enter>grad<enter>");
    let [Effect::Export(request)] = &effects[..] else { panic!("{effects:?}") };
    let ExportRequest::Chart(request) = &**request else { panic!("{request:?}") };
    assert_eq!((request.content, request.format), (ChartContent::Run(RunChart::GradNorm), ChartFormat::Svg));
    assert_eq!(request.runs[0].0, Path::new("runs/demo-20261123-110429-c691"));
    assert_ne!(request.range, ChartRange::default());
    assert_eq!(request.range.window, app.live.chart.window());
    let mut app = comparing(120, 40);
    let effects = press_keys(&mut app, "Ecsv<enter>");
    let [Effect::Export(request)] = &effects[..] else { panic!("{effects:?}") };
    let ExportRequest::Chart(request) = &**request else { panic!("{request:?}") };
    assert_eq!((request.runs.len(), request.format), (3, ChartFormat::Csv));
}

#[test]
fn command_line_is_shown_and_copied() {
    let mut app = app(120, 40);
    let command = "glue-tui train demo --set seed=3".to_string();
    let effects =
        update(&mut app, Msg::CommandLine { command: command.clone(), note: "It was changed.".into() });
    let content = CopiedContent::Text(command.clone());
    assert_eq!(effects, [Effect::Copy(Copied { what: "the command", content })]);
    assert_shows(&app, &command);
    assert_shows(&app, "It was changed.");
}

#[test]
fn upload_is_cancelled_while_it_is_in_progress() {
    let mut app = app(120, 40);
    assert_eq!(press_keys(&mut app, "<^x>"), []);
    assert_shows(&app, "No upload, download or export of predictions is in progress.");
    update(&mut app, Msg::WorkStarted);
    let (what, unit) = ("uploading model.safetensors".to_string(), Unit::Bytes);
    update(&mut app, Msg::WorkProgress(Progress { what, done: 30, total: Some(120), unit }));
    assert_shows(&app, "uploading model.safetensors, 25 %; ^X cancels");
    // Also where text is typed.
    press_keys(&mut app, "3");
    assert_eq!(press_keys(&mut app, "<^x>"), [Effect::CancelWork]);
    assert_shows(&app, "cancelling");
    update(&mut app, Msg::WorkEnded);
    update(&mut app, Msg::WorkCancelled("the upload was stopped".into()));
    assert_shows(&app, "the upload was stopped");
    assert_eq!(press_keys(&mut app, "<^x>"), []);
}
