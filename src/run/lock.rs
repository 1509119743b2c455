//! The lock of a run: a lock on its `events.jsonl`, which the process that trains it holds, and whoever deletes it. The
//! operating system releases it when the process ends, however it ends.
//!
//! `holder.json` says who trains the run. It means nothing while the lock is free: a killed process leaves it behind.

use super::dir::RunDir;
use crate::error::{Error, Result};
use crate::event::now;
use crate::files::{is_at, open_append, open_regular, read_regular, write_atomic};
use crate::machine::{BatchTask, host_name};
use crate::train::{Attempt, has_attempts, is_attempt_of};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A list of runs holds the lock for microseconds while it finds out whether the run is being trained.
const ATTEMPTS: u32 = 20;
/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(10);
/// How long a requeued task waits for the lock of its earlier attempt, which stops when it notices the later one.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(20);

/// The lock of one log.
#[derive(Debug)]
pub(super) struct RunLock {
    /// `events.jsonl`, opened for appending.
    pub(super) events: File,
    /// `holder.json`, if this process has written it.
    holder: Option<PathBuf>,
    /// The attempt that holds it, if the run counts them.
    pub(super) attempt: Option<Arc<Attempt>>,
}

/// The process that holds the lock of a run.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    /// Its process id.
    pid: u32,
    /// The name of its machine.
    host: String,
    /// When it took the lock, in seconds since 1970.
    time: f64,
}

impl RunLock {
    /// Locks `events.jsonl` of `dir`, which is created if it does not exist.
    ///
    /// # Errors
    /// [`Error::Usage`] when another process holds the lock or the file system has no locks, [`Error::Write`] when the
    /// file cannot be used.
    pub(super) fn take(dir: &RunDir) -> Result<RunLock> {
        let path = dir.events_file();
        let events = open_append(&path).map_err(Error::writing(&path))?;
        for attempt in 1.. {
            match events.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(RETRY),
                Err(TryLockError::WouldBlock) => return Err(locked(dir)),
                Err(TryLockError::Error(error)) => return Err(no_locks(dir, &error)),
            }
        }
        RunLock::of(dir, events)
    }

    /// [`RunLock::take`] for the task `task` of a batch system, which may be the requeued task of a lost node. An earlier
    /// attempt of the same task is waited for, and then it does not matter whether it still has the lock: it writes
    /// nothing any more. On a file system without locks the attempts alone keep two processes apart.
    fn take_over(dir: &RunDir, task: &BatchTask) -> Result<RunLock> {
        let begin = || Attempt::begin(dir.path(), Some(task.id.clone()));
        let is_requeued = task.is_restarted && is_attempt_of(dir.path(), &task.id);
        // The earlier attempt stops when it sees this one.
        let begun = if is_requeued { Some(begin()?) } else { None };
        let path = dir.events_file();
        let events = open_append(&path).map_err(Error::writing(&path))?;
        let start = Instant::now();
        loop {
            match events.try_lock() {
                Ok(()) | Err(TryLockError::Error(_)) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < TAKE_OVER_TIMEOUT => {
                    std::thread::sleep(RETRY);
                }
                Err(TryLockError::WouldBlock) if is_requeued => break,
                Err(TryLockError::WouldBlock) => return Err(locked(dir)),
            }
        }
        let attempt = begun.map_or_else(begin, Ok)?;
        let mut lock = RunLock::of(dir, events)?;
        lock.attempt = Some(Arc::new(attempt));
        Ok(lock)
    }

    /// The lock whose file is locked.
    fn of(dir: &RunDir, events: File) -> Result<RunLock> {
        let path = dir.events_file();
        // Another process may have deleted the run before the lock was free. Some network file systems change the inode
        // number of a file, so a run is deleted only if there is no file at its path.
        if !is_at(&events, &path) && !path.is_file() {
            return Err(Error::writing(&path)(std::io::ErrorKind::NotFound.into()));
        }
        Ok(RunLock { events, holder: None, attempt: None })
    }

    /// [`RunLock::take`] for a training: other processes can read who holds the lock.
    pub(super) fn take_for_training(dir: &RunDir) -> Result<RunLock> {
        let mut lock = match BatchTask::from_env() {
            Some(task) => RunLock::take_over(dir, &task)?,
            None => RunLock::take(dir)?,
        };
        if lock.attempt.is_none() && has_attempts(dir.path()) {
            lock.attempt = Some(Arc::new(Attempt::begin(dir.path(), None)?));
        }
        let holder = Holder { pid: std::process::id(), host: host_name(), time: now() };
        let path = dir.holder_file();
        // The lock does not need this file, which may not fit on a full disk.
        if let Ok(json) = serde_json::to_vec(&holder)
            && write_atomic(&path, &json).is_ok()
        {
            lock.holder = Some(path);
        }
        Ok(lock)
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        let is_current = self.attempt.as_ref().is_none_or(|attempt| attempt.check().is_ok());
        if let Some(path) = self.holder.as_ref().filter(|_| is_current) {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Locks a run and its seeds, so that no process trains any of them until the locks are dropped.
///
/// # Errors
/// As [`RunLock::take`].
pub(super) fn lock_with_seeds(dir: &RunDir) -> Result<Vec<RunLock>> {
    let mut locks = vec![RunLock::take(dir)?];
    for seed in dir.existing_seeds()? {
        locks.push(RunLock::take(&seed)?);
    }
    Ok(locks)
}

/// Whether a process holds the lock of the run in `dir`.
pub fn is_training(dir: &RunDir) -> bool {
    open_regular(&dir.events_file())
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The error on a file system without locks, such as Lustre without the option `flock`.
fn no_locks(dir: &RunDir, cause: &std::io::Error) -> Error {
    let dir = dir.path().display();
    Error::Usage(format!(
        "cannot lock the run {dir}: {cause}; its file system needs locks (flock), choose another with --runs-dir"
    ))
}

fn locked(dir: &RunDir) -> Error {
    let holder = read_regular(&dir.holder_file()).ok();
    let holder: Option<Holder> = holder.and_then(|json| serde_json::from_slice(&json).ok());
    let holder = match holder {
        Some(Holder { pid, host, .. }) if host == host_name() => format!("process {pid}"),
        Some(Holder { pid, host, .. }) => format!("process {pid} on {host}"),
        None => "another process".into(),
    };
    Error::Usage(format!("{} is being trained by {holder}; wait for it or stop it", dir.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_of_a_locked_run_is_named() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        assert!(!is_training(&dir));
        let lock = RunLock::take_for_training(&dir).unwrap();
        assert!(is_training(&dir));
        let error = RunLock::take(&dir).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(!dir.holder_file().exists() && !is_training(&dir));
        RunLock::take(&dir).unwrap();
    }

    #[test]
    fn lock_of_a_seed_is_part_of_the_lock_of_its_run() {
        let home = tempfile::tempdir().unwrap();
        let (dir, seed) = (RunDir::at(home.path()), RunDir::at(home.path().join("seed-7")));
        std::fs::create_dir(seed.path()).unwrap();
        let lock = RunLock::take(&seed).unwrap();
        assert!(lock_with_seeds(&dir).unwrap_err().to_string().contains("seed-7"));
        drop(lock);
        assert_eq!(lock_with_seeds(&dir).unwrap().len(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn linked_log_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("precious");
        std::fs::write(&target, "no newline").unwrap();
        let dir = RunDir::at(home.path());
        std::os::unix::fs::symlink(&target, dir.events_file()).unwrap();
        let error = RunLock::take(&dir).unwrap_err().to_string();
        assert!(error.contains("events.jsonl") && error.contains("symbolic link"), "{error}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "no newline");
    }
}
