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
mod timed;

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
use timed::Timed;

/// Steps of the measured training run.
const STEPS: u64 = 150;
/// Number of measured evaluations.
const ROUNDS: usize = 6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (options, names): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|word| word.starts_with("--"));
    let mut report = Report::of(names);
    let spec = spec();
    println!("{} on {}", spec.model, spec.task);
    let summary = train(&spec);
    stage_shares(&mut report, &spec, &summary);
    let subject = Subject::open(&spec);
    scoring(&mut report, &spec, subject);
    measuring(&mut report, &spec, &summary);
    if options.iter().any(|option| option == "--save") {
        report.save("pipeline");
    }
}

/// A short training run with one evaluation before and one after it.
fn spec() -> RunSpec {
    let shared = std::env::var_os("GLUE_TUI_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let rows = shared.join("data/SST-2");
    let mut sets = vec![("max_steps".to_string(), STEPS.to_string())];
    sets.push(("max_eval_samples".into(), "872".into()));
    match std::env::var("GLUE_TUI_MINILM") {
        Ok(model) if rows.is_dir() => {
            sets.push(("model".into(), model));
            sets.push(("task".into(), "sst2".into()));
            sets.push(("data_dir".into(), rows.display().to_string()));
        }
        _ => {
            sets.push(("model".into(), DEMO.into()));
            sets.push(("task".into(), "demo".into()));
        }
    }
    built_in("pipeline").with(&sets).expect("valid keys")
}

fn train(spec: &RunSpec) -> Summary {
    let home = tempfile::tempdir().expect("a temporary folder");
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
        if report.wants(row) {
            report.row(row, "%", 100.0 * share(stage) / steps, 1.0, &[("step_milliseconds", 1e3 * step)]);
        }
    }
    let row = "tokenizing: share of an epoch's steps";
    if report.wants(row) {
        let seconds = summary.tokenize_seconds;
        report.row(row, "%", 100.0 * seconds / (per_epoch * step), 1.0, &[("seconds", seconds)]);
    }
    let row = "saving: share of an epoch's steps";
    if report.wants(row) {
        let seconds = share(Stage::Saving) * summary.train_seconds / steps;
        report.row(row, "%", 100.0 * seconds / (per_epoch * step), 1.0, &[("seconds", seconds)]);
    }
    let row = "start: to the first step";
    if report.wants(row) {
        let rows = spec.max_train_samples.unwrap_or(per_epoch as usize * spec.per_device_train_batch_size);
        report.row(row, "s", summary.setup_seconds, 1.0, &[("training_rows", rows as f64)]);
    }
}

/// A model and the rows of the validation split.
struct Subject {
    built: Built,
    rows: Vec<Encoded>,
}

impl Subject {
    fn open(spec: &RunSpec) -> Self {
        let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
        let folder = hub.model(&spec.model, &spec.revision, &mut |_| {}, &cancelled).expect("the model");
        let mut watch = |_| {};
        let mut context = data::LoadContext { hub: &hub, on_progress: &mut watch, cancelled: &cancelled };
        let rows =
            data::load_split(data::DatasetSource::from_spec(spec), SplitName::Validation, &mut context);
        let tokenizer = Tokenizer::load(&folder, spec.max_seq_length).expect("a tokenizer");
        let rows =
            tokenizer.encode_batch(&rows.expect("rows"), &mut |_| {}, &cancelled).expect("token ids").rows;
        let labels: Vec<String> = spec.task().labels.names();
        let built = nn::build(&BuildOptions::from_spec(spec, &folder, &labels)).expect("an engine");
        Subject { built, rows }
    }
}

/// Time of an evaluation outside of the engine, relative to the time in the engine.
fn scoring(report: &mut Report, spec: &RunSpec, subject: Subject) {
    let row = "scoring: beside the passes";
    if !report.wants(row) {
        return;
    }
    let Subject { mut built, rows } = subject;
    let mut engine = Timed { engine: built.engine.as_mut(), seconds: 0.0 };
    let (size, outputs) = (spec.per_device_eval_batch_size, spec.task().labels.outputs());
    let score = |engine: &mut Timed<'_>| {
        let start = Instant::now();
        evaluate(engine, &rows, outputs, size, &mut |_, _| Ok(true)).expect("scores");
        start.elapsed().as_secs_f64()
    };
    // Warm-up; buffers grow.
    score(&mut engine);
    engine.seconds = 0.0;
    let total: f64 = (0..ROUNDS).map(|_| score(&mut engine)).sum();
    let share = 100.0 * (total / engine.seconds - 1.0);
    let speed = (ROUNDS * rows.len()) as f64 / total;
    report.row(row, "%", share, 1.0, &[("examples_per_second", speed)]);
}

/// Cost of the measurements: clock and counters of each step, and the resource readings of each second.
fn measuring(report: &mut Report, spec: &RunSpec, summary: &Summary) {
    let row = "measuring: share of a step";
    if report.wants(row) {
        const TIMES: u32 = 20_000;
        let examples =
            vec![Encoded { ids: vec![1; 12], type_ids: vec![0; 12], label: Some(Label::Class(0)) }; 32];
        let batch = Batch::new(&examples);
        let mut subject = Subject::open(spec);
        let engine = subject.built.engine.as_mut();
        let mut usage = Usage::default();
        let start = Instant::now();
        for _ in 0..TIMES {
            // As the training loop in each step, and the engine for each of two shards.
            for stage in [Stage::Data, Stage::Other, Stage::Logging] {
                let start = Instant::now();
                usage.spend(stage, start.elapsed().as_secs_f64());
            }
            for _ in 0..4 {
                let start = Instant::now();
                usage.operations += start.elapsed().as_secs_f64();
            }
            usage.operations += step_flops(&subject.built.config, 2, &batch);
            usage.computed_tokens += engine.computed_tokens(&batch) as u64;
        }
        let each = start.elapsed().as_secs_f64() / f64::from(TIMES);
        assert!(usage.operations > 0.0, "the loop is not optimized away");
        let step = summary.train_seconds / summary.steps as f64;
        report.row(row, "%", 100.0 * each / step, 0.1, &[("microseconds", 1e6 * each)]);
    }
    let row = "gauges: share of a core";
    if report.wants(row)
        && let Some(mut meter) = SystemMonitor::new()
    {
        const READINGS: u32 = 200;
        let start = Instant::now();
        (0..READINGS).for_each(|_| drop(meter.read(now())));
        let each = start.elapsed().as_secs_f64() / f64::from(READINGS);
        report.row(row, "%", 100.0 * each, 0.1, &[("microseconds", 1e6 * each)]);
    }
}
