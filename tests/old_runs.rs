//! A run directory that version 0.1 wrote and was stopped half-way is listed, shown, resumed, replayed and exported.

use glue_tui::event::{Command, Event, Status};
use glue_tui::export;
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::history::History;
use glue_tui::run::{HistoryTail, RunDir, RunStatus, Start, TrainOutput, list, replay, run_blocking};
use glue_tui::train::control;
use std::path::{Path, PathBuf};

const NAME: &str = "tiny-20261130-020004-6a06";
/// Steps at which the run was stopped, and those that it has in all since a command changed them.
const STEPS: (u64, u64) = (36, 60);

/// A copy of the run in a runs directory of its own. Its model is named by a path below the repository, in which
/// tests are run.
fn old_run(home: &Path) -> PathBuf {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-0.1/runs"), home);
    home.join(NAME)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn train(start: Start, runs_dir: &Path) -> TrainOutput {
    let (control, _handle) = control();
    run_blocking(start, runs_dir, &control, &mut |_| {}).unwrap()
}

fn losses(dir: &Path) -> Vec<(u64, f64)> {
    let loss = |event| if let Event::Step(step) = event { Some((step.step, step.loss)) } else { None };
    replay(dir).unwrap().into_iter().filter_map(loss).collect()
}

#[test]
fn old_run_is_listed_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let dir = old_run(home.path());
    let rows = list(home.path());
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.name.as_str(), row.status, row.steps), (NAME, RunStatus::Stopped, STEPS.0));
    assert_eq!(row.total_steps, STEPS.1);
    assert!(row.best.is_some());

    let mut tail = HistoryTail::of(&dir);
    assert!(tail.update().unwrap());
    let history = tail.history();
    assert_eq!((history.steps_done(), history.total_steps()), STEPS);
    assert_eq!(*history, History::of(&replay(&dir).unwrap()));
    assert_eq!(history.probes.newest().count(), 1, "the probe is read from its old fields");

    // Predictions are in `judged/`.
    let report = ErrorReport::read(std::slice::from_ref(&dir), None).unwrap();
    assert_eq!(report.evaluations.len(), 12);
    assert_eq!(report.examples.unwrap().len(), 16);
    assert_eq!(RunDir::at(&dir).summary().unwrap().status, Status::Stopped);
}

#[test]
fn old_run_is_resumed_and_replayed() {
    let home = tempfile::tempdir().unwrap();
    let dir = old_run(home.path());
    let before = losses(&dir);
    let resumed = train(Start::Resume(dir.clone()), home.path());
    assert_eq!((resumed.status, resumed.summaries[0].steps), (Status::Finished, STEPS.1));
    let after = losses(&dir);
    assert_eq!(after[..before.len()], before, "the log is continued");
    assert_eq!(after.len() as u64, STEPS.1);
    let report = ErrorReport::read(std::slice::from_ref(&dir), None).unwrap();
    assert_eq!(report.evaluations.last().unwrap().step, STEPS.1);
    assert!(report.evaluations.len() > 12, "old and new predictions are one list");

    let replayed = train(Start::Replay(dir.clone()), home.path());
    assert_eq!((replayed.status, replayed.summaries[0].steps), (Status::Finished, STEPS.1));
    let again = losses(&replayed.dir);
    assert_eq!(again.len(), after.len());
    for ((step, loss), (_, expected)) in again.iter().zip(&after) {
        assert!((loss - expected).abs() < 1e-4, "step {step}: {loss}, not {expected}");
    }
    let is_change = |event: &Event| matches!(event, Event::Command { command: Command::Halve, .. });
    assert!(replay(&replayed.dir).unwrap().iter().any(is_change));
}

#[test]
fn old_run_is_exported() {
    let home = tempfile::tempdir().unwrap();
    let dir = old_run(home.path());
    let to = home.path().join("exported");
    export::hf(&dir, &to).unwrap();
    assert!(to.join("model.safetensors").is_file() && to.join("config.json").is_file());
}
