//! The error type of the crate: one-sentence messages and exit codes.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// A result with the error type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error that a user can see. `Display` is one sentence that names what is at fault and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An invalid command line or an invalid value of a key.
    #[error("{0}")]
    Usage(String),
    /// One or more errors in a hand-written file.
    #[error("{}", join(.0))]
    Config(Vec<Diagnostic>),
    /// An invalid data file.
    #[error("{}{}: {problem}", file.display(), line.map_or(String::new(), |l| format!(":{l}")))]
    Data {
        /// The file at fault.
        file: PathBuf,
        /// The line at fault, from 1, if known.
        line: Option<u64>,
        /// What was found and expected, and what to do.
        problem: String,
    },
    /// A model folder that cannot be used.
    #[error("model {model}: {problem}")]
    Model {
        /// Name or folder of the model.
        model: String,
        /// The file or tensor at fault, and why.
        problem: String,
    },
    /// A failed request to the hub, or a repository that cannot be used.
    #[error("{repo}: {problem}")]
    Hub {
        /// The repository, followed by the file if one was requested.
        repo: String,
        /// What happened and what to do.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}{}", path.display(), write_advice(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A device that is unavailable or out of memory.
    #[error("{0}")]
    Device(String),
    /// A training that cannot continue.
    #[error("{0}")]
    Training(String),
    /// The user stopped the work; completed work is saved.
    #[error("{0}")]
    Interrupted(String),
}

/// An error in a hand-written file, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what is valid.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl Error {
    /// The process exit code of this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Read { source, .. } | Error::Write { source, .. }
                if source.kind() == std::io::ErrorKind::OutOfMemory =>
            {
                4
            }
            Error::Training(_) | Error::Write { .. } => 1,
            Error::Usage(_) | Error::Config(_) => 2,
            Error::Data { .. } | Error::Model { .. } | Error::Hub { .. } | Error::Read { .. } => 3,
            Error::Device(_) => 4,
            Error::Interrupted(_) => 130,
        }
    }

    /// An error in a data file, at a line (from 1) or in the file as a whole.
    pub fn data(file: impl Into<PathBuf>, line: Option<u64>, problem: impl Into<String>) -> Self {
        Error::Data { file: file.into(), line, problem: problem.into() }
    }

    /// An error in a model folder.
    pub fn model(model: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Model { model: model.into(), problem: problem.into() }
    }

    /// A closure for `map_err` that turns an I/O error on reading `path` into [`Error::Read`].
    pub fn reading(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Error::Read { path: path.as_ref().to_path_buf(), source }
    }

    /// A closure for `map_err` that turns an I/O error on writing `path` into [`Error::Write`].
    pub fn writing(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Error::Write { path: path.as_ref().to_path_buf(), source }
    }
}

/// What to do about a failed write, as the end of a sentence; empty if the cause says nothing about it.
fn write_advice(cause: &std::io::Error) -> &'static str {
    if is_disk_full(cause) { "; free space, then try again" } else { "" }
}

/// Whether the cause is that a disk or a quota is full.
pub fn is_disk_full(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(cause.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The message of a panic that was caught.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}

thread_local! {
    /// Whether the panic hook is silent on this thread.
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Calls a library on the contents of a file. A panic of the library is an error with its message, and the panic hook
/// prints nothing about it: damaged input must not look like a bug in this program.
///
/// # Errors
/// The first line of the message of the panic.
pub fn catch_library_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static WRAP_HOOK: Once = Once::new();
    WRAP_HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_SILENT.get() {
                previous(panic);
            }
        }));
    });
    let was_silent = IS_SILENT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_SILENT.set(was_silent);
    result.map_err(|panic| panic_message(panic.as_ref()).lines().next().unwrap_or_default().to_owned())
}

/// The error of a panic that was caught: a library that cannot start a thread panics, and everything else is an internal
/// error.
pub fn panic_error(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic_message(panic);
    if is_out_of_resources(&text) {
        return Error::Device(format!(
            "the system has no memory or no thread left ({text}); close other programs"
        ));
    }
    Error::Training(format!("internal error: {text}"))
}

/// Whether the message of a panic is about a thread or memory that the system does not have.
pub fn is_out_of_resources(text: &str) -> bool {
    ["Resource temporarily unavailable", "Cannot allocate memory", "failed to spawn thread"]
        .iter()
        .any(|part| text.contains(part))
}

fn join(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_library_is_an_error_with_one_line() {
        assert_eq!(catch_library_panic(|| 3), Ok(3));
        let caught = catch_library_panic(|| -> u8 { panic!("first line\nsecond") });
        assert_eq!(caught, Err("first line".to_owned()));
        let nested = catch_library_panic(|| {
            let inner = catch_library_panic(|| -> u8 { panic!("inner") });
            (inner, IS_SILENT.get())
        });
        assert_eq!(nested, Ok((Err("inner".to_owned()), true)));
        assert!(!IS_SILENT.get());
    }
}
