//! Deletes runs.

use super::dir::RunDir;
use super::executor::TaskList;
use super::lock::lock_with_seeds;
use crate::error::{Error, Result};
use std::path::Path;

/// The end of the name of a run that is being deleted, `.NAME.deleted`.
const DELETED: &str = ".deleted";

/// Deletes the run `dir`, a folder of `runs_dir`, with all its files. The run disappears at once or not at all.
///
/// # Errors
/// [`Error::Usage`] when `dir` is not a run in `runs_dir`, when Slurm has a job for it, or when another process trains it or one of its seeds,
/// [`Error::Write`] when it cannot be removed.
pub fn delete(runs_dir: &Path, dir: &Path) -> Result<()> {
    let run = RunDir::at(dir);
    let is_inside = dir.parent() == Some(runs_dir) && dir.file_name().is_some();
    if !is_inside || !run.is_run() {
        return Err(Error::Usage(format!(
            "{} is not a run in {}; delete it by hand if you are sure",
            dir.display(),
            runs_dir.display()
        )));
    }
    let tasks = TaskList::read(runs_dir).of_run(&run.name());
    if let Some(task) = tasks.iter().find(|task| task.phase().is_active()) {
        return Err(Error::Usage(format!(
            "{name} has the job {} in Slurm; take it back first with: glue-tui cancel {name}",
            task.job.as_deref().unwrap_or(&task.state),
            name = run.name()
        )));
    }
    let _locks = lock_with_seeds(&run)?;
    remove_deleted(runs_dir);
    let removed = runs_dir.join(format!(".{}{DELETED}", run.name()));
    std::fs::rename(dir, &removed).map_err(Error::writing(dir))?;
    std::fs::remove_dir_all(&removed).map_err(Error::writing(&removed))
}

/// Removes what is left of deletions that were interrupted.
fn remove_deleted(runs_dir: &Path) {
    for entry in std::fs::read_dir(runs_dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(DELETED) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::executor::slurm::SlurmState;
    use super::super::lock::RunLock;
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn run_is_deleted_unless_it_is_being_trained() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path();
        let run = RunDir::create(runs, &built_in("demo")).unwrap();
        std::fs::create_dir(run.path().join("checkpoints")).unwrap();
        let lock = RunLock::take_for_training(&run).unwrap();
        let error = delete(runs, run.path()).unwrap_err().to_string();
        assert!(error.contains("is being trained by process"), "{error}");
        assert!(run.spec_file().is_file());
        drop(lock);
        std::fs::create_dir(runs.join(".other.deleted")).unwrap();
        delete(runs, run.path()).unwrap();
        assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0);
    }

    #[test]
    fn run_with_a_job_in_slurm_is_not_deleted() {
        let home = tempfile::tempdir().unwrap();
        let run = RunDir::create(home.path(), &built_in("demo")).unwrap();
        let mut state = SlurmState::default();
        state.insert_for_tests(&run.name(), "PENDING", None);
        std::fs::create_dir(home.path().join(".slurm")).unwrap();
        std::fs::write(home.path().join(".slurm/state.json"), serde_json::to_vec(&state).unwrap()).unwrap();
        let error = delete(home.path(), run.path()).unwrap_err().to_string();
        assert!(error.contains("job 7_0") && error.contains("glue-tui cancel"), "{error}");
        assert!(run.spec_file().is_file());
    }

    #[test]
    fn only_runs_are_deleted() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path().join("runs");
        let (folder, elsewhere) = (runs.join("folder"), home.path().join("elsewhere"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("spec.toml"), "").unwrap();
        for dir in [&folder, &elsewhere] {
            assert!(delete(&runs, dir).unwrap_err().to_string().contains("is not a run in"));
            assert!(dir.is_dir());
        }
    }
}
