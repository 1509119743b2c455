//! The attempts to train a run: `attempts.jsonl` in the run directory, to which each attempt appends a line when it starts.
//! The attempt of the last such line is the current one. An earlier one stops before it writes anything else, as when a
//! batch system has started the run again on another node and the lost node comes back.
//!
//! Why a file and not only a lock: over NFS, the server may release the lock of a lost node, keep it although the
//! node is gone, or have no locks at all. Why one file that is appended to: a process that reopens an existing file
//! sees what others wrote to it, while a new file can stay invisible for a minute.

use crate::error::{Error, Result};
use crate::event::now;
use crate::files::{open_append, read_regular};
use crate::machine::host_name;
use kernels::rng::{Rng, Stream};
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "attempts.jsonl";
/// Seconds after which [`Attempt::check_soon`] reads the file again although it seems to be unchanged.
const INTERVAL: f64 = 1.0;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    /// An attempt has started.
    Started(Started),
    /// An attempt has reached the time limit of its job.
    TimedOut {
        /// When, in seconds since 1970.
        time: f64,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Started {
    /// Its number, from 1.
    number: u64,
    /// Distinguishes attempts that took the same number.
    id: String,
    /// The name of its machine.
    host: String,
    /// Its process id.
    pid: u32,
    /// Its job, if a batch system runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// When it started, in seconds since 1970.
    time: f64,
}

/// An attempt to train a run.
#[derive(Debug)]
pub struct Attempt {
    path: PathBuf,
    started: Started,
    last_check: Mutex<LastCheck>,
}

/// What the last look at the file has found.
#[derive(Debug, Default)]
struct LastCheck {
    /// When the file was read, in seconds since 1970: unlike a monotonic clock, this one continues while the machine is
    /// suspended.
    read: f64,
    length: u64,
}

impl Attempt {
    /// Starts the next attempt for the run in `dir`, from now on the current one. `job` is what a batch system calls it.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`] with the file.
    pub fn begin(dir: &Path, job: Option<String>) -> Result<Attempt> {
        let path = dir.join(FILE);
        let number = 1 + started_lines(&read_lines(&path)?).map(|line| line.number).max().unwrap_or(0);
        let (pid, time) = (std::process::id(), now());
        let entropy = u64::from(pid) << 32 ^ time.to_bits();
        let [high, low, ..] = Rng::new(entropy, Stream::Sample).block(0, 0, 0);
        let id = format!("{high:08x}{low:08x}");
        let started = Started { number, id, host: host_name(), pid, job, time };
        append(&path, &Line::Started(started.clone()))?;
        Ok(Attempt { path, started, last_check: Mutex::default() })
    }

    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        self.started.number
    }

    /// Checks that no later attempt has started. To be called before a checkpoint, weights, predictions or a summary is
    /// written.
    ///
    /// # Errors
    /// [`Error::Training`] with the later attempt.
    pub fn check(&self) -> Result<()> {
        let mut last = self.last_check.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut last)
    }

    /// As [`Attempt::check`], for what is written often: reads the file only if its length has changed, or a second after the
    /// last time.
    ///
    /// # Errors
    /// As [`Attempt::check`].
    pub fn check_soon(&self) -> Result<()> {
        let mut last = self.last_check.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = (now() - last.read).abs() < INTERVAL;
        if is_recent && std::fs::metadata(&self.path).is_ok_and(|file| file.len() == last.length) {
            return Ok(());
        }
        self.read(&mut last)
    }

    fn read(&self, last: &mut LastCheck) -> Result<()> {
        // A file that cannot be read at the moment, or that was moved with its directory, says nothing.
        let Ok(bytes) = read_regular(&self.path) else { return Ok(()) };
        match started_lines(&parse(&bytes)).last() {
            Some(current) if current.id != self.started.id => Err(self.superseded(current)),
            _ => {
                *last = LastCheck { read: now(), length: bytes.len() as u64 };
                Ok(())
            }
        }
    }

    fn superseded(&self, current: &Started) -> Error {
        let job = current.job.as_ref().map_or(String::new(), |job| format!("job {job}, "));
        Error::Training(format!(
            "attempt {} to train this run stops: attempt {} ({job}process {} on {}) has taken over the run",
            self.started.number, current.number, current.pid, current.host
        ))
    }
}

/// Whether the run in `dir` has had an attempt.
pub fn has_attempts(dir: &Path) -> bool {
    dir.join(FILE).is_file()
}

/// Whether the last attempt to train the run in `dir` was that of this job, which was then requeued.
pub fn is_attempt_of(dir: &Path, job: &str) -> bool {
    let lines = read_lines(&dir.join(FILE)).unwrap_or_default();
    started_lines(&lines).last().is_some_and(|last| last.job.as_deref() == Some(job))
}

/// Records that the run in `dir` was stopped by the time limit of its job. Returns how often it was, this time included.
///
/// # Errors
/// [`Error::Read`] or [`Error::Write`] with the file.
pub fn record_time_out(dir: &Path) -> Result<usize> {
    let path = dir.join(FILE);
    append(&path, &Line::TimedOut { time: now() })?;
    Ok(read_lines(&path)?.iter().filter(|line| matches!(line, Line::TimedOut { .. })).count())
}

fn started_lines(lines: &[Line]) -> impl Iterator<Item = &Started> {
    lines.iter().filter_map(|line| if let Line::Started(started) = line { Some(started) } else { None })
}

/// Appends a line. What a killed process left of a line is ended first.
fn append(path: &Path, line: &Line) -> Result<()> {
    let is_torn = read_regular(path).is_ok_and(|bytes| bytes.last().is_some_and(|byte| *byte != b'\n'));
    let json = serde_json::to_string(line).map_err(|e| Error::writing(path)(e.into()))?;
    let text = format!("{}{json}\n", if is_torn { "\n" } else { "" });
    let write = || -> std::io::Result<()> {
        let mut file = open_append(path)?;
        file.write_all(text.as_bytes())?;
        // Over NFS, other hosts see the line from now on.
        file.sync_all()
    };
    write().map_err(Error::writing(path))
}

fn read_lines(path: &Path) -> Result<Vec<Line>> {
    match read_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        bytes => Ok(parse(&bytes.map_err(Error::reading(path))?)),
    }
}

/// The lines that this version knows.
fn parse(bytes: &[u8]) -> Vec<Line> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_attempt_may_write() {
        let home = tempfile::tempdir().unwrap();
        assert!(!has_attempts(home.path()));
        let first = Attempt::begin(home.path(), Some("7_1".into())).unwrap();
        assert!(first.check().is_ok() && first.check_soon().is_ok());
        assert!(is_attempt_of(home.path(), "7_1") && !is_attempt_of(home.path(), "7_2"));
        let second = Attempt::begin(home.path(), Some("7_1".into())).unwrap();
        assert_eq!((first.number(), second.number()), (1, 2));
        for error in [first.check_soon(), first.check()] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("attempt 1") && error.contains("attempt 2 (job 7_1, process"), "{error}");
        }
        assert!(second.check().is_ok() && second.check_soon().is_ok());
    }

    #[test]
    fn of_two_attempts_with_one_number_the_later_line_counts() {
        let home = tempfile::tempdir().unwrap();
        let first = Attempt::begin(home.path(), None).unwrap();
        let twin = Line::Started(Started { id: "other".into(), ..first.started.clone() });
        append(&home.path().join(FILE), &twin).unwrap();
        assert!(first.check().is_err());
    }

    #[test]
    fn time_outs_are_counted_and_torn_lines_are_skipped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        std::fs::write(&path, "{\"kind\":\"from a later version\"}\n{\"kind\":\"star").unwrap();
        let attempt = Attempt::begin(home.path(), None).unwrap();
        assert_eq!(record_time_out(home.path()).unwrap(), 1);
        assert_eq!(record_time_out(home.path()).unwrap(), 2);
        assert!(attempt.check().is_ok(), "a time-out is no attempt");
        std::fs::remove_file(&path).unwrap();
        assert!(attempt.check().is_ok());
    }
}
