//! Event files while a run is trained, and of a whole run.

use super::summarizer::Summarizer;
use crate::error::{Error, Result};
use crate::event::{Event, now};
use crate::run::append_file::AppendFile;
use crate::run::dir::RunDir;
use crate::run::log_tail::{LogTail, TailItem};
use crate::train::Attempt;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two reads of the event log.
const INTERVAL: Duration = Duration::from_millis(500);
/// How the name of an event file starts, as TensorBoard requires.
const PREFIX: &str = "events.out.tfevents.";

/// Appends what is new in the event log of a run to an event file. It only reads the log, so it cannot delay the training.
#[derive(Debug)]
pub(in crate::run) struct TensorBoardWriter {
    folder: PathBuf,
    log: LogTail,
    summarizer: Summarizer,
    /// The file of this attempt, once it exists.
    file: Option<AppendFile>,
    attempt: Option<Arc<Attempt>>,
    has_failed: bool,
}

impl TensorBoardWriter {
    /// For the run in `dir`, before `attempt` writes to its log. What the log has so far is written too.
    pub(in crate::run) fn open(dir: &RunDir, attempt: Option<Arc<Attempt>>) -> Self {
        TensorBoardWriter {
            folder: dir.tensorboard(),
            log: LogTail::of_events(dir.path()),
            summarizer: Summarizer::default(),
            file: None,
            attempt,
            has_failed: false,
        }
    }

    /// Writes what is new twice a second until the channel is disconnected. A file that cannot be written is reported in
    /// a warning, and its records are written later.
    pub(in crate::run) fn run(mut self, closed: &Receiver<()>, emit: &dyn Fn(Event)) {
        loop {
            let is_closed = closed.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout);
            if self.attempt.as_ref().is_some_and(|attempt| attempt.check_soon().is_err()) {
                // The log has the events of a later attempt.
                return;
            }
            match (self.update(), self.has_failed) {
                (Err(error), false) => {
                    self.has_failed = true;
                    emit(Event::warning(format!("TensorBoard's event file is not written: {error}")));
                }
                (Ok(()), true) => {
                    self.has_failed = false;
                    emit(Event::note("TensorBoard's event file is written again"));
                }
                _ => {}
            }
            if is_closed {
                return;
            }
        }
    }

    /// Writes what is new in the log.
    fn update(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.folder)?),
        };
        // No more is read while records are pending, so they need little memory.
        file.flush()?;
        let (summarizer, mut records) = (&mut self.summarizer, Vec::new());
        self.log.read_events(&mut |item| match item {
            TailItem::Item(event) => summarizer.append(&event, &mut records),
            TailItem::Restarted => {}
        })?;
        file.append(&records)
    }
}

/// Creates the file of an attempt, with its first records. The file of an earlier attempt may lack the last events that the
/// killed process has logged, so the new file has all of them, and readers discard the earlier files.
fn create(folder: &Path) -> Result<AppendFile> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::writing(folder)(error));
        }
        _ => {}
    }
    let newest = newest_file(folder);
    let mut file = AppendFile::open(folder.join(file_name(now(), newest)))?;
    file.append(&Summarizer::header(now())).ok();
    if newest.is_some() {
        file.append(&Summarizer::replacement(now())).ok();
    }
    Ok(file)
}

/// The name of a new file. TensorBoard reads the files of a folder in the order of their names, so it comes after the
/// newest one even if the clock was set back.
fn file_name(time: f64, newest: Option<u64>) -> String {
    let seconds = (time as u64).max(newest.map_or(0, |newest| newest.saturating_add(1)));
    format!("{PREFIX}{seconds:010}.glue-tui.{}", std::process::id())
}

/// The number of seconds in the name of the newest event file in `folder`; `None` if it has none.
fn newest_file(folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let seconds = |name: &str| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok();
    entries.filter_map(|entry| seconds(entry.file_name().to_str()?)).max()
}

/// Writes an event file with `events` to `folder`.
///
/// # Errors
/// [`Error::Write`].
pub fn write_event_file(events: &[Event], folder: &Path) -> Result<()> {
    let started = events.iter().find_map(|event| match event {
        Event::Started(started) => Some(started.time),
        _ => None,
    });
    let time = started.unwrap_or_else(now);
    let (mut summarizer, mut records) = (Summarizer::default(), Summarizer::header(time));
    for event in events {
        summarizer.append(event, &mut records);
    }
    let path = folder.join(file_name(time, None));
    std::fs::write(&path, records).map_err(Error::writing(&path))
}

#[cfg(test)]
mod tests {
    use super::super::proto::{self, Value, What};
    use super::*;
    use crate::event::{Eval, Scores, SplitName, Started, Step};
    use crate::spec::built_in;
    use prost::Message;
    use std::collections::BTreeMap;
    use std::io::Write;

    fn step(step: u64, loss: f64) -> Event {
        let (epoch, learning_rate, grad_norm, seconds) = (step as f64 / 10.0, 1e-4, 0.5, 0.25);
        let (examples, tokens, usage) = (32, 640, None);
        Event::Step(Step { step, epoch, loss, learning_rate, grad_norm, examples, tokens, seconds, usage })
    }

    fn eval(step: u64, loss: f64) -> Event {
        let scores = Scores { loss, examples: 4, ..Scores::default() };
        let (epoch, split) = (step as f64 / 10.0, SplitName::Validation);
        Event::Eval(Eval { step, epoch, split, scores, best: false, seconds: 1.0 })
    }

    fn started(first_step: u64) -> Event {
        Event::Started(Box::new(Started {
            time: 1000.0,
            spec: built_in("demo"),
            device: "cpu".into(),
            precision: "f32".into(),
            first_step,
            total_steps: 9,
            steps_per_epoch: 10,
            labels: vec!["a".into(), "b".into()],
            problem_type: None,
            scale: None,
            rows: [10, 4, 0],
            data: BTreeMap::new(),
            truncated_train_rows: None,
            trainable_parameters: 1,
            planned_memory: None,
            product_rate: None,
        }))
    }

    fn log(dir: &Path, events: &[Event]) {
        let mut file = crate::files::open_append(&RunDir::at(dir).events_file()).unwrap();
        for event in events {
            writeln!(file, "{}", serde_json::to_string(event).unwrap()).unwrap();
        }
    }

    /// The messages in the files of a folder in the order of their names, as TensorBoard reads them. An incomplete record
    /// ends its file.
    fn messages(folder: &Path) -> Vec<proto::Event> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut found = Vec::new();
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            let mut rest = &bytes[..];
            while let Some((length, _)) = rest.split_first_chunk() {
                let length = u64::from_le_bytes(*length) as usize;
                let Some(data) = rest.get(12..12 + length) else { break };
                found.push(proto::Event::decode(data).unwrap());
                rest = rest.get(16 + length..).unwrap_or_default();
            }
        }
        found
    }

    /// The values of a tag after discarding what TensorBoard discards.
    fn scalars(folder: &Path, name: &str) -> Vec<(i64, f32)> {
        let mut found = Vec::new();
        for message in messages(folder) {
            match message.what {
                Some(What::SessionLog(_)) => found.retain(|(step, _)| *step < message.step),
                Some(What::Summary(summary)) => {
                    let values = summary.value.into_iter().filter(|value| value.tag == name);
                    found.extend(values.filter_map(|value| match value.value {
                        Some(Value::SimpleValue(number)) => Some((message.step, number)),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn resumed_run_continues_its_curves() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        log(dir.path(), &[started(0), eval(0, 0.7), step(1, 0.6), step(2, 0.5), eval(2, 0.55)]);
        let mut first = TensorBoardWriter::open(&dir, None);
        first.update().unwrap();
        log(dir.path(), &[step(3, 0.4), step(4, 0.3)]);
        first.update().unwrap();
        let folder = dir.tensorboard();
        assert_eq!(scalars(&folder, "train/loss"), [(1, 0.6), (2, 0.5), (3, 0.4), (4, 0.3)]);
        // The process is killed while it writes a record, before it writes the last one, and resumes after step 2.
        first.file.as_mut().unwrap().append(b"torn").unwrap();
        log(dir.path(), &[step(5, 0.2)]);
        let mut second = TensorBoardWriter::open(&dir, None);
        second.update().unwrap();
        let losses = [(1, 0.6), (2, 0.5), (3, 0.4), (4, 0.3), (5, 0.2)];
        assert_eq!(scalars(&folder, "train/loss"), losses, "none is missing");
        log(dir.path(), &[started(2), eval(2, 0.55), step(3, 0.41), eval(3, 0.5)]);
        second.update().unwrap();
        assert_eq!(scalars(&folder, "train/loss"), [(1, 0.6), (2, 0.5), (3, 0.41)]);
        assert_eq!(scalars(&folder, "eval/loss"), [(0, 0.7), (2, 0.55), (3, 0.5)]);
        let all = messages(&folder);
        let versions = all.iter().filter(|message| matches!(message.what, Some(What::FileVersion(_))));
        assert_eq!(versions.count(), 2, "a file for each attempt");
        // 1 s, 0.25 s, 0.25 s, 1 s after the start.
        let times: Vec<f64> = all.iter().map(|message| message.wall_time).collect();
        assert_eq!(times[1..6], [1000.0, 1001.0, 1001.25, 1001.5, 1002.5]);
    }

    #[test]
    fn names_of_files_are_in_the_order_of_attempts() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(newest_file(home.path()), None);
        let mut names = Vec::new();
        for time in [1_700_000_000.5, 1_700_000_000.9, 1_600_000_000.0, 1_800_000_000.0] {
            let name = file_name(time, newest_file(home.path()));
            std::fs::write(home.path().join(&name), "").unwrap();
            names.push(name);
        }
        assert!(names.is_sorted(), "{names:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn records_of_a_full_disk_are_written_later() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        log(dir.path(), &[started(0), step(1, 0.6)]);
        let mut writer = TensorBoardWriter::open(&dir, None);
        let full = std::fs::File::options().append(true).open("/dev/full").unwrap();
        let folder = dir.tensorboard();
        let mut file = AppendFile::new(full, folder.join("full"));
        file.append(&Summarizer::header(1.0)).unwrap_err();
        writer.file = Some(file);
        assert!(writer.update().is_err() && writer.update().is_err());
        // The disk has space again.
        let mut file = create(&folder).unwrap();
        file.flush().unwrap();
        writer.file = Some(file);
        writer.update().unwrap();
        assert_eq!(scalars(&folder, "train/loss"), [(1, 0.6)]);
    }

    #[test]
    fn warning_is_emitted_once_for_a_folder_that_cannot_be_created() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        log(dir.path(), &[started(0), step(1, 0.6)]);
        std::fs::write(dir.tensorboard(), "a file in its place").unwrap();
        let writer = TensorBoardWriter::open(&dir, None);
        let (close, closed) = crossbeam_channel::bounded(0);
        let notes = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let emit = |event| {
                if let Event::Note { warning, text, .. } = event {
                    notes.lock().unwrap().push((warning, text));
                }
            };
            let thread = scope.spawn(move || writer.run(&closed, &emit));
            std::thread::sleep(3 * INTERVAL);
            std::fs::remove_file(dir.tensorboard()).unwrap();
            drop(close);
            thread.join().unwrap();
        });
        let notes = notes.into_inner().unwrap();
        let [(true, warning), (false, note)] = &notes[..] else { panic!("{notes:?}") };
        assert!(warning.contains("tensorboard") && note.contains("written again"), "{notes:?}");
        assert_eq!(scalars(&dir.tensorboard(), "train/loss"), [(1, 0.6)]);
    }
}
