//! Commands from other processes: lines of `control.jsonl` in the run directory, which a training looks at a
//! few times a second.
//!
//! Why a file and not a socket: a cluster's job trains on another host, and the run directory is all that it
//! shares with who steers it. Why one file that is appended to: opening a file that was there before shows
//! over NFS what others wrote to it, while a new name in a folder may stay hidden for a minute. Nothing
//! listens anywhere: who may write in the directory may steer, nobody else. And what was asked stays, beside
//! what was obeyed in `events.jsonl`.

use super::dir::RunDir;
use super::log::{is_alive, is_command};
use crate::error::{Error, Result};
use crate::event::{Command, Event, TrainingSettings, now};
use crate::train::Handle;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at a file that another process writes.
const LOOK: Duration = Duration::from_millis(150);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct ControlRecord {
    /// Seconds since 1970.
    time: f64,
    command: Command,
}

/// The training's end: hands on what comes in until it is dropped.
pub(super) struct ControlWatcher {
    close: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlWatcher {
    /// Hands on to `handle` what is written to the run in `dir` from now on. What a run was told that ended
    /// before it obeyed is not for the one that goes on.
    pub(super) fn open(dir: &RunDir, handle: Handle) -> Result<Self> {
        let path = dir.control_file();
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::writing(&path))?;
        let mut end = Tail { at: file.metadata().map_err(Error::reading(&path))?.len(), path };
        let (close, closed) = bounded(0);
        let look = move || {
            loop {
                let is_last = closed.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
                end.lines(|line| {
                    // A line that this version does not know is passed over, as in the log.
                    if let Ok(letter) = serde_json::from_slice::<ControlRecord>(line) {
                        handle.send(letter.command);
                    }
                });
                if is_last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("mailbox".into()).spawn(look);
        let thread = thread.map_err(|e| Error::Training(format!("no thread for commands: {e}")))?;
        Ok(ControlWatcher { close: Some(close), thread: Some(thread) })
    }
}

impl Drop for ControlWatcher {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A file that somebody else appends lines to.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    at: u64,
}

impl Tail {
    /// A tail of what is written from now on.
    fn from_now(path: PathBuf) -> Self {
        let at = std::fs::metadata(&path).map_or(0, |file| file.len());
        Tail { path, at }
    }

    /// Hands on each line that is whole and new. A file that cannot be read has none now.
    fn lines(&mut self, mut take: impl FnMut(&[u8])) {
        let mut new = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            self.at = self.at.min(file.metadata()?.len());
            file.seek(SeekFrom::Start(self.at))?;
            file.read_to_end(&mut new)
        });
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if read.is_ok() && whole > 0 {
            self.at += whole as u64;
            new[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(&mut take);
        }
    }
}

/// A command that was written to a run and may not have been obeyed yet.
#[derive(Debug)]
pub struct PendingCommand {
    dir: RunDir,
    command: Command,
    logs: Vec<Tail>,
}

/// What came of a command.
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
    /// Tells the run in `dir`, whoever trains it, on whatever host.
    ///
    /// # Errors
    /// [`Error::Usage`] when nobody trains it now.
    pub fn of(dir: &Path, command: Command) -> Result<PendingCommand> {
        command.check()?;
        let dir = whole_run(RunDir::at(dir));
        let name = dir.name();
        if !is_alive(&dir) {
            let how = match dir.summary() {
                Some(summary) => summary.status.name(),
                None => "not running",
            };
            return Err(Error::Usage(format!(
                "{name} is {how}, so nobody would hear it; `glue-tui runs` tells which runs are running"
            )));
        }
        let asked = PendingCommand { logs: logs(&dir).map(Tail::from_now).collect(), dir, command };
        let path = asked.dir.control_file();
        let letter = serde_json::to_string(&ControlRecord { time: now(), command });
        let line = letter.map_err(|e| Error::writing(&path)(e.into()))? + "\n";
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).open(&path)?;
            // Two who write at once from two hosts would mix their lines.
            file.lock()?;
            file.write_all(line.as_bytes())
        };
        write().map_err(Error::writing(&path))?;
        Ok(asked)
    }

    /// Waits until it is obeyed, which is between two steps.
    ///
    /// # Errors
    /// [`Error::Training`] when the run ends before.
    pub fn wait(mut self) -> Result<CommandAck> {
        loop {
            let is_over = !is_alive(&self.dir);
            if let Some(obeyed) = self.look() {
                return Ok(obeyed);
            }
            if is_over {
                return Err(Error::Training(format!("{} ended before it obeyed", self.dir.name())));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn look(&mut self) -> Option<CommandAck> {
        // The next seed may have begun meanwhile.
        for path in logs(&self.dir) {
            if !self.logs.iter().any(|log| log.path == path) {
                self.logs.push(Tail { path, at: 0 });
            }
        }
        let mut found = None;
        for log in &mut self.logs {
            log.lines(|line| {
                let event = is_command(line).then(|| serde_json::from_slice(line).ok()).flatten();
                if let Some(Event::Command { step, command, settings, replayed: false }) = event
                    && std::mem::discriminant(&command) == std::mem::discriminant(&self.command)
                {
                    found = found.or(Some(CommandAck { step, command, settings }));
                }
            });
        }
        found
    }
}

/// The run that a seed's directory belongs to, which is told in its place; any other directory itself.
fn whole_run(dir: RunDir) -> RunDir {
    let parent = dir.path().parent().map(RunDir::at);
    let is_seed = dir.name().starts_with("seed-") && !dir.control_file().exists();
    parent.filter(|parent| is_seed && parent.control_file().exists()).unwrap_or(dir)
}

/// The logs of a run and of its seeds that have begun.
fn logs(dir: &RunDir) -> impl Iterator<Item = PathBuf> + use<> {
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
    fn a_run_that_nobody_trains_says_so() {
        let home = tempfile::tempdir().unwrap();
        let error = PendingCommand::of(home.path(), Command::Pause).unwrap_err();
        assert!(matches!(error, Error::Usage(_)) && error.to_string().contains("not running"), "{error}");
        assert!(!RunDir::at(home.path()).control_file().exists(), "nothing is left behind");
    }

    #[test]
    fn who_asks_hears_when_it_was_obeyed_and_when_it_never_will_be() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        let (control, _handle) = crate::train::control();
        let mailbox = ControlWatcher::open(&dir, control.handle()).unwrap();
        let mut log = EventLog::open(&dir).unwrap();
        let obeyed = |step, command| Event::Command { step, command, settings: None, replayed: false };
        log.write(&obeyed(1, Command::Halve)).unwrap();
        let asked = PendingCommand::of(home.path(), Command::Halve).unwrap();
        let waiting = std::thread::spawn(move || asked.wait());
        log.write(&obeyed(2, Command::Save)).unwrap();
        log.write(&obeyed(3, Command::Halve)).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().step, 3, "what was obeyed before is not the answer");
        let asked = PendingCommand::of(home.path(), Command::MaxSteps(9)).unwrap();
        assert!(PendingCommand::of(home.path(), Command::LearningRate(-1.0)).is_err());
        drop((log, mailbox));
        assert!(matches!(asked.wait(), Err(Error::Training(_))));
        let letters = std::fs::read_to_string(dir.control_file()).unwrap();
        assert_eq!(letters.lines().count(), 2);
        // Nobody who opens it later hears old letters.
        ControlWatcher::open(&dir, control.handle()).unwrap();
        let letters: Vec<ControlRecord> =
            letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(letters[1].command, Command::MaxSteps(9));
    }
}
