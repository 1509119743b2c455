//! Copying the selection, and exporting runs and charts.

use super::path_choice;
use crate::catalog::{FileFormat, has_submission_files};
use crate::event::{Progress, SplitName};
use crate::export::chart::{ChartColors, ChartRange};
use crate::export::glue::StandIns;
use crate::export::{MetricsFormat, ModelFormat};
use crate::hub::Pushed;
use crate::nn::OnnxPrecision;
use crate::run::run_chart::RunChart;
use crate::text::plural;
use crate::tui::action::{Action, GlobalAction};
use crate::tui::msg::Effect;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::copied::{Copied, CopiedContent};
use crate::tui::state::export_request::{ChartContent, ChartFormat, ChartRequest, ExportRequest};
use crate::tui::state::path_choice::PathKind;
use crate::tui::state::popup::{Choice, Item, Popup, Purpose, Reply};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::line_chart::ChartView;
use crate::tui::widgets::text_field::TextField;
use std::path::{Path, PathBuf};

const HUGGING_FACE: &str = "Hugging Face folder";
const PEFT: &str = "PEFT adapters";
const ONNX: &str = "ONNX model";
const ONNX_INT8: &str = "ONNX model in int8";
const SVG: &str = "chart as SVG";
const CSV: &str = "chart as CSV";
const PREDICTIONS: &str = "predictions of a file";
const COMMAND_LINE: &str = "command line";
const PUSH: &str = "push to the hub";
const METRICS: &str = "metrics";
const TENSORBOARD: &str = "TensorBoard event file";
const SPLIT_PREDICTIONS: &str = "predictions of a split";
const SUBMISSION_FILES: &str = "GLUE submission files";
const SUBMISSION: &str = "GLUE submission";
const SUBMISSION_WITH_STAND_INS: &str = "GLUE submission with stand-ins";

/// The formats of metrics, by their names in the list.
const METRICS_FORMATS: [(&str, MetricsFormat); 2] =
    [("CSV", MetricsFormat::Csv), ("JSON Lines", MetricsFormat::Jsonl)];
/// The formats of the predictions of a split.
const PREDICTION_FORMATS: [(&str, FileFormat); 3] =
    [("TSV", FileFormat::Tsv), ("JSON Lines", FileFormat::Json), ("Parquet", FileFormat::Parquet)];
/// The splits whose predictions are exported.
const SPLITS: [SplitName; 2] = [SplitName::Validation, SplitName::Test];

/// Copies the selection.
pub(super) fn copy(app: &mut App) -> Vec<Effect> {
    let copied = app.copied();
    if copied.is_none() {
        app.notice = Some("nothing is selected".into());
    }
    copied.map(Effect::Copy).into_iter().collect()
}

/// Shows where the selection was copied to.
pub(super) fn copied(app: &mut App, what: &str, file: Option<PathBuf>) -> Vec<Effect> {
    let Some(file) = file else {
        app.notice = Some(format!("copied {what}"));
        return Vec::new();
    };
    let text = format!(
        "This terminal offers no clipboard to programs, so {what} is in a file:\n\n{}",
        file.display()
    );
    app.popup = Some(Popup::message("Copied to a file", text));
    Vec::new()
}

/// Shows where something was exported to, and what there is to say about it.
pub(super) fn exported(app: &mut App, path: &Path, note: Option<&str>) -> Vec<Effect> {
    let path = path.display().to_string();
    app.notice = None;
    // A popup that is open may be a question.
    if app.popup.is_some() {
        let note = note.map_or(String::new(), |note| format!("; {}", note.replace('\n', "; ")));
        app.notice = Some(format!("exported to {path}{note}"));
    } else {
        let text = note.map_or(path.clone(), |note| format!("{path}\n\n{note}"));
        app.popup = Some(Popup::message("Exported", text));
    }
    Vec::new()
}

/// Shows a command line and copies it.
pub(super) fn command_line(app: &mut App, command: String, note: &str) -> Vec<Effect> {
    let text = if note.is_empty() { command.clone() } else { format!("{command}\n\n{note}") };
    app.notice = None;
    app.popup = Some(Popup::message("Command line", text));
    vec![Effect::Copy(Copied { what: "the command", content: CopiedContent::Text(command) })]
}

/// The run that is exported.
struct ExportedRun {
    dir: PathBuf,
    has_weights: bool,
    /// Whether low-rank adapters were trained.
    has_adapters: bool,
    /// The name of its task.
    task: String,
}

fn exported_run(app: &App) -> Option<ExportedRun> {
    match app.screen {
        Screen::Runs => app.runs.run().map(|run| ExportedRun {
            dir: run.dir.clone(),
            has_weights: run.best.is_some(),
            has_adapters: run.spec.as_deref().is_some_and(|spec| spec.lora_r.is_some()),
            task: run.task.clone(),
        }),
        Screen::Live => app.shown_run().map(|run| ExportedRun {
            dir: run.dir.clone(),
            has_weights: run.history().best.is_some(),
            has_adapters: run.spec.lora_r.is_some(),
            task: run.spec.task.name().to_owned(),
        }),
        _ => None,
    }
}

/// The directory of the run that is exported.
fn run_dir(app: &App) -> Option<PathBuf> {
    exported_run(app).map(|run| run.dir)
}

/// Offers what can be exported.
pub(super) fn open(app: &mut App) {
    let item = |value: &str, note: &str| Item { value: value.into(), note: note.into() };
    if app.sweep_of_tasks().is_some() {
        let items = vec![
            item(SUBMISSION, "the archive for the leaderboard"),
            item(SUBMISSION_WITH_STAND_INS, "one label for each row of a task without predictions"),
        ];
        return choose_from(app, "Export", items, Purpose::Export);
    }
    let mut items = Vec::new();
    let run = exported_run(app);
    if let Some(run) = run.as_ref().filter(|run| run.has_weights) {
        items.push(item(HUGGING_FACE, "the best weights with tokenizer and model card"));
        if run.has_adapters {
            items.push(item(PEFT, "the low-rank adapters and the head, without the weights of the model"));
        }
        items.push(item(ONNX, "the best weights for ONNX Runtime"));
        items.push(item(ONNX_INT8, "a quarter of the size, with a small loss"));
        items.push(item(PUSH, "uploads the Hugging Face folder"));
        items.push(item(PREDICTIONS, "of the best weights, beside each row of a table"));
        items.push(item(SPLIT_PREDICTIONS, "validation or test rows with the probability of each label"));
        if has_submission_files(&run.task) {
            items.push(item(SUBMISSION_FILES, "predictions of the test rows, for the leaderboard"));
        }
    }
    items.push(item(SVG, "a picture for documents and the web"));
    items.push(item(CSV, "the exact values, for spreadsheets and programs"));
    if run.is_some() {
        items.push(item(METRICS, "of each step and evaluation, as a table"));
        items.push(item(TENSORBOARD, "the metrics, for TensorBoard"));
        items.push(item(COMMAND_LINE, "that repeats the run; it is copied too"));
    }
    choose_from(app, "Export", items, Purpose::Export);
}

fn choose_from(app: &mut App, title: &str, items: Vec<Item>, purpose: Purpose) {
    app.popup = Some(Popup::Choice(Choice {
        title: title.into(),
        items,
        free_text: None,
        typed: TextField::default(),
        selected: 0,
        purpose,
        paths: None,
    }));
}

/// Exports the chosen item, or asks for more.
pub(super) fn choose(app: &mut App, value: &str) -> Vec<Effect> {
    if let Some(sweep) = app.sweep_of_tasks() {
        let stand_ins = match value {
            SUBMISSION => StandIns::None,
            SUBMISSION_WITH_STAND_INS => StandIns::Constant,
            _ => return Vec::new(),
        };
        return start(app, ExportRequest::Submission { sweep, stand_ins });
    }
    let request = match (value, run_dir(app)) {
        (SVG, Some(_)) => return choose_chart(app, ChartFormat::Svg),
        (CSV, Some(_)) => return choose_chart(app, ChartFormat::Csv),
        (SVG, None) => comparison(app, ChartFormat::Svg),
        (CSV, None) => comparison(app, ChartFormat::Csv),
        (PREDICTIONS, Some(_)) => {
            let files = path_choice::data_items(app, PathKind::DataFile);
            let title = "Predict the rows of a file";
            return path_choice::ask(app, title, PathKind::DataFile, files, "", Purpose::PredictFile);
        }
        (HUGGING_FACE, Some(run)) => ExportRequest::Model { run, format: ModelFormat::Hf },
        (PEFT, Some(run)) => ExportRequest::Model { run, format: ModelFormat::Peft },
        (ONNX, Some(run)) => ExportRequest::Model { run, format: ModelFormat::Onnx(OnnxPrecision::F32) },
        (ONNX_INT8, Some(run)) => {
            ExportRequest::Model { run, format: ModelFormat::Onnx(OnnxPrecision::Int8) }
        }
        (PUSH, Some(_)) => return ask_repo(app),
        (METRICS, Some(_)) => {
            let items = METRICS_FORMATS.map(|(name, _)| Item { value: name.into(), note: String::new() });
            choose_from(app, "Format of the metrics", items.to_vec(), Purpose::ExportMetrics);
            return Vec::new();
        }
        (SPLIT_PREDICTIONS, Some(_)) => {
            let items = split_formats().map(|(value, ..)| Item { value, note: String::new() }).collect();
            choose_from(app, "Which predictions", items, Purpose::ExportSplit);
            return Vec::new();
        }
        (SUBMISSION_FILES, Some(dir)) => ExportRequest::SubmissionFiles(dir),
        (TENSORBOARD, Some(dir)) => ExportRequest::TensorBoard(dir),
        (COMMAND_LINE, Some(dir)) => ExportRequest::CommandLine(dir),
        _ => return Vec::new(),
    };
    start(app, request)
}

/// The splits and formats of predictions, each with its name in the list.
fn split_formats() -> impl Iterator<Item = (String, SplitName, FileFormat)> {
    SPLITS.into_iter().flat_map(|split| {
        PREDICTION_FORMATS.map(|(name, format)| (format!("{} as {name}", split.name()), split, format))
    })
}

/// Exports the metrics in the chosen format.
pub(super) fn choose_metrics(app: &mut App, value: &str) -> Vec<Effect> {
    let format = METRICS_FORMATS.into_iter().find(|(name, _)| *name == value);
    let (Some(dir), Some((_, format))) = (run_dir(app), format) else { return Vec::new() };
    start(app, ExportRequest::Metrics(dir, format))
}

/// Exports the predictions of the chosen split in the chosen format.
pub(super) fn choose_split(app: &mut App, value: &str) -> Vec<Effect> {
    let chosen = split_formats().find(|(name, ..)| name == value);
    let (Some(run), Some((_, split, format))) = (run_dir(app), chosen) else { return Vec::new() };
    start(app, ExportRequest::SplitPredictions { run, split, format })
}

/// Asks for the repository to upload to.
fn ask_repo(app: &mut App) -> Vec<Effect> {
    app.popup = Some(Popup::Choice(Choice {
        title: "Repository on the hub, as owner/name".into(),
        items: Vec::new(),
        free_text: Some("is created if it does not exist"),
        typed: TextField::default(),
        selected: 0,
        purpose: Purpose::PushRepo,
        paths: None,
    }));
    Vec::new()
}

/// Asks before the upload, which others may see.
pub(super) fn choose_repo(app: &mut App, repo: &str) -> Vec<Effect> {
    let Some(dir) = run_dir(app) else { return Vec::new() };
    let push = |private| {
        Reply::Export(Box::new(ExportRequest::Push { run: dir.clone(), repo: repo.into(), private }))
    };
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "Uploads the best weights of {name} with tokenizer and model card to {repo}. A repository that does not exist is \
         created."
    );
    let answers = vec![
        ('p', "upload; a new repository is public", push(false)),
        ('v', "upload; a new repository is private", push(true)),
        ('c', "cancel", Reply::Nothing),
    ];
    app.popup = Some(Popup::question("Push to the hub", text, answers));
    Vec::new()
}

/// Shows how far an upload, a download or an export is.
pub(super) fn progress(app: &mut App, progress: &Progress) {
    let share = progress.total.filter(|total| *total > 0).map(|total| {
        let percent = 100 * progress.done.min(total) / total;
        format!(", {percent} %")
    });
    let key = (app.cancellable_work > 0)
        .then(|| app.key(Context::Global, Action::Global(GlobalAction::CancelWork)))
        .map(|key| format!("; {key} cancels"));
    app.notice = Some(format!("{}{}{}", progress.what, share.unwrap_or_default(), key.unwrap_or_default()));
}

/// Cancels the uploads, downloads and exports that are in progress.
pub(super) fn cancel(app: &mut App) -> Vec<Effect> {
    app.notice = Some("cancelling".into());
    vec![Effect::CancelWork]
}

/// Shows where a run was uploaded to.
pub(super) fn pushed(app: &mut App, pushed: &Pushed) {
    let url = &pushed.url;
    app.notice = None;
    if app.popup.is_some() {
        app.notice = Some(format!("uploaded to {url}"));
        return;
    }
    let text = match &pushed.commit {
        Some(commit) => format!("{url}\n\n{}, commit {commit}", plural(pushed.files, "file")),
        None => format!("{url}\n\nThe hub has these files already."),
    };
    app.popup = Some(Popup::message("Uploaded", text));
}

/// Starts an export.
pub(super) fn start(app: &mut App, request: ExportRequest) -> Vec<Effect> {
    app.notice = Some("exporting".into());
    vec![Effect::Export(Box::new(request))]
}

/// Asks which chart of the run is exported.
fn choose_chart(app: &mut App, format: ChartFormat) -> Vec<Effect> {
    let metric = app.shown_run().map_or(crate::catalog::Metric::Accuracy, |run| run.history().metric());
    let mut charts = RunChart::ALL.to_vec();
    // The chart on the screen comes first.
    charts.sort_by_key(|chart| *chart != app.live.selected);
    let item = |chart: &RunChart| {
        let note =
            if *chart == RunChart::Score { format!("such as {}", metric.title()) } else { String::new() };
        Item { value: chart.file_name().into(), note }
    };
    let items = charts.iter().map(item).collect();
    choose_from(app, "Which chart", items, Purpose::ExportChart(format));
    Vec::new()
}

/// Exports the chosen chart of the run.
pub(super) fn choose_run_chart(app: &mut App, format: ChartFormat, value: &str) -> Vec<Effect> {
    let chart = RunChart::ALL.into_iter().find(|chart| chart.file_name() == value);
    let (Some(dir), Some(chart)) = (run_dir(app), chart) else { return Vec::new() };
    // The Runs screen has no view of its own.
    let view = if app.screen == Screen::Live { app.live.chart } else { ChartView::default() };
    let request = Box::new(ChartRequest {
        runs: vec![(dir, app.theme.css(Role::Train))],
        content: ChartContent::Run(chart),
        format,
        range: range(view),
        colors: colors(app.theme),
    });
    start(app, ExportRequest::Chart(request))
}

/// The chart of the marked runs.
fn comparison(app: &App, format: ChartFormat) -> ExportRequest {
    let runs =
        app.compare.marks.iter().map(|mark| (mark.dir.clone(), app.theme.css(Role::Curve(mark.color))));
    ExportRequest::Chart(Box::new(ChartRequest {
        runs: runs.collect(),
        content: ChartContent::Comparison(app.compare.quantity),
        format,
        range: range(app.compare.chart),
        colors: colors(app.theme),
    }))
}

/// Predicts the rows of the chosen file.
pub(super) fn predict_file(app: &mut App, file: String) -> Vec<Effect> {
    let Some(run) = run_dir(app) else { return Vec::new() };
    start(app, ExportRequest::Predictions { run, file })
}

fn range(view: ChartView) -> ChartRange {
    ChartRange { axis: view.axis, is_log: view.is_log, window: view.window(), smoothing: view.smoothing() }
}

fn colors(theme: Theme) -> ChartColors {
    ChartColors {
        background: theme.css_background(),
        text: theme.css(Role::Text),
        muted: theme.css(Role::Muted),
        frame: theme.css(Role::Frame),
        change: theme.css(Role::Warning),
        train: theme.css(Role::Train),
        validation: theme.css(Role::Validation),
        test: theme.css(Role::Test),
    }
}
