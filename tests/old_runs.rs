//! Run directories of earlier formats, of runs that were stopped half-way, are listed, shown, resumed, replayed and exported,
//! and their exports are opened.

use glue_tui::event::{Command, Event, Status};
use glue_tui::export;
use glue_tui::hub::Hub;
use glue_tui::predict::Predictor;
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::history::History;
use glue_tui::run::{HistoryTail, RunDir, RunStatus, Start, TrainOutput, list, replay, run_blocking};
use glue_tui::spec::DeviceSpec;
use glue_tui::train::control;
use std::path::{Path, PathBuf};

/// A sample in `tests/data`.
struct Sample {
    folder: &'static str,
    name: &'static str,
    /// Step at which the run was stopped. It has [`TOTAL_STEPS`] in all since a command changed them.
    stopped_at: u64,
    /// Evaluations of the validation split so far.
    evaluations: usize,
}

const TOTAL_STEPS: u64 = 60;

/// Version 0.1: predictions are in `judged/`, events have other names.
const V0_1: Sample =
    Sample { folder: "run-0.1", name: "tiny-20261130-020004-6a06", stopped_at: 36, evaluations: 12 };
/// The format before checkpoints had digests.
const V0_2: Sample =
    Sample { folder: "run-0.2", name: "tiny-20261130-050323-9322", stopped_at: 41, evaluations: 12 };

impl Sample {
    /// A copy of the run in a runs directory of its own. Its model is named by a path below the repository, in which
    /// tests are run.
    fn copy(&self, home: &Path) -> PathBuf {
        copy(&data(self.folder).join("runs"), home);
        home.join(self.name)
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
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
fn old_runs_are_listed_and_shown() {
    for sample in [V0_1, V0_2] {
        let home = tempfile::tempdir().unwrap();
        let dir = sample.copy(home.path());
        let rows = list(home.path()).unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        let expected = (sample.name, RunStatus::Stopped, sample.stopped_at, TOTAL_STEPS);
        assert_eq!((row.name.as_str(), row.status, row.steps, row.total_steps), expected);
        assert!(row.best.is_some());

        let mut tail = HistoryTail::of(&dir);
        assert!(tail.update().unwrap());
        let history = tail.history();
        assert_eq!((history.steps_done(), history.total_steps()), (sample.stopped_at, TOTAL_STEPS));
        assert_eq!(*history, History::of(&replay(&dir).unwrap()));
        assert_eq!(history.probes.newest().count(), 1, "the probe is read from its old fields");

        let report = ErrorReport::read(std::slice::from_ref(&dir), None).unwrap();
        assert_eq!(report.evaluations.len(), sample.evaluations);
        assert_eq!(report.examples.unwrap().len(), 16);
        assert_eq!(RunDir::at(&dir).summary().unwrap().status, Status::Stopped);
    }
}

#[test]
fn old_runs_are_resumed_and_replayed() {
    for sample in [V0_1, V0_2] {
        let home = tempfile::tempdir().unwrap();
        let dir = sample.copy(home.path());
        let before = losses(&dir);
        let resumed = train(Start::Resume(dir.clone()), home.path());
        assert_eq!((resumed.status, resumed.summaries[0].steps), (Status::Finished, TOTAL_STEPS));
        let after = losses(&dir);
        assert_eq!(after[..before.len()], before, "the log is continued");
        assert_eq!(after.len() as u64, TOTAL_STEPS);
        let report = ErrorReport::read(std::slice::from_ref(&dir), None).unwrap();
        assert_eq!(report.evaluations.last().unwrap().step, TOTAL_STEPS);
        assert!(report.evaluations.len() > sample.evaluations, "old and new predictions are one list");

        let replayed = train(Start::Replay(dir.clone()), home.path());
        assert_eq!((replayed.status, replayed.summaries[0].steps), (Status::Finished, TOTAL_STEPS));
        let again = losses(&replayed.dir);
        assert_eq!(again.len(), after.len());
        for ((step, loss), (_, expected)) in again.iter().zip(&after) {
            assert!((loss - expected).abs() < 1e-4, "step {step}: {loss}, not {expected}");
        }
        let is_change = |event: &Event| matches!(event, Event::Command { command: Command::Halve, .. });
        assert!(replay(&replayed.dir).unwrap().iter().any(is_change));
    }
}

#[test]
fn old_runs_are_exported_and_their_exports_opened() {
    let open = |name: &Path| {
        let name = name.to_str().unwrap();
        let hub = Hub::cache_only();
        let mut model = Predictor::open(name, Path::new("runs"), &hub, DeviceSpec::Cpu).unwrap();
        model.predict("a b c", None).unwrap().output
    };
    for sample in [V0_1, V0_2] {
        let home = tempfile::tempdir().unwrap();
        let dir = sample.copy(home.path());
        let to = home.path().join("exported");
        export::hf(&dir, &to).unwrap();
        let [exported, best] = [to, dir].map(|folder| format!("{:?}", open(&folder)));
        assert_eq!(exported, best);
        if sample.name == V0_2.name {
            assert_eq!(format!("{:?}", open(&data("run-0.2/exported"))), best, "an old export is opened");
        }
    }
}
