//! Reads `events.jsonl`: from the beginning, on from where it stopped, or only both ends of a long one.
//!
//! Lines that this version does not know are skipped. A half-written last line is no error: who reads
//! stops before it and takes it when it is whole.

use super::dir::RunDir;
use super::history::History;
use crate::error::{Error, Result};
use crate::event::{Event, Step};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// How the line of the commonest event begins, as it is written.
const STEP: &[u8] = br#"{"kind":"step","#;

/// What is new in a log.
#[derive(Debug)]
pub enum News {
    /// Another run has taken the place of the one that was read, and is read from its beginning.
    Anew,
    /// One more event.
    RunEvent(Event),
}

/// The end of a log that may still grow: each event is passed on once.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// Bytes of whole lines that were passed on.
    read: u64,
}

impl Tail {
    /// The log of the run in `dir`, before anything is read.
    pub fn of(dir: &Path) -> Self {
        Tail { path: RunDir::at(dir).events_file(), read: 0 }
    }

    /// Passes on what is new; says whether anything is.
    pub fn news(&mut self, take: &mut dyn FnMut(News)) -> Result<bool> {
        let mut file = File::open(&self.path).map_err(Error::reading(&self.path))?;
        let length = file.metadata().map_err(Error::reading(&self.path))?.len();
        if length < self.read {
            take(News::Anew);
            self.read = 0;
        }
        file.seek(SeekFrom::Start(self.read)).map_err(Error::reading(&self.path))?;
        let whole = events_of(&mut file, &mut |event| take(News::RunEvent(event)))
            .map_err(Error::reading(&self.path))?;
        self.read += whole;
        Ok(whole > 0)
    }
}

/// The history of a log that may still grow. What was read once is not read again.
#[derive(Debug)]
pub struct Follower {
    tail: Tail,
    history: History,
}

impl Follower {
    /// The history of the run in `dir`, before anything is read.
    pub fn of(dir: &Path) -> Self {
        Follower { tail: Tail::of(dir), history: History::default() }
    }

    /// What is read so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Reads what is new; says whether anything is.
    pub fn follow(&mut self) -> Result<bool> {
        let history = &mut self.history;
        self.tail.news(&mut |news| match news {
            News::Anew => *history = History::default(),
            News::RunEvent(event) => history.fold(&event),
        })
    }
}

/// The logged events of the run in `dir`.
pub fn replay(dir: &Path) -> Result<Vec<Event>> {
    let path = RunDir::at(dir).events_file();
    let mut events = Vec::new();
    let mut file = File::open(&path).map_err(Error::reading(&path))?;
    events_of(&mut file, &mut |event| events.push(event)).map_err(Error::reading(&path))?;
    Ok(events)
}

/// The events of the first and of the last `bytes` of the log in `dir`: all events, and then none, of
/// one that is no longer than both together.
pub(super) fn ends(dir: &Path, bytes: u64) -> std::io::Result<(Vec<Event>, Vec<Event>)> {
    let mut file = File::open(RunDir::at(dir).events_file())?;
    let length = file.metadata()?.len();
    let (mut begin, mut end) = (Vec::new(), Vec::new());
    if length <= 2 * bytes {
        events_of(&mut file, &mut |event| begin.push(event))?;
        return Ok((begin, end));
    }
    events_of(&mut (&mut file).take(bytes), &mut |event| begin.push(event))?;
    file.seek(SeekFrom::Start(length - bytes))?;
    // The first line of the end is the rest of a line; no event begins in its middle.
    events_of(&mut file, &mut |event| end.push(event))?;
    Ok((begin, end))
}

/// Passes every event of the whole lines of `log` on. Returns how many bytes those lines are.
fn events_of(log: &mut impl Read, take: &mut dyn FnMut(Event)) -> std::io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut held = 0;
    let mut whole = 0;
    loop {
        if held == buffer.len() {
            buffer.resize(2 * held, 0);
        }
        let count = match log.read(&mut buffer[held..]) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            return Ok(whole);
        }
        let filled = held + count;
        let new = &buffer[held..filled];
        let Some(end) = new.iter().rposition(|byte| *byte == b'\n').map(|at| held + at + 1) else {
            held = filled;
            continue;
        };
        buffer[..end].split(|byte| *byte == b'\n').filter_map(event).for_each(&mut *take);
        buffer.copy_within(end..filled, 0);
        held = filled - end;
        whole += end as u64;
    }
}

/// The event of a line, if it is one that this version knows.
fn event(line: &[u8]) -> Option<Event> {
    // Nearly all lines are steps. Their kind is seen at a glance, where finding it among the fields
    // would take most of the time of opening a long run.
    if line.starts_with(STEP) {
        return serde_json::from_slice::<Step>(line).ok().map(Event::Step);
    }
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64) -> String {
        let (loss, learning_rate) = (1.0 / step as f64, 1e-4);
        let (epoch, grad_norm, seconds) = (step as f64 / 10.0, 0.5, 0.01);
        let (examples, tokens, usage) = (32, 640, None);
        let step = Step { step, epoch, loss, learning_rate, grad_norm, examples, tokens, seconds, usage };
        serde_json::to_string(&Event::Step(step)).unwrap() + "\n"
    }

    #[test]
    fn a_step_is_read_as_it_was_written() {
        let line = line(7);
        assert!(line.as_bytes().starts_with(STEP), "{line}");
        assert_eq!(event(line.trim_end().as_bytes()), serde_json::from_str(&line).ok());
        assert_eq!(event(br#"{"kind":"step","step":7}"#), None);
        assert_eq!(event(br#"{"kind":"stepped","step":7}"#), None);
    }

    #[test]
    fn a_growing_log_is_read_once_and_torn_lines_wait() {
        let home = tempfile::tempdir().unwrap();
        let path = RunDir::at(home.path()).events_file();
        let lines: Vec<String> = (1..=10).map(line).collect();
        let (before, after) = lines[5].split_at(20);
        std::fs::write(&path, lines[..5].concat() + before).unwrap();
        let mut follower = Follower::of(home.path());
        assert!(follower.follow().unwrap());
        assert_eq!(follower.history().steps_done(), 5);
        assert!(!follower.follow().unwrap(), "half a line is nothing yet");
        std::fs::write(&path, lines[..5].concat() + before + after + &lines[6..].concat()).unwrap();
        assert!(follower.follow().unwrap());
        assert_eq!(*follower.history(), History::of(&replay(home.path()).unwrap()));
        assert_eq!(follower.history().steps_done(), 10);
        std::fs::write(&path, &lines[0]).unwrap();
        assert!(follower.follow().unwrap());
        assert_eq!(follower.history().steps_done(), 1, "a shorter log is another one");
    }

    #[test]
    fn lines_longer_than_a_chunk_and_both_ends_are_found() {
        let home = tempfile::tempdir().unwrap();
        let note = serde_json::to_string(&Event::note("x".repeat(3 * CHUNK))).unwrap() + "\n";
        let text = (1..=3).map(line).collect::<String>() + &note + &(4..=9).map(line).collect::<String>();
        std::fs::write(RunDir::at(home.path()).events_file(), text).unwrap();
        assert_eq!(replay(home.path()).unwrap().len(), 10);
        let steps = |events: &[Event]| {
            let step = |event: &Event| if let Event::Step(step) = event { Some(step.step) } else { None };
            events.iter().filter_map(step).collect::<Vec<_>>()
        };
        let (begin, end) = ends(home.path(), 500).unwrap();
        assert_eq!((steps(&begin), steps(&end)), (vec![1, 2, 3], vec![7, 8, 9]));
        let (begin, end) = ends(home.path(), 1 << 30).unwrap();
        assert_eq!((begin.len(), end.len()), (10, 0));
    }
}
