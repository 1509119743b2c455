//! The only words between a run and its readers: [`Event`]s up, [`Command`]s down.
//!
//! The log of a run is these events, one a line; the screen, the printed lines and the run list
//! are readers of the same stream. `Progress` is the one event that is not logged.

mod probe;
mod usage;

pub use probe::{Probe, Told};
pub use usage::{Stage, Usage};

use crate::catalog::Metric;
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
    Probe(Box<Probe>),
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

/// A split of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// Rows that are trained on.
    Train,
    /// Rows that choose the best weights.
    Validation,
    /// Rows of other genres than those that are trained on: MNLI's second validation split.
    ValidationMismatched,
    /// Rows for the final score.
    Test,
}

impl SplitName {
    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::ValidationMismatched => "validation_mismatched",
            SplitName::Test => "test",
        }
    }
}

/// What a pass over a labelled split says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy, without label smoothing; of a regression the mean squared error.
    pub loss: f64,
    /// What is said beside it, in the same JSON object.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Rows scored.
    pub examples: u64,
}

/// The scores that there are for a kind of labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Labels are classes.
    Classification(ClassificationMetrics),
    /// Labels are numbers.
    Regression(RegressionMetrics),
}

/// How far what is told agrees with the numbers that are given. A correlation is undefined, `null` in JSON, where
/// either side is the same in all rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Pearson's correlation.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pearson: Option<f64>,
    /// Spearman's rank correlation.
    #[serde(deserialize_with = "Option::deserialize")]
    pub spearman: Option<f64>,
}

/// How well classes are told apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    /// Share of rows whose most probable class is the right one.
    pub accuracy: f64,
    /// The accuracy on the mismatched validation split, beside the scores of the matched one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_mm: Option<f64>,
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
}

impl Scores {
    /// Whether nearly all rows are called the same class though they are of several: nothing was learned but
    /// which class is the most frequent, as some seeds of large encoders end.
    pub fn is_collapsed(&self) -> bool {
        let Some(ClassificationMetrics { confusion, .. }) = self.classification() else { return false };
        let most = |of: &dyn Fn(usize) -> u64| (0..confusion.len()).map(of).max().unwrap_or(0);
        let called = most(&|class| confusion.iter().map(|row| row[class]).sum());
        let are = most(&|class| confusion[class].iter().sum());
        let nearly_all = 0.98 * self.examples as f64;
        called as f64 >= nearly_all && (are as f64) < nearly_all
    }

    /// What is said of classes, where labels are that.
    pub fn classification(&self) -> Option<&ClassificationMetrics> {
        match &self.metrics {
            Metrics::Classification(metrics) => Some(metrics),
            Metrics::Regression(_) => None,
        }
    }

    /// Takes over the accuracy of `mismatched`, the scores of the second validation split.
    pub fn take_mismatched(&mut self, mismatched: &Scores) {
        if let Metrics::Classification(metrics) = &mut self.metrics {
            metrics.accuracy_mm = mismatched.get(Metric::Accuracy);
        }
    }

    /// The score of that name, the loss included, where it is one of the task's and defined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match (metric, &self.metrics) {
            (Metric::Loss, _) => Some(self.loss),
            (Metric::Accuracy, Metrics::Classification(metrics)) => Some(metrics.accuracy),
            (Metric::AccuracyMm, Metrics::Classification(metrics)) => metrics.accuracy_mm,
            (Metric::F1, Metrics::Classification(metrics)) => metrics.f1,
            (Metric::MatthewsCorrelation, Metrics::Classification(metrics)) => metrics.matthews_correlation,
            (Metric::Pearson, Metrics::Regression(metrics)) => metrics.pearson,
            (Metric::Spearman, Metrics::Regression(metrics)) => metrics.spearman,
            _ => None,
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
        spec::check_value(known, text).map_err(wrong)?;
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
    fn one_answer_for_everything_is_a_collapse() {
        let scores = |confusion: [[u64; 2]; 2]| Scores {
            loss: 0.69,
            metrics: Metrics::Classification(ClassificationMetrics {
                accuracy: 0.5,
                accuracy_mm: None,
                f1: None,
                matthews_correlation: None,
                confusion: confusion.map(Vec::from).to_vec(),
                per_class: Vec::new(),
            }),
            examples: confusion.iter().flatten().sum(),
        };
        assert!(scores([[0, 50], [0, 50]]).is_collapsed());
        assert!(scores([[1, 49], [0, 50]]).is_collapsed());
        assert!(!scores([[5, 45], [0, 50]]).is_collapsed());
        assert!(!scores([[0, 1], [0, 99]]).is_collapsed(), "there is nearly one class only");
    }

    #[test]
    fn scores_are_one_object_whatever_the_labels_are() {
        let both_ways = |text: &str| {
            let scores: Scores = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&scores).unwrap(), text);
            scores
        };
        let classes = both_ways(
            r#"{"loss":0.5,"accuracy":0.75,"f1":0.5,"confusion":[[2,0],[1,1]],"per_class":[{"precision":1.0,"recall":0.5,"f1":0.5}],"examples":4}"#,
        );
        assert_eq!((classes.get(Metric::F1), classes.get(Metric::Pearson)), (Some(0.5), None));
        let values = both_ways(r#"{"loss":0.25,"pearson":0.875,"spearman":null,"examples":3}"#);
        assert_eq!(values.get(Metric::Pearson), Some(0.875));
        assert_eq!((values.get(Metric::Spearman), values.get(Metric::Accuracy)), (None, None));
        assert!(!values.is_collapsed());
        let neither = serde_json::from_str::<Scores>(r#"{"loss":0.25,"pearson":0.875,"examples":3}"#);
        assert!(neither.is_err());
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
