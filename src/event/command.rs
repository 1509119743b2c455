//! Commands to a run and the settings that they change.

use crate::error::{Error, Result};
use crate::format;
use crate::spec;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A command to a run. It is executed between two optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Pause until [`Command::Resume`].
    Pause,
    /// Resume after [`Command::Pause`].
    Resume,
    /// Evaluate the validation split.
    Eval,
    /// Write a checkpoint.
    Save,
    /// Write a checkpoint and end the run.
    Stop,
    /// Halve `learning_rate`.
    Halve,
    /// Set `learning_rate`, the factor of the schedule.
    LearningRate(f64),
    /// End after that many optimizer steps, or at once if that many are done.
    MaxSteps(u64),
    /// End after that many epochs.
    NumTrainEpochs(f64),
}

/// The settings of a training that commands can change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingSettings {
    /// The value of `learning_rate`.
    pub learning_rate: f64,
    /// Optimizer steps at the end of the run.
    pub total_steps: u64,
}

/// A command that changed the settings, with its step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Optimizer steps done.
    pub step: u64,
    /// The command.
    pub command: Command,
}

impl Command {
    /// The command that changes a key of the specification while a run is training.
    ///
    /// # Errors
    /// [`Error::Usage`] for a key that is fixed during a run and for a value that is invalid for the key.
    pub fn set(key: &str, text: &str) -> Result<Command> {
        let known = match key {
            "learning_rate" | "max_steps" | "num_train_epochs" => spec::key_named(key),
            _ => None,
        };
        let Some(known) = known else {
            return Err(Error::Usage(format!(
                "{key} cannot be changed during a run; learning_rate, max_steps and num_train_epochs can"
            )));
        };
        let invalid = |problem: String| Error::Usage(format!("{key}: {problem}"));
        known.check(text).map_err(invalid)?;
        let number: f64 = text.parse().map_err(|_| invalid("expected a number".into()))?;
        Ok(match key {
            "learning_rate" => Command::LearningRate(number),
            "max_steps" => {
                Command::MaxSteps(text.parse().map_err(|_| invalid("expected a whole number".into()))?)
            }
            _ => Command::NumTrainEpochs(number),
        })
    }

    /// The key that the command sets and the value as text.
    fn setting(self) -> Option<(&'static str, String)> {
        match self {
            Command::LearningRate(rate) => Some(("learning_rate", format::real(rate))),
            Command::MaxSteps(steps) => Some(("max_steps", steps.to_string())),
            Command::NumTrainEpochs(epochs) => Some(("num_train_epochs", format::real(epochs))),
            _ => None,
        }
    }

    /// Checks the value of a command from an untrusted source, such as a control file.
    ///
    /// # Errors
    /// [`Error::Usage`] if the value is invalid for its key.
    pub fn check(self) -> Result<()> {
        self.setting().map_or(Ok(()), |(key, text)| Command::set(key, &text).map(drop))
    }

    /// Whether the command changes the settings, and with them the result of the training.
    pub fn changes_settings(self) -> bool {
        self == Command::Halve || self.setting().is_some()
    }
}

/// The command in the imperative: `pause`, `evaluate`, `set learning_rate = 1e-5`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Pause => f.write_str("pause"),
            Command::Resume => f.write_str("resume"),
            Command::Eval => f.write_str("evaluate"),
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
impl fmt::Display for TrainingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.total_steps == 1 { "step" } else { "steps" };
        write!(f, "learning_rate {}, {} {steps}", format::real(self.learning_rate), self.total_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changeable_keys_and_valid_values_are_accepted() {
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
    fn json_names_the_key_that_a_command_sets() {
        let json = |command| serde_json::to_string(&command).unwrap();
        assert_eq!(json(Command::Halve), r#""halve""#);
        assert_eq!(json(Command::LearningRate(0.25)), r#"{"learning_rate":0.25}"#);
    }
}
