//! The only words between a run and its readers: [`Event`]s up, [`Command`]s down.
//!
//! The log of a run is these events, one a line; the screen, the printed lines and the run list
//! are readers of the same stream. `Progress` is the one event that is not logged.

use crate::catalog::Metric;
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
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
    /// A checkpoint or the best weights are on disk.
    Saved(Saved),
    /// A command was obeyed.
    Command {
        /// Optimizer steps done when it was obeyed.
        step: u64,
        /// The command.
        command: Command,
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
    /// Label names; a label's index is its class.
    pub labels: Vec<String>,
    /// Rows of the training, validation and test split (0: no labelled test split).
    pub rows: [usize; 3],
    /// Numbers that training changes.
    pub trainable_parameters: u64,
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

/// A split of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// Rows that are trained on.
    Train,
    /// Rows that choose the best weights.
    Validation,
    /// Rows for the final score.
    Test,
}

impl SplitName {
    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        }
    }
}

/// What a pass over a labelled split says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy, without label smoothing.
    pub loss: f64,
    /// Share of rows whose most probable class is the right one.
    pub accuracy: f64,
    /// F1 of class 1, for the tasks that are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Matthews' correlation, for the tasks that are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matthews_correlation: Option<f64>,
    /// `confusion[truth][predicted]`: rows of that kind.
    pub confusion: Vec<Vec<u64>>,
    /// Precision, recall and F1 of each class.
    pub per_class: Vec<ClassScores>,
    /// Rows scored.
    pub examples: u64,
}

impl Scores {
    /// The score of that name, the loss included.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.loss),
            Metric::Accuracy => Some(self.accuracy),
            Metric::F1 => self.f1,
            Metric::MatthewsCorrelation => self.matthews_correlation,
        }
    }
}

/// How well one class is found. A quotient of 0 by 0 is 0, as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Share of the rows called so that are so.
    pub precision: f64,
    /// Share of the rows that are so that are called so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
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

/// What a reader may ask of a run. Obeyed between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
