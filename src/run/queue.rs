//! Runs that wait to be trained: `queue.toml` in the runs directory, shared by all programs that use it.
//!
//! The file is read, changed and replaced atomically under a lock, so that concurrent changes are never lost and
//! a killed program leaves the queue intact. A run that was started stays in the queue until it is over: after a
//! power failure it is resumed first.
//!
//! A [`TrainingLock`] keeps the queue from training on a device while an interface trains on it already. The
//! operating system releases it when the program ends.

use super::dir::RunDir;
use super::file_lock;
use super::lock::is_training;
pub use super::queue_devices::QueueDevice;
use super::queue_devices::{choose, device_index};
use super::runner::{RunHandle, Start};
use super::sweep::{NextTrial, SweepDir, next_trial};
use crate::error::{Error, Result};
use crate::event::Status;
use crate::files::{open_append, read_regular_to_string, remove_leftovers_of, write_atomic};
use crate::spec::{self, DeviceSpec, RunSpec};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const FILE: &str = "queue.toml";
/// Locked while the file is changed.
const QUEUE_LOCK: &str = ".queue.lock";
/// Locked while an interface trains on the first device.
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
    /// The number of the planned comparison that it is a further seed for.
    pub comparison: Option<u64>,
    /// The sweep whose trials it stands for. Each trial that is started gets an entry of its own before it.
    pub sweep: Option<QueuedSweep>,
}

/// A sweep in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedSweep {
    /// The name of its directory.
    pub name: String,
    /// Its number of trials when it was enqueued.
    pub trials: u64,
}

/// A change of the queue. A change of an entry that does not exist does nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueEdit {
    /// Append a run.
    Add(Box<Start>),
    /// Append further seeds for a planned comparison.
    AddSeeds {
        /// The number of the comparison.
        comparison: u64,
        /// The specifications of the seeds.
        specs: Vec<RunSpec>,
    },
    /// Remove the seeds for the planned comparison with this number that are not started.
    RemoveSeeds(u64),
    /// Append a sweep, with the specification of its experiment.
    AddSweep(QueuedSweep, Box<RunSpec>),
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comparison: Option<u64>,
    /// The specification as in `spec.toml`, so that one parser reads both.
    spec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<QueuedSweep>,
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
                comparison: entry.comparison,
                sweep: entry.sweep,
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

    /// Starts the first run for which one of `devices` is idle, unless the queue is held. A device is idle if neither an
    /// interface on `runs_dir` nor the queue trains on it. A run whose device is `auto` takes the first idle one with
    /// enough memory. Waits up to five seconds for other programs.
    ///
    /// # Errors
    /// When another program holds the lock, the file cannot be read or written, or the run cannot be started. A run
    /// that cannot be started is removed from the queue.
    pub fn start_next(
        runs_dir: &Path,
        devices: &[QueueDevice],
        start: impl FnOnce(Start) -> Result<RunHandle>,
    ) -> Result<Option<StartedRun>> {
        let mut training_locks = Vec::new();
        for device in devices {
            training_locks.push(TrainingLock::exclusive(runs_dir, device.device)?);
        }
        if training_locks.iter().all(Option::is_none) {
            return Ok(None);
        }
        let _lock = lock(runs_dir)?;
        let mut queue = Queue::read(runs_dir)?;
        let before = queue.entries.len();
        queue.entries.retain(|entry| !entry.is_over());
        let idle = |index: &usize| training_locks[*index].is_some();
        let idle: Vec<usize> = (0..devices.len()).filter(idle).collect();
        let next = queue.next_run(runs_dir, devices, &idle);
        let Ok(Some(NextRun { mut entry, position, device: index, sweep })) = next else {
            if queue.entries.len() < before {
                queue.write(runs_dir)?;
            }
            return next.map(|_| None);
        };
        if entry.run.is_none() && devices.len() > 1 && entry.spec.device == DeviceSpec::Auto {
            entry.spec.device = devices[index].device;
        }
        let started = start(match &entry.run {
            Some(dir) => Start::Resume(dir.clone()),
            None => Start::New(entry.spec.clone()),
        });
        if started.is_err() {
            // The next trial of the sweep would be the same one.
            queue.entries.retain(|entry| Some(entry.id) != sweep);
        }
        let result = started.inspect(|run| {
            entry.run = Some(run.dir.clone());
            entry.is_started = true;
            let first = queue.entries.iter().take_while(|entry| entry.is_started).count();
            queue.entries.insert(first.min(position), entry);
        });
        queue.write(runs_dir)?;
        let lock = training_locks.swap_remove(index);
        result.map(|run| lock.map(|lock| StartedRun { lock, run, queue }))
    }

    /// Whether a run waits to be started.
    pub fn has_next(&self) -> bool {
        !self.is_held && self.entries.iter().any(|entry| !entry.is_training())
    }

    /// The entry of the run in `dir`, if the queue has started it.
    pub fn entry_of(&self, dir: &Path) -> Option<&QueueEntry> {
        let is_of_run = |run: &PathBuf| run.file_name() == dir.file_name();
        self.entries.iter().find(|entry| entry.is_started && entry.run.as_ref().is_some_and(is_of_run))
    }

    /// Whether a further seed of the planned comparison with this number is in it.
    pub fn has_seeds_of(&self, comparison: u64) -> bool {
        self.entries.iter().any(|entry| entry.comparison == Some(comparison))
    }

    /// Removes the run to start from the queue, or takes the next trial of the sweep that is to continue. Sweeps without
    /// any trial left are removed, and so is one that cannot be continued, with its error.
    fn next_run(
        &mut self,
        runs_dir: &Path,
        devices: &[QueueDevice],
        idle: &[usize],
    ) -> Result<Option<NextRun>> {
        let mut waiting_sweeps = Vec::new();
        while let Some((position, device)) = self.next(devices, idle, &waiting_sweeps) {
            let Some(entry) = self.entries.get(position) else { return Ok(None) };
            let (id, Some(sweep)) = (entry.id, entry.sweep.clone()) else {
                let entry = self.entries.remove(position);
                return Ok(Some(NextRun { entry, position, device, sweep: None }));
            };
            let chosen =
                if devices.len() > 1 { devices.get(device).map(|device| device.device) } else { None };
            let busy: Vec<PathBuf> = self.entries.iter().filter_map(|entry| entry.run.clone()).collect();
            let next =
                next_trial(&SweepDir::at(runs_dir, &sweep.name), &busy, chosen, &AtomicBool::new(false));
            let trial = next.and_then(|next| match next {
                NextTrial::Train { dir, .. } => Ok(Some((RunDir::at(&dir).spec()?, dir))),
                NextTrial::Wait => {
                    waiting_sweeps.push(id);
                    Ok(None)
                }
                NextTrial::Done => {
                    self.entries.retain(|entry| entry.id != id);
                    Ok(None)
                }
            });
            match trial {
                Ok(None) => {}
                Ok(Some((spec, dir))) => {
                    let entry = QueueEntry { id: self.next_id, run: Some(dir), ..QueueEntry::of(spec) };
                    self.next_id += 1;
                    return Ok(Some(NextRun { entry, position, device, sweep: Some(id) }));
                }
                Err(error) => {
                    self.entries.retain(|entry| entry.id != id);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// The position of the run or the sweep to start, and the index of its device among those in `idle`. The sweeps with
    /// these numbers wait for results of other trials.
    fn next(
        &self,
        devices: &[QueueDevice],
        idle: &[usize],
        waiting_sweeps: &[u64],
    ) -> Option<(usize, usize)> {
        if self.is_held {
            return None;
        }
        let required = |entry: &QueueEntry| device_index(entry.spec.device, entry.run.is_some(), devices);
        let training = self.entries.iter().filter(|entry| entry.is_training());
        let busy: Vec<usize> = training.filter_map(required).collect();
        let idle: Vec<usize> = idle.iter().copied().filter(|index| !busy.contains(index)).collect();
        let is_waiting = |entry: &QueueEntry| !entry.is_training() && !waiting_sweeps.contains(&entry.id);
        let mut waiting = self.entries.iter().enumerate().filter(|(_, entry)| is_waiting(entry));
        waiting.find_map(|(position, entry)| {
            Some((position, choose(required(entry), &entry.spec, devices, &idle)?))
        })
    }

    fn apply(&mut self, edit: QueueEdit) -> Result<()> {
        let index_of = |id: u64| self.entries.iter().position(|entry| entry.id == id);
        // Started entries keep their position before all others.
        let started = self.entries.iter().take_while(|entry| entry.is_started).count();
        match edit {
            QueueEdit::Add(start) => {
                let (spec, run) = match *start {
                    Start::New(spec) => (spec, None),
                    Start::Resume(dir) | Start::ResumeOnChangedData(dir) => {
                        (RunDir::at(&dir).spec()?, Some(dir))
                    }
                    Start::Replay(dir) => {
                        let name = RunDir::at(dir).name();
                        return Err(Error::Usage(format!("{name} cannot be replayed from the queue")));
                    }
                };
                if run.is_some() && self.entries.iter().any(|entry| entry.run == run) {
                    return Ok(());
                }
                self.push(QueueEntry { run, ..QueueEntry::of(spec) });
            }
            QueueEdit::AddSeeds { comparison, specs } => {
                for spec in specs {
                    self.push(QueueEntry { comparison: Some(comparison), ..QueueEntry::of(spec) });
                }
            }
            QueueEdit::RemoveSeeds(comparison) => {
                self.entries.retain(|entry| entry.is_started || entry.comparison != Some(comparison));
            }
            QueueEdit::AddSweep(sweep, spec) => {
                let is_same =
                    |entry: &QueueEntry| entry.sweep.as_ref().is_some_and(|known| known.name == sweep.name);
                if !self.entries.iter().any(is_same) {
                    self.push(QueueEntry { sweep: Some(sweep), ..QueueEntry::of(*spec) });
                }
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

    /// Appends an entry, with the next number.
    fn push(&mut self, entry: QueueEntry) {
        self.entries.push(QueueEntry { id: self.next_id, ..entry });
        self.next_id += 1;
    }

    fn write(&self, runs_dir: &Path) -> Result<()> {
        let path = runs_dir.join(FILE);
        let entries = self.entries.iter().map(|entry| FileEntry {
            id: entry.id,
            is_started: entry.is_started,
            name: entry.run.as_ref().map(|run| RunDir::at(run).name()),
            comparison: entry.comparison,
            spec: spec::to_toml(&entry.spec),
            sweep: entry.sweep.clone(),
        });
        let (is_held, next_id) = (self.is_held, self.next_id);
        let file = QueueFile { format: FORMAT, is_held, next_id, entries: entries.collect() };
        let text = toml::to_string(&file).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
        write_atomic(&path, text.as_bytes())
    }
}

/// What the queue starts next.
struct NextRun {
    entry: QueueEntry,
    /// Where the entry is in the queue.
    position: usize,
    /// The index of its device.
    device: usize,
    /// The number of the entry of its sweep, if it is a trial.
    sweep: Option<u64>,
}

impl QueueEntry {
    /// A new run, without its number.
    fn of(spec: RunSpec) -> QueueEntry {
        QueueEntry { id: 0, spec, run: None, is_started: false, comparison: None, sweep: None }
    }

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

/// The right to train from an interface on a runs directory and a device, until it is dropped.
#[derive(Debug)]
pub struct TrainingLock {
    _file: File,
}

impl TrainingLock {
    /// For a run on `device` that the user starts. Several can hold it at once. `None` while the queue trains on it.
    pub fn shared(runs_dir: &Path, device: DeviceSpec) -> Option<TrainingLock> {
        let file = open_lock(runs_dir, &training_lock_name(device)).ok()?;
        file.try_lock_shared().ok().map(|()| TrainingLock { _file: file })
    }

    /// For the queue. `None` while any interface trains on `device`.
    fn exclusive(runs_dir: &Path, device: DeviceSpec) -> Result<Option<TrainingLock>> {
        let file = open_lock(runs_dir, &training_lock_name(device))?;
        Ok(file.try_lock().ok().map(|()| TrainingLock { _file: file }))
    }
}

/// The first device, which `auto` chooses, has the name without a number.
fn training_lock_name(device: DeviceSpec) -> String {
    match device {
        DeviceSpec::Cuda(ordinal) if ordinal > 0 => format!("{TRAINING_LOCK}.cuda-{ordinal}"),
        _ => TRAINING_LOCK.to_owned(),
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
mod tests;
