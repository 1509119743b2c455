//! Reads the event log of a run: all of it, only its new events, or only its two ends.

use super::dir::{RunDir, seed_dirs};
use super::history::History;
use super::log_tail::{LogTail, TailItem, for_each_line, parse_event};
use crate::catalog::Labels;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::files::open_regular;
use crate::spec::RunSpec;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes at the start of a log that contain the start event, even with many class names.
const START_BYTES: u64 = 1 << 18;

/// The history of a run whose log may still grow. Each event is read once.
#[derive(Debug)]
pub struct HistoryTail {
    tail: LogTail,
    history: History,
}

impl HistoryTail {
    /// The history of the run in `dir`, before anything is read.
    pub fn of(dir: &Path) -> Self {
        HistoryTail { tail: LogTail::of_events(dir), history: History::default() }
    }

    /// The history of the events read so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Reads the new events. Returns whether there were any.
    ///
    /// # Errors
    /// [`Error::Read`] when the log cannot be read.
    pub fn update(&mut self) -> Result<bool> {
        let history = &mut self.history;
        self.tail.read_events(&mut |item| match item {
            TailItem::Restarted => *history = History::default(),
            TailItem::Item(event) => history.fold(&event),
        })
    }
}

/// The events in the log of the run in `dir`.
///
/// # Errors
/// [`Error::Read`] when the log cannot be read.
pub fn replay(dir: &Path) -> Result<Vec<Event>> {
    let path = RunDir::at(dir).events_file();
    let mut file = open_regular(&path).map_err(Error::reading(&path))?;
    read_events(&mut file).map_err(Error::reading(&path))
}

/// The events of the first and of the last `bytes` of the log in `dir`. All events are in the first list when
/// the log is no longer than both together.
pub(super) fn ends(dir: &Path, bytes: u64) -> std::io::Result<(Vec<Event>, Vec<Event>)> {
    let mut file = open_regular(&RunDir::at(dir).events_file())?;
    let length = file.metadata()?.len();
    if length <= 2 * bytes {
        return Ok((read_events(&mut file)?, Vec::new()));
    }
    let first = read_events(&mut (&mut file).take(bytes))?;
    file.seek(SeekFrom::Start(length - bytes))?;
    // The first line of the end is the rest of a line, which does not parse as an event.
    let last = read_events(&mut file)?;
    Ok((first, last))
}

/// The labels of the run in `dir`: those of its task, or for task `custom` those in its log, or in that of its first seed.
/// Classes without names if the run has not started.
pub fn run_labels(dir: &RunDir, spec: &RunSpec) -> Labels {
    if !spec.task().is_custom() {
        return spec.task().labels.clone();
    }
    let seed_dirs = seed_dirs(dir.path(), spec);
    let mut dirs = std::iter::once(dir.path()).chain(seed_dirs.iter().map(PathBuf::as_path));
    let labels = |dir: &Path| {
        let (events, _) = ends(dir, START_BYTES).ok()?;
        events.into_iter().find_map(|event| match event {
            Event::Started(started) => Some(started.labels()),
            _ => None,
        })
    };
    dirs.find_map(labels).unwrap_or_default()
}

fn read_events(file: &mut impl Read) -> std::io::Result<Vec<Event>> {
    let mut events = Vec::new();
    for_each_line(file, &mut |line| events.extend(parse_event(line)))?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Step;

    fn line(step: u64) -> String {
        let (loss, learning_rate) = (1.0 / step as f64, 1e-4);
        let (epoch, grad_norm, seconds) = (step as f64 / 10.0, 0.5, 0.01);
        let (examples, tokens, usage) = (32, 640, None);
        let step = Step { step, epoch, loss, learning_rate, grad_norm, examples, tokens, seconds, usage };
        serde_json::to_string(&Event::Step(step)).unwrap() + "\n"
    }

    #[test]
    fn history_follows_a_growing_log() {
        let home = tempfile::tempdir().unwrap();
        let path = RunDir::at(home.path()).events_file();
        let lines: Vec<String> = (1..=10).map(line).collect();
        let (before, after) = lines[5].split_at(20);
        std::fs::write(&path, lines[..5].concat() + before).unwrap();
        let mut tail = HistoryTail::of(home.path());
        assert!(tail.update().unwrap());
        assert_eq!(tail.history().steps_done(), 5);
        assert!(!tail.update().unwrap(), "the sixth line is not complete");
        std::fs::write(&path, lines[..5].concat() + before + after + &lines[6..].concat()).unwrap();
        assert!(tail.update().unwrap());
        assert_eq!(*tail.history(), History::of(&replay(home.path()).unwrap()));
        assert_eq!(tail.history().steps_done(), 10);
        std::fs::write(&path, &lines[0]).unwrap();
        assert!(tail.update().unwrap());
        assert_eq!(tail.history().steps_done(), 1, "a shorter log is another one");
    }

    #[test]
    fn damaged_lines_are_skipped() {
        let home = tempfile::tempdir().unwrap();
        let unknown_task = r#"{"format":1,"kind":"started","time":1.0,"spec":{"task":"no-such-task"}}"#;
        let mut log = format!("{unknown_task}\n{}", line(1)).into_bytes();
        log.extend(b"\xff\x00\xfe garbage\n{}\nnull\n[1, 2]\n{\"kind\":\"step\"}\n");
        log.extend(line(2).as_bytes());
        log.extend(&line(3).as_bytes()[..20]);
        std::fs::write(RunDir::at(home.path()).events_file(), log).unwrap();
        let mut tail = HistoryTail::of(home.path());
        assert!(tail.update().unwrap());
        assert_eq!(tail.history().steps_done(), 2);
        assert_eq!(replay(home.path()).unwrap().len(), 2);
    }

    #[test]
    fn both_ends_of_a_long_log_are_read() {
        let home = tempfile::tempdir().unwrap();
        let note = serde_json::to_string(&Event::note("x".repeat(3 << 20))).unwrap() + "\n";
        let text = (1..=3).map(line).collect::<String>() + &note + &(4..=9).map(line).collect::<String>();
        std::fs::write(RunDir::at(home.path()).events_file(), text).unwrap();
        assert_eq!(replay(home.path()).unwrap().len(), 10);
        let steps = |events: &[Event]| {
            let step = |event: &Event| if let Event::Step(step) = event { Some(step.step) } else { None };
            events.iter().filter_map(step).collect::<Vec<_>>()
        };
        let (first, last) = ends(home.path(), 500).unwrap();
        assert_eq!((steps(&first), steps(&last)), (vec![1, 2, 3], vec![7, 8, 9]));
        let (first, last) = ends(home.path(), 1 << 30).unwrap();
        assert_eq!((first.len(), last.len()), (10, 0));
    }
}
