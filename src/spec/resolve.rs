//! Layers → a filled [`RunSpec`]: built-in < `[defaults]` < `[experiment.NAME]` < `--set`.

use super::check::{broken_rules, check_value, unknown_key};
use super::file::{Experiment, File, Layer, read, text_in};
use super::keys::{Key, Kind, keys, list};
use super::{RunSpec, key_named};
use crate::assets;
use crate::config::{by_nearness, not_text};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The file that is opened when none is named.
pub const DEFAULT_FILE: &str = "experiments.toml";

/// What the built-in copy is called in messages.
const BUILT_IN: &str = "built-in experiments.toml";

/// A whole experiments file, read and found right.
#[derive(Debug, Clone)]
pub struct Experiments {
    pub(super) path: Option<PathBuf>,
    pub(super) text: String,
    pub(super) file: File,
}

/// A key's value before `--set`, and which layer it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The key.
    pub key: &'static Key,
    /// The value as typed; empty for an absent key.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The layer that a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The key's own default.
    BuiltIn,
    /// `[defaults]`.
    Defaults,
    /// `[experiment.NAME]`.
    Experiment,
}

impl Experiments {
    /// Reads `path`, or else `./experiments.toml` if there, or else the built-in copy. A `spec.toml`
    /// of a run directory is read as a file of one experiment. Every mistake is told at once.
    pub fn open(path: Option<&Path>) -> Result<Experiments> {
        let here = Path::new(DEFAULT_FILE);
        match path {
            Some(path) => Experiments::read(path),
            None if here.exists() => Experiments::read(here),
            None => Experiments::shipped(),
        }
    }

    /// The built-in copy of the shipped file.
    pub fn shipped() -> Result<Experiments> {
        Experiments::parse(assets::EXPERIMENTS.to_owned(), None)
    }

    fn read(path: &Path) -> Result<Experiments> {
        let bytes = std::fs::read(path)
            .map_err(|e| Error::Usage(format!("cannot read the experiments file {}: {e}", path.display())))?;
        let text = String::from_utf8(bytes).map_err(|e| Error::Config(vec![not_text(path, &e)]))?;
        Experiments::parse(text, Some(path.to_path_buf()))
    }

    pub(super) fn parse(text: String, path: Option<PathBuf>) -> Result<Experiments> {
        let file = read(&text, path.as_deref().unwrap_or(Path::new(BUILT_IN))).map_err(Error::Config)?;
        Ok(Experiments { path, text, file })
    }

    /// Names of all experiments, in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        self.file.experiments.iter().map(|experiment| experiment.name.as_str()).collect()
    }

    /// What the comment above the experiment's table says, on one line.
    pub fn description(&self, name: &str) -> Option<String> {
        self.experiment(name).ok()?.description.clone()
    }

    /// The file, or `None` for the built-in copy.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The filled specification of the experiment `name`, with `(key, text)` overrides laid over it.
    pub fn resolve(&self, name: &str, overrides: &[(String, String)]) -> Result<RunSpec> {
        let experiment = self.experiment(name)?;
        let layers = [&self.file.defaults, &experiment.layer];
        fill(name, |key| text_in(&layers, key)).map_err(Error::Usage)?.with(overrides)
    }

    /// Every key of the experiment `name` with its value and origin; none for an unknown name.
    pub fn values(&self, name: &str) -> Vec<Value> {
        let Ok(experiment) = self.experiment(name) else { return Vec::new() };
        let value = |key: &'static Key| {
            let origin = if experiment.layer.contains_key(key.name) {
                Origin::Experiment
            } else if self.file.defaults.contains_key(key.name) {
                Origin::Defaults
            } else {
                Origin::BuiltIn
            };
            let text = text_in(&[&self.file.defaults, &experiment.layer], key).to_owned();
            Value { key, text, origin }
        };
        keys().iter().map(value).collect()
    }

    fn experiment(&self, name: &str) -> Result<&Experiment> {
        self.file.experiments.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
            let names = by_nearness(name, self.file.experiments.iter().map(|one| one.name.as_str()));
            let file = self.path.as_deref().unwrap_or(Path::new(BUILT_IN)).display();
            let there = if names.is_empty() {
                format!("it has none; add a table [experiment.{name}]")
            } else {
                format!("there are {}", list(names.into_iter()))
            };
            Error::Usage(format!("there is no experiment `{name}` in {file}; {there}"))
        })
    }
}

impl RunSpec {
    /// This specification with `(key, text)` overrides laid over it, each checked as after `--set`; empty
    /// text takes an optional key away.
    pub fn with(&self, overrides: &[(String, String)]) -> Result<RunSpec> {
        for (name, text) in overrides {
            let key = key_named(name)
                .ok_or_else(|| Error::Usage(format!("--set {name}={text}: {}", unknown_key(name))))?;
            check_value(key, text).map_err(|why| Error::Usage(format!("--set {name}={text}: {why}")))?;
        }
        let own = texts(self);
        let text = |key: &'static Key| {
            let set =
                overrides.iter().rev().find(|(name, _)| name == key.name).map(|(_, text)| text.as_str());
            set.or_else(|| own.iter().find(|(one, _)| one.name == key.name).map(|(_, text)| text.as_str()))
        };
        let spec = fill(&self.experiment, |key| text(key).unwrap_or_default()).map_err(Error::Usage)?;
        match broken_rules(&spec).first() {
            Some(rule) => Err(Error::Usage(format!(
                "experiment {}: `{}`: {}",
                self.experiment, rule.key.name, rule.message
            ))),
            None => Ok(spec),
        }
    }
}

/// The specification of an experiment that sets no key.
pub fn built_in(experiment: &str) -> RunSpec {
    fill(experiment, |key| key.default).expect("every default is a value, as a test of the table holds")
}

/// The specification whose keys have these texts, each checked before.
pub(super) fn fill<'a>(experiment: &str, text: impl Fn(&'static Key) -> &'a str) -> Result<RunSpec, String> {
    let mut object = serde_json::Map::new();
    object.insert("experiment".into(), experiment.into());
    for key in keys() {
        let text = text(key);
        if !text.is_empty() {
            object.insert(key.name.into(), json(key.kind, text));
        }
    }
    serde_json::from_value(object.into()).map_err(|e| e.to_string())
}

fn json(kind: Kind, text: &str) -> serde_json::Value {
    match kind {
        Kind::Integer { .. } | Kind::Interval => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
        Kind::Real { .. } => text.parse::<f64>().map_or_else(|_| text.into(), Into::into),
        _ => text.into(),
    }
}

/// The values of a filled specification as they would be typed; absent keys are left out.
pub(super) fn texts(spec: &RunSpec) -> Vec<(&'static Key, String)> {
    let object = serde_json::to_value(spec).expect("a specification is plain words and numbers");
    let text = |key: &'static Key| match &object[key.name] {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some((key, text.clone())),
        other => Some((key, other.to_string())),
    };
    keys().iter().filter_map(text).collect()
}

/// A layer of checked texts.
pub(super) fn text_of(layer: &Layer, key: &Key) -> Option<String> {
    layer.get(key.name).map(|entry| entry.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{EngineChoice, Interval, Precision, Schedule};

    fn open(text: &str) -> Experiments {
        Experiments::parse(text.into(), None).unwrap()
    }

    fn set(key: &str, text: &str) -> Vec<(String, String)> {
        vec![(key.into(), text.into())]
    }

    #[test]
    fn the_built_in_values_are_the_documented_ones() {
        let expected = RunSpec {
            experiment: "x".into(),
            model: "demo".into(),
            revision: "main".into(),
            task: "demo".into(),
            data_dir: None,
            train_file: None,
            validation_file: None,
            test_file: None,
            text_column: None,
            text_pair_column: None,
            label_column: None,
            max_train_samples: None,
            max_eval_samples: None,
            num_train_epochs: 3.0,
            max_steps: None,
            per_device_train_batch_size: 32,
            per_device_eval_batch_size: 64,
            gradient_accumulation_steps: 1,
            max_seq_length: 128,
            learning_rate: 2e-5,
            weight_decay: 0.01,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: 1.0,
            lr_scheduler_type: Schedule::Linear,
            warmup_ratio: 0.06,
            warmup_steps: None,
            label_smoothing_factor: 0.0,
            classifier_dropout: None,
            eval_steps: Interval::Epoch,
            save_steps: Interval::Epoch,
            logging_steps: Interval::Steps(1),
            metric_for_best_model: None,
            early_stopping_patience: None,
            seed: 42,
            repeats: 1,
            precision: Precision::Auto,
            engine: EngineChoice::Auto,
            device: "auto".into(),
            max_tokens_per_batch: None,
            threads: None,
        };
        assert_eq!(built_in("x"), expected);
        assert_eq!(open("[experiment.x]\n").resolve("x", &[]).unwrap(), expected);
    }

    #[test]
    fn later_layers_win() {
        let file = open("[defaults]\nseed = 1\nrepeats = 2\nmax_steps = 9\n[experiment.a]\nseed = 7\n");
        let spec = file.resolve("a", &set("max_steps", "5")).unwrap();
        assert_eq!((spec.seed, spec.repeats, spec.max_steps), (7, 2, Some(5)));
        let twice = [set("seed", "3"), set("seed", "4")].concat();
        assert_eq!(file.resolve("a", &twice).unwrap().seed, 4);
        assert_eq!(file.resolve("a", &set("max_steps", "")).unwrap().max_steps, None);
        let origins = file.values("a");
        let origin = |name: &str| origins.iter().find(|value| value.key.name == name).unwrap().origin;
        assert_eq!(
            [origin("seed"), origin("repeats"), origin("task")],
            [Origin::Experiment, Origin::Defaults, Origin::BuiltIn]
        );
    }

    #[test]
    fn every_key_reaches_the_specification() {
        // A value other than the default for each key, so that a key that is dropped shows.
        for key in keys() {
            let text = match key.kind {
                Kind::Task => "sst",
                Kind::Integer { min, .. } => {
                    if min < 2 {
                        "2"
                    } else {
                        "64"
                    }
                }
                Kind::Real { .. } => "0.5",
                Kind::Choice(words) => words.last().copied().unwrap(),
                Kind::Interval => "7",
                Kind::Text if key.name == "device" => "cuda:1",
                _ => "somewhere",
            };
            let text = if key.name == "metric_for_best_model" { "loss" } else { text };
            let text = if key.name == "max_tokens_per_batch" { "4096" } else { text };
            let mut values = set(key.name, text);
            if key.task == Some("custom") {
                values = [set("task", "custom"), set("train_file", "a.csv"), set("text_column", "a"), values]
                    .concat();
            }
            let text = match (key.task, key.kind) {
                (Some(_), Kind::Path) => "somewhere.csv",
                _ => text,
            };
            values.last_mut().unwrap().1 = text.into();
            let spec = open("[experiment.a]\n").resolve("a", &values).unwrap();
            assert_ne!(spec, built_in("a"), "{}", key.name);
            let (_, said) = texts(&spec).into_iter().find(|(one, _)| one == &key).unwrap();
            assert_eq!(said, text, "{}", key.name);
        }
    }

    #[test]
    fn overrides_that_are_wrong_name_the_key() {
        let file = open("[experiment.a]\n");
        let told = |key: &str, text: &str| file.resolve("a", &set(key, text)).unwrap_err();
        assert_eq!(
            told("lr", "1").to_string(),
            "--set lr=1: unknown key `lr`; did you mean `learning_rate`?"
        );
        assert_eq!(
            told("learning_rate", "fast").to_string(),
            "--set learning_rate=fast: a number above 0 and at most 1 is expected, not `fast`"
        );
        assert_eq!(told("lr", "1").exit_code(), 2);
        let both = [set("warmup_steps", "9"), set("max_steps", "3")].concat();
        assert!(file.resolve("a", &both).unwrap_err().to_string().contains("`warmup_steps`"));
    }

    #[test]
    fn an_unknown_experiment_lists_the_names_nearest_first() {
        let file = open("[experiment.demo]\n[experiment.sst-distilbert]\n");
        let error = file.resolve("sst-distilbret", &[]).unwrap_err();
        assert!(error.to_string().ends_with("there are sst-distilbert, demo"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(file.values("nothing").is_empty());
    }
}
