//! The histories of the runs that were shown last. Their logs may grow; each event is read once.

use super::msg::Msg;
use crate::error::Result;
use crate::run::history::History;
use crate::run::{HistoryTail, RunDir, seed_dirs};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};

/// Runs that are kept, so that they are shown again without reading their logs.
pub(super) const CAPACITY: usize = 8;

/// The runs that were read last.
#[derive(Default)]
pub(super) struct HistoryCache {
    /// The most recently used at the end.
    runs: Vec<FollowedRun>,
}

/// A run with the logs of its seeds.
pub(super) struct FollowedRun {
    dir: PathBuf,
    spec: RunSpec,
    seeds: Vec<(PathBuf, HistoryTail)>,
}

impl HistoryCache {
    /// The specification of the run in `dir` and the history of each seed, up to date. Keeps the `capacity` most
    /// recently used runs.
    ///
    /// # Errors
    /// When the specification or a log cannot be read.
    pub(super) fn read(&mut self, dir: &Path, capacity: usize) -> Result<(RunSpec, Vec<History>)> {
        let run = match self.take(dir) {
            Some(mut run) => run.update().map(|_| run),
            None => FollowedRun::read(dir),
        };
        let result = run.map(|run| {
            let found = (run.spec.clone(), run.histories());
            self.runs.push(run);
            found
        });
        self.runs.drain(..self.runs.len().saturating_sub(capacity));
        result
    }

    /// Reads the new events of the runs in `dirs`. Returns a message for each run that has any.
    pub(super) fn follow(&mut self, dirs: &[PathBuf]) -> Vec<Msg> {
        // Runs that are followed count as recently used.
        self.runs.sort_by_key(|run| dirs.contains(&run.dir));
        let capacity = CAPACITY.max(dirs.len());
        // A run that cannot be read was reported when it was opened.
        let messages = dirs.iter().filter_map(|dir| {
            let Some(run) = self.runs.iter_mut().find(|run| run.dir == *dir) else {
                let result = Ok(self.read(dir, capacity).ok()?);
                return Some(Msg::HistoryLoaded { dir: dir.clone(), result });
            };
            let is_new = run.update().unwrap_or(false);
            let result = || Ok((run.spec.clone(), run.histories()));
            is_new.then(|| Msg::HistoryLoaded { dir: dir.clone(), result: result() })
        });
        messages.collect()
    }

    /// Forgets the run in `dir`.
    pub(super) fn remove(&mut self, dir: &Path) {
        self.take(dir);
    }

    fn take(&mut self, dir: &Path) -> Option<FollowedRun> {
        let index = self.runs.iter().position(|run| run.dir == dir)?;
        Some(self.runs.remove(index))
    }
}

impl FollowedRun {
    /// Reads the run in `dir`.
    ///
    /// # Errors
    /// When the specification or a log cannot be read.
    pub(super) fn read(dir: &Path) -> Result<FollowedRun> {
        let spec = RunDir::at(dir).spec()?;
        let mut run = FollowedRun { dir: dir.to_path_buf(), spec, seeds: Vec::new() };
        run.update()?;
        Ok(run)
    }

    /// Reads the new events of all seeds, including seeds that have started since. Returns whether there are any.
    fn update(&mut self) -> Result<bool> {
        for dir in seed_dirs(&self.dir, &self.spec) {
            // A run that waits in Slurm has no log yet.
            let has_log = RunDir::at(&dir).events_file().exists();
            if has_log && !self.seeds.iter().any(|(known, _)| *known == dir) {
                let tail = HistoryTail::of(&dir);
                self.seeds.push((dir, tail));
            }
        }
        let mut is_new = false;
        for (_, tail) in &mut self.seeds {
            is_new |= tail.update()?;
        }
        Ok(is_new)
    }

    /// The history of each seed.
    pub(super) fn histories(&self) -> Vec<History> {
        self.seeds.iter().map(|(_, tail)| tail.history().clone()).collect()
    }
}
