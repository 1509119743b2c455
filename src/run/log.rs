//! Writes a run's events in its folder: `events.jsonl` for programs, `log.txt` for people.
//!
//! A half-written last line is no error: who goes on writing cuts it off.

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

/// Number of the log's format, in its first line.
const FORMAT: u32 = 1;
/// Seconds between two lines of what the machine is doing, which is told more often than that.
const MACHINE_EVERY: f64 = 10.0;

/// Appends to the log of one run. While it lives it holds a lock on `events.jsonl`, so that nobody else
/// trains in the same folder and a list of runs can tell which are alive.
#[derive(Debug)]
pub struct EventLog {
    dir: RunDir,
    events: File,
    text: File,
    is_empty: bool,
    machine: MachineLines,
}

/// Which of the gauges that are told are written.
#[derive(Debug, Default)]
struct MachineLines {
    /// When some were written last, in seconds since 1970.
    written: f64,
    /// The newest, while they are not.
    left_out: Option<Gauges>,
}

impl MachineLines {
    /// Whether these are to be written now.
    fn is_due(&mut self, gauges: &Gauges) -> bool {
        // A clock that was set back leaves nothing out for long.
        let is_due = (gauges.time - self.written).abs() >= MACHINE_EVERY;
        self.written = if is_due { gauges.time } else { self.written };
        self.left_out = (!is_due).then(|| gauges.clone());
        is_due
    }
}

/// The first line of a log.
#[derive(Serialize)]
struct First<'a> {
    format: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl EventLog {
    /// Opens the log of `dir`, new or to go on.
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
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        events.set_len(whole as u64).map_err(Error::writing(&path))?;
        events.seek(SeekFrom::End(0)).map_err(Error::writing(&path))?;
        let text = open_append(&dir.log_file())?;
        Ok(EventLog {
            dir: dir.clone(),
            events,
            text,
            is_empty: whole == 0,
            machine: MachineLines::default(),
        })
    }

    /// Appends `event`, unless it is of the kind that is not logged. Of what the machine is doing one line in
    /// some seconds is, and the last before the end.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Progress(_) => return Ok(()),
            Event::Machine(gauges) if !self.machine.is_due(gauges) => return Ok(()),
            Event::Ended { .. } => {
                if let Some(last) = self.machine.left_out.take() {
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
            serde_json::to_vec(&First { format: FORMAT, event })
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

/// Whether somebody holds the log of `dir`, which is to say: trains there.
pub(super) fn is_training(dir: &RunDir) -> bool {
    File::open(dir.events_file())
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// What was changed on the way of a run, in the order of its steps: the same specification with the same
/// changes trains the same weights.
pub(super) fn recorded_changes(dir: &RunDir) -> Result<Vec<Change>> {
    let path = dir.events_file();
    let text = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::reading(&path))?,
    };
    // Only few lines of a long log are commands, and only those are taken apart.
    let lines = text.split(|byte| *byte == b'\n').filter(|line| is_command(line));
    let mut trail: Vec<Change> =
        lines.filter_map(|line| change(&serde_json::from_slice(line).ok()?)).collect();
    // A run that went on from an earlier checkpoint may have been told more before the step of what it was
    // told first.
    trail.sort_by_key(|change| change.step);
    Ok(trail)
}

/// What an event of a log changed for the first time.
fn change(event: &Event) -> Option<Change> {
    match event {
        Event::Command { step, command, replayed: false, .. } if command.changes_settings() => {
            Some(Change { step: *step, command: *command })
        }
        _ => None,
    }
}

/// Whether a line of a log may be a command.
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
    fn the_trail_is_what_was_changed_first_in_the_order_of_the_steps() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        assert_eq!(recorded_changes(&dir).unwrap(), []);
        let mut log = EventLog::open(&dir).unwrap();
        // Halved at 40, then the power went; gone on with from 30, slowed at 33, halved at 40 again.
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
    fn of_the_gauges_few_are_written_and_the_last() {
        let home = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(&RunDir::at(home.path())).unwrap();
        for second in 0..35 {
            let mut gauges =
                SystemMonitor::new().expect("this system tells").read(1000.0 + f64::from(second));
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
    fn a_torn_line_is_skipped_and_then_cut_off() {
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
