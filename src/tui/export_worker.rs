//! Copies and exports on threads of their own, because a folder of weights and the predictions of a file take seconds.

use super::msg::Msg;
use super::options::Options;
use super::state::compare::Quantity;
use super::state::export_request::{ChartContent, ChartFormat, ChartRequest, ExportRequest};
use super::worker::Watch;
use crate::catalog::{FileFormat, Metric};
use crate::data::TextColumns;
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::export::chart::svg::svg;
use crate::export::chart::table::{TableRun, write_csv};
use crate::export::chart::{Chart, ChartCurve, LinePattern, Marker, changes};
use crate::export::glue::{
    StandIns, SubmissionPredictor, export_run as export_submission_files, export_submission,
};
use crate::export::{
    ExportOptions, ExportSource, MetricsFormat, ModelFormat, SplitPredictions, export_model, tensorboard,
    write_metrics,
};
use crate::files::{write_atomic, write_atomic_buffered};
use crate::hub::{Hub, PushOptions};
use crate::nn::OnnxPrecision;
use crate::predict::Predictor;
use crate::predict::table::predict_table;
use crate::run::history::History;
use crate::run::run_chart::RunCurve;
use crate::run::sweep::SweepDir;
use crate::run::{HistoryTail, RunDir, seed_dirs};
use crate::spec::{Experiments, train_command};
use crate::terminal_caps::Clipboard;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of exported files in the runs directory.
const FOLDER: &str = "exports";
/// The file for text that cannot be copied.
const COPIED: &str = "copied.txt";

/// Copies `text` where the terminal takes no OSC 52: with tmux, or to a file. `what` names the text.
///
/// # Errors
/// [`Error::Write`] when the file cannot be written.
pub(super) fn copy(options: &Options, clipboard: Clipboard, what: &'static str, text: &str) -> Result<Msg> {
    if clipboard == Clipboard::Tmux && copy_with_tmux(text).is_ok_and(|is_copied| is_copied) {
        return Ok(Msg::Copied { what, file: None });
    }
    let path = exports(options)?.join(COPIED);
    write_atomic(&path, text.as_bytes())?;
    Ok(Msg::Copied { what, file: Some(absolute(&path)) })
}

/// Gives `text` to tmux, which passes it on to the terminal (`-w`). By default, tmux ignores OSC 52 of the programs that
/// run in it.
fn copy_with_tmux(text: &str) -> std::io::Result<bool> {
    let mut tmux = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = tmux.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    Ok(tmux.wait()?.success())
}

/// Exports what `request` says.
///
/// # Errors
/// Those of reading the run and of writing the files, and [`Error::Interrupted`] soon after it is cancelled, if
/// [`ExportRequest::can_be_cancelled`].
pub(super) fn export(options: &Options, request: ExportRequest, watch: Watch<'_>) -> Result<Msg> {
    let path = match request {
        ExportRequest::Model { run, format } => return export_run(options, (&run, format), watch.0),
        ExportRequest::Push { run, repo, private } => return push(&run, &repo, private, watch),
        ExportRequest::Submission { sweep, stand_ins } => {
            return submission(options, &sweep, stand_ins, watch);
        }
        ExportRequest::SubmissionFiles(run) => return submission_files(options, &run, watch),
        ExportRequest::Metrics(dir, format) => export_metrics(options, &dir, format)?,
        ExportRequest::TensorBoard(dir) => {
            let folder = free_path(&exports(options)?, &format!("{}-tensorboard", RunDir::at(&dir).name()));
            tensorboard(&dir, &folder)?;
            folder
        }
        ExportRequest::SplitPredictions { run, split, format } => {
            export_predictions(options, &run, (split, format), watch)?
        }
        ExportRequest::Chart(request) => export_chart(options, &request)?,
        ExportRequest::Predictions { run, file } => predict_file(options, &run, &file)?,
        ExportRequest::CommandLine(dir) => return command_line(options, &dir),
    };
    Ok(Msg::Exported { path: absolute(&path), note: None })
}

/// Exports the best weights of a run to a folder `NAME-hf`, `NAME-peft`, `NAME-onnx` or `NAME-onnx-int8`.
fn export_run(
    options: &Options,
    (run, format): (&Path, ModelFormat),
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Msg> {
    let suffix = match format {
        ModelFormat::Onnx(OnnxPrecision::Int8) => "onnx-int8",
        format => format.name(),
    };
    let folder = free_path(&exports(options)?, &format!("{}-{suffix}", RunDir::at(run).name()));
    let source = ExportSource::of_run(run)?;
    let report = export_model(&source, &folder, &ExportOptions::of(format), &Hub::cache_only(), on_progress)?;
    Ok(Msg::Exported { path: absolute(&folder), note: Some(report.sentence()) })
}

/// The folder of exported files, which is created.
fn exports(options: &Options) -> Result<PathBuf> {
    let folder = options.runs_dir.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
    Ok(folder)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The first of `name`, `name-2`, `name-3`, … that does not exist in `folder`.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("{name}-{number}")));
    let mut paths = std::iter::once(folder.join(name)).chain(numbered);
    paths.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

fn export_chart(options: &Options, request: &ChartRequest) -> Result<PathBuf> {
    let name = match (&request.content, &request.runs[..]) {
        (ChartContent::Run(chart), [(dir, _), ..]) => {
            format!("{}-{}", RunDir::at(dir).name(), chart.file_name())
        }
        (ChartContent::Run(chart), []) => chart.file_name().into(),
        (ChartContent::Comparison(quantity), _) => {
            format!("compare-{}", quantity.name().to_lowercase().replace(' ', "-"))
        }
    };
    let path = exports(options)?.join(format!("{name}.{}", request.format.extension()));
    match request.format {
        ChartFormat::Svg => write_atomic(&path, chart_svg(request)?.as_bytes())?,
        ChartFormat::Csv => {
            let runs = request.runs.iter().map(|(dir, _)| table_run(dir)).collect::<Result<Vec<_>>>()?;
            let curves = |history: &History| columns(request.content, history);
            write_atomic_buffered(&path, |out| write_csv(&runs, &curves, &path, out))?;
        }
    }
    Ok(path)
}

/// The columns of the values of a run.
fn columns(content: ChartContent, history: &History) -> Vec<(&'static str, RunCurve)> {
    match content {
        ChartContent::Run(chart) => {
            let curves = chart.all_curves(history.metric()).into_iter();
            curves.map(|curve| (curve.column(), curve)).collect()
        }
        ChartContent::Comparison(quantity) => {
            let curve = quantity.curve(history);
            vec![("value", curve)]
        }
    }
}

fn table_run(dir: &Path) -> Result<TableRun> {
    let run = RunDir::at(dir);
    Ok(TableRun { name: run.name(), seeds: seed_dirs(dir, &run.spec()?) })
}

/// The history of each seed of a run.
fn histories(dir: &Path) -> Result<Vec<History>> {
    let read = |dir: PathBuf| {
        let mut tail = HistoryTail::of(&dir);
        tail.update()?;
        Ok(tail.history().clone())
    };
    seed_dirs(dir, &RunDir::at(dir).spec()?).into_iter().map(read).collect()
}

fn chart_svg(request: &ChartRequest) -> Result<String> {
    let runs = request.runs.iter().map(|(dir, _)| histories(dir)).collect::<Result<Vec<_>>>()?;
    let mut names = request.runs.iter().map(|(dir, _)| RunDir::at(dir).name());
    let colors = request.colors.clone();
    match request.content {
        ChartContent::Run(chart) => {
            let name = names.next_back().unwrap_or_default();
            let seeds = runs.last().map_or(&[][..], Vec::as_slice);
            Ok(svg(&Chart::of_run(&name, seeds, chart, request.range, colors)))
        }
        ChartContent::Comparison(quantity) => {
            let mut curves = Vec::new();
            let looks = request.runs.iter().zip(names).enumerate();
            for ((number, ((_, color), name)), seeds) in looks.zip(&runs) {
                for history in seeds {
                    let curve = quantity.curve(history);
                    let Some(series) = curve.series(history) else { continue };
                    let marker = if quantity.is_sparse() { Marker::Disc } else { Marker::None };
                    curves.push(ChartCurve {
                        name: name.clone(),
                        color: color.clone(),
                        pattern: LinePattern::of(number),
                        marker,
                        series,
                        step_axis: &history.step_axis,
                        is_smoothed: curve.is_noisy(),
                    });
                }
            }
            let newest = || runs.iter().filter_map(|seeds| seeds.last());
            let is_percent =
                quantity == Quantity::Score && newest().any(|history| history.metric() != Metric::Loss);
            Ok(svg(&Chart {
                title: quantity.name().into(),
                curves,
                changes: newest().flat_map(changes).collect(),
                steps: 0,
                is_percent,
                range: request.range,
                colors,
            }))
        }
    }
}

fn push(run: &Path, repo: &str, private: bool, (on_progress, cancelled): Watch<'_>) -> Result<Msg> {
    let options = PushOptions { private, ..PushOptions::of(&RunDir::at(run).name()) };
    let target = (repo.trim(), &options);
    let pushed = crate::export::push(&Hub::from_env(), run, target, on_progress, cancelled)?;
    Ok(Msg::Pushed(pushed))
}

fn export_metrics(options: &Options, dir: &Path, format: MetricsFormat) -> Result<PathBuf> {
    let extension = match format {
        MetricsFormat::Csv => "csv",
        MetricsFormat::Jsonl => "jsonl",
    };
    let path = exports(options)?.join(format!("{}-metrics.{extension}", RunDir::at(dir).name()));
    write_atomic_buffered(&path, |out| write_metrics(dir, format, &path, out))?;
    Ok(path)
}

fn export_predictions(
    options: &Options,
    run: &Path,
    (split, format): (SplitName, FileFormat),
    watch: Watch<'_>,
) -> Result<PathBuf> {
    let (dir, hub) = (RunDir::at(run), Hub::from_env());
    let device = options.device.unwrap_or_default();
    let mut predictor = Predictor::open(&run.display().to_string(), &options.runs_dir, &hub, device)?;
    let predictions = SplitPredictions::of_run(&dir, split, &mut predictor, &hub, watch)?;
    let extension = match format {
        FileFormat::Csv => "csv",
        FileFormat::Tsv => "tsv",
        FileFormat::Json => "jsonl",
        FileFormat::Parquet => "parquet",
    };
    let path = exports(options)?.join(format!("{}-{}.{extension}", dir.name(), split.name()));
    write_atomic_buffered(&path, |out| predictions.write(format, &path, out))?;
    Ok(path)
}

/// Exports the submission of a sweep of tasks to a folder `NAME-submission`.
fn submission(options: &Options, sweep: &str, stand_ins: StandIns, watch: Watch<'_>) -> Result<Msg> {
    let folder = free_path(&exports(options)?, &format!("{sweep}-submission"));
    let dir = SweepDir::at(&options.runs_dir, sweep);
    let written =
        with_predictor(options, watch, |predictor| export_submission(&dir, &folder, stand_ins, predictor))?;
    let problems = written.problems.iter().map(|problem| format!("the leaderboard would reject {problem}"));
    let stand_ins =
        written.stand_ins.iter().map(|(file, why)| format!("{file} has the same label for each row: {why}"));
    let path = absolute(&written.path);
    Ok(Msg::Exported { path, note: lines(problems.chain(stand_ins)) })
}

/// Exports the files of a submission that a run predicts to a folder `NAME-submission`.
fn submission_files(options: &Options, run: &Path, watch: Watch<'_>) -> Result<Msg> {
    let run = RunDir::at(run);
    let folder = free_path(&exports(options)?, &format!("{}-submission", run.name()));
    let written =
        with_predictor(options, watch, |predictor| export_submission_files(&run, &folder, predictor))?;
    let missing = written.missing.iter().map(|(file, reason)| format!("no predictions for {file}: {reason}"));
    Ok(Msg::Exported { path: absolute(&folder), note: lines(missing) })
}

/// A line for each item; `None` without any.
fn lines(items: impl Iterator<Item = String>) -> Option<String> {
    let lines: Vec<String> = items.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn with_predictor<T>(
    options: &Options,
    (watch, cancelled): Watch<'_>,
    work: impl FnOnce(&mut SubmissionPredictor<'_>) -> Result<T>,
) -> Result<T> {
    let (hub, device) = (Hub::from_env(), options.device.unwrap_or_default());
    work(&mut SubmissionPredictor { hub: &hub, device, cancelled, watch })
}

fn predict_file(options: &Options, run: &Path, file: &str) -> Result<PathBuf> {
    let input = Path::new(file.trim());
    let file_name = input.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let output = exports(options)?.join(format!("{}-{file_name}", RunDir::at(run).name()));
    let device = options.device.unwrap_or_default();
    let name = run.display().to_string();
    let mut predictor = Predictor::open(&name, &options.runs_dir, &Hub::from_env(), device)?;
    let columns = TextColumns { text: None, text_pair: None };
    predict_table(&mut predictor, input, columns, Some(&output), &mut |_| {})?;
    Ok(output)
}

fn command_line(options: &Options, dir: &Path) -> Result<Msg> {
    let run = RunDir::at(dir);
    let spec = run.spec()?;
    let experiments = Experiments::open(options.experiments.as_deref()).ok();
    let command = train_command(&spec, experiments.as_ref(), &run.spec_file());
    let is_changed = histories(dir)?.iter().any(|history| !history.changes.is_empty());
    let note = if is_changed {
        format!(
            "The run was changed while it was trained. `glue-tui train --replay {}` repeats the changes too.",
            run.name()
        )
    } else {
        String::new()
    };
    Ok(Msg::CommandLine { command, note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SUBMISSION, TaskId};
    use crate::export::glue::{ARCHIVE, check_submission};
    use crate::spec::Sweep;
    use std::sync::atomic::AtomicBool;

    /// A GLUE run of which no task was trained, in a runs directory.
    fn untrained(runs_dir: &Path) -> String {
        let tasks = ["rte", "wnli"].map(|name| name.parse::<TaskId>().unwrap());
        let sweep: Sweep = Experiments::shipped().sweep_of_tasks("glue-demo", &tasks, None, &[]).unwrap();
        SweepDir::create(runs_dir, &sweep).unwrap().name().to_owned()
    }

    #[test]
    fn submission_names_the_files_without_predictions() {
        let home = tempfile::tempdir().unwrap();
        let options = Options { runs_dir: home.path().into(), ..Options::default() };
        let sweep = untrained(home.path());
        let submission = |stand_ins| {
            let request = ExportRequest::Submission { sweep: sweep.clone(), stand_ins };
            export(&options, request, (&mut |_| {}, &AtomicBool::new(false)))
        };
        let error = submission(StandIns::None).unwrap_err().to_string();
        assert!(
            error.contains("no predictions for AX.tsv, CoLA.tsv") && error.contains("stand-ins"),
            "{error}"
        );
        let Ok(Msg::Exported { path, note }) = submission(StandIns::Constant) else { panic!() };
        assert_eq!(path, home.path().join("exports").join(format!("{sweep}-submission")).join(ARCHIVE));
        assert!(check_submission(&path).unwrap().problems.is_empty());
        let note = note.unwrap();
        assert_eq!(note.lines().count(), SUBMISSION.len(), "{note}");
        assert!(note.contains("RTE.tsv has the same label for each row: its task is"), "{note}");
        // Another export keeps the first one.
        let Ok(Msg::Exported { path: second, .. }) = submission(StandIns::Constant) else { panic!() };
        assert!(second != path && path.is_file(), "{}", second.display());
    }
}
