//! Reads a file of lines that another process appends to: `events.jsonl` and `control.jsonl`.
//!
//! A line without its newline is not complete yet: it is left for the next read.

use super::dir::RunDir;
use crate::error::{Error, Result};
use crate::event::{Event, Step};
use crate::files::open_regular;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
/// Bytes of a line that are kept in memory at most.
const MAX_LINE: usize = 64 << 20;
/// How the line of a step starts, as [`EventLog`](super::EventLog) writes it.
const STEP_PREFIX: &[u8] = br#"{"kind":"step","#;

/// What a read of a growing file found.
#[derive(Debug)]
pub enum TailItem<T> {
    /// The file is shorter than what was read of it: another file took its place and is read from its start.
    Restarted,
    /// The next line or event.
    Item(T),
}

/// A position in a growing file of lines. Each complete line is read once.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    /// Bytes of the complete lines read so far.
    offset: u64,
}

impl LogTail {
    /// Reads the event log of the run in `dir` from its start.
    pub fn of_events(dir: &Path) -> Self {
        LogTail::from_start(RunDir::at(dir).events_file())
    }

    /// Reads `path` from its start.
    pub(super) fn from_start(path: PathBuf) -> Self {
        LogTail { path, offset: 0 }
    }

    /// Reads only what is appended to `path` from now on.
    pub(super) fn from_end(path: PathBuf) -> Self {
        let offset = std::fs::metadata(&path).map_or(0, |file| file.len());
        LogTail { path, offset }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Passes each new complete line to `on_line`, without its newline. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read.
    pub fn read_lines(&mut self, on_line: &mut dyn FnMut(TailItem<&[u8]>)) -> Result<bool> {
        let mut file = open_regular(&self.path).map_err(Error::reading(&self.path))?;
        let length = file.metadata().map_err(Error::reading(&self.path))?.len();
        if length < self.offset {
            on_line(TailItem::Restarted);
            self.offset = 0;
        }
        if length == self.offset {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(Error::reading(&self.path))?;
        let read = for_each_line(&mut file, &mut |line| on_line(TailItem::Item(line)))
            .map_err(Error::reading(&self.path))?;
        self.offset += read;
        Ok(read > 0)
    }

    /// Passes each new event to `on_event`; lines that this version does not know are skipped. Returns whether
    /// there was a new line.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read.
    pub fn read_events(&mut self, on_event: &mut dyn FnMut(TailItem<Event>)) -> Result<bool> {
        self.read_lines(&mut |item| match item {
            TailItem::Restarted => on_event(TailItem::Restarted),
            TailItem::Item(line) => {
                if let Some(event) = parse_event(line) {
                    on_event(TailItem::Item(event));
                }
            }
        })
    }
}

/// Passes each complete line of `file` to `on_line`, without its newline. Returns how many bytes those lines
/// have, with their newlines.
pub(super) fn for_each_line(file: &mut impl Read, on_line: &mut dyn FnMut(&[u8])) -> std::io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    // Bytes at the start of the buffer that belong to an incomplete line.
    let mut partial = 0;
    let mut complete = 0;
    loop {
        if partial >= MAX_LINE {
            // No writer makes such a line; its pieces are lines that do not parse.
            complete += partial as u64;
            partial = 0;
        } else if partial == buffer.len() {
            buffer.resize(2 * partial, 0);
        }
        let count = match file.read(&mut buffer[partial..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            return Ok(complete);
        }
        let filled = partial + count;
        let newline = buffer[partial..filled].iter().rposition(|byte| *byte == b'\n');
        let Some(end) = newline.map(|position| partial + position) else {
            partial = filled;
            continue;
        };
        buffer[..end].split(|byte| *byte == b'\n').for_each(&mut *on_line);
        buffer.copy_within(end + 1..filled, 0);
        partial = filled - end - 1;
        complete += end as u64 + 1;
    }
}

/// The event of a line of `events.jsonl`; `None` for a line that this version does not know.
pub fn parse_event(line: &[u8]) -> Option<Event> {
    // Nearly all lines are steps. Parsing one as a tagged enum takes most of the time of opening a long run,
    // because serde buffers the fields until it finds the tag.
    if line.starts_with(STEP_PREFIX) {
        return serde_json::from_slice::<Step>(line).ok().map(Event::Step);
    }
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(tail: &mut LogTail) -> Vec<String> {
        let mut found = Vec::new();
        tail.read_lines(&mut |item| match item {
            TailItem::Restarted => found.push("restarted".into()),
            TailItem::Item(line) => found.push(String::from_utf8_lossy(line).into_owned()),
        })
        .unwrap();
        found
    }

    #[test]
    fn step_line_parses_like_any_event() {
        let step = Step {
            step: 7,
            epoch: 0.7,
            loss: 1.0 / 7.0,
            learning_rate: 1e-4,
            grad_norm: 0.5,
            examples: 32,
            tokens: 640,
            seconds: 0.01,
            usage: None,
        };
        let line = serde_json::to_string(&Event::Step(step)).unwrap();
        assert!(line.as_bytes().starts_with(STEP_PREFIX), "{line}");
        assert_eq!(parse_event(line.as_bytes()), serde_json::from_str(&line).ok());
        assert_eq!(parse_event(br#"{"kind":"step","step":7}"#), None);
        assert_eq!(parse_event(br#"{"kind":"stepped","step":7}"#), None);
    }

    #[test]
    fn each_complete_line_is_read_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        assert!(LogTail::from_start(path.clone()).read_lines(&mut |_| {}).is_err());
        std::fs::write(&path, "a\nb\nc").unwrap();
        let (mut tail, mut end) = (LogTail::from_start(path.clone()), LogTail::from_end(path.clone()));
        assert_eq!(lines(&mut tail), ["a", "b"]);
        assert_eq!(lines(&mut tail), [""; 0], "the last line is not complete");
        std::fs::write(&path, "a\nb\ncd\n\ne\n").unwrap();
        assert_eq!(lines(&mut tail), ["cd", "", "e"]);
        assert_eq!(lines(&mut end), ["d", "", "e"]);
        std::fs::write(&path, "x\n").unwrap();
        assert_eq!(lines(&mut tail), ["restarted", "x"], "a shorter file is another one");
    }

    #[test]
    fn line_may_be_longer_than_a_chunk() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let long = "x".repeat(3 * CHUNK);
        std::fs::write(&path, format!("a\n{long}\nb\n")).unwrap();
        let found = lines(&mut LogTail::from_start(path.clone()));
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [1, 3 * CHUNK, 1]);
        // Zeros that take no space on the disk.
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length + 5 * MAX_LINE as u64).unwrap();
        std::io::Write::write_all(&mut &file, b"\nlast\n").unwrap();
        let (mut longest, mut last) = (0, Vec::new());
        for_each_line(&mut std::fs::File::open(&path).unwrap(), &mut |line| {
            longest = longest.max(line.len());
            last = line.to_vec();
        })
        .unwrap();
        assert!(longest <= MAX_LINE && last == b"last", "{longest}");
    }
}
