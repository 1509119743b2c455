//! Runs that wait to be trained: `queue.toml` in the runs directory, shared by all programs that use it.
//!
//! The file is read, changed and replaced atomically under a lock, so that concurrent changes are never lost and
//! a killed program leaves the queue intact. A run that was started stays in the queue until it is over: after a
//! power failure it is resumed first.
//!
//! A [`TrainingLock`] keeps the queue from training while an interface trains already. The operating system
//! releases it when the program ends.

use super::dir::RunDir;
use super::file_lock;
use super::lock::is_training;
use super::runner::{RunHandle, Start};
use crate::error::{Error, Result};
use crate::event::Status;
use crate::files::{open_append, read_regular_to_string, remove_leftovers_of, write_atomic};
use crate::spec::{self, RunSpec};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

const FILE: &str = "queue.toml";
/// Locked while the file is changed.
const QUEUE_LOCK: &str = ".queue.lock";
/// Locked while an interface trains.
const TRAINING_LOCK: &str = ".training.lock";
/// Format number of the file.
const FORMAT: u32 = 1;

/// The runs that wait, the next one first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    /// Whether no run is started until the queue is released.
    pub is_held: bool,
    /// The runs.
    pub entries: Vec<QueueEntry>,
    next_id: u64,
}

/// A run in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueEntry {
    /// Its number. Numbers are not reused.
    pub id: u64,
    /// Its specification when it was enqueued.
    pub spec: RunSpec,
    /// Its run directory, once it was started, or when it is to be resumed.
    pub run: Option<PathBuf>,
    /// Whether the queue has started it.
    pub is_started: bool,
}

/// A change of the queue. A change of an entry that does not exist does nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueEdit {
    /// Append a run.
    Add(Box<Start>),
    /// Remove an entry.
    Remove(u64),
    /// Swap an entry with the one before it.
    MoveUp(u64),
    /// Swap an entry with the one after it.
    MoveDown(u64),
    /// Move an entry before all that are not started.
    MoveToFront(u64),
    /// Hold or release the queue.
    SetHeld(bool),
}

/// A run that the queue has started.
#[derive(Debug)]
pub struct StartedRun {
    /// To be kept until the run is over.
    pub lock: TrainingLock,
    /// The run.
    pub run: RunHandle,
    /// The queue, with the run as its first entry.
    pub queue: Queue,
}

/// The contents of `queue.toml`.
#[derive(Serialize, Deserialize)]
struct QueueFile {
    format: u32,
    is_held: bool,
    next_id: u64,
    #[serde(default, rename = "run")]
    entries: Vec<FileEntry>,
}

#[derive(Serialize, Deserialize)]
struct FileEntry {
    id: u64,
    #[serde(rename = "is_begun")]
    is_started: bool,
    /// Name of the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The specification as in `spec.toml`, so that one parser reads both.
    spec: String,
}

impl Queue {
    /// Reads the queue of `runs_dir`; without a file it is empty.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] when the file cannot be read or parsed.
    pub fn read(runs_dir: &Path) -> Result<Queue> {
        let path = runs_dir.join(FILE);
        let text = match read_regular_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Queue::default()),
            text => text.map_err(Error::reading(&path))?,
        };
        let file: QueueFile = toml::from_str(&text).map_err(|e| {
            Error::data(&path, None, format!("{}; delete it to start a new queue", e.message()))
        })?;
        let entry = |entry: FileEntry| {
            Ok(QueueEntry {
                id: entry.id,
                spec: spec::from_toml(&entry.spec, &path)?,
                run: entry.name.map(|name| runs_dir.join(name)),
                is_started: entry.is_started,
            })
        };
        let entries = file.entries.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Queue { is_held: file.is_held, entries, next_id: file.next_id })
    }

    /// Changes the queue of `runs_dir` and returns the new one. Waits up to five seconds for other programs.
    ///
    /// # Errors
    /// When another program holds the lock, or the file cannot be read or written.
    pub fn edit(runs_dir: &Path, edit: QueueEdit) -> Result<Queue> {
        let _lock = lock(runs_dir)?;
        let mut queue = Queue::read(runs_dir)?;
        queue.apply(edit)?;
        queue.write(runs_dir)?;
        Ok(queue)
    }

    /// Starts the next run, unless the queue is held or empty, or an interface on `runs_dir` trains already. Waits
    /// up to five seconds for other programs.
    ///
    /// # Errors
    /// When another program holds the lock, the file cannot be read or written, or the run cannot be started. A run
    /// that cannot be started is removed from the queue.
    pub fn start_next(
        runs_dir: &Path,
        start: impl FnOnce(Start) -> Result<RunHandle>,
    ) -> Result<Option<StartedRun>> {
        let Some(training_lock) = TrainingLock::exclusive(runs_dir)? else { return Ok(None) };
        let _lock = lock(runs_dir)?;
        let mut queue = Queue::read(runs_dir)?;
        let before = queue.entries.len();
        queue.entries.retain(|entry| !entry.is_over());
        let next = queue.entries.first_mut().filter(|entry| !queue.is_held && !entry.is_training());
        let Some(next) = next else {
            if queue.entries.len() < before {
                queue.write(runs_dir)?;
            }
            return Ok(None);
        };
        let started = start(match &next.run {
            Some(dir) => Start::Resume(dir.clone()),
            None => Start::New(next.spec.clone()),
        });
        match started {
            Ok(run) => {
                next.run = Some(run.dir.clone());
                next.is_started = true;
                queue.write(runs_dir)?;
                Ok(Some(StartedRun { lock: training_lock, run, queue }))
            }
            Err(error) => {
                queue.entries.remove(0);
                queue.write(runs_dir)?;
                Err(error)
            }
        }
    }

    fn apply(&mut self, edit: QueueEdit) -> Result<()> {
        let index_of = |id: u64| self.entries.iter().position(|entry| entry.id == id);
        // Started entries keep their position before all others.
        let started = self.entries.iter().take_while(|entry| entry.is_started).count();
        match edit {
            QueueEdit::Add(start) => {
                let (spec, run) = match *start {
                    Start::New(spec) => (spec, None),
                    Start::Resume(dir) => (RunDir::at(&dir).spec()?, Some(dir)),
                    Start::Replay(dir) => {
                        let name = RunDir::at(dir).name();
                        return Err(Error::Usage(format!("{name} cannot be replayed from the queue")));
                    }
                };
                if run.is_some() && self.entries.iter().any(|entry| entry.run == run) {
                    return Ok(());
                }
                self.entries.push(QueueEntry { id: self.next_id, spec, run, is_started: false });
                self.next_id += 1;
            }
            QueueEdit::Remove(id) => self.entries.retain(|entry| entry.id != id),
            QueueEdit::SetHeld(is_held) => self.is_held = is_held,
            QueueEdit::MoveUp(id) => match index_of(id) {
                Some(index) if index > started => self.entries.swap(index, index - 1),
                _ => {}
            },
            QueueEdit::MoveDown(id) => match index_of(id) {
                Some(index) if index >= started && index + 1 < self.entries.len() => {
                    self.entries.swap(index, index + 1);
                }
                _ => {}
            },
            QueueEdit::MoveToFront(id) => {
                if let Some(index) = index_of(id).filter(|index| *index > started) {
                    self.entries[started..=index].rotate_right(1);
                }
            }
        }
        Ok(())
    }

    fn write(&self, runs_dir: &Path) -> Result<()> {
        let path = runs_dir.join(FILE);
        let entries = self.entries.iter().map(|entry| FileEntry {
            id: entry.id,
            is_started: entry.is_started,
            name: entry.run.as_ref().map(|run| RunDir::at(run).name()),
            spec: spec::to_toml(&entry.spec),
        });
        let (is_held, next_id) = (self.is_held, self.next_id);
        let file = QueueFile { format: FORMAT, is_held, next_id, entries: entries.collect() };
        let text = toml::to_string(&file).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
        write_atomic(&path, text.as_bytes())
    }
}

impl QueueEntry {
    /// Whether the run is finished, failed, or deleted.
    fn is_over(&self) -> bool {
        let Some(dir) = self.run.as_ref().map(RunDir::at) else { return false };
        if !dir.spec_file().is_file() {
            return true;
        }
        let status = dir.summary().map(|summary| summary.status);
        self.is_started && !is_training(&dir) && matches!(status, Some(Status::Finished | Status::Failed))
    }

    fn is_training(&self) -> bool {
        self.run.as_ref().is_some_and(|dir| is_training(&RunDir::at(dir)))
    }
}

/// The right to train from an interface on a runs directory, until it is dropped.
#[derive(Debug)]
pub struct TrainingLock {
    _file: File,
}

impl TrainingLock {
    /// For a run that the user starts. Several can hold it at once. `None` while the queue trains.
    pub fn shared(runs_dir: &Path) -> Option<TrainingLock> {
        let file = open_lock(runs_dir, TRAINING_LOCK).ok()?;
        file.try_lock_shared().ok().map(|()| TrainingLock { _file: file })
    }

    /// For the queue. `None` while any interface trains.
    fn exclusive(runs_dir: &Path) -> Result<Option<TrainingLock>> {
        let file = open_lock(runs_dir, TRAINING_LOCK)?;
        Ok(file.try_lock().ok().map(|()| TrainingLock { _file: file }))
    }
}

/// Locks the queue file; see [`file_lock::lock`].
fn lock(runs_dir: &Path) -> Result<File> {
    let file = open_lock(runs_dir, QUEUE_LOCK)?;
    file_lock::lock(&file, &runs_dir.join(QUEUE_LOCK))?;
    remove_leftovers_of(&runs_dir.join(FILE))?;
    Ok(file)
}

fn open_lock(runs_dir: &Path, name: &str) -> Result<File> {
    std::fs::create_dir_all(runs_dir).map_err(Error::writing(runs_dir))?;
    let path = runs_dir.join(name);
    open_append(&path).map_err(Error::writing(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> RunSpec {
        RunSpec {
            max_steps: Some(1),
            max_train_samples: Some(4),
            max_eval_samples: Some(4),
            device: spec::DeviceSpec::Cpu,
            learning_rate: 1.0 / 3.0,
            ..spec::built_in(name)
        }
    }

    fn add(runs: &Path, name: &str) -> u64 {
        let queue = Queue::edit(runs, QueueEdit::Add(Box::new(Start::New(spec(name))))).unwrap();
        queue.entries.last().unwrap().id
    }

    fn names(queue: &Queue) -> String {
        queue.entries.iter().map(|entry| entry.spec.experiment.as_str()).collect()
    }

    #[test]
    fn queue_is_reordered_and_survives_a_round_trip() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        assert_eq!(Queue::read(runs).unwrap(), Queue::default());
        let ids = ["a", "b", "c", "d"].map(|name| add(runs, name));
        let queue = Queue::read(runs).unwrap();
        assert_eq!((names(&queue).as_str(), &queue.entries[1].spec), ("abcd", &spec("b")));
        let edit = |edit| names(&Queue::edit(runs, edit).unwrap());
        assert_eq!(edit(QueueEdit::MoveUp(ids[2])), "acbd");
        assert_eq!(edit(QueueEdit::MoveUp(ids[0])), "acbd");
        assert_eq!(edit(QueueEdit::MoveDown(ids[0])), "cabd");
        assert_eq!(edit(QueueEdit::MoveDown(ids[3])), "cabd");
        assert_eq!(edit(QueueEdit::MoveToFront(ids[3])), "dcab");
        assert_eq!(edit(QueueEdit::Remove(ids[2])), "dab");
        assert_eq!(edit(QueueEdit::Remove(ids[2])), "dab", "the entry is already removed");
        assert!(Queue::edit(runs, QueueEdit::SetHeld(true)).unwrap().is_held);
        assert!(add(runs, "e") > ids[3], "numbers are not reused");
        assert!(Queue::read(runs).unwrap().is_held);
        std::fs::write(runs.join(FILE), "half a file =").unwrap();
        let error = Queue::edit(runs, QueueEdit::SetHeld(false)).unwrap_err().to_string();
        assert!(error.contains("queue.toml") && error.contains("delete it"), "{error}");
        assert_eq!(
            std::fs::read_to_string(runs.join(FILE)).unwrap(),
            "half a file =",
            "a damaged file is left unchanged"
        );
    }

    #[test]
    fn concurrent_edits_are_not_lost() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        add(runs, "x");
                    }
                });
            }
        });
        let mut ids: Vec<u64> = Queue::read(runs).unwrap().entries.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn runs_start_in_order_and_a_failed_run_does_not_stop_the_queue() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        let start = |start| super::super::runner::start(start, runs);
        let failing =
            RunSpec { data_dir: Some("nowhere".into()), task: "sst2".parse().unwrap(), ..spec("bad") };
        Queue::edit(runs, QueueEdit::Add(Box::new(Start::New(failing)))).unwrap();
        let ids = ["a", "b"].map(|name| add(runs, name));
        Queue::edit(runs, QueueEdit::SetHeld(true)).unwrap();
        assert!(Queue::start_next(runs, start).unwrap().is_none(), "held");
        Queue::edit(runs, QueueEdit::SetHeld(false)).unwrap();

        let user_lock = TrainingLock::shared(runs).unwrap();
        assert!(Queue::start_next(runs, start).unwrap().is_none(), "another interface trains");
        drop(user_lock);
        let StartedRun { lock, run, .. } = Queue::start_next(runs, start).unwrap().unwrap();
        assert!(TrainingLock::shared(runs).is_none() && Queue::start_next(runs, start).unwrap().is_none());
        assert!(run.join().is_err());
        // A started run stays first until it is removed.
        assert_eq!(names(&Queue::edit(runs, QueueEdit::MoveToFront(ids[1])).unwrap()), "badba");
        drop(lock);

        // The failed run is removed and the next one starts. Without a summary, as after a power failure, it is resumed.
        let StartedRun { lock, run, .. } = Queue::start_next(runs, start).unwrap().unwrap();
        let dir = run.dir.clone();
        assert_eq!(names(&Queue::read(runs).unwrap()), "ba");
        assert!(Queue::read(runs).unwrap().entries[0].is_started);
        run.join().unwrap();
        std::fs::remove_file(dir.join("summary.json")).unwrap();
        drop(lock);
        let StartedRun { lock, run, .. } = Queue::start_next(runs, start).unwrap().unwrap();
        assert_eq!(run.dir, dir, "resumed");
        run.join().unwrap();
        drop(lock);

        // A run that cannot be started is reported and removed.
        let refuse = |_| Err(Error::Training("no".into()));
        assert!(Queue::start_next(runs, refuse).is_err());
        assert!(Queue::start_next(runs, start).unwrap().is_none());
        assert_eq!(Queue::read(runs).unwrap().entries, []);
    }
}
