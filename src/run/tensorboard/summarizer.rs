//! The events of a run as records of an event file.

use super::proto::{self, SummaryValue};
use super::record::append_record;
use crate::catalog::Metric;
use crate::event::{AverageEval, Averaging, Eval, Event, Scores, SplitName, Started, Step};
use crate::run::message;
use crate::spec;
use std::collections::BTreeSet;

/// Turns the events of a run, in their order, into records.
#[derive(Debug, Clone, Default)]
pub(super) struct Summarizer {
    /// Time of the newest event in seconds since 1970: measured, or estimated from the durations of the events before.
    clock: f64,
    /// The evaluations that were written. One that is done again, as after a resume, has the same scores.
    evaluated: BTreeSet<(SplitName, u64, Option<Averaging>)>,
    /// Optimizer steps done at the newest value; `None` before the first one.
    last_step: Option<u64>,
}

impl Summarizer {
    /// The first record of every file.
    pub(super) fn header(time: f64) -> Vec<u8> {
        let mut record = Vec::new();
        append_record(&proto::Event::file_version(time), &mut record);
        record
    }

    /// The record of a file that replaces the files before it: what they have is discarded from step 0 on.
    pub(super) fn replacement(time: f64) -> Vec<u8> {
        let mut record = Vec::new();
        append_record(&proto::Event::session_start(time, 0), &mut record);
        record
    }

    /// Appends the records of an event to `out`.
    pub(super) fn append(&mut self, event: &Event, out: &mut Vec<u8>) {
        let step = match event {
            Event::Started(started) => return self.start(started, out),
            Event::Step(step) => step.step,
            Event::Eval(eval) | Event::AverageEval(AverageEval { eval, .. }) => eval.step,
            Event::Command { step, .. } => *step,
            _ => 0,
        };
        if let Some(values) = self.take(event) {
            append_record(&proto::Event::summary(self.clock, step as i64, values), out);
        }
    }

    fn start(&mut self, started: &Started, out: &mut Vec<u8>) {
        self.clock = self.clock.max(started.time);
        let first_step = started.first_step;
        self.evaluated.retain(|(_, step, _)| *step <= first_step);
        // Only values of earlier attempts are discarded.
        if self.last_step.is_some() {
            let session = proto::Event::session_start(self.clock, first_step.saturating_add(1) as i64);
            append_record(&session, out);
        }
        self.last_step = self.last_step.map(|step| step.min(first_step));
        let text = SummaryValue::text("args", format!("```toml\n{}```", spec::to_toml(&started.spec)));
        append_record(&proto::Event::summary(self.clock, first_step as i64, vec![text]), out);
    }

    /// The values of an event other than a start.
    fn take(&mut self, event: &Event) -> Option<Vec<SummaryValue>> {
        match event {
            Event::Step(step) => {
                self.clock += step.seconds;
                self.last_step = Some(step.step);
                Some(step_values(step))
            }
            Event::Eval(eval) => self.take_eval(eval, None),
            Event::AverageEval(average) => self.take_eval(&average.eval, Some(average.averaging)),
            Event::Saved(saved) => {
                self.clock += saved.seconds;
                None
            }
            Event::Machine(gauges) => self.see(gauges.time),
            Event::Note { time, .. } | Event::Ended { time, .. } => self.see(*time),
            Event::Command { settings: Some(_), error: None, .. } => {
                Some(vec![SummaryValue::text("commands", message::line(event)?)])
            }
            _ => None,
        }
    }

    /// The values of an evaluation of the weights or of averaged weights.
    fn take_eval(&mut self, eval: &Eval, averaging: Option<Averaging>) -> Option<Vec<SummaryValue>> {
        self.clock += eval.seconds;
        self.last_step = Some(eval.step);
        let is_new = self.evaluated.insert((eval.split, eval.step, averaging));
        is_new.then(|| eval_values(eval, averaging))
    }

    fn see(&mut self, time: f64) -> Option<Vec<SummaryValue>> {
        self.clock = self.clock.max(time);
        None
    }
}

fn step_values(step: &Step) -> Vec<SummaryValue> {
    let values = [
        ("train/loss", step.loss),
        ("train/grad_norm", step.grad_norm),
        ("train/learning_rate", step.learning_rate),
        ("train/epoch", step.epoch),
    ];
    values.into_iter().map(|(tag, value)| SummaryValue::scalar(tag, value)).collect()
}

/// The scores of an evaluation. Those of the training rows are of a whole epoch, while `train/loss` is of a step. The tags of
/// averaged weights begin with `average_`.
fn eval_values(eval: &Eval, averaging: Option<Averaging>) -> Vec<SummaryValue> {
    let weights = if averaging.is_some() { "average_" } else { "" };
    let (prefix, suffix) = match eval.split {
        SplitName::Train => ("train/epoch_", ""),
        SplitName::Validation => ("eval/", ""),
        SplitName::ValidationMismatched => ("eval/", "_mm"),
        SplitName::Test => ("test/", ""),
        SplitName::TestMismatched => ("test/", "_mm"),
    };
    let value = |(metric, value): (Metric, f64)| {
        // The validation split has it too.
        let is_repeated = eval.split == SplitName::ValidationMismatched && metric == Metric::Accuracy;
        (!is_repeated)
            .then(|| SummaryValue::scalar(format!("{weights}{prefix}{}{suffix}", metric.name()), value))
    };
    scores(&eval.scores).filter_map(value).collect()
}

/// The scores that have a value, the loss first.
fn scores(scores: &Scores) -> impl Iterator<Item = (Metric, f64)> {
    let metrics = Metric::ALL.iter().copied().filter(|metric| *metric != Metric::Loss);
    std::iter::once(Metric::Loss).chain(metrics).filter_map(|metric| Some((metric, scores.get(metric)?)))
}
