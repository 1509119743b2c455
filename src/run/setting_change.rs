//! The settings that were changed during a run.

use crate::event::{Change, Command};
use crate::format;
use crate::spec::RunSpec;
use serde::Serialize;

/// A setting that was changed during a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingChange {
    /// Optimizer steps done.
    pub step: u64,
    /// The seed whose training was changed.
    pub seed: u64,
    /// The key.
    pub key: &'static str,
    /// The value before; `None` if the key was absent.
    pub from: Option<f64>,
    /// The value after.
    pub to: f64,
}

impl SettingChange {
    /// The changes that `changes` made to a training of `spec` with one seed, oldest first. Commands that change no setting are
    /// skipped.
    pub fn all(spec: &RunSpec, seed: u64, changes: &[Change]) -> Vec<SettingChange> {
        let mut learning_rate = spec.learning_rate;
        let (mut epochs, mut max_steps) =
            (Some(spec.num_train_epochs), spec.max_steps.map(|steps| steps as f64));
        let change = |Change { step, command }: &Change| {
            let (key, from, to) = match *command {
                Command::Halve => ("learning_rate", Some(learning_rate), 0.5 * learning_rate),
                Command::LearningRate(rate) => ("learning_rate", Some(learning_rate), rate),
                Command::MaxSteps(steps) => ("max_steps", max_steps, steps as f64),
                Command::NumTrainEpochs(all) => ("num_train_epochs", epochs, all),
                Command::Pause | Command::Resume | Command::Eval | Command::Save | Command::Stop => {
                    return None;
                }
            };
            match key {
                "learning_rate" => learning_rate = to,
                "max_steps" => max_steps = Some(to),
                _ => epochs = Some(to),
            }
            Some(SettingChange { step: *step, seed, key, from, to })
        };
        changes.iter().filter_map(change).collect()
    }

    /// The values of a key that was changed, `1e-4 → 5e-5 @12`: each with the step of its change. With several seeds, each
    /// change names its seed. `None` for a key that was not changed.
    pub fn values(changes: &[SettingChange], key: &str, has_seeds: bool) -> Option<String> {
        let (mut text, mut seed) = (String::new(), None);
        for change in changes.iter().filter(|change| change.key == key) {
            if seed != Some(change.seed) {
                let from = change.from.map_or_else(|| "none".to_owned(), format::real);
                text += &if seed.is_some() { format!(", {from}") } else { from };
            }
            seed = Some(change.seed);
            let of_seed = if has_seeds { format!(" (seed {})", change.seed) } else { String::new() };
            text += &format!(" → {} @{}{of_seed}", change.to_text(), change.step);
        }
        seed.map(|_| text)
    }

    /// The value after, as a user would type it.
    pub fn to_text(&self) -> String {
        format::real(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn each_change_starts_from_the_value_before_it() {
        let spec = RunSpec { learning_rate: 1e-4, ..built_in("demo") };
        let commands = [
            (12, Command::Halve),
            (12, Command::Pause),
            (20, Command::LearningRate(3e-5)),
            (30, Command::MaxSteps(90)),
            (40, Command::MaxSteps(80)),
            (50, Command::NumTrainEpochs(2.5)),
        ];
        let changes = commands.map(|(step, command)| Change { step, command });
        let found = SettingChange::all(&spec, 7, &changes);
        let found: Vec<_> = found.iter().map(|c| (c.step, c.key, c.from, c.to)).collect();
        let expected = [
            (12, "learning_rate", Some(1e-4), 5e-5),
            (20, "learning_rate", Some(5e-5), 3e-5),
            (30, "max_steps", None, 90.0),
            (40, "max_steps", Some(90.0), 80.0),
            (50, "num_train_epochs", Some(3.0), 2.5),
        ];
        assert_eq!(found, expected);
        let changes = SettingChange::all(&spec, 7, &changes);
        let values = |key| SettingChange::values(&changes, key, false);
        assert_eq!(values("learning_rate").unwrap(), "1e-4 → 5e-5 @12 → 3e-5 @20");
        assert_eq!(values("max_steps").unwrap(), "none → 90 @30 → 80 @40");
        assert_eq!(values("seed"), None);
        let seeds: Vec<_> =
            [7, 8].into_iter().map(|seed| SettingChange { seed, ..changes[0].clone() }).collect();
        let values = SettingChange::values(&seeds, "learning_rate", true).unwrap();
        assert_eq!(values, "1e-4 → 5e-5 @12 (seed 7), 1e-4 → 5e-5 @12 (seed 8)");
    }
}
