//! Locks on files that several programs change.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a program that holds the lock is waited for. A change under the lock takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(10);

/// Takes the exclusive lock of `file`, which is open at `path`. It is released with the file.
///
/// # Errors
/// [`Error::Usage`] when another program holds the lock for longer than five seconds, [`Error::Write`] when
/// the file system has no locks.
pub(super) fn lock(file: &File, path: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(Error::writing(path)(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() < TIMEOUT => std::thread::sleep(RETRY),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Usage(format!(
                    "another program has locked {} for {} seconds; end it and try again",
                    path.display(),
                    TIMEOUT.as_secs()
                )));
            }
        }
    }
}
