//! Time of a training run outside of the engine: data, logging, checkpoints, evaluation, setup, and the measurement
//! itself.
//!
//! ```sh
//! GLUE_TUI_MINILM=MINILM cargo bench --bench pipeline            # about a minute
//! GLUE_TUI_MINILM=MINILM cargo bench --bench pipeline -- --save  # also writes benches/results/pipeline.json
//! ```
//!
//! Reads SST-2 from `../shared/data/SST-2` (or `$GLUE_TUI_SHARED/data/SST-2`). Without the model or the data, it uses
//! the embedded demo, whose steps take a few milliseconds.

#[path = "../interface/report.rs"]
mod report;
mod timed_engine;

use glue_tui::assets::DEMO;
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::data::{self, Tokenizer};
use glue_tui::event::{SplitName, Stage, Usage, now};
use glue_tui::hub::Hub;
use glue_tui::machine::SystemMonitor;
use glue_tui::nn::{self, BuildOptions, Built, step_flops};
use glue_tui::run::{Start, run_blocking};
use glue_tui::spec::{RunSpec, built_in};
use glue_tui::train::{Summary, control, evaluate};
use report::Report;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use timed_engine::TimedEngine;

/// Steps of the measured training run.
const STEPS: u64 = 150;
/// Number of measured evaluations.
const ROUNDS: usize = 6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (options, names): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|word| word.starts_with("--"));
    let mut report = Report::new(names);
    let spec = spec();
    println!("{} on {}", spec.model, spec.task);
    let summary = train(&spec);
    stage_shares(&mut report, &spec, &summary);
    let evaluated = Evaluated::load(&spec);
    evaluation_overhead(&mut report, &spec, evaluated);
    measurement_overhead(&mut report, &spec, &summary);
    if options.iter().any(|option| option == "--save") {
        report.save("pipeline");
    }
}

/// A short training run with one evaluation before and one after it.
fn spec() -> RunSpec {
    let shared = std::env::var_os("GLUE_TUI_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let data_dir = shared.join("data/SST-2");
    let mut overrides = vec![("max_steps".to_string(), STEPS.to_string())];
    overrides.push(("max_eval_samples".into(), "872".into()));
    match std::env::var("GLUE_TUI_MINILM") {
        Ok(model) if data_dir.is_dir() => {
            overrides.push(("model".into(), model));
            overrides.push(("task".into(), "sst2".into()));
            overrides.push(("data_dir".into(), data_dir.display().to_string()));
        }
        _ => {
            overrides.push(("model".into(), DEMO.into()));
            overrides.push(("task".into(), "demo".into()));
        }
    }
    built_in("pipeline").with(&overrides).expect("valid keys")
}

fn train(spec: &RunSpec) -> Summary {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (control, _handle) = control();
    let outcome =
        run_blocking(Start::New(spec.clone()), home.path(), &control, &mut |_| {}).expect("a training run");
    outcome.summaries.into_iter().next().expect("one seed")
}

/// Shares of the stages in the summary of the run.
fn stage_shares(report: &mut Report, spec: &RunSpec, summary: &Summary) {
    let share = |stage| summary.stages.get(&stage).copied().unwrap_or(0.0);
    let steps: f64 =
        [Stage::Forward, Stage::Backward, Stage::Optimizer, Stage::Other].into_iter().map(share).sum();
    let step = summary.train_seconds / summary.steps as f64;
    let per_epoch = (summary.steps as f64 / summary.epochs).round();
    for (row, stage) in
        [("batching: share of a step", Stage::Data), ("logging: share of a step", Stage::Logging)]
    {
        if report.is_selected(row) {
            report.row(row, "%", 100.0 * share(stage) / steps, 1.0, &[("step_milliseconds", 1e3 * step)]);
        }
    }
    let row = "tokenizing: share of an epoch's steps";
    if report.is_selected(row) {
        let seconds = summary.tokenize_seconds;
        report.row(row, "%", 100.0 * seconds / (per_epoch * step), 1.0, &[("seconds", seconds)]);
    }
    let row = "saving: share of an epoch's steps";
    if report.is_selected(row) {
        let seconds = share(Stage::Saving) * summary.train_seconds / steps;
        report.row(row, "%", 100.0 * seconds / (per_epoch * step), 1.0, &[("seconds", seconds)]);
    }
    let row = "start: to the first step";
    if report.is_selected(row) {
        let rows = spec.max_train_samples.unwrap_or(per_epoch as usize * spec.per_device_train_batch_size);
        report.row(row, "s", summary.setup_seconds, 1.0, &[("training_rows", rows as f64)]);
    }
}

/// A model and the encoded rows of the validation split.
struct Evaluated {
    built: Built,
    rows: Vec<Encoded>,
}

impl Evaluated {
    fn load(spec: &RunSpec) -> Self {
        let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
        let folder = hub.model(&spec.model, &spec.revision, &mut |_| {}, &cancelled).expect("the model");
        let mut on_progress = |_| {};
        let mut context =
            data::LoadContext { hub: &hub, on_progress: &mut on_progress, cancelled: &cancelled };
        let rows =
            data::load_split(data::DatasetSource::from_spec(spec), SplitName::Validation, &mut context);
        let tokenizer = Tokenizer::load(&folder, spec.max_seq_length).expect("a tokenizer");
        let rows =
            tokenizer.encode_batch(&rows.expect("rows"), &mut |_| {}, &cancelled).expect("token ids").rows;
        let labels = &spec.task().labels;
        let names = labels.names();
        let options = BuildOptions::from_spec(spec, &folder, (&names, labels.problem_type()));
        let built = nn::build(&options).expect("an engine");
        Evaluated { built, rows }
    }
}

/// Time of an evaluation outside of the engine, relative to the time in the engine.
fn evaluation_overhead(report: &mut Report, spec: &RunSpec, evaluated: Evaluated) {
    let row = "scoring: time outside the forward passes";
    if !report.is_selected(row) {
        return;
    }
    let Evaluated { mut built, rows } = evaluated;
    let mut engine = TimedEngine { engine: built.engine.as_mut(), seconds: 0.0 };
    let (size, labels) = (spec.per_device_eval_batch_size, &spec.task().labels);
    let time_evaluation = |engine: &mut TimedEngine<'_>| {
        let start = Instant::now();
        evaluate(engine, &rows, labels, size, &mut |_, _| Ok(true)).expect("scores");
        start.elapsed().as_secs_f64()
    };
    // Warm-up; buffers grow.
    time_evaluation(&mut engine);
    engine.seconds = 0.0;
    let total: f64 = (0..ROUNDS).map(|_| time_evaluation(&mut engine)).sum();
    let share = 100.0 * (total / engine.seconds - 1.0);
    let speed = (ROUNDS * rows.len()) as f64 / total;
    report.row(row, "%", share, 1.0, &[("examples_per_second", speed)]);
}

/// Cost of the measurements: clock and counters of each step, and the resource readings of each second.
fn measurement_overhead(report: &mut Report, spec: &RunSpec, summary: &Summary) {
    let row = "measuring: share of a step";
    if report.is_selected(row) {
        const REPETITIONS: u32 = 20_000;
        let examples =
            vec![Encoded { ids: vec![1; 12], type_ids: vec![0; 12], label: Some(Label::Class(0)) }; 32];
        let batch = Batch::new(&examples);
        let mut evaluated = Evaluated::load(spec);
        let engine = evaluated.built.engine.as_mut();
        let mut usage = Usage::default();
        let start = Instant::now();
        for _ in 0..REPETITIONS {
            // As the training loop in each step, and the engine for each of two shards.
            for stage in [Stage::Data, Stage::Other, Stage::Logging] {
                let start = Instant::now();
                usage.spend(stage, start.elapsed().as_secs_f64());
            }
            for _ in 0..4 {
                let start = Instant::now();
                usage.operations += start.elapsed().as_secs_f64();
            }
            usage.operations += step_flops(&evaluated.built.config, 2, &batch);
            usage.computed_tokens += engine.computed_tokens(&batch) as u64;
        }
        let each = start.elapsed().as_secs_f64() / f64::from(REPETITIONS);
        assert!(usage.operations > 0.0, "the loop is not optimized away");
        let step = summary.train_seconds / summary.steps as f64;
        report.row(row, "%", 100.0 * each / step, 0.1, &[("microseconds", 1e6 * each)]);
    }
    let row = "gauges: share of a core";
    if report.is_selected(row)
        && let Some(mut monitor) = SystemMonitor::new()
    {
        const READINGS: u32 = 200;
        let start = Instant::now();
        (0..READINGS).for_each(|_| drop(monitor.read(now())));
        let each = start.elapsed().as_secs_f64() / f64::from(READINGS);
        report.row(row, "%", 100.0 * each, 0.1, &[("microseconds", 1e6 * each)]);
    }
}
