//! Runs that wait for their turn: `queue.toml` in the runs folder, which every program on that folder shares.
//!
//! The file is read, changed and written whole while a lock is held, so two programs never lose each other's
//! changes, and a program that dies leaves the queue as it was. A run that was begun stays in it until it is
//! over: whoever goes on with the queue after a loss of power resumes that run first.
//!
//! A [`Turn`] keeps the queue from training beside a run that an interface trains already. The system gives
//! it back when a program dies, however it dies.

use super::dir::RunDir;
use super::log::is_alive;
use super::runner::{Running, Start};
use crate::error::{Error, Result};
use crate::event::Status;
use crate::files::write_atomic;
use crate::spec::{self, RunSpec};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

const FILE: &str = "queue.toml";
/// Held while the file is changed.
const EDITING: &str = ".queue.lock";
/// Held while an interface trains.
const TRAINING: &str = ".training.lock";
/// Number of the file's format.
const FORMAT: u32 = 1;

/// The runs that wait, the next one first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    /// Nothing is begun until somebody says so.
    pub is_held: bool,
    /// The runs.
    pub entries: Vec<Entry>,
    next_id: u64,
}

/// A run of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number, which no other entry of this queue has or had.
    pub id: u64,
    /// What is trained, as it was when it was put into the queue.
    pub spec: RunSpec,
    /// Its directory, once it was begun; also of a run that is to be gone on with.
    pub run: Option<PathBuf>,
    /// Whether its turn has come.
    pub is_begun: bool,
}

/// A change of the queue. One that is about an entry that is no longer there changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Put a run at the end.
    Add(Box<Start>),
    /// Take an entry out.
    Remove(u64),
    /// Let an entry change places with the one before it.
    Earlier(u64),
    /// Let an entry change places with the one after it.
    Later(u64),
    /// Let an entry be the next to be begun.
    Next(u64),
    /// Begin nothing more, or go on.
    Hold(bool),
}

/// A run of the queue that was begun.
#[derive(Debug)]
pub struct Begun {
    /// To be held as long as it is trained.
    pub turn: Turn,
    /// The run.
    pub running: Running,
    /// The queue, in which it is the first.
    pub queue: Queue,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    is_held: bool,
    next_id: u64,
    #[serde(default)]
    run: Vec<StoredEntry>,
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    id: u64,
    is_begun: bool,
    /// Name of the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The specification as `spec.toml` has it, so that one reader knows both.
    spec: String,
}

impl Queue {
    /// The queue of `runs_dir`; an empty one when there is no file.
    pub fn read(runs_dir: &Path) -> Result<Queue> {
        let path = runs_dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Queue::default()),
            text => text.map_err(Error::reading(&path))?,
        };
        let stored: Stored = toml::from_str(&text).map_err(|e| {
            Error::data(&path, None, format!("{}; delete it to begin a new queue", e.message()))
        })?;
        let entry = |entry: StoredEntry| {
            Ok(Entry {
                id: entry.id,
                spec: spec::from_toml(&entry.spec, &path)?,
                run: entry.name.map(|name| runs_dir.join(name)),
                is_begun: entry.is_begun,
            })
        };
        let entries = stored.run.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Queue { is_held: stored.is_held, entries, next_id: stored.next_id })
    }

    /// Changes the queue of `runs_dir` and says what it is now.
    pub fn edit(runs_dir: &Path, edit: Edit) -> Result<Queue> {
        let _lock = lock(runs_dir)?;
        let mut queue = Queue::read(runs_dir)?;
        queue.apply(edit)?;
        queue.write(runs_dir)?;
        Ok(queue)
    }

    /// Begins the next run, if its turn has come: the queue is not held, and no interface on `runs_dir` trains.
    /// One that cannot be begun is taken out, and told as the error.
    pub fn begin_next(
        runs_dir: &Path,
        begin: impl FnOnce(Start) -> Result<Running>,
    ) -> Result<Option<Begun>> {
        let Some(turn) = Turn::alone(runs_dir)? else { return Ok(None) };
        let _lock = lock(runs_dir)?;
        let mut queue = Queue::read(runs_dir)?;
        let before = queue.entries.len();
        queue.entries.retain(|entry| !entry.is_over());
        let next = queue.entries.first_mut().filter(|entry| !queue.is_held && !entry.is_being_trained());
        let Some(next) = next else {
            if queue.entries.len() < before {
                queue.write(runs_dir)?;
            }
            return Ok(None);
        };
        let begun = begin(match &next.run {
            Some(dir) => Start::Resume(dir.clone()),
            None => Start::New(next.spec.clone()),
        });
        match begun {
            Ok(running) => {
                next.run = Some(running.dir.clone());
                next.is_begun = true;
                queue.write(runs_dir)?;
                Ok(Some(Begun { turn, running, queue }))
            }
            Err(error) => {
                queue.entries.remove(0);
                queue.write(runs_dir)?;
                Err(error)
            }
        }
    }

    fn apply(&mut self, edit: Edit) -> Result<()> {
        let place = |id: u64| self.entries.iter().position(|entry| entry.id == id);
        // What is being trained stays where it is, before all others.
        let fixed = self.entries.iter().take_while(|entry| entry.is_begun).count();
        match edit {
            Edit::Add(start) => {
                let (spec, run) = match *start {
                    Start::New(spec) => (spec, None),
                    Start::Resume(dir) => (RunDir::at(&dir).spec()?, Some(dir)),
                    Start::Replay(dir) => {
                        let name = RunDir::at(dir).name();
                        return Err(Error::Usage(format!("{name} is replayed at once, not from a queue")));
                    }
                };
                if run.is_some() && self.entries.iter().any(|entry| entry.run == run) {
                    return Ok(());
                }
                self.entries.push(Entry { id: self.next_id, spec, run, is_begun: false });
                self.next_id += 1;
            }
            Edit::Remove(id) => self.entries.retain(|entry| entry.id != id),
            Edit::Hold(is_held) => self.is_held = is_held,
            Edit::Earlier(id) => match place(id) {
                Some(at) if at > fixed => self.entries.swap(at, at - 1),
                _ => {}
            },
            Edit::Later(id) => match place(id) {
                Some(at) if at >= fixed && at + 1 < self.entries.len() => self.entries.swap(at, at + 1),
                _ => {}
            },
            Edit::Next(id) => {
                if let Some(at) = place(id).filter(|at| *at > fixed) {
                    self.entries[fixed..=at].rotate_right(1);
                }
            }
        }
        Ok(())
    }

    fn write(&self, runs_dir: &Path) -> Result<()> {
        let path = runs_dir.join(FILE);
        let name = |run: &PathBuf| RunDir::at(run).name();
        let run = self.entries.iter().map(|entry| StoredEntry {
            id: entry.id,
            is_begun: entry.is_begun,
            name: entry.run.as_ref().map(name),
            spec: spec::to_toml(&entry.spec),
        });
        let stored =
            Stored { format: FORMAT, is_held: self.is_held, next_id: self.next_id, run: run.collect() };
        let text = toml::to_string(&stored).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
        write_atomic(&path, text.as_bytes())
    }
}

impl Entry {
    /// Whether its turn has come and gone: it is finished, it failed, or somebody deleted it.
    fn is_over(&self) -> bool {
        let Some(dir) = self.run.as_ref().map(RunDir::at) else { return false };
        if !dir.spec_file().is_file() {
            return true;
        }
        let ended = dir.summary().map(|summary| summary.status);
        self.is_begun && !is_alive(&dir) && matches!(ended, Some(Status::Finished | Status::Failed))
    }

    fn is_being_trained(&self) -> bool {
        self.run.as_ref().is_some_and(|dir| is_alive(&RunDir::at(dir)))
    }
}

/// The right to train from an interface on a runs folder; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// For a run that is begun by hand: several may be trained at once when somebody wants it so.
    /// `None` while the queue trains.
    pub fn shared(runs_dir: &Path) -> Option<Turn> {
        let file = lock_file(runs_dir, TRAINING).ok()?;
        file.try_lock_shared().ok().map(|()| Turn { _lock: file })
    }

    /// For the queue: `None` while anybody trains.
    fn alone(runs_dir: &Path) -> Result<Option<Turn>> {
        let file = lock_file(runs_dir, TRAINING)?;
        Ok(file.try_lock().ok().map(|()| Turn { _lock: file }))
    }
}

fn lock(runs_dir: &Path) -> Result<File> {
    let file = lock_file(runs_dir, EDITING)?;
    file.lock().map_err(Error::writing(runs_dir.join(EDITING)))?;
    Ok(file)
}

fn lock_file(runs_dir: &Path, name: &str) -> Result<File> {
    std::fs::create_dir_all(runs_dir).map_err(Error::writing(runs_dir))?;
    let path = runs_dir.join(name);
    OpenOptions::new().create(true).append(true).open(&path).map_err(Error::writing(&path))
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
        let queue = Queue::edit(runs, Edit::Add(Box::new(Start::New(spec(name))))).unwrap();
        queue.entries.last().unwrap().id
    }

    fn names(queue: &Queue) -> String {
        queue.entries.iter().map(|entry| entry.spec.experiment.as_str()).collect()
    }

    #[test]
    fn comes_back_as_it_was_and_is_reordered() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        assert_eq!(Queue::read(runs).unwrap(), Queue::default());
        let ids = ["a", "b", "c", "d"].map(|name| add(runs, name));
        let queue = Queue::read(runs).unwrap();
        assert_eq!((names(&queue).as_str(), &queue.entries[1].spec), ("abcd", &spec("b")));
        let edit = |edit| names(&Queue::edit(runs, edit).unwrap());
        assert_eq!(edit(Edit::Earlier(ids[2])), "acbd");
        assert_eq!(edit(Edit::Earlier(ids[0])), "acbd");
        assert_eq!(edit(Edit::Later(ids[0])), "cabd");
        assert_eq!(edit(Edit::Later(ids[3])), "cabd");
        assert_eq!(edit(Edit::Next(ids[3])), "dcab");
        assert_eq!(edit(Edit::Remove(ids[2])), "dab");
        assert_eq!(edit(Edit::Remove(ids[2])), "dab", "it is gone already");
        assert!(Queue::edit(runs, Edit::Hold(true)).unwrap().is_held);
        assert!(add(runs, "e") > ids[3], "numbers are not used twice");
        assert!(Queue::read(runs).unwrap().is_held);
        std::fs::write(runs.join(FILE), "half a file =").unwrap();
        let error = Queue::edit(runs, Edit::Hold(false)).unwrap_err().to_string();
        assert!(error.contains("queue.toml") && error.contains("delete it"), "{error}");
        assert_eq!(std::fs::read_to_string(runs.join(FILE)).unwrap(), "half a file =", "it is left alone");
    }

    #[test]
    fn many_programs_change_it_at_once_and_nothing_is_lost() {
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
    fn one_after_the_other_is_begun_and_a_failed_one_holds_up_nobody() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        let start = |start| super::super::start(start, runs);
        let failing =
            RunSpec { data_dir: Some("nowhere".into()), task: "sst2".parse().unwrap(), ..spec("bad") };
        Queue::edit(runs, Edit::Add(Box::new(Start::New(failing)))).unwrap();
        let ids = ["a", "b"].map(|name| add(runs, name));
        Queue::edit(runs, Edit::Hold(true)).unwrap();
        assert!(Queue::begin_next(runs, start).unwrap().is_none(), "held");
        Queue::edit(runs, Edit::Hold(false)).unwrap();

        let by_hand = Turn::shared(runs).unwrap();
        assert!(Queue::begin_next(runs, start).unwrap().is_none(), "somebody trains");
        drop(by_hand);
        let Begun { turn, running, .. } = Queue::begin_next(runs, start).unwrap().unwrap();
        assert!(Turn::shared(runs).is_none() && Queue::begin_next(runs, start).unwrap().is_none());
        assert!(running.join().is_err());
        // The begun one stays before the others, even if nobody has taken it out.
        assert_eq!(names(&Queue::edit(runs, Edit::Next(ids[1])).unwrap()), "badba");
        drop(turn);

        // The failed one is over; the next is begun, and goes on where it was after a loss of power.
        let Begun { turn, running, .. } = Queue::begin_next(runs, start).unwrap().unwrap();
        let dir = running.dir.clone();
        assert_eq!(names(&Queue::read(runs).unwrap()), "ba");
        assert!(Queue::read(runs).unwrap().entries[0].is_begun);
        running.join().unwrap();
        std::fs::remove_file(dir.join("summary.json")).unwrap();
        drop(turn);
        let Begun { turn, running, .. } = Queue::begin_next(runs, start).unwrap().unwrap();
        assert_eq!(running.dir, dir, "resumed");
        running.join().unwrap();
        drop(turn);

        // One that cannot even be begun is told and taken out.
        let refuse = |_| Err(Error::Training("no".into()));
        assert!(Queue::begin_next(runs, refuse).is_err());
        assert!(Queue::begin_next(runs, start).unwrap().is_none());
        assert_eq!(Queue::read(runs).unwrap().entries, []);
    }
}
