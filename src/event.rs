//! The interface between a run and its readers: [`Event`]s up, [`Command`]s down.
//!
//! The log of a run, `events.jsonl`, is these events, one JSON object a line. The screen, the printed lines and
//! the list of runs are readers of the same stream. Only [`Event::Progress`] is not logged.
//!
//! # Format of the log
//!
//! The first line carries a `format` number, 1. Within a format, events and fields may be added and optional
//! fields may be left out; readers skip kinds and fields that they do not know, so that each version reads the
//! logs of all others of the same format. A change that would make an old reader misread a line (a field with
//! another meaning or unit, a required field that disappears) gets the next number.

mod averaging;
mod command;
mod diagnosis;
mod payload;
mod probe;
mod progress;
mod scores;
mod usage;

pub use crate::catalog::SplitName;
pub use averaging::{AverageEval, Averaging};
pub use command::{Change, Command, TrainingSettings};
pub use diagnosis::{Diagnosis, Problem};
pub use payload::{Eval, Saved, SplitDigest, Started, Status, Step};
pub use probe::{ProbePrediction, ProbeResult};
pub use progress::{Progress, Unit};
pub use scores::{ClassScores, Scores};
pub use usage::{Stage, Usage};

use crate::machine::Gauges;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A training starts, or resumes from a checkpoint.
    Started(Box<Started>),
    /// Progress of work other than steps; not logged.
    Progress(Progress),
    /// Optimizer steps were done.
    Step(Step),
    /// A split was evaluated.
    Eval(Eval),
    /// A split was evaluated with averaged weights.
    AverageEval(AverageEval),
    /// A probe was evaluated, after the validation split.
    Probe(Box<ProbeResult>),
    /// A checkpoint or the best weights were written.
    Saved(Saved),
    /// State of the machine, about once a second; the log has one every ten seconds.
    Machine(Gauges),
    /// A command was executed.
    Command {
        /// Optimizer steps done.
        step: u64,
        /// The command.
        command: Command,
        /// The settings after a command that changes them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settings: Option<TrainingSettings>,
        /// Whether the command is from the log: a run that resumes from an earlier checkpoint, or is replayed,
        /// changes its settings at the same steps as before.
        #[serde(default, rename = "again", skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
        /// Why the command failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A message for the user.
    Note {
        /// Seconds since 1970.
        time: f64,
        /// Whether it is a warning.
        #[serde(default)]
        warning: bool,
        /// One sentence.
        text: String,
        /// The problem of the training that a warning diagnoses, or that no longer applies if this is not a warning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<Problem>,
        /// The settings to try in a new run against the problem.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        settings: BTreeMap<String, String>,
    },
    /// The training ended.
    Ended {
        /// Seconds since 1970.
        time: f64,
        /// How it ended.
        status: Status,
        /// The error of a failed run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// Seconds since 1970.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

impl Event {
    /// A note with the current time.
    pub fn note(text: impl Into<String>) -> Event {
        Event::message(false, text.into())
    }

    /// A warning with the current time.
    pub fn warning(text: impl Into<String>) -> Event {
        Event::message(true, text.into())
    }

    fn message(warning: bool, text: String) -> Event {
        Event::Note { time: now(), warning, text, problem: None, settings: BTreeMap::new() }
    }

    /// A warning of a problem of the training, with the current time.
    pub fn diagnosis(diagnosis: Diagnosis) -> Event {
        let Diagnosis { problem, text, settings } = diagnosis;
        Event::Note { time: now(), warning: true, text, problem: Some(problem), settings }
    }

    /// A note that a problem no longer applies, with the current time.
    pub fn resolved(problem: Problem, text: impl Into<String>) -> Event {
        let settings = BTreeMap::new();
        Event::Note { time: now(), warning: false, text: text.into(), problem: Some(problem), settings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn round_trip(text: &str) -> Event {
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        event
    }

    #[test]
    fn optional_fields_of_a_command_are_left_out() {
        let event = round_trip(r#"{"kind":"command","step":4,"command":{"max_steps":9}}"#);
        let command = Command::MaxSteps(9);
        assert_eq!(event, Event::Command { step: 4, command, settings: None, replayed: false, error: None });
        let replayed = round_trip(r#"{"kind":"command","step":4,"command":"halve","again":true}"#);
        assert!(matches!(replayed, Event::Command { replayed: true, .. }));
    }

    #[test]
    fn a_diagnosis_is_a_warning_with_settings() {
        round_trip(r#"{"kind":"note","time":1.0,"warning":true,"text":"3 rows are truncated"}"#);
        round_trip(
            r#"{"kind":"note","time":1.0,"warning":true,"text":"too low","problem":"not_learning","settings":{"learning_rate":"5e-4"}}"#,
        );
        let resolved = round_trip(
            r#"{"kind":"note","time":1.0,"warning":false,"text":"it learns","problem":"not_learning"}"#,
        );
        assert!(matches!(resolved, Event::Note { problem: Some(Problem::NotLearning), warning: false, .. }));
    }

    #[test]
    fn a_probe_is_one_flat_object() {
        round_trip(
            r#"{"kind":"probe","step":4,"epoch":1.0,"text":"not bad","label":"positive","flipped_from":"negative","probabilities":[0.25,0.75]}"#,
        );
        round_trip(r#"{"kind":"probe","step":4,"epoch":1.0,"text":"a","text_pair":"b","score":0.1}"#);
    }

    #[test]
    fn scores_of_a_logged_evaluation_are_one_flat_object() {
        round_trip(
            r#"{"kind":"eval","step":4,"epoch":1.0,"split":"validation_mismatched","scores":{"loss":0.5,"accuracy":1.0,"confusion":[[1]],"per_class":[{"precision":1.0,"recall":1.0,"f1":1.0}],"examples":1},"best":false,"seconds":0.5}"#,
        );
        let averaged = round_trip(
            r#"{"kind":"average_eval","averaging":"ema","step":4,"epoch":1.0,"split":"validation","scores":{"loss":0.5,"accuracy":1.0,"examples":1},"best":true,"seconds":0.5}"#,
        );
        let Event::AverageEval(AverageEval { averaging: Averaging::Ema, eval }) = averaged else {
            panic!("{averaged:?}")
        };
        assert!(eval.best && eval.step == 4);
    }
}
