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
//!
//! While the files cannot be written, as on a full disk, their lines are kept in memory and written later in the same
//! order.

use super::append_file::AppendFile;
use super::changed_data::Digests;
use super::diagnosis::Monitor;
use super::dir::{RunDir, with_defaults_of_runs};
use super::lock::RunLock;
use super::log_tail::for_each_line;
use super::message;
use crate::error::{Error, Result};
use crate::event::{Change, Event};
use crate::files::open_regular;
use crate::machine::Gauges;
use crate::spec::RunSpec;
use crate::text::{escaped, plural};
use crate::train::Attempt;
use serde::Serialize;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Format number, written in the first line of a log.
const FORMAT: u32 = 1;
/// Minimum seconds between two logged machine events, which are emitted more often.
const MACHINE_INTERVAL: f64 = 10.0;
/// Bytes that are read at once from the end of a log.
const BLOCK: usize = 1 << 16;
/// Time between two attempts of [`EventLog::close`].
const RETRY: Duration = Duration::from_millis(100);

/// Appends to the log of one run. Holds the lock of the run, so that no other process trains in the same directory or
/// deletes it, and a list of runs can show which are running. See the [module](self) for the format.
#[derive(Debug)]
pub struct EventLog {
    events: AppendFile,
    text: AppendFile,
    lock: RunLock,
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
    /// Opens the log of `dir`, or creates it, and removes what killed processes left in the directory.
    ///
    /// # Errors
    /// [`Error::Usage`] when another process trains in `dir`, [`Error::Read`] and [`Error::Write`] when the files
    /// cannot be used.
    pub fn open(dir: &RunDir) -> Result<Self> {
        let path = dir.events_file();
        let lock = RunLock::take_for_training(dir)?;
        let complete = complete_length(&path).map_err(Error::reading(&path))?;
        lock.events.set_len(complete).map_err(Error::writing(&path))?;
        let events = lock.events.try_clone().map_err(Error::writing(&path))?;
        dir.remove_leftovers()?;
        Ok(EventLog {
            events: AppendFile::new(events, path),
            text: AppendFile::open(dir.log_file())?,
            lock,
            is_empty: complete == 0,
            machine: MachineSampler::default(),
        })
    }

    /// Appends `event`. Progress is not logged, and machine events only every ten seconds and before the end. What
    /// cannot be written now is written by a later call. Nothing is written once a later attempt trains the run.
    ///
    /// # Errors
    /// [`Error::Write`] while a file cannot be written.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        if !self.is_current() {
            return Ok(());
        }
        match event {
            Event::Progress(_) => return Ok(()),
            Event::Machine(gauges) if !self.machine.is_due(gauges) => return Ok(()),
            Event::Ended { .. } => {
                if let Some(last) = self.machine.skipped.take() {
                    self.append(&Event::Machine(last)).ok();
                }
            }
            _ => {}
        }
        self.append(event)?;
        match self.events.take_dropped() {
            0 => Ok(()),
            count => {
                let events = plural(count, "event");
                self.append(&Event::warning(format!(
                    "{events} are missing from the log, which could not be written for too long"
                )))
            }
        }
    }

    /// Writes what is pending, and repeats it for up to `timeout` while a file cannot be written.
    ///
    /// # Errors
    /// [`Error::Write`] when a file still cannot be written.
    pub(super) fn close(mut self, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        if !self.is_current() {
            return Ok(());
        }
        loop {
            match self.events.flush().and_then(|()| self.text.flush()) {
                Err(_) if start.elapsed() < timeout => std::thread::sleep(RETRY),
                result => return result,
            }
        }
    }

    /// The attempt that writes the log, if the run counts them.
    pub(super) fn attempt(&self) -> Option<Arc<Attempt>> {
        self.lock.attempt.clone()
    }

    fn is_current(&self) -> bool {
        self.lock.attempt.as_ref().is_none_or(|attempt| attempt.check_soon().is_ok())
    }

    fn append(&mut self, event: &Event) -> Result<()> {
        let line = if self.is_empty {
            serde_json::to_vec(&FirstLine { format: FORMAT, event })
        } else {
            serde_json::to_vec(event)
        };
        let mut line = line.map_err(|e| Error::writing(self.events.path())(e.into()))?;
        line.push(b'\n');
        self.is_empty = false;
        let written = self.events.append(&line);
        let Some(line) = message::line(event) else { return written };
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S");
        let text = self.text.append(format!("{time} {}\n", escaped(&line)).as_bytes());
        written.and(text)
    }
}

/// The length of the complete lines of a log.
fn complete_length(path: &Path) -> std::io::Result<u64> {
    let mut file = open_regular(path)?;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BLOCK];
    // Only the end is read: a log can be long.
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let block = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The line of a start has this near its beginning.
pub(super) const STARTED_KIND: &[u8] = br#""kind":"started""#;
/// The line of an evaluation has this near its beginning.
pub(super) const EVAL_KIND: &[u8] = br#""kind":"eval""#;
/// The kinds of events that [`recorded`] parses, beside the first steps.
const NEEDED_KINDS: [&[u8]; 4] = [br#""kind":"command""#, STARTED_KIND, EVAL_KIND, br#""kind":"note""#];

/// What the log of a run says about how it has to be trained.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The mid-run changes in the order of their steps. The same specification with the same changes trains the same
    /// weights.
    pub(super) changes: Vec<Change>,
    /// The specification that it was trained with last.
    pub(super) spec: Option<RunSpec>,
    /// The newest digests of its data; `None` in logs of version 0.1.
    pub(super) data: Option<Digests>,
    /// The diagnoses of the training and the numbers that they were made from.
    pub(super) monitor: Monitor,
}

/// Reads the log of `dir`; a log that does not exist says nothing.
///
/// # Errors
/// [`Error::Read`] when it cannot be read.
pub(super) fn recorded(dir: &RunDir) -> Result<Recorded> {
    let path = dir.events_file();
    let mut file = match open_regular(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Recorded::default()),
        file => file.map_err(Error::reading(&path))?,
    };
    let mut recorded = Recorded::default();
    let mut read = |line: &[u8]| {
        // Few lines of a long log are of these kinds, and only those are parsed.
        let needs_step = recorded.monitor.needs_recorded_step() && is_kind(line, br#""kind":"step""#);
        let is_needed = NEEDED_KINDS.iter().any(|kind| is_kind(line, kind));
        if !is_needed && !needs_step {
            return;
        }
        let event = serde_json::from_slice(line);
        if let Ok(event) = &event {
            recorded.monitor.take(event);
        }
        match event {
            Ok(Event::Started(started)) => {
                recorded.spec = Some(with_defaults_of_runs(started.spec));
                if !started.data.is_empty() {
                    recorded.data = Some(started.data);
                }
            }
            Ok(event) => recorded.changes.extend(change(&event)),
            Err(_) => {}
        }
    };
    for_each_line(&mut file, &mut read).map_err(Error::reading(&path))?;
    // A run that was resumed from an earlier checkpoint may have received later commands for earlier steps.
    recorded.changes.sort_by_key(|change| change.step);
    Ok(recorded)
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
    is_kind(line, br#""kind":"command""#)
}

/// Whether `kind` is at the start of a line.
pub(super) fn is_kind(line: &[u8], kind: &[u8]) -> bool {
    line.windows(kind.len()).take(32).any(|part| part == kind)
}

#[cfg(test)]
mod tests {
    use super::super::lock::is_training;
    use super::super::reader::replay;
    use super::*;
    use crate::event::{Command, Status};
    use crate::files::open_append;
    use crate::machine::SystemMonitor;
    use std::io::Write;

    #[test]
    fn changes_are_recorded_once_in_the_order_of_their_steps() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        assert_eq!(recorded(&dir).unwrap().changes, []);
        let mut log = EventLog::open(&dir).unwrap();
        // Halved at 40 and killed; resumed from 30, changed at 33, halved again at 40.
        for (step, command, again) in [
            (40, Command::Halve, false),
            (33, Command::LearningRate(1e-4), false),
            (35, Command::Pause, false),
            (40, Command::Halve, true),
        ] {
            let (settings, error) = (None, None);
            log.write(&Event::Command { step, command, settings, replayed: again, error }).unwrap();
        }
        let expected = [
            Change { step: 33, command: Command::LearningRate(1e-4) },
            Change { step: 40, command: Command::Halve },
        ];
        assert_eq!(recorded(&dir).unwrap().changes, expected);
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
        let append = |bytes: &[u8]| open_append(&dir.events_file()).unwrap().write_all(bytes).unwrap();
        append(b"{\"kind\":\"from a later version\"}\n{\"kind\":\"no");
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
