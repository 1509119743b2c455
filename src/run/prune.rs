//! Frees disk space: removes the checkpoints of runs that no longer need them.

use super::dir::RunDir;
use super::disk::DiskUse;
use super::index::row_of_locked_run;
use super::lock::lock_with_seeds;
use super::row::{RunRow, RunStatus};
use crate::error::{Error, Result};
use crate::files::remove_dir_atomic;
use std::fmt;
use std::path::Path;

/// Which runs may be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneScope {
    /// Finished runs with best weights: they lose nothing that anything needs.
    Finished,
    /// Every run that is not being trained, because the user has named it. A stopped or failed run starts again from step
    /// 0 when it is resumed.
    Named,
}

/// Why a run keeps its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneRefusal {
    /// It is being trained.
    Training,
    /// It is not finished and resumes from its checkpoints.
    Resumable,
    /// It has no best weights, so its checkpoints have its only weights.
    NoBestWeights,
    /// It cannot be read.
    Unreadable,
}

/// What follows the name of the run in a sentence.
impl fmt::Display for PruneRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PruneRefusal::Training => "is being trained",
            PruneRefusal::Resumable => "is not finished and can only be resumed from its checkpoints",
            PruneRefusal::NoBestWeights => "has no best weights, only checkpoints",
            PruneRefusal::Unreadable => "is unreadable",
        })
    }
}

impl RunRow {
    /// Why the run keeps its checkpoints; `None` if [`prune`] removes them.
    pub fn prune_refusal(&self, scope: PruneScope) -> Option<PruneRefusal> {
        match (self.status, scope) {
            (RunStatus::Unreadable, _) => Some(PruneRefusal::Unreadable),
            (RunStatus::Running | RunStatus::Pending | RunStatus::Requeued, _) => {
                Some(PruneRefusal::Training)
            }
            (_, PruneScope::Named) => None,
            (RunStatus::Finished, _) if self.has_best_weights => None,
            (RunStatus::Finished, _) => Some(PruneRefusal::NoBestWeights),
            _ => Some(PruneRefusal::Resumable),
        }
    }
}

/// Removes the checkpoints of the run in `dir` and of its seeds, and what killed processes left there. Best weights, log,
/// specification, summary and predictions stay. Returns the freed bytes.
///
/// # Errors
/// [`Error::Usage`] when another process trains the run or when it keeps its checkpoints, [`Error::Write`] with a folder
/// that cannot be removed.
pub fn prune(dir: &Path, scope: PruneScope) -> Result<u64> {
    let run = RunDir::at(dir);
    let refused = |why: PruneRefusal| Error::Usage(format!("{} {why}; nothing was removed", run.name()));
    if !run.is_run() {
        return Err(Error::Usage(format!("{} is not a run", dir.display())));
    }
    let _locks = lock_with_seeds(&run)?;
    // Another process may have resumed and stopped the run since it was listed.
    let row = row_of_locked_run(&run).ok_or_else(|| refused(PruneRefusal::Unreadable))?;
    if let Some(why) = row.prune_refusal(scope) {
        return Err(refused(why));
    }
    let before = DiskUse::of(&run);
    for dir in std::iter::once(run.clone()).chain(run.existing_seeds()?) {
        dir.remove_leftovers()?;
        let checkpoints = dir.checkpoints();
        // A link to another disk is left, with its target.
        if checkpoints.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            remove_dir_atomic(&checkpoints)?;
        }
    }
    Ok(before.bytes.saturating_sub(DiskUse::of(&run).bytes))
}

#[cfg(test)]
mod tests {
    use super::super::lock::RunLock;
    use super::*;
    use crate::event::Status;
    use crate::spec::{RunSpec, built_in};
    use crate::train::Summary;
    use std::path::PathBuf;

    fn write(path: PathBuf, bytes: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![0; bytes]).unwrap();
    }

    /// A run with this status, with checkpoints of 300 bytes.
    fn run(home: &Path, status: Status, spec: &RunSpec) -> RunDir {
        let run = RunDir::create(home, spec).unwrap();
        fill(&run, status, spec);
        run
    }

    fn fill(run: &RunDir, status: Status, spec: &RunSpec) {
        let failed = Summary::failed(spec, &Error::Training("-".into()));
        run.write_summary(&Summary { status, ..failed }).unwrap();
        write(run.events_file(), 0);
        write(run.path().join("checkpoints/step-000004/state.safetensors"), 100);
        write(run.path().join("checkpoints/.step-000008.new/state.safetensors"), 200);
        write(run.path().join("best/model.safetensors"), 50);
        write(run.path().join("predictions/step-00000004.safetensors"), 5);
    }

    #[test]
    fn finished_run_loses_its_checkpoints_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let run = run(home.path(), Status::Finished, &built_in("demo"));
        let before = DiskUse::of(&run);
        assert_eq!(before.prunable_bytes, 300);
        assert_eq!(prune(run.path(), PruneScope::Finished).unwrap(), 300);
        assert_eq!(DiskUse::of(&run), DiskUse { bytes: before.bytes - 300, prunable_bytes: 0 });
        for kept in [
            "best/model.safetensors",
            "predictions/step-00000004.safetensors",
            "spec.toml",
            "summary.json",
            "events.jsonl",
        ] {
            assert!(run.path().join(kept).is_file(), "{kept}");
        }
        assert_eq!(prune(run.path(), PruneScope::Finished).unwrap(), 0, "nothing is left to remove");
    }

    #[test]
    fn seeds_lose_their_checkpoints() {
        let home = tempfile::tempdir().unwrap();
        let spec = RunSpec { repeats: 2, ..built_in("demo") };
        let run = run(home.path(), Status::Finished, &spec);
        for seed in [spec.seed, spec.seed + 1] {
            let one = RunSpec { seed, repeats: 1, ..spec.clone() };
            fill(&run.of_seed(&one).unwrap(), Status::Finished, &one);
        }
        assert_eq!(prune(run.path(), PruneScope::Finished).unwrap(), 900);
        assert!(run.path().join("seed-43/best/model.safetensors").is_file());
    }

    #[test]
    fn runs_that_need_their_checkpoints_keep_them() {
        let home = tempfile::tempdir().unwrap();
        let refused = |run: &RunDir, scope, part: &str| {
            let error = prune(run.path(), scope).unwrap_err();
            assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(part), "{error}");
            assert_eq!(DiskUse::of(run).prunable_bytes, 300);
        };
        let stopped = run(home.path(), Status::Stopped, &built_in("demo"));
        refused(&stopped, PruneScope::Finished, "can only be resumed from its checkpoints");
        let finished = run(home.path(), Status::Finished, &built_in("demo"));
        let lock = RunLock::take_for_training(&finished).unwrap();
        refused(&finished, PruneScope::Named, "is being trained by process");
        drop(lock);
        std::fs::remove_dir_all(finished.best()).unwrap();
        refused(&finished, PruneScope::Finished, "has no best weights");
        assert_eq!(prune(stopped.path(), PruneScope::Named).unwrap(), 300);
        assert_eq!(prune(finished.path(), PruneScope::Named).unwrap(), 300);
        assert!(prune(home.path(), PruneScope::Named).unwrap_err().to_string().contains("is not a run"));
    }

    #[test]
    #[cfg(unix)]
    fn linked_checkpoints_are_left() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = home.path().join("elsewhere");
        let run = run(&home.path().join("runs"), Status::Finished, &built_in("demo"));
        std::fs::rename(run.checkpoints(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, run.checkpoints()).unwrap();
        assert_eq!(prune(run.path(), PruneScope::Finished).unwrap(), 0);
        assert!(elsewhere.join("step-000004/state.safetensors").is_file() && run.checkpoints().exists());
    }
}
