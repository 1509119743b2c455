//! Errors of Parquet files.

use crate::error::{Error, Result, catch_library_panic};
use parquet::errors::ParquetError;
use std::path::Path;

/// Runs code of the Parquet library, whose errors and panics are faults of the file.
pub(super) fn caught<T>(path: &Path, work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    match catch_library_panic(work) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(unreadable(path, &error)),
        Err(panic) => Err(damaged(path, &panic)),
    }
}

/// The error for a file that the library cannot read: damaged, or written in a way that it does not support.
fn unreadable(path: &Path, error: &ParquetError) -> Error {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    match error {
        ParquetError::NYI(_) => {
            let problem =
                format!("uses a feature of Parquet that is not supported ({line}); rewrite it with pandas");
            Error::data(path, None, problem)
        }
        _ => damaged(path, line),
    }
}

/// The error for a file that is not valid Parquet.
pub(super) fn damaged(path: &Path, problem: &str) -> Error {
    const LENGTH: usize = 200;
    let problem: String = problem.chars().take(LENGTH).collect();
    Error::data(path, None, format!("is not valid Parquet ({problem}); the file is incomplete or damaged"))
}
