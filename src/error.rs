//! What can go wrong, in one sentence each, with the exit code that tells a script which kind it was.

use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error is this crate's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything a user can meet. `Display` is one sentence that names what is at fault and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A wrong command line or a wrong value of a key.
    #[error("{0}")]
    Usage(String),
    /// A file that a person writes, with one or more mistakes.
    #[error("{}", join(.0))]
    Config(Vec<Diagnostic>),
    /// A data file that is not what it should be.
    #[error("{}{}: {problem}", file.display(), line.map_or(String::new(), |l| format!(":{l}")))]
    Data {
        /// The file at fault.
        file: PathBuf,
        /// Its line, from 1, where there is one.
        line: Option<u64>,
        /// What was found, what was expected and what to do.
        problem: String,
    },
    /// A model folder that cannot be used.
    #[error("model {model}: {problem}")]
    Model {
        /// Name or folder of the model.
        model: String,
        /// Which file or tensor is at fault, and how.
        problem: String,
    },
    /// Something that the hub refused or the network lost.
    #[error("{repo}: {problem}")]
    Hub {
        /// The repository, with the file where one was asked for.
        repo: String,
        /// What happened and what to do.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A device that is not there or has no room.
    #[error("{0}")]
    Device(String),
    /// A training that cannot go on.
    #[error("{0}")]
    Training(String),
    /// The user stopped the work; what was done is saved.
    #[error("{0}")]
    Interrupted(String),
}

/// One mistake in a file that a person writes, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl Error {
    /// The process exit code that this error stands for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Training(_) | Error::Write { .. } => 1,
            Error::Usage(_) | Error::Config(_) => 2,
            Error::Data { .. } | Error::Model { .. } | Error::Hub { .. } | Error::Read { .. } => 3,
            Error::Device(_) => 4,
            Error::Interrupted(_) => 130,
        }
    }

    /// A data file's fault at a line (from 1), or of the whole file.
    pub fn data(file: impl Into<PathBuf>, line: Option<u64>, problem: impl Into<String>) -> Self {
        Error::Data { file: file.into(), line, problem: problem.into() }
    }

    /// A model folder's fault.
    pub fn model(model: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Model { model: model.into(), problem: problem.into() }
    }

    /// A closure for `map_err` on reading `path`.
    pub fn reading(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Error::Read { path: path.as_ref().to_path_buf(), source }
    }

    /// A closure for `map_err` on writing `path`.
    pub fn writing(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Error::Write { path: path.as_ref().to_path_buf(), source }
    }
}

/// The message of a panic that was caught.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}

fn join(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
