//! The experiments as callers use them: names, descriptions and specifications from one file or several.

use super::file::Experiment;
use super::key::Key;
use super::keys::{key_named, keys};
use super::kind::list;
use super::run_spec::RunSpec;
use super::slurm::SlurmSettings;
use super::source_file::{DEFAULT_FILE, SourceFile};
use super::sweep::{Axis, Sweep, SweepProblem, SweepSettings, SweptValues, is_sweep_key, sweep_keys};
use crate::catalog::{ModelSize, TaskId};
use crate::config::ranked_by_similarity;
use crate::error::{Diagnostic, Error, Result};
use crate::text::plural;
use std::path::{Path, PathBuf};

/// The experiments of one file, or those of `./experiments.toml` and of the user's configuration folder. Values are
/// resolved in this order, later wins: built-in defaults, `[defaults]` of the file of the experiment,
/// `[experiment.NAME]`, `--set`.
///
/// An experiment with errors is listed, but not resolved.
#[derive(Debug, Clone)]
pub struct Experiments {
    /// In the order in which their experiments are listed; never empty.
    pub(super) files: Vec<SourceFile>,
    /// Whether the caller named the file, so that no other one is used.
    pub(super) is_only: bool,
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

/// What an experiment trains.
#[derive(Debug, Clone, PartialEq)]
pub enum ResolvedExperiment {
    /// A run.
    Run(Box<RunSpec>),
    /// The trials of a sweep.
    Sweep(Box<Sweep>),
}

impl ResolvedExperiment {
    /// The specification of the run, or that of a sweep with the first value of each swept key.
    pub fn spec(&self) -> &RunSpec {
        match self {
            ResolvedExperiment::Run(spec) => spec,
            ResolvedExperiment::Sweep(sweep) => &sweep.base,
        }
    }

    /// The sweep, if it is one.
    pub fn sweep(&self) -> Option<&Sweep> {
        match self {
            ResolvedExperiment::Run(_) => None,
            ResolvedExperiment::Sweep(sweep) => Some(sweep),
        }
    }
}

impl Experiments {
    /// Reads `path`. Without it, reads `./experiments.toml`, or else the built-in copy, and then `experiments.toml` in
    /// the user's configuration folder. If `./experiments.toml` has no experiment without errors, those of the built-in copy
    /// are there too. A `spec.toml` of a run directory reads as a file of one experiment.
    ///
    /// # Errors
    /// [`Error::Usage`] or [`Error::Config`] when `path` cannot be read. Everything else is in
    /// [`Experiments::errors`].
    pub fn open(path: Option<&Path>) -> Result<Experiments> {
        if let Some(path) = path {
            return Ok(Experiments { files: vec![SourceFile::read(path)?], is_only: true });
        }
        let local = Path::new(DEFAULT_FILE);
        let mut files = Vec::new();
        if local.exists() {
            files.push(SourceFile::read_or_empty(local));
        }
        if !files.iter().any(|file| file.is_intact() || file.intact_names().next().is_some()) {
            files.push(SourceFile::built_in());
        }
        let own = user_file().filter(|path| path.exists() && !is_same(path, local));
        files.extend(own.map(|path| SourceFile::read_or_empty(&path)));
        Ok(Experiments { files, is_only: false })
    }

    /// The experiments of a text.
    #[cfg(test)]
    pub(super) fn of_text(text: &str, path: Option<&str>) -> Experiments {
        let file = SourceFile::parse(text.to_owned(), path.map(PathBuf::from));
        Experiments { files: vec![file], is_only: true }
    }

    /// The built-in copy of the shipped file.
    pub fn shipped() -> Experiments {
        Experiments { files: vec![SourceFile::built_in()], is_only: true }
    }

    /// The names of all experiments, file by file.
    pub fn names(&self) -> Vec<&str> {
        let listed = |file: &'_ SourceFile, name: &str| {
            self.file_of(name).is_some_and(|owner| std::ptr::eq(owner, file))
        };
        let names = |file| SourceFile::names(file).filter(move |name| listed(file, name));
        self.files.iter().flat_map(names).collect()
    }

    /// The file of an experiment: of several that have the name, the local one, then that of the user.
    pub(super) fn file_of(&self, name: &str) -> Option<&SourceFile> {
        let having = self.files.iter().filter(|file| file.experiment(name).is_some());
        having.min_by_key(|file| file.path().is_none())
    }

    fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.file_of(name)?.experiment(name)
    }

    /// The comment above the experiment's table, on one line.
    pub fn description(&self, name: &str) -> Option<String> {
        self.experiment(name)?.description.clone()
    }

    /// The path of the file that the experiment is in; `None` for the built-in copy.
    pub fn path_of(&self, name: &str) -> Option<&Path> {
        self.file_of(name)?.path()
    }

    /// The path that the caller of [`Experiments::open`] named.
    pub fn named_path(&self) -> Option<&Path> {
        self.files.iter().filter(|_| self.is_only).find_map(SourceFile::path)
    }

    /// The paths of all files; none for the built-in copy.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().filter_map(SourceFile::path)
    }

    /// A sentence about an experiment of the same name in another file, which is not used.
    pub fn note(&self, name: &str) -> Option<String> {
        let used = self.file_of(name)?;
        let others = self.files.iter().filter(|file| !std::ptr::eq(*file, used));
        let other = others.filter(|file| file.experiment(name).is_some()).find_map(SourceFile::path)?;
        Some(format!("{} has an experiment {name} too; this one is used.", other.display()))
    }

    /// Every error in the files, in the order of the lines of each.
    pub fn errors(&self) -> Vec<String> {
        self.files.iter().flat_map(SourceFile::all_errors).collect()
    }

    /// An error with everything that is wrong in the files, if anything is.
    pub fn error(&self) -> Option<Error> {
        let diagnostics: Option<Vec<Vec<Diagnostic>>> =
            self.files.iter().map(SourceFile::diagnostics).collect();
        match diagnostics.map(|files| files.concat()) {
            Some(diagnostics) if diagnostics.is_empty() => None,
            Some(diagnostics) => Some(Error::Config(diagnostics)),
            None => Some(Error::Usage(self.errors().join("\n"))),
        }
    }

    /// The errors outside of experiments.
    pub fn errors_outside(&self) -> Vec<String> {
        self.files.iter().flat_map(SourceFile::errors_outside).collect()
    }

    /// The specification of the experiment `name` with `(key, text)` overrides.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown experiment, an invalid override or a sweep, [`Error::Config`] for an experiment
    /// with errors.
    pub fn resolve(&self, name: &str, overrides: &[(String, String)]) -> Result<RunSpec> {
        match self.resolve_any(name, overrides)? {
            ResolvedExperiment::Run(spec) => Ok(*spec),
            ResolvedExperiment::Sweep(sweep) => {
                let keys: Vec<String> =
                    sweep.axes.iter().map(|axis| format!("--set {}=VALUE", axis.key.name)).collect();
                Err(Error::Usage(format!(
                    "experiment {name} is a sweep of {}; add {} for a single run",
                    plural(sweep.len(), "trial"),
                    keys.join(" ")
                )))
            }
        }
    }

    /// What the experiment `name` with `(key, text)` overrides trains: a run, or the trials of a sweep. An override may
    /// be a list of values or a range.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown experiment or an invalid override, [`Error::Config`] for an experiment with
    /// errors.
    pub fn resolve_any(&self, name: &str, overrides: &[(String, String)]) -> Result<ResolvedExperiment> {
        let experiment = self.experiment(name).ok_or_else(|| self.unknown_experiment(name))?;
        if !experiment.errors.is_empty() {
            return Err(Error::Config(experiment.errors.clone()));
        }
        let axes = experiment.swept.values().cloned().collect();
        resolved(&experiment.spec, axes, experiment.sweep_settings(), overrides)
    }

    /// What the experiment `name` would train with these `(key, text)` changes; `name` may be new.
    ///
    /// # Errors
    /// As [`Experiments::resolve_any`].
    pub fn with_changes(&self, name: &str, changes: &[(&str, String)]) -> Result<ResolvedExperiment> {
        let changes: Vec<(String, String)> =
            changes.iter().map(|(key, text)| ((*key).to_owned(), text.clone())).collect();
        if self.experiment(name).is_some() {
            return self.resolve_any(name, &changes);
        }
        let base = self.files[0].new_experiment(name)?;
        resolved(&base, Vec::new(), SweepSettings::default(), &changes)
    }

    /// A sweep `name` of `tasks` that is no experiment of a file: the values of `[defaults]` with `(key, text)` overrides, and
    /// for all other keys the settings that are recommended for a model of that size, or by its name.
    ///
    /// # Errors
    /// [`Error::Usage`] for an invalid override, or values that do not fit together.
    pub fn sweep_of_tasks(
        &self,
        name: &str,
        tasks: &[TaskId],
        size: Option<ModelSize>,
        overrides: &[(String, String)],
    ) -> Result<Sweep> {
        if let Some((key, text)) = overrides.iter().find(|(key, _)| key == "task" || is_sweep_key(key)) {
            return Err(Error::Usage(format!(
                "--set {key}={text}: the tasks and their trials are fixed here; choose tasks with --tasks"
            )));
        }
        let file = &self.files[0];
        let base = file.new_experiment(name)?.with_unchecked(overrides)?;
        let is_set = |key: &Key| {
            file.default_value(key).is_some() || overrides.iter().any(|(name, _)| name == key.name)
        };
        let fixed: Vec<&str> = keys().iter().filter(|key| is_set(key)).map(|key| key.name).collect();
        Sweep::of_tasks(base, tasks, size, &fixed).map_err(|problems| SweepProblem::error(name, &problems))
    }

    /// How runs are submitted to Slurm: the tables `[slurm]` of the files in the order of their precedence, then that of the
    /// user's `config.toml`.
    ///
    /// # Errors
    /// [`Error::Config`] with the errors in these tables.
    pub fn slurm(&self) -> Result<SlurmSettings> {
        let mut settings = SlurmSettings::default();
        let mut errors = Vec::new();
        let of_files = self.files.iter().map(SourceFile::slurm);
        for table in of_files.chain([SlurmSettings::of_user()?]) {
            settings = settings.over(table.value);
            errors.extend(table.errors);
        }
        if errors.is_empty() { Ok(settings) } else { Err(Error::Config(errors)) }
    }

    /// Every key of the experiment `name` with its value and origin; empty for an unknown name.
    pub fn values(&self, name: &str) -> Vec<KeyValue> {
        let Some(file) = self.file_of(name) else { return Vec::new() };
        let Some(experiment) = file.experiment(name) else { return Vec::new() };
        let value = |key: &'static Key| {
            let (text, origin) = if let Some(value) = experiment.values.get(key.name) {
                (value.text.as_str(), ValueOrigin::Experiment)
            } else if let Some(value) = file.default_value(key) {
                (value, ValueOrigin::Defaults)
            } else {
                (key.default, ValueOrigin::BuiltIn)
            };
            KeyValue { key, text: text.to_owned(), origin }
        };
        keys().iter().chain(sweep_keys()).map(value).collect()
    }

    /// The keys of the experiment `name` that have several values.
    pub fn swept_keys(&self, name: &str) -> impl Iterator<Item = &'static str> {
        self.experiment(name).into_iter().flat_map(|experiment| experiment.swept.keys().copied())
    }

    fn unknown_experiment(&self, name: &str) -> Error {
        let names = ranked_by_similarity(name, self.names().into_iter());
        let files: Vec<String> =
            self.files.iter().map(|file| file.shown_path().display().to_string()).collect();
        let files = files.join(" and ");
        let hint = if names.is_empty() {
            format!("it has no experiments; add a table [experiment.{name}]")
        } else {
            format!("the experiments are {}", list(names.into_iter()))
        };
        Error::Usage(format!("no experiment `{name}` in {files}; {hint}"))
    }
}

/// `base` with overrides; a sweep if any key has several values. Where no key has, the settings of the sweep of the
/// experiment do not matter, but those of the overrides are an error.
fn resolved(
    base: &RunSpec,
    mut axes: Vec<Axis>,
    mut settings: SweepSettings,
    overrides: &[(String, String)],
) -> Result<ResolvedExperiment> {
    let mut single = Vec::new();
    let mut set_settings = SweepSettings::default();
    for (name, text) in overrides {
        let error = |why: String| Error::Usage(format!("--set {name}={text}: {why}"));
        if is_sweep_key(name) {
            set_settings.set(name, text).and_then(|()| settings.set(name, text)).map_err(error)?;
            continue;
        }
        axes.retain(|axis| axis.key.name != name);
        match key_named(name).and_then(|key| Some((key, SweptValues::from_text(key, text)?))) {
            Some((key, values)) => axes.push(Axis { key, values: values.map_err(error)? }),
            None => single.push((name.clone(), text.clone())),
        }
    }
    let error =
        |problems: &[SweepProblem]| SweepProblem::error(&format!("experiment {}", base.experiment), problems);
    if axes.is_empty() {
        return match set_settings.first() {
            Some(key) => Err(error(&[SweepProblem::without_swept_key(key)])),
            None => Ok(ResolvedExperiment::Run(Box::new(base.with(&single)?))),
        };
    }
    let sweep = Sweep::new(base.with_unchecked(&single)?, axes, &settings);
    sweep.map(|sweep| ResolvedExperiment::Sweep(Box::new(sweep))).map_err(|problems| error(&problems))
}

/// The experiments file in the user's configuration folder, whether or not it exists; `None` without a home directory.
pub(super) fn user_file() -> Option<PathBuf> {
    crate::config::folder().map(|folder| folder.join(DEFAULT_FILE))
}

/// Whether two paths name the same file.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn open(text: &str) -> Experiments {
        Experiments::of_text(text, Some("e.toml"))
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
        assert!(error.to_string().ends_with("the experiments are sst-distilbert, demo"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(file.values("nothing").is_empty());
    }

    #[test]
    fn the_local_file_takes_precedence_over_that_of_the_user() {
        let file = |text: &str, path: Option<&str>| SourceFile::parse(text.into(), path.map(PathBuf::from));
        let local = file("[experiment.a]\nseed = 1\n[experiment.b]\n", Some("experiments.toml"));
        let own = file("[defaults]\nseed = 3\n[experiment.c]\n[experiment.a]\nseed = 2\n", Some("own.toml"));
        let both = Experiments { files: vec![local, own.clone()], is_only: false };
        assert_eq!(both.names(), ["a", "b", "c"]);
        let seed = |experiments: &Experiments, name| experiments.resolve(name, &[]).unwrap().seed;
        assert_eq!([seed(&both, "a"), seed(&both, "b"), seed(&both, "c")], [1, 42, 3]);
        assert_eq!(both.path_of("c"), Some(Path::new("own.toml")));
        assert_eq!(both.note("a").unwrap(), "own.toml has an experiment a too; this one is used.");
        assert_eq!(both.note("c"), None);
        let demo = file("[experiment.demo]\nseed = 9\n", Some("own.toml"));
        let with_built_in = Experiments { files: vec![SourceFile::built_in(), demo], is_only: false };
        assert_eq!(seed(&with_built_in, "demo"), 9, "a file takes precedence over the built-in copy");
        assert_eq!(with_built_in.note("demo"), None);
        assert_eq!(with_built_in.names().iter().filter(|name| **name == "demo").count(), 1);
    }

    #[test]
    fn an_experiment_without_errors_is_resolved_beside_broken_ones() {
        let file = open("[experiment.a]\nseed = -1\n[experiment.b]\nx = = 1\n[experiment.c]\n[oops]\n");
        assert_eq!(file.names(), ["a", "b", "c"]);
        assert!(file.resolve("c", &[]).is_ok());
        assert!(
            file.with_changes("c", &[("seed", "7".into())]).is_ok_and(|resolved| resolved.spec().seed == 7)
        );
        let error = file.resolve("a", &[]).unwrap_err();
        assert_eq!(
            (error.exit_code(), error.to_string().starts_with("e.toml:2:8: `seed`")),
            (2, true),
            "{error}"
        );
        assert!(file.resolve("b", &[]).unwrap_err().to_string().starts_with("e.toml:4:5: not TOML"));
        assert_eq!(file.errors().len(), 3);
        assert_eq!(file.errors_outside().len(), 1);
    }
}
