//! Writes the events of a run to its directory: `events.jsonl` for programs, `log.txt` for people.
//!
//! # Format of `events.jsonl`
//!
//! Each line is one [`Event`] as a JSON object. The first line also has the field `format`, the format number, which
//! is 1. Readers skip lines and fields that they do not know, and accept the names that earlier versions wrote, so
//! adding a kind of event or a field does not change the number. It changes when a version can no longer read the
//! lines of the version before: when a field gets another meaning or unit, or is removed without a default.
//!
//! A process that is killed can leave an incomplete last line. Readers ignore it, and the next writer removes it.

use super::dir::RunDir;
use super::message;
use crate::error::{Error, Result};
use crate::event::{Change, Event};
use crate::machine::Gauges;
use crate::text::escaped;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// Format number, written in the first line of a log.
const FORMAT: u32 = 1;
/// Minimum seconds between two logged machine events, which are emitted more often.
const MACHINE_INTERVAL: f64 = 10.0;

/// Appends to the log of one run. Holds a lock on `events.jsonl`, so that no other process trains in the same
/// directory and a list of runs can show which are running. See the [module](self) for the format.
#[derive(Debug)]
pub struct EventLog {
    dir: RunDir,
    events: File,
    text: File,
    is_empty: bool,
    machine: MachineSampler,
}

/// Selects the machine events that are logged.
#[derive(Debug, Default)]
struct MachineSampler {
    /// When one was logged last, in seconds since 1970.
    last_logged: f64,
    /// The newest one, if it is not logged.
    skipped: Option<Gauges>,
}

impl MachineSampler {
    /// Whether this one is logged.
    fn is_due(&mut self, gauges: &Gauges) -> bool {
        // The absolute difference, because the clock may have been set back.
        let is_due = (gauges.time - self.last_logged).abs() >= MACHINE_INTERVAL;
        self.last_logged = if is_due { gauges.time } else { self.last_logged };
        self.skipped = (!is_due).then(|| gauges.clone());
        is_due
    }
}

/// The first line of a log: an event with the format number.
#[derive(Serialize)]
struct FirstLine<'a> {
    format: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl EventLog {
    /// Opens the log of `dir`, or creates it.
    ///
    /// # Errors
    /// [`Error::Usage`] when another process trains in `dir`, [`Error::Read`] and [`Error::Write`] when the files
    /// cannot be used.
    pub fn open(dir: &RunDir) -> Result<Self> {
        let path = dir.events_file();
        let mut events = open_append(&path)?;
        events.try_lock().map_err(|_| {
            Error::Usage(format!(
                "{} is being trained by another process; wait for it or stop it",
                dir.name()
            ))
        })?;
        let text = std::fs::read(&path).map_err(Error::reading(&path))?;
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        events.set_len(complete as u64).map_err(Error::writing(&path))?;
        events.seek(SeekFrom::End(0)).map_err(Error::writing(&path))?;
        let text = open_append(&dir.log_file())?;
        Ok(EventLog {
            dir: dir.clone(),
            events,
            text,
            is_empty: complete == 0,
            machine: MachineSampler::default(),
        })
    }

    /// Appends `event`. Progress is not logged, and machine events only every ten seconds and before the end.
    ///
    /// # Errors
    /// [`Error::Write`] when a file cannot be written.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Progress(_) => return Ok(()),
            Event::Machine(gauges) if !self.machine.is_due(gauges) => return Ok(()),
            Event::Ended { .. } => {
                if let Some(last) = self.machine.skipped.take() {
                    self.append(&Event::Machine(last))?;
                }
            }
            _ => {}
        }
        self.append(event)
    }

    fn append(&mut self, event: &Event) -> Result<()> {
        let path = self.dir.events_file();
        let line = if self.is_empty {
            serde_json::to_vec(&FirstLine { format: FORMAT, event })
        } else {
            serde_json::to_vec(event)
        };
        let mut line = line.map_err(|e| Error::writing(&path)(e.into()))?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(Error::writing(&path))?;
        self.is_empty = false;
        if let Some(line) = message::line(event) {
            let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S");
            writeln!(self.text, "{time} {}", escaped(&line)).map_err(Error::writing(self.dir.log_file()))?;
        }
        Ok(())
    }
}

fn open_append(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(Error::writing(path))
}

/// Whether a process trains in `dir`: whether it holds the lock of the log.
pub(super) fn is_training(dir: &RunDir) -> bool {
    File::open(dir.events_file())
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// The mid-run changes of a run in the order of their steps. The same specification with the same changes trains the
/// same weights.
pub(super) fn recorded_changes(dir: &RunDir) -> Result<Vec<Change>> {
    let path = dir.events_file();
    let text = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::reading(&path))?,
    };
    // Few lines of a long log are commands, and only those are parsed.
    let lines = text.split(|byte| *byte == b'\n').filter(|line| is_command(line));
    let mut changes: Vec<Change> =
        lines.filter_map(|line| change(&serde_json::from_slice(line).ok()?)).collect();
    // A run that was resumed from an earlier checkpoint may have received later commands for earlier steps.
    changes.sort_by_key(|change| change.step);
    Ok(changes)
}

/// The change of an event, unless it is a replayed one.
fn change(event: &Event) -> Option<Change> {
    match event {
        Event::Command { step, command, replayed: false, .. } if command.changes_settings() => {
            Some(Change { step: *step, command: *command })
        }
        _ => None,
    }
}

/// Whether a line of a log may be a command. Cheaper than parsing it.
pub(super) fn is_command(line: &[u8]) -> bool {
    const KIND: &[u8] = br#""kind":"command""#;
    line.windows(KIND.len()).take(32).any(|part| part == KIND)
}

#[cfg(test)]
mod tests {
    use super::super::reader::replay;
    use super::*;
    use crate::event::{Command, Status};
    use crate::machine::SystemMonitor;

    #[test]
    fn changes_are_recorded_once_in_the_order_of_their_steps() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        assert_eq!(recorded_changes(&dir).unwrap(), []);
        let mut log = EventLog::open(&dir).unwrap();
        // Halved at 40 and killed; resumed from 30, changed at 33, halved again at 40.
        for (step, command, again) in [
            (40, Command::Halve, false),
            (33, Command::LearningRate(1e-4), false),
            (35, Command::Pause, false),
            (40, Command::Halve, true),
        ] {
            log.write(&Event::Command { step, command, settings: None, replayed: again }).unwrap();
        }
        let expected = [
            Change { step: 33, command: Command::LearningRate(1e-4) },
            Change { step: 40, command: Command::Halve },
        ];
        assert_eq!(recorded_changes(&dir).unwrap(), expected);
    }

    #[test]
    fn machine_events_are_logged_every_ten_seconds_and_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(&RunDir::at(home.path())).unwrap();
        for second in 0..35 {
            let mut gauges =
                SystemMonitor::new().expect("gauges are supported").read(1000.0 + f64::from(second));
            gauges.gpus.clear();
            log.write(&Event::Machine(gauges)).unwrap();
        }
        log.write(&Event::Ended { time: 1035.0, status: Status::Finished, error: None }).unwrap();
        let time = |event| if let Event::Machine(gauges) = event { Some(gauges.time) } else { None };
        let events = replay(home.path()).unwrap();
        assert!(matches!(events.last(), Some(Event::Ended { .. })));
        let times: Vec<f64> = events.into_iter().filter_map(time).collect();
        assert_eq!(times, [1000.0, 1010.0, 1020.0, 1030.0, 1034.0]);
    }

    #[test]
    fn incomplete_last_line_is_skipped_and_then_removed() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        {
            let mut log = EventLog::open(&dir).unwrap();
            log.write(&Event::note("first")).unwrap();
            assert!(is_training(&dir));
            assert!(EventLog::open(&dir).is_err(), "one writer only");
        }
        assert!(!is_training(&dir));
        open_append(&dir.events_file())
            .unwrap()
            .write_all(b"{\"kind\":\"from a later version\"}\n{\"kind\":\"no")
            .unwrap();
        assert_eq!(replay(home.path()).unwrap().len(), 1);
        EventLog::open(&dir).unwrap().write(&Event::note("second")).unwrap();
        let texts: Vec<_> = replay(home.path())
            .unwrap()
            .into_iter()
            .map(|event| if let Event::Note { text, .. } = event { text } else { String::new() })
            .collect();
        assert_eq!(texts, ["first", "second"]);
        let lines = std::fs::read_to_string(dir.events_file()).unwrap();
        assert!(lines.starts_with(r#"{"format":1,"kind":"note""#), "{lines}");
        assert_eq!(lines.matches("format").count(), 1);
        assert!(std::fs::read_to_string(dir.log_file()).unwrap().contains("second"));
    }
}
