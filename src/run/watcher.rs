//! The runs of a directory, kept up to date while processes train them. Thousands of runs may be on a disk that a cluster
//! shares, so few files are looked at:
//!
//! | what | how often |
//! | --- | --- |
//! | the names in the directory | one `stat` in each poll; read when the directory has changed |
//! | the tasks in Slurm | the same |
//! | a run in training | looked at in each poll, of many runs [`MAX_RUNNING`], in turn; read if its log has grown |
//! | any other run | looked at less often the longer it has not changed, at most [`MAX_OTHERS`] in a poll; read if it has changed |
//!
//! A look at a run is a `stat` of its directory and of its log, also of those of its seeds.

use super::dir::{RunDir, seed_dirs};
use super::executor::TaskList;
use super::index::{newest_first, row_of_files, unreadable};
use super::lock::is_training;
use super::row::{RunRow, RunStatus};
use crate::error::Error;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Runs in training that a poll looks at.
const MAX_RUNNING: usize = 32;
/// Other runs that a poll looks at.
const MAX_OTHERS: usize = 64;
/// The least and the most time between two looks at a run that is not being trained.
const INTERVALS: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(5)];
/// That time is this part of the time since its last change.
const BACK_OFF: u32 = 16;
/// A change that is younger than this may be followed by another one at the same time: file systems have clocks of their own,
/// some of which count seconds.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The runs of a directory.
#[derive(Debug)]
pub struct RunWatcher {
    runs_dir: PathBuf,
    /// The runs, newest first.
    rows: Vec<RunRow>,
    /// What is known about the files of each of the rows.
    watches: Vec<Watch>,
    /// Folders that are not runs, or not yet.
    others: Vec<(PathBuf, Watch)>,
    /// When the directory was changed before its names were read.
    stamp: Option<SystemTime>,
    tasks: TaskList,
    /// The number of running runs that were looked at, so that each has its turn.
    turn: usize,
}

/// The runs that have changed between two polls.
#[derive(Debug, Default, PartialEq)]
pub struct RunChanges {
    /// New runs, and those that have changed.
    pub changed: Vec<RunRow>,
    /// The directories of runs that were deleted.
    pub removed: Vec<PathBuf>,
}

/// The run directories that were found and missed among the names of the runs directory.
#[derive(Debug, Default)]
struct NameChanges {
    added: HashSet<PathBuf>,
    removed: Vec<PathBuf>,
}

/// What is known about the files of a run.
#[derive(Debug)]
struct Watch {
    /// What its files say, if its tasks in Slurm say more.
    files: Option<Box<RunRow>>,
    /// The stamp before they were read; `None` if they may have changed since at the same time.
    stamp: Option<RunStamp>,
    /// When to look at them again.
    due: Instant,
}

/// What changes with the files of a run: when its directory and its log were changed and how long the log is, also those of
/// its seeds.
#[derive(Debug, PartialEq)]
struct RunStamp(Vec<Option<(SystemTime, u64)>>);

impl RunStamp {
    fn of(dir: &Path, row: Option<&RunRow>) -> RunStamp {
        let spec = row.and_then(|row| row.spec.as_deref()).filter(|spec| spec.seed_count() > 1);
        let seeds = spec.map_or_else(Vec::new, |spec| seed_dirs(dir, spec));
        let paths = std::iter::once(dir.to_path_buf()).chain(seeds);
        let paths = paths.flat_map(|dir| [RunDir::at(&dir).events_file(), dir]);
        let stamp = |path: PathBuf| {
            #[cfg(test)]
            STATS.set(STATS.get() + 1);
            let metadata = path.metadata().ok()?;
            let length = if metadata.is_file() { metadata.len() } else { 0 };
            Some((metadata.modified().ok()?, length))
        };
        RunStamp(paths.map(stamp).collect())
    }

    fn age(&self) -> Duration {
        let newest = self.0.iter().flatten().map(|(time, _)| *time).max();
        newest.map_or(Duration::MAX, age)
    }
}

impl Watch {
    fn new(stamp: RunStamp) -> Watch {
        let mut watch = Watch { files: None, stamp: None, due: Instant::now() };
        watch.set(stamp);
        watch
    }

    fn set(&mut self, stamp: RunStamp) {
        let age = stamp.age();
        let [least, most] = INTERVALS;
        self.due = Instant::now() + (age / BACK_OFF).clamp(least, most);
        self.stamp = Some(stamp).filter(|_| age > CLOCK_TOLERANCE);
    }
}

impl RunChanges {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// Changes `rows`, which are sorted, newest first.
    pub fn apply(self, rows: &mut Vec<RunRow>) {
        let removed: HashSet<PathBuf> = self.removed.into_iter().collect();
        let mut changed: HashMap<PathBuf, RunRow> =
            self.changed.into_iter().map(|row| (row.dir.clone(), row)).collect();
        rows.retain(|row| !removed.contains(&row.dir));
        for row in rows.iter_mut() {
            if let Some(new) = changed.remove(&row.dir) {
                *row = new;
            }
        }
        rows.extend(changed.into_values());
        rows.sort_by(newest_first);
    }
}

impl RunWatcher {
    /// The runs in `runs_dir`, before anything is read.
    pub fn new(runs_dir: PathBuf) -> RunWatcher {
        RunWatcher {
            runs_dir,
            rows: Vec::new(),
            watches: Vec::new(),
            others: Vec::new(),
            stamp: None,
            tasks: TaskList::default(),
            turn: 0,
        }
    }

    /// The runs as they were read last, newest first.
    pub fn rows(&self) -> &[RunRow] {
        &self.rows
    }

    /// Reads all runs. A directory that cannot be read is listed with the reason.
    pub fn list(&mut self) -> &[RunRow] {
        *self = RunWatcher { turn: self.turn, ..RunWatcher::new(std::mem::take(&mut self.runs_dir)) };
        self.tasks = TaskList::read(&self.runs_dir);
        if let Err(error) = self.update_names() {
            self.rows = vec![unreadable(&self.runs_dir, &error)];
            self.watches = vec![Watch::new(RunStamp(Vec::new()))];
        }
        &self.rows
    }

    /// Reads what has changed since the last poll or list, as far as it is looked at.
    pub fn poll(&mut self) -> RunChanges {
        // A directory that cannot be read for the moment is read in a later poll.
        let NameChanges { added, removed } = self.update_names().unwrap_or_default();
        let mut changed = added;
        if self.tasks.has_changed(&self.runs_dir) {
            self.tasks = TaskList::read(&self.runs_dir);
            for index in 0..self.rows.len() {
                if self.apply_tasks(index) {
                    changed.insert(self.rows[index].dir.clone());
                }
            }
        }
        for index in self.running_in_turn().into_iter().chain(self.others_due()) {
            if self.look(index) {
                changed.insert(self.rows[index].dir.clone());
            }
        }
        changed.extend(self.look_at_folder());
        if changed.is_empty() {
            return RunChanges { changed: Vec::new(), removed };
        }
        self.sort();
        let changed = self.rows.iter().filter(|row| changed.contains(&row.dir)).cloned().collect();
        RunChanges { changed, removed }
    }

    /// Finds runs that are new, and those that were deleted.
    fn update_names(&mut self) -> Result<NameChanges, Error> {
        let mut changes = NameChanges::default();
        let stamp = self.runs_dir.metadata().and_then(|metadata| metadata.modified()).ok();
        if stamp.is_some() && stamp == self.stamp {
            return Ok(changes);
        }
        let folders = folders(&self.runs_dir)?;
        self.stamp = stamp.filter(|time| age(*time) > CLOCK_TOLERANCE);
        let is_gone = |dir: &Path| dir.file_name().is_none_or(|name| !folders.contains(name));
        let mut kept = Vec::with_capacity(self.rows.len());
        for (row, watch) in std::mem::take(&mut self.rows).into_iter().zip(std::mem::take(&mut self.watches))
        {
            if is_gone(&row.dir) {
                changes.removed.push(row.dir);
            } else {
                kept.push((row, watch));
            }
        }
        (self.rows, self.watches) = kept.into_iter().unzip();
        self.others.retain(|(dir, _)| !is_gone(dir));
        let dirs = self.rows.iter().map(|row| &row.dir).chain(self.others.iter().map(|(dir, _)| dir));
        let known: HashSet<OsString> = dirs.filter_map(|dir| Some(dir.file_name()?.to_owned())).collect();
        for name in folders.difference(&known) {
            let dir = self.runs_dir.join(name);
            if self.add(&dir) {
                changes.added.insert(dir);
            }
        }
        self.sort();
        Ok(changes)
    }

    /// Adds a folder. Returns whether it is a run.
    fn add(&mut self, dir: &Path) -> bool {
        let before = RunStamp::of(dir, None);
        let Some(row) = row_of_files(dir) else {
            self.others.push((dir.to_path_buf(), Watch::new(before)));
            return false;
        };
        // Which seeds a run has is known afterwards. What they write at the same time makes the stamp too young to be kept.
        let has_seeds = row.spec.as_ref().is_some_and(|spec| spec.seed_count() > 1);
        let stamp = if has_seeds { RunStamp::of(dir, Some(&row)) } else { before };
        self.rows.push(row);
        self.watches.push(Watch::new(stamp));
        self.apply_tasks(self.rows.len() - 1);
        true
    }

    /// Changes the row of a run to what its files and its tasks say together. Returns whether that has changed it.
    fn apply_tasks(&mut self, index: usize) -> bool {
        let (row, watch) = (&mut self.rows[index], &mut self.watches[index]);
        if watch.files.is_none() && !self.tasks.has_tasks_of(&row.name) {
            return false;
        }
        let files = watch.files.take().map_or_else(|| row.clone(), |files| *files);
        let mut new = files.clone();
        self.tasks.apply(&mut new);
        watch.files = (new != files).then(|| Box::new(files));
        let is_changed = new != *row;
        *row = new;
        is_changed
    }

    /// The runs in training that this poll looks at.
    fn running_in_turn(&mut self) -> Vec<usize> {
        let is_running = |index: &usize| self.rows[*index].status == RunStatus::Running;
        let running: Vec<usize> = (0..self.rows.len()).filter(is_running).collect();
        let first = if running.len() > MAX_RUNNING { self.turn % running.len() } else { 0 };
        self.turn = first + MAX_RUNNING;
        running.iter().copied().cycle().skip(first).take(running.len().min(MAX_RUNNING)).collect()
    }

    /// The other runs that this poll looks at: those that are due, longest first.
    fn others_due(&self) -> Vec<usize> {
        let now = Instant::now();
        let is_running = |index: usize| self.rows[index].status == RunStatus::Running;
        let is_due = |index: &usize| !is_running(*index) && self.watches[*index].due <= now;
        let mut due: Vec<usize> = (0..self.rows.len()).filter(is_due).collect();
        due.sort_by_key(|index| self.watches[*index].due);
        due.truncate(MAX_OTHERS);
        due
    }

    /// Looks at a folder that was no run. Returns it if it is one.
    fn look_at_folder(&mut self) -> Option<PathBuf> {
        let now = Instant::now();
        let at = self.others.iter().position(|(_, watch)| watch.due <= now)?;
        let (dir, watch) = self.others.swap_remove(at);
        let stamp = RunStamp::of(&dir, None);
        if watch.stamp.as_ref() == Some(&stamp) {
            self.others.push((dir, Watch::new(stamp)));
            return None;
        }
        self.add(&dir).then_some(dir)
    }

    /// Reads a run again if its files have changed. Returns whether its row has.
    fn look(&mut self, index: usize) -> bool {
        let (row, watch) = (&self.rows[index], &mut self.watches[index]);
        let stamp = RunStamp::of(&row.dir, Some(row));
        let is_same = watch.stamp.as_ref() == Some(&stamp);
        watch.set(stamp);
        let files_before = watch.files.as_deref().unwrap_or(row);
        // A process that was killed has written nothing.
        if is_same && (files_before.status != RunStatus::Running || is_any_trained(row)) {
            return false;
        }
        // That of a run that was deleted is removed with its name.
        let Some(files) = row_of_files(&row.dir) else { return false };
        if files == *files_before {
            return false;
        }
        watch.files = None;
        let before = std::mem::replace(&mut self.rows[index], files);
        self.apply_tasks(index);
        self.rows[index] != before
    }

    fn sort(&mut self) {
        let is_sorted = self.rows.is_sorted_by(|a, b| newest_first(a, b) != Ordering::Greater);
        if is_sorted {
            return;
        }
        let rows = std::mem::take(&mut self.rows).into_iter();
        let mut all: Vec<(RunRow, Watch)> = rows.zip(std::mem::take(&mut self.watches)).collect();
        all.sort_by(|(a, _), (b, _)| newest_first(a, b));
        (self.rows, self.watches) = all.into_iter().unzip();
    }
}

/// Whether a process trains the run or one of its seeds.
fn is_any_trained(row: &RunRow) -> bool {
    let seeds =
        row.spec.as_deref().filter(|spec| spec.seed_count() > 1).map(|spec| seed_dirs(&row.dir, spec));
    let dirs = std::iter::once(row.dir.clone()).chain(seeds.into_iter().flatten());
    dirs.map(RunDir::at).any(|dir| is_training(&dir))
}

/// How long ago `time` was; 0 for a time that is still to come, by the clock of another machine.
fn age(time: SystemTime) -> Duration {
    time.elapsed().unwrap_or(Duration::ZERO)
}

/// The names in the runs directory that may be those of runs: not hidden, and no files; none if it does not exist.
fn folders(runs_dir: &Path) -> Result<HashSet<OsString>, Error> {
    let entries = match std::fs::read_dir(runs_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(Error::reading(runs_dir))?,
    };
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry.map_err(Error::reading(runs_dir))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file && !entry.file_name().to_string_lossy().starts_with('.') {
            names.insert(entry.file_name());
        }
    }
    Ok(names)
}

#[cfg(test)]
thread_local! {
    /// Calls of `stat` for stamps of runs.
    static STATS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests;
