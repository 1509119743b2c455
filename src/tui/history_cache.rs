//! The logs of the runs that are looked at, read once and then read on.

use super::msg::Msg;
use crate::error::Result;
use crate::run::history::History;
use crate::run::{Follower, RunDir, seed_dirs};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};

/// Runs that are kept as far as they are read, so that one goes back to them at once.
pub(super) const CAPACITY: usize = 8;

/// The runs that were read last. Their logs may grow: what is read of them is not read again.
#[derive(Default)]
pub(super) struct HistoryCache {
    /// The newest at the end.
    runs: Vec<FollowedRun>,
}

/// A run with the logs of its seeds.
pub(super) struct FollowedRun {
    dir: PathBuf,
    spec: RunSpec,
    seeds: Vec<(PathBuf, Follower)>,
}

impl HistoryCache {
    /// Reads a run, or on in it; of the others only the newest are kept, `kept` in all.
    pub(super) fn read(&mut self, dir: PathBuf, kept: usize) -> Msg {
        let known = self.runs.iter().position(|run| run.dir == dir).map(|at| self.runs.remove(at));
        let result = match known {
            Some(mut run) => run.follow().map(|_| run),
            None => FollowedRun::read(&dir),
        };
        let result = result.map(|run| {
            let found = (run.spec.clone(), run.histories());
            self.runs.push(run);
            found
        });
        self.runs.drain(..self.runs.len().saturating_sub(kept));
        Msg::HistoryLoaded { dir, result: result.map_err(|e| e.to_string()) }
    }

    /// Reads on in the logs of `dirs` and says what is new.
    pub(super) fn follow(&mut self, dirs: &[PathBuf]) -> Vec<Msg> {
        // Those that are followed count as the newest.
        self.runs.sort_by_key(|run| dirs.contains(&run.dir));
        let kept = CAPACITY.max(dirs.len());
        // What cannot be read now was said when it was first asked for.
        let news = dirs.iter().filter_map(|dir| {
            let Some(run) = self.runs.iter_mut().find(|run| run.dir == *dir) else {
                let msg = self.read(dir.clone(), kept);
                return matches!(msg, Msg::HistoryLoaded { result: Ok(_), .. }).then_some(msg);
            };
            let is_new = run.follow().unwrap_or(false);
            let found = || Ok((run.spec.clone(), run.histories()));
            is_new.then(|| Msg::HistoryLoaded { dir: dir.clone(), result: found() })
        });
        news.collect()
    }
}

impl FollowedRun {
    /// Reads the run in `dir`, so far as it is written.
    pub(super) fn read(dir: &Path) -> Result<FollowedRun> {
        let spec = RunDir::at(dir).spec()?;
        let mut run = FollowedRun { dir: dir.to_path_buf(), spec, seeds: Vec::new() };
        run.follow()?;
        Ok(run)
    }

    /// Reads what is new in the logs, those of new seeds too; says whether anything is.
    fn follow(&mut self) -> Result<bool> {
        for dir in seed_dirs(&self.dir, &self.spec) {
            if !self.seeds.iter().any(|(known, _)| *known == dir) {
                let follower = Follower::of(&dir);
                self.seeds.push((dir, follower));
            }
        }
        let mut is_new = false;
        for (_, follower) in &mut self.seeds {
            is_new |= follower.follow()?;
        }
        Ok(is_new)
    }

    /// What the log of each seed says.
    pub(super) fn histories(&self) -> Vec<History> {
        self.seeds.iter().map(|(_, follower)| follower.history().clone()).collect()
    }
}
