//! The metrics of a run as a table: a row for each logged step and each evaluation of each seed.

use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::event::{Eval, Event, SplitName};
use crate::run::{RunDir, final_events, replay, seed_dirs};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// The format of a table of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// A header, then a line for each row; a value that a row does not have is empty.
    Csv,
    /// A JSON object for each row, with the values that it has.
    Jsonl,
}

/// Writes the metrics of the run in `dir` to `out`, whose name is `name`. The columns are `seed`; `event`, `step` or `eval` as
/// in the log; `step`, `epoch`, `split`, `loss`; `learning_rate`, `grad_norm` and `tokens` of steps; the metrics of
/// evaluations; `examples` and `seconds`. Steps that were done again after the run was resumed have their last values.
///
/// # Errors
/// [`Error::Read`] for a log that cannot be read, [`Error::Write`] for `name`.
pub fn write_metrics(dir: &Path, format: MetricsFormat, name: &Path, out: &mut dyn Write) -> Result<()> {
    let run = RunDir::at(dir);
    let mut rows = Vec::new();
    for seed in seed_dirs(dir, &run.spec()?) {
        let number = RunDir::at(&seed).spec()?.seed;
        rows.extend(final_events(replay(&seed)?).iter().filter_map(|event| row(number, event)));
    }
    match format {
        MetricsFormat::Csv => write_csv(&rows, name, out),
        MetricsFormat::Jsonl => rows
            .iter()
            .try_for_each(|row| writeln!(out, "{}", Value::Object(row.clone())))
            .map_err(Error::writing(name)),
    }
}

/// The row of a step or an evaluation.
fn row(seed: u64, event: &Event) -> Option<Map<String, Value>> {
    let value = match event {
        Event::Step(step) => json!({
            "seed": seed,
            "event": "step",
            "step": step.step,
            "epoch": step.epoch,
            "split": SplitName::Train.name(),
            "loss": step.loss,
            "learning_rate": step.learning_rate,
            "grad_norm": step.grad_norm,
            "examples": step.examples,
            "tokens": step.tokens,
            "seconds": step.seconds,
        }),
        Event::Eval(eval) => eval_row(seed, "eval", eval),
        Event::AverageEval(average) => eval_row(seed, "average_eval", &average.eval),
        _ => return None,
    };
    match value {
        Value::Object(row) => Some(row),
        _ => None,
    }
}

/// The row of an evaluation.
fn eval_row(seed: u64, event: &str, eval: &Eval) -> Value {
    let mut value = json!({
        "seed": seed,
        "event": event,
        "step": eval.step,
        "epoch": eval.epoch,
        "split": eval.split.name(),
        "loss": eval.scores.loss,
        "examples": eval.scores.examples,
        "seconds": eval.seconds,
    });
    for (metric, score) in &eval.scores.metrics {
        if let Some(score) = score {
            value[metric.name()] = json!(score);
        }
    }
    value
}

fn write_csv(rows: &[Map<String, Value>], name: &Path, out: &mut dyn Write) -> Result<()> {
    let writing = |error: csv::Error| Error::writing(name)(std::io::Error::other(error));
    let has = |metric: &&Metric| rows.iter().any(|row| row.contains_key(metric.name()));
    let metrics: BTreeSet<Metric> =
        Metric::ALL.iter().filter(|metric| **metric != Metric::Loss).filter(has).copied().collect();
    let before = ["seed", "event", "step", "epoch", "split", "loss", "learning_rate", "grad_norm"];
    let columns: Vec<&str> = before
        .into_iter()
        .chain(metrics.iter().map(|metric| metric.name()))
        .chain(["examples", "tokens", "seconds"])
        .collect();
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&columns).map_err(writing)?;
    for row in rows {
        let cell = |column: &&str| match row.get(*column) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        writer.write_record(columns.iter().map(cell)).map_err(writing)?;
    }
    writer.flush().map_err(Error::writing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: MetricsFormat) -> String {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/demo-20261125-170056-eb3d");
        let mut out = Vec::new();
        write_metrics(&dir, format, Path::new("x"), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_formats_have_every_step_and_evaluation() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/demo-20261125-170056-eb3d");
        let events = final_events(replay(&dir).unwrap());
        let is_row = |event: &&Event| matches!(event, Event::Step(_) | Event::Eval(_));
        let rows = events.iter().filter(is_row).count();
        let (csv, jsonl) = (written(MetricsFormat::Csv), written(MetricsFormat::Jsonl));
        assert_eq!((csv.lines().count(), jsonl.lines().count()), (rows + 1, rows));
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        assert_eq!(
            header,
            "seed,event,step,epoch,split,loss,learning_rate,grad_norm,accuracy,examples,tokens,seconds"
                .split(',')
                .collect::<Vec<_>>()
        );
        for (record, line) in reader.records().map(Result::unwrap).zip(jsonl.lines()) {
            let object: Map<String, Value> = serde_json::from_str(line).unwrap();
            for (column, cell) in header.iter().zip(&record) {
                let value = object.get(column).map_or(String::new(), |value| match value {
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                });
                assert_eq!(cell, value, "{column} in {line}");
            }
        }
    }
}
