//! Commands from other processes: lines of `control.jsonl` in the run directory, which a training reads a few
//! times a second.
//!
//! Why a file and not a socket: a cluster's job trains on another host, and the run directory is all that it
//! shares with the user's machine. Why one file that is appended to: over NFS, a process that reopens an existing
//! file sees what others wrote to it, while a new file in a directory can stay invisible for a minute. Nothing
//! listens on a port: whoever can write to the directory can send commands. The file also records the commands
//! that were sent, beside those that were executed in `events.jsonl`.

use super::dir::RunDir;
use super::file_lock;
use super::lock::is_training;
use super::log::is_command;
use super::log_tail::{LogTail, TailItem};
use crate::error::{Error, Result};
use crate::event::{Command, Event, TrainingSettings, now};
use crate::files::{free_space, open_append};
use crate::machine::BatchTask;
use crate::train::Handle;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two reads of a file that another process writes.
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// The same in a task of a cluster: a thousand of them read files on the same disk.
const TASK_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// A disk with less free space than this, in bytes, is full: an acknowledgement may not fit.
const MIN_LOG_SPACE: u64 = 4096;
/// How long a client waits while the disk is full.
const FULL_TIMEOUT: Duration = Duration::from_secs(5);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ControlRecord {
    /// Seconds since 1970.
    time: f64,
    command: Command,
}

/// Forwards commands from the control file to a training until it is dropped.
pub(super) struct ControlWatcher {
    close: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlWatcher {
    /// Forwards to `handle` every command that is written to the run in `dir` from now on. Commands sent to an
    /// earlier process of the run are ignored.
    pub(super) fn open(dir: &RunDir, handle: Handle) -> Result<Self> {
        let path = dir.control_file();
        open_append(&path).map_err(Error::writing(&path))?;
        let mut tail = LogTail::from_end(path);
        let (close, closed) = bounded(0);
        let interval = if BatchTask::from_env().is_some() { TASK_POLL_INTERVAL } else { POLL_INTERVAL };
        let watch = move || {
            loop {
                let is_last = closed.recv_timeout(interval) != Err(RecvTimeoutError::Timeout);
                for record in new_records(&mut tail) {
                    handle.send(record.command);
                }
                if is_last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("control".into()).spawn(watch);
        let thread = thread.map_err(|e| Error::Device(format!("cannot start a thread for commands: {e}")))?;
        Ok(ControlWatcher { close: Some(close), thread: Some(thread) })
    }
}

/// The new records of a control file. Lines that this version does not know are skipped. A file that cannot be
/// read has none, and neither has one that was truncated: its lines may have been executed before.
pub(super) fn new_records(tail: &mut LogTail) -> Vec<ControlRecord> {
    let (mut records, mut is_restarted) = (Vec::new(), false);
    let read = tail.read_lines(&mut |item| match item {
        TailItem::Restarted => is_restarted = true,
        TailItem::Item(line) => records.extend(serde_json::from_slice::<ControlRecord>(line)),
    });
    if read.is_err() || is_restarted { Vec::new() } else { records }
}

impl Drop for ControlWatcher {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A command that was sent to a run and may not have been executed yet.
#[derive(Debug)]
pub struct PendingCommand {
    dir: RunDir,
    command: Command,
    logs: Vec<LogTail>,
}

/// The acknowledgement of a command that was executed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CommandAck {
    /// Optimizer steps done.
    pub step: u64,
    /// The command.
    pub command: Command,
    /// The settings from here on, after a command that changes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<TrainingSettings>,
}

impl PendingCommand {
    /// Sends `command` to the run in `dir`, whichever process on whichever host trains it: to each of its seeds if a process
    /// trains each.
    ///
    /// # Errors
    /// [`Error::Usage`] when the run is not being trained, [`Error::Write`] when the command cannot be written.
    pub fn send(dir: &Path, command: Command) -> Result<Vec<PendingCommand>> {
        command.check()?;
        let dir = controlled_run(RunDir::at(dir));
        if is_training(&dir) {
            return Ok(vec![PendingCommand::send_to(dir, command)?]);
        }
        let seeds = dir.existing_seeds().unwrap_or_default().into_iter().filter(is_training);
        let sent: Vec<PendingCommand> =
            seeds.map(|seed| PendingCommand::send_to(seed, command)).collect::<Result<_>>()?;
        if sent.is_empty() {
            let status = dir.summary().map_or("not running", |summary| summary.status.name());
            return Err(Error::Usage(format!(
                "{} is {status} and cannot receive commands; `glue-tui runs` lists the runs that are running",
                dir.name()
            )));
        }
        Ok(sent)
    }

    /// Sends `command` to the process that holds the lock of `dir`.
    fn send_to(dir: RunDir, command: Command) -> Result<PendingCommand> {
        let logs = log_files(&dir).map(LogTail::from_end).collect();
        let path = dir.control_file();
        let record = serde_json::to_string(&ControlRecord { time: now(), command });
        let line = record.map_err(|e| Error::writing(&path)(e.into()))? + "\n";
        let mut file = open_append(&path).map_err(Error::writing(&path))?;
        // Without a lock, two hosts that write at once could interleave their lines.
        file_lock::lock(&file, &path)?;
        file.write_all(line.as_bytes()).map_err(Error::writing(&path))?;
        Ok(PendingCommand { dir, command, logs })
    }

    /// The seed that it was sent to, if a process trains each seed of the run.
    pub fn seed(&self) -> Option<u64> {
        self.dir.own_seed()
    }

    /// Waits for the acknowledgement. The run executes commands between two steps.
    ///
    /// # Errors
    /// [`Error::Training`] when the command fails, when the run ends first, and when its disk is full, so that it cannot
    /// acknowledge anything.
    pub fn wait(mut self) -> Result<CommandAck> {
        let mut full_since: Option<Instant> = None;
        loop {
            let is_over = !is_training(&self.dir);
            if let Some(answer) = self.poll() {
                return answer;
            }
            let is_full = free_space(self.dir.path()).is_some_and(|bytes| bytes < MIN_LOG_SPACE);
            full_since = if is_full { full_since.or_else(|| Some(Instant::now())) } else { None };
            if full_since.is_some_and(|since| since.elapsed() >= FULL_TIMEOUT) {
                return Err(Error::Training(format!(
                    "{} has received the command but cannot acknowledge it: the disk of {} is full; free space",
                    self.dir.name(),
                    self.dir.path().display()
                )));
            }
            if is_over {
                return Err(Error::Training(format!(
                    "{} ended before it executed the command",
                    self.dir.name()
                )));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn poll(&mut self) -> Option<Result<CommandAck>> {
        // The next seed may have started since the last poll.
        for path in log_files(&self.dir) {
            if !self.logs.iter().any(|log| log.path() == path) {
                self.logs.push(LogTail::from_start(path));
            }
        }
        let mut answer = None;
        let name = self.dir.name();
        for log in &mut self.logs {
            let read = log.read_lines(&mut |item| {
                let TailItem::Item(line) = item else { return };
                let event = is_command(line).then(|| serde_json::from_slice(line).ok()).flatten();
                if let Some(Event::Command { step, command, settings, replayed: false, error }) = event
                    && std::mem::discriminant(&command) == std::mem::discriminant(&self.command)
                {
                    let failed = |error| Err(Error::Training(format!("{name} could not {command}: {error}")));
                    let found = error.map_or(Ok(CommandAck { step, command, settings }), failed);
                    answer.get_or_insert(found);
                }
            });
            // A log that cannot be read at the moment is read at the next poll.
            read.ok();
        }
        answer
    }
}

/// The run that reads the control file: for the directory of a seed, the run that the seed belongs to.
fn controlled_run(dir: RunDir) -> RunDir {
    let parent = dir.path().parent().map(RunDir::at);
    let is_seed = dir.name().starts_with("seed-") && !dir.control_file().exists();
    parent.filter(|parent| is_seed && parent.control_file().exists()).unwrap_or(dir)
}

/// The logs of a run and of its seeds that have started.
fn log_files(dir: &RunDir) -> impl Iterator<Item = PathBuf> + use<> {
    let seeds = std::fs::read_dir(dir.path()).into_iter().flatten().flatten();
    let seeds = seeds.filter(|entry| entry.file_name().to_string_lossy().starts_with("seed-"));
    let seeds = seeds.map(|entry| RunDir::at(entry.path()));
    std::iter::once(dir.clone()).chain(seeds).map(|dir| dir.events_file()).filter(|log| log.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::log::EventLog;
    use super::*;

    #[test]
    fn command_to_a_run_that_is_not_training_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let error = PendingCommand::send(home.path(), Command::Pause).unwrap_err();
        assert!(matches!(error, Error::Usage(_)) && error.to_string().contains("not running"), "{error}");
        assert!(!RunDir::at(home.path()).control_file().exists(), "no file is created");
    }

    #[test]
    fn wait_returns_the_acknowledgement_or_the_end_of_the_run() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        let (control, _handle) = crate::train::control();
        let watcher = ControlWatcher::open(&dir, control.handle()).unwrap();
        let mut log = EventLog::open(&dir).unwrap();
        let executed =
            |step, command| Event::Command { step, command, settings: None, replayed: false, error: None };
        let send = |command| PendingCommand::send(home.path(), command).unwrap().remove(0);
        log.write(&executed(1, Command::Halve)).unwrap();
        let pending = send(Command::Halve);
        let waiting = std::thread::spawn(move || pending.wait());
        log.write(&executed(2, Command::Save)).unwrap();
        log.write(&executed(3, Command::Halve)).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().step, 3, "step 1 was before the command was sent");
        let pending = send(Command::Save);
        let (step, command, settings, replayed) = (4, Command::Save, None, false);
        let error = Some("the disk is full".to_string());
        log.write(&Event::Command { step, command, settings, replayed, error }).unwrap();
        let error = pending.wait().unwrap_err().to_string();
        assert!(error.ends_with("could not save: the disk is full"), "{error}");
        let pending = send(Command::MaxSteps(9));
        assert!(PendingCommand::send(home.path(), Command::LearningRate(-1.0)).is_err());
        drop((log, watcher));
        assert!(matches!(pending.wait(), Err(Error::Training(_))));
        let text = std::fs::read_to_string(dir.control_file()).unwrap();
        let records: Vec<ControlRecord> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[2].command, Command::MaxSteps(9));
    }

    #[test]
    fn only_new_records_of_a_growing_file_are_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("control.jsonl");
        let record = "{\"time\":1.0,\"command\":\"pause\"}\n";
        std::fs::write(&path, record).unwrap();
        let mut tail = LogTail::from_end(path.clone());
        assert_eq!(new_records(&mut tail).len(), 0);
        std::fs::write(&path, format!("{record}{record}unknown\n{record}{{\"time\"")).unwrap();
        assert_eq!(new_records(&mut tail).len(), 2);
        std::fs::write(&path, record).unwrap();
        assert_eq!(new_records(&mut tail).len(), 0, "a truncated file has old commands");
        std::fs::write(&path, format!("{record}{record}")).unwrap();
        assert_eq!(new_records(&mut tail).len(), 1);
    }
}
