//! Synthetic runs: their events and their run directories.

use glue_tui::catalog::Metric;
use glue_tui::event::{Eval, Event, Scores, SplitName, Started, Status, Step};
use glue_tui::spec::{RunSpec, built_in, to_toml};
use glue_tui::train::{Best, Summary};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Start time of the runs: 2026-11-23, 11:04:29 UTC.
const STARTED_AT: f64 = 1_795_431_869.0;
/// Number of evaluations of a run.
const EVALUATIONS: u64 = 20;

/// Reproducible noise in 0..1.
fn noise(seed: u64, step: u64) -> f64 {
    let mut x = (seed << 32 | step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

/// The specification of the run with this seed.
pub(crate) fn spec(seed: u64) -> RunSpec {
    RunSpec { seed, learning_rate: 1e-5 * (1 + seed % 5) as f64, ..built_in("demo") }
}

fn scores(loss: f64, accuracy: f64) -> Scores {
    Scores {
        loss,
        metrics: BTreeMap::from([(Metric::Accuracy, Some(accuracy))]),
        confusion: vec![vec![200, 50], vec![50, 200]],
        per_class: Vec::new(),
        examples: 500,
        running_mean: false,
    }
}

/// Calls `emit` with all events of a finished run of `steps` steps, in order.
pub(crate) fn events(seed: u64, steps: u64, emit: &mut dyn FnMut(&Event)) {
    let steps_per_epoch = (steps / EVALUATIONS).max(1);
    emit(&Event::Started(Box::new(Started {
        time: STARTED_AT + seed as f64,
        spec: spec(seed),
        device: "cpu, 2 threads".into(),
        precision: "f32".into(),
        first_step: 0,
        total_steps: steps,
        steps_per_epoch,
        labels: vec!["negative".into(), "positive".into()],
        problem_type: None,
        scale: None,
        rows: [32 * steps_per_epoch as usize, 500, 500],
        data: std::collections::BTreeMap::default(),
        truncated_train_rows: None,
        trainable_parameters: 66_955_010,
        planned_memory: None,
        product_rate: None,
    })));
    for step in 1..=steps {
        let progress = step as f64 / steps as f64;
        let loss = 0.7 / (1.0 + 9.0 * progress) + 0.02 * (seed % 7) as f64 + 0.3 * noise(seed, step);
        emit(&Event::Step(Step {
            step,
            epoch: step as f64 / steps_per_epoch as f64,
            loss,
            learning_rate: 2e-5 * (1.0 - progress),
            grad_norm: 0.5 + 3.0 * noise(seed + 1, step),
            examples: 32,
            tokens: 600 + step % 100,
            seconds: 0.05 + 0.01 * noise(seed + 2, step),
            usage: None,
        }));
        if step.is_multiple_of(steps_per_epoch) {
            emit(&Event::Eval(Eval {
                step,
                epoch: step as f64 / steps_per_epoch as f64,
                split: SplitName::Validation,
                scores: scores(0.5 - 0.2 * progress, 0.7 + 0.2 * progress),
                best: true,
                seconds: 1.5,
            }));
        }
    }
    emit(&Event::Ended { time: STARTED_AT + 0.055 * steps as f64, status: Status::Finished, error: None });
}

/// Writes the directory of a finished run of `steps` steps; returns its path and the size of its log in bytes.
pub(crate) fn write_run_dir(runs: &Path, name: &str, seed: u64, steps: u64) -> (PathBuf, u64) {
    let dir = runs.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("spec.toml"), to_toml(&spec(seed))).unwrap();
    let mut log = BufWriter::new(std::fs::File::create(dir.join("events.jsonl")).unwrap());
    let mut bytes = 0;
    events(seed, steps, &mut |event| {
        let line = serde_json::to_vec(event).unwrap();
        bytes += line.len() as u64 + 1;
        log.write_all(&line).unwrap();
        log.write_all(b"\n").unwrap();
    });
    log.flush().unwrap();
    let spec = spec(seed);
    let best = Best { step: steps, metric: Metric::Accuracy, value: 0.9, test: None, averaging: None };
    let summary = Summary {
        status: Status::Finished,
        best: Some(best),
        steps,
        epochs: EVALUATIONS as f64,
        train_seconds: 0.055 * steps as f64,
        examples_per_second: 580.0,
        tokens_per_second: 11_600.0,
        before: BTreeMap::from([(SplitName::Validation, scores(0.7, 0.5))]),
        error: None,
        ..Summary::failed(&spec, &glue_tui::error::Error::Usage(String::new()))
    };
    std::fs::write(dir.join("summary.json"), serde_json::to_vec_pretty(&summary).unwrap()).unwrap();
    (dir, bytes)
}
