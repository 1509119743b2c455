//! The only words between a run and its readers: [`Event`]s up, [`Command`]s down.
//!
//! The log of a run is these events, one a line; the screen, the printed lines and the run list
//! are readers of the same stream. `Progress` is the one event that is not logged.

mod probe;
mod scores;
mod usage;

pub use crate::catalog::SplitName;
pub use probe::{ProbePrediction, ProbeResult};
pub use scores::{ClassScores, Scores};
pub use usage::{Stage, Usage};

use crate::error::{Error, Result};
use crate::format;
use crate::machine::Gauges;
use crate::spec::{self, RunSpec};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A training begins, or goes on from a checkpoint.
    Started(Box<Started>),
    /// Work before or between steps moves on; not logged.
    Progress(Progress),
    /// Optimizer steps were done.
    Step(Step),
    /// A split was scored.
    Eval(Eval),
    /// A pinned text was scored, after the validation split.
    Probe(Box<ProbeResult>),
    /// A checkpoint or the best weights are on disk.
    Saved(Saved),
    /// What the machine is doing, about once a second; the log has one in ten seconds.
    Machine(Gauges),
    /// A command was obeyed.
    Command {
        /// Optimizer steps done when it was obeyed.
        step: u64,
        /// The command.
        command: Command,
        /// The settings from here on, after a command that changes them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settings: Option<Settings>,
        /// Whether the log had it already: a run that goes on from an earlier checkpoint, or is done once
        /// more, changes its settings again where it did before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// Something worth knowing.
    Note {
        /// Seconds since 1970.
        time: f64,
        /// Whether it is cause for concern.
        #[serde(default)]
        warning: bool,
        /// One sentence.
        text: String,
    },
    /// The training is over.
    Ended {
        /// Seconds since 1970.
        time: f64,
        /// How it ended.
        status: Status,
        /// The error, when it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What a run is, once it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Seconds since 1970.
    pub time: f64,
    /// The filled specification.
    pub spec: RunSpec,
    /// The device, in words: `cpu, 2 threads`.
    pub device: String,
    /// Number format of the matrix products: `f32`.
    pub precision: String,
    /// Optimizer steps already done, when resumed.
    pub first_step: u64,
    /// Optimizer steps when the run is finished.
    pub total_steps: u64,
    /// Optimizer steps of one epoch.
    pub steps_per_epoch: u64,
    /// Names of the outputs: one a class, in their order, or one alone of a regression.
    pub labels: Vec<String>,
    /// Rows of the training, validation and test split (0: no labelled test split).
    pub rows: [usize; 3],
    /// Numbers that training changes.
    pub trainable_parameters: u64,
    /// Bytes that the training was planned to take at most, if the engine can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_memory: Option<u64>,
    /// Operations a second that matrix products reach alone on this machine, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_rate: Option<f64>,
}

/// Work that has a length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, as a short phrase: `downloading model.safetensors`.
    pub what: String,
    /// How far it is.
    pub done: u64,
    /// How far it goes, when known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

/// What a [`Progress`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Data rows or examples.
    Rows,
    /// Nothing that is counted: the work just goes on.
    Nothing,
}

/// Optimizer steps since the event before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// Mean training loss of these steps.
    pub loss: f64,
    /// Learning rate of the last of them.
    pub learning_rate: f64,
    /// Global L2 norm of the last gradient, before clipping.
    pub grad_norm: f64,
    /// Examples worked on.
    pub examples: u64,
    /// Tokens worked on.
    pub tokens: u64,
    /// Seconds they took.
    pub seconds: f64,
    /// What was used since it was told last; told about once a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Box<Usage>>,
}

/// The scores of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eval {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// Which split.
    pub split: SplitName,
    /// The scores.
    pub scores: Scores,
    /// Whether these are the best weights so far (validation split only).
    pub best: bool,
    /// Seconds it took.
    pub seconds: f64,
}

/// Something is on disk, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Optimizer steps done.
    pub step: u64,
    /// Where, relative to the run directory: `checkpoints/step-000268` or `best`.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All steps were done, or early stopping ended them.
    Finished,
    /// It was told to stop; the work is saved and can be resumed.
    Stopped,
    /// It could not go on.
    Failed,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
        }
    }
}

/// What may be asked of a run. Obeyed between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Wait.
    Pause,
    /// Go on.
    Resume,
    /// Score the validation split now.
    Eval,
    /// Write a checkpoint now.
    Save,
    /// Write a checkpoint and end.
    Stop,
    /// Halve `learning_rate`.
    Halve,
    /// Give `learning_rate`, which the schedule multiplies, another value.
    LearningRate(f64),
    /// End after so many optimizer steps, sooner or later than planned; at once when they are done.
    MaxSteps(u64),
    /// End after so many epochs.
    NumTrainEpochs(f64),
}

/// What a training can be told to change on its way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The value of `learning_rate`.
    pub learning_rate: f64,
    /// Optimizer steps when the run is finished.
    pub total_steps: u64,
}

/// A command that changed the settings, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Optimizer steps done.
    pub step: u64,
    /// The command.
    pub command: Command,
}

impl Command {
    /// The command that gives a key of the specification another value while the run goes on.
    ///
    /// # Errors
    /// [`Error::Usage`] for a key that is fixed once a run has begun, and for a value that the key cannot have.
    pub fn set(key: &str, text: &str) -> Result<Command> {
        let known = match key {
            "learning_rate" | "max_steps" | "num_train_epochs" => spec::key_named(key),
            _ => None,
        };
        let Some(known) = known else {
            return Err(Error::Usage(format!(
                "{key} cannot be changed while a run goes on; learning_rate, max_steps and num_train_epochs can"
            )));
        };
        let wrong = |why: String| Error::Usage(format!("{key}: {why}"));
        known.check(text).map_err(wrong)?;
        let number: f64 = text.parse().map_err(|_| wrong("a number is expected".into()))?;
        Ok(match key {
            "learning_rate" => Command::LearningRate(number),
            "max_steps" => {
                Command::MaxSteps(text.parse().map_err(|_| wrong("a whole number is expected".into()))?)
            }
            _ => Command::NumTrainEpochs(number),
        })
    }

    /// The key that it gives a value, and the value as it is typed.
    fn setting(self) -> Option<(&'static str, String)> {
        match self {
            Command::LearningRate(rate) => Some(("learning_rate", format::real(rate))),
            Command::MaxSteps(steps) => Some(("max_steps", steps.to_string())),
            Command::NumTrainEpochs(epochs) => Some(("num_train_epochs", format::real(epochs))),
            _ => None,
        }
    }

    /// Whether its value is one that the key can have: it may come from a file that anything was written to.
    pub fn check(self) -> Result<()> {
        self.setting().map_or(Ok(()), |(key, text)| Command::set(key, &text).map(drop))
    }

    /// Whether what is trained after it is another than without it.
    pub fn changes_settings(self) -> bool {
        self == Command::Halve || self.setting().is_some()
    }
}

/// What a run is told, after "told to": `pause`, `set learning_rate = 1e-5`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Pause => f.write_str("pause"),
            Command::Resume => f.write_str("go on"),
            Command::Eval => f.write_str("score"),
            Command::Save => f.write_str("save"),
            Command::Stop => f.write_str("stop"),
            Command::Halve => f.write_str("halve learning_rate"),
            Command::LearningRate(_) | Command::MaxSteps(_) | Command::NumTrainEpochs(_) => {
                let (key, text) = self.setting().unwrap_or_default();
                write!(f, "set {key} = {text}")
            }
        }
    }
}

/// `learning_rate 2.5e-4, 300 steps`.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "learning_rate {}, {} steps", format::real(self.learning_rate), self.total_steps)
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

impl Event {
    /// A note that is stamped with the time.
    pub fn note(text: impl Into<String>) -> Event {
        Event::Note { time: now(), warning: false, text: text.into() }
    }

    /// A note that is cause for concern.
    pub fn warning(text: impl Into<String>) -> Event {
        Event::Note { time: now(), warning: true, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_change_can_be_set_and_only_to_what_it_may_be() {
        assert_eq!(Command::set("learning_rate", "1e-5").unwrap(), Command::LearningRate(1e-5));
        assert_eq!(Command::set("max_steps", "500").unwrap(), Command::MaxSteps(500));
        assert_eq!(Command::set("num_train_epochs", "2.5").unwrap(), Command::NumTrainEpochs(2.5));
        for (key, text) in
            [("seed", "1"), ("learning_rate", "0"), ("learning_rate", ""), ("max_steps", "1.5"), ("lr", "1")]
        {
            assert!(matches!(Command::set(key, text), Err(Error::Usage(_))), "{key} = {text}");
        }
        assert!(Command::LearningRate(f64::NAN).check().is_err());
        assert!(Command::NumTrainEpochs(-1.0).check().is_err());
        assert!(Command::Halve.check().is_ok() && Command::MaxSteps(7).check().is_ok());
    }

    #[test]
    fn commands_are_written_as_the_keys_they_set() {
        let said = |command| serde_json::to_string(&command).unwrap();
        assert_eq!(said(Command::Halve), r#""halve""#);
        assert_eq!(said(Command::LearningRate(0.25)), r#"{"learning_rate":0.25}"#);
        let event = Event::Command { step: 4, command: Command::MaxSteps(9), settings: None, again: false };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"kind":"command","step":4,"command":{"max_steps":9}}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
