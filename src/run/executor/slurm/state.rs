//! What is known about the tasks of a runs directory: `.slurm/state.json`, shared by all programs that use the directory. It
//! is read, changed and replaced atomically under a lock.

use crate::error::{Error, Result};
use crate::files::{open_append, read_regular, remove_leftovers_of, write_atomic};
use crate::run::dir::RunDir;
use crate::run::executor::task_status::{SUBMITTING, TaskPhase, TaskStatus};
use crate::run::file_lock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder in the runs directory.
const FOLDER: &str = ".slurm";
const FILE: &str = "state.json";
const LOCK: &str = ".state.lock";
/// Format number of the file.
const FORMAT: u32 = 1;

/// What is known about all tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlurmState {
    format: u32,
    /// When Slurm has answered last, in seconds since 1970.
    pub polled: f64,
    /// When it may be asked again.
    pub(super) next_poll: f64,
    /// Seconds between two questions.
    pub(super) interval: f64,
    /// When it was asked in the last minute.
    pub(super) calls: Vec<f64>,
    /// Whether the cluster keeps accounts, which `sacct` reads.
    pub(super) has_accounting: bool,
    /// Why Slurm could not be asked last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The tasks, by what they train: the name of a run, followed by the folder of a seed.
    pub(super) tasks: BTreeMap<String, TaskRecord>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The name of the array and of its folder.
    pub(super) array_name: String,
    /// The index in the array.
    pub(super) index: u32,
    /// The id of the array, once Slurm has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) array: Option<String>,
    /// The state in Slurm's words.
    pub(super) state: String,
    /// Slurm's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When this was written, in seconds since 1970.
    pub(super) time: f64,
}

impl Default for SlurmState {
    fn default() -> Self {
        SlurmState {
            format: FORMAT,
            polled: 0.0,
            next_poll: 0.0,
            interval: 0.0,
            calls: Vec::new(),
            has_accounting: true,
            problem: None,
            tasks: BTreeMap::new(),
        }
    }
}

impl TaskRecord {
    /// Its status as the task `task`.
    pub fn status(&self, task: &str) -> TaskStatus {
        let (state, reason) = (self.state.clone(), self.reason.clone());
        TaskStatus { task: task.into(), job: self.job(), state, reason }
    }

    /// What Slurm's commands call the task.
    pub(super) fn job(&self) -> Option<String> {
        Some(format!("{}_{}", self.array.as_ref()?, self.index))
    }

    pub(super) fn phase(&self) -> TaskPhase {
        TaskPhase::of(&self.state)
    }

    /// Whether Slurm may not know it, because its submitter has not recorded the answer.
    pub(super) fn is_submitting(&self) -> bool {
        self.state == SUBMITTING
    }
}

impl SlurmState {
    /// Reads the state of `runs_dir`; without a file there are no tasks.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] when the file cannot be read or parsed.
    pub fn read(runs_dir: &Path) -> Result<SlurmState> {
        let path = folder(runs_dir).join(FILE);
        let bytes = match read_regular(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SlurmState::default()),
            bytes => bytes.map_err(Error::reading(&path))?,
        };
        serde_json::from_slice(&bytes).map_err(|e| {
            let problem = format!("{e}; delete it, and see `squeue` for the jobs that were submitted");
            Error::data(&path, None, problem)
        })
    }

    /// When the file of `runs_dir` was written, and its length.
    pub fn stamp(runs_dir: &Path) -> Option<(SystemTime, u64)> {
        let file = std::fs::metadata(folder(runs_dir).join(FILE)).ok()?;
        Some((file.modified().ok()?, file.len()))
    }

    /// Changes the state of `runs_dir` under its lock, and returns the result of `change`.
    ///
    /// # Errors
    /// That of `change`, whose changes are then lost, and when the file cannot be read or written.
    pub(super) fn edit<T>(runs_dir: &Path, change: impl FnOnce(&mut SlurmState) -> Result<T>) -> Result<T> {
        let _lock = lock(runs_dir, LOCK)?;
        let path = folder(runs_dir).join(FILE);
        remove_leftovers_of(&path)?;
        let before = SlurmState::read(runs_dir)?;
        let mut state = before.clone();
        let result = change(&mut state)?;
        if state != before {
            let json = serde_json::to_vec(&state).map_err(|e| Error::writing(&path)(e.into()))?;
            write_atomic(&path, &json)?;
        }
        Ok(result)
    }

    /// The tasks of the run `name`.
    pub fn tasks_of(&self, name: &str) -> impl Iterator<Item = (&str, &TaskRecord)> {
        // The tasks of seeds follow that of the run in the order of the map, but for runs with characters before a slash.
        let of_run = self.tasks.get_key_value(name).into_iter();
        let prefix = format!("{name}/");
        let seeds = self.tasks.range(prefix.clone()..).take_while(move |(task, _)| task.starts_with(&prefix));
        of_run.chain(seeds).map(|(task, record)| (task.as_str(), record))
    }

    /// Whether a task waits or is executed, as far as is known.
    pub(super) fn has_active(&self) -> bool {
        self.tasks.values().any(|record| record.phase().is_active())
    }

    #[cfg(test)]
    pub(in crate::run) fn insert_for_tests(&mut self, task: &str, state: &str, reason: Option<&str>) {
        let index = u32::try_from(self.tasks.len()).unwrap();
        let (state, reason) = (state.to_owned(), reason.map(str::to_owned));
        let record = TaskRecord {
            array_name: "glue".into(),
            index,
            array: Some("7".into()),
            state,
            reason,
            time: 1.0,
        };
        self.tasks.insert(task.into(), record);
    }
}

/// The runs directory of a run or of one of its seeds, and the name of the task that trains what is in `dir`: the name of the
/// run, followed by the folder of the seed.
pub(super) fn task_of(dir: &Path) -> (PathBuf, String) {
    let dir = RunDir::at(std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf()));
    let run = dir.run_of_seed();
    let name = run.as_ref().map_or(dir.name(), |run| format!("{}/{}", run.name(), dir.name()));
    let runs_dir = run.as_ref().unwrap_or(&dir).path().parent().unwrap_or(Path::new("/"));
    (runs_dir.to_path_buf(), name)
}

/// The folder of the state and of the arrays.
pub(super) fn folder(runs_dir: &Path) -> PathBuf {
    runs_dir.join(FOLDER)
}

/// Locks the file `name` in the folder, which is created. `None` on a file system without locks, where two programs that
/// change the state at the same moment can lose a change; Slurm is asked again.
fn lock(runs_dir: &Path, name: &str) -> Result<Option<File>> {
    let path = folder(runs_dir).join(name);
    let file = open_lock(runs_dir, name)?;
    match file_lock::lock(&file, &path) {
        Ok(()) => Ok(Some(file)),
        Err(Error::Write { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the file `name` in the folder, which is created.
fn open_lock(runs_dir: &Path, name: &str) -> Result<File> {
    let folder = folder(runs_dir);
    std::fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
    let path = folder.join(name);
    open_append(&path).map_err(Error::writing(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_a_run_are_found_by_its_name() {
        let mut state = SlurmState::default();
        for task in ["a", "a-b", "a.b", "a/seed-1", "a/seed-2", "a0", "b/seed-1"] {
            state.insert_for_tests(task, "PENDING", None);
        }
        let names = |run| state.tasks_of(run).map(|(task, _)| task.to_owned()).collect::<Vec<_>>();
        assert_eq!(names("a"), ["a", "a/seed-1", "a/seed-2"]);
        assert_eq!(names("b"), ["b/seed-1"]);
        assert!(names("c").is_empty());
    }

    #[test]
    fn concurrent_changes_are_not_lost() {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let runs_dir = home.path();
                scope.spawn(move || {
                    for number in 0..10 {
                        SlurmState::edit(runs_dir, |state| {
                            state.insert_for_tests(&format!("{thread}-{number}"), "PENDING", None);
                            Ok(())
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(SlurmState::read(home.path()).unwrap().tasks.len(), 40);
        std::fs::write(folder(home.path()).join(FILE), "{").unwrap();
        assert!(SlurmState::read(home.path()).unwrap_err().to_string().contains("state.json"));
    }
}
