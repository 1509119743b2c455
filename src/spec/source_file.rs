//! One file of experiments: its text, its content and its errors.

use super::file::{Experiment, ExperimentsFile, parse};
use super::key::Key;
use super::run_spec::{RunSpec, built_in};
use super::slurm::SlurmSettings;
use crate::assets;
use crate::config::{Parsed, invalid_utf8};
use crate::error::{Diagnostic, Error, Result};
use crate::files::read_regular;
use std::path::{Path, PathBuf};

/// The name of the file in the current folder and in the configuration folder.
pub const DEFAULT_FILE: &str = "experiments.toml";

/// The name of the built-in copy in messages.
const BUILT_IN: &str = "built-in experiments.toml";

/// A file of experiments.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    /// `None` for the built-in copy.
    path: Option<PathBuf>,
    pub(super) text: String,
    content: ExperimentsFile,
    /// Why the file could not be read.
    problem: Option<String>,
}

impl SourceFile {
    /// The built-in copy of the shipped file.
    pub(super) fn built_in() -> Self {
        SourceFile::parse(assets::EXPERIMENTS.to_owned(), None)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be read, [`Error::Config`] when it is not UTF-8.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = read_regular(path)
            .map_err(|e| Error::Usage(format!("cannot read the experiments file {}: {e}", path.display())))?;
        let text = String::from_utf8(bytes).map_err(|e| Error::Config(vec![invalid_utf8(path, &e)]))?;
        Ok(SourceFile::parse(text, Some(path.to_path_buf())))
    }

    /// Reads a file; one that cannot be read has no experiments and one error.
    pub(super) fn read_or_empty(path: &Path) -> Self {
        SourceFile::read(path).unwrap_or_else(|error| SourceFile {
            problem: Some(error.to_string()),
            ..SourceFile::parse(String::new(), Some(path.to_path_buf()))
        })
    }

    /// The file with that text.
    pub(super) fn parse(text: String, path: Option<PathBuf>) -> Self {
        let content = parse(&text, path.as_deref().unwrap_or(Path::new(BUILT_IN)));
        SourceFile { path, text, content, problem: None }
    }

    /// The same text as that of another file.
    pub(super) fn at(self, path: &Path) -> Self {
        SourceFile::parse(self.text, Some(path.to_path_buf()))
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The path as messages name it.
    pub(super) fn shown_path(&self) -> &Path {
        self.path().unwrap_or(Path::new(BUILT_IN))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.content.experiments.iter().map(Experiment::name)
    }

    /// The names of the experiments without errors.
    pub(super) fn intact_names(&self) -> impl Iterator<Item = &str> {
        let intact = self.content.experiments.iter().filter(|experiment| experiment.errors.is_empty());
        intact.map(Experiment::name)
    }

    pub(super) fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.content.experiment(name)
    }

    /// The value of a key in `[defaults]`.
    pub(super) fn default_value(&self, key: &Key) -> Option<&str> {
        self.content.defaults.get(key.name).map(|value| value.text.as_str())
    }

    /// The specification of a new experiment of this file.
    pub(super) fn new_experiment(&self, name: &str) -> Result<RunSpec> {
        let values = self.content.defaults.iter();
        let defaults: Vec<(String, String)> =
            values.map(|(key, value)| ((*key).to_owned(), value.text.clone())).collect();
        built_in(name).with(&defaults)
    }

    /// The table `[slurm]`, with the errors in it.
    pub(super) fn slurm(&self) -> Parsed<SlurmSettings> {
        Parsed { value: self.content.slurm.clone(), errors: self.content.slurm_errors.clone() }
    }

    /// Whether there is no error.
    pub(super) fn is_intact(&self) -> bool {
        self.problem.is_none() && self.content.all_errors().is_empty()
    }

    /// Every error with its position, in the order of the lines; `None` for a file that could not be read.
    pub(super) fn diagnostics(&self) -> Option<Vec<Diagnostic>> {
        self.problem.is_none().then(|| self.content.all_errors())
    }

    /// Every error, in the order of the lines.
    pub(super) fn all_errors(&self) -> Vec<String> {
        let errors = self.content.all_errors();
        self.problem.iter().cloned().chain(errors.iter().map(ToString::to_string)).collect()
    }

    /// The errors outside of experiments.
    pub(super) fn errors_outside(&self) -> Vec<String> {
        self.problem.iter().cloned().chain(self.content.errors.iter().map(ToString::to_string)).collect()
    }

    /// An error with everything that is wrong in the file.
    pub(super) fn error(&self) -> Error {
        match &self.problem {
            Some(problem) => Error::Usage(problem.clone()),
            None => Error::Config(self.content.all_errors()),
        }
    }
}
