//! An experiments file as callers use it: names, descriptions and specifications.

use super::file::{Experiment, ExperimentsFile, parse};
use super::key::Key;
use super::keys::keys;
use super::kind::list;
use super::run_spec::RunSpec;
use crate::assets;
use crate::config::{invalid_utf8, ranked_by_similarity};
use crate::error::{Error, Result};
use crate::files::read_regular;
use std::path::{Path, PathBuf};

/// The file that is opened by default.
pub const DEFAULT_FILE: &str = "experiments.toml";

/// The name of the built-in copy in messages.
const BUILT_IN: &str = "built-in experiments.toml";

/// A valid experiments file. Values are resolved in this order, later wins: built-in defaults, `[defaults]`,
/// `[experiment.NAME]`, `--set`.
#[derive(Debug, Clone)]
pub struct Experiments {
    pub(super) path: Option<PathBuf>,
    pub(super) text: String,
    pub(super) file: ExperimentsFile,
}

/// The value of a key before `--set`, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyValue {
    /// The key.
    pub key: &'static Key,
    /// The value as typed; empty for an absent key.
    pub text: String,
    /// Where it comes from.
    pub origin: ValueOrigin,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The key's own default.
    BuiltIn,
    /// `[defaults]`.
    Defaults,
    /// `[experiment.NAME]`.
    Experiment,
}

impl Experiments {
    /// Reads `path`, or else `./experiments.toml` if it exists, or else the built-in copy. A `spec.toml` of a run
    /// directory reads as a file of one experiment.
    ///
    /// # Errors
    /// [`Error::Usage`] when the file cannot be read, [`Error::Config`] with every mistake in it.
    pub fn open(path: Option<&Path>) -> Result<Experiments> {
        let default = Path::new(DEFAULT_FILE);
        match path {
            Some(path) => Experiments::read(path),
            None if default.exists() => Experiments::read(default),
            None => Experiments::shipped(),
        }
    }

    /// The built-in copy of the shipped file.
    pub fn shipped() -> Result<Experiments> {
        Experiments::parse(assets::EXPERIMENTS.to_owned(), None)
    }

    fn read(path: &Path) -> Result<Experiments> {
        let bytes = read_regular(path)
            .map_err(|e| Error::Usage(format!("cannot read the experiments file {}: {e}", path.display())))?;
        let text = String::from_utf8(bytes).map_err(|e| Error::Config(vec![invalid_utf8(path, &e)]))?;
        Experiments::parse(text, Some(path.to_path_buf()))
    }

    pub(super) fn parse(text: String, path: Option<PathBuf>) -> Result<Experiments> {
        let file = parse(&text, path.as_deref().unwrap_or(Path::new(BUILT_IN))).map_err(Error::Config)?;
        Ok(Experiments { path, text, file })
    }

    /// The names of all experiments, in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        self.file.experiments.iter().map(Experiment::name).collect()
    }

    /// The comment above the experiment's table, on one line.
    pub fn description(&self, name: &str) -> Option<String> {
        self.file.experiment(name)?.description.clone()
    }

    /// The path of the file; `None` for the built-in copy.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The specification of the experiment `name` with `(key, text)` overrides.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown experiment or an invalid override.
    pub fn resolve(&self, name: &str, overrides: &[(String, String)]) -> Result<RunSpec> {
        let experiment = self.file.experiment(name).ok_or_else(|| self.unknown_experiment(name))?;
        experiment.spec.with(overrides)
    }

    /// Every key of the experiment `name` with its value and origin; empty for an unknown name.
    pub fn values(&self, name: &str) -> Vec<KeyValue> {
        let Some(experiment) = self.file.experiment(name) else { return Vec::new() };
        let value = |key: &'static Key| {
            let (text, origin) = if let Some(value) = experiment.values.get(key.name) {
                (value.text.as_str(), ValueOrigin::Experiment)
            } else if let Some(value) = self.file.defaults.get(key.name) {
                (value.text.as_str(), ValueOrigin::Defaults)
            } else {
                (key.default, ValueOrigin::BuiltIn)
            };
            KeyValue { key, text: text.to_owned(), origin }
        };
        keys().iter().map(value).collect()
    }

    fn unknown_experiment(&self, name: &str) -> Error {
        let names = ranked_by_similarity(name, self.names().into_iter());
        let file = self.path.as_deref().unwrap_or(Path::new(BUILT_IN)).display();
        let hint = if names.is_empty() {
            format!("it has no experiments; add a table [experiment.{name}]")
        } else {
            format!("its experiments are {}", list(names.into_iter()))
        };
        Error::Usage(format!("no experiment `{name}` in {file}; {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn open(text: &str) -> Experiments {
        Experiments::parse(text.into(), None).unwrap()
    }

    fn set(key: &str, text: &str) -> Vec<(String, String)> {
        vec![(key.into(), text.into())]
    }

    #[test]
    fn experiment_without_keys_has_the_built_in_values() {
        assert_eq!(open("[experiment.x]\n").resolve("x", &[]).unwrap(), built_in("x"));
    }

    #[test]
    fn later_layers_win() {
        let file = open("[experiment.a]\nseed = 7\n[defaults]\nseed = 1\nrepeats = 2\nmax_steps = 9\n");
        let spec = file.resolve("a", &set("max_steps", "5")).unwrap();
        assert_eq!((spec.seed, spec.repeats, spec.max_steps), (7, 2, Some(5)));
        assert_eq!(file.resolve("a", &set("max_steps", "")).unwrap().max_steps, None);
        let values = file.values("a");
        let origin = |name: &str| values.iter().find(|value| value.key.name == name).unwrap().origin;
        assert_eq!(
            [origin("seed"), origin("repeats"), origin("task")],
            [ValueOrigin::Experiment, ValueOrigin::Defaults, ValueOrigin::BuiltIn]
        );
    }

    #[test]
    fn unknown_experiment_lists_the_names_nearest_first() {
        let file = open("[experiment.demo]\n[experiment.sst-distilbert]\n");
        let error = file.resolve("sst-distilbret", &[]).unwrap_err();
        assert!(error.to_string().ends_with("its experiments are sst-distilbert, demo"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(file.values("nothing").is_empty());
    }
}
