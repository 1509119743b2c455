//! The files of a run directory, and the queue.

use super::write;
use crate::mutate::files;
use crate::samples::SPEC;
use glue_tui::catalog::{Labels, task};
use glue_tui::export::glue::check_submission;
use glue_tui::run::queue::{Queue, QueueEdit};
use glue_tui::run::{self, HistoryTail, RunDir, fuzzing};
use glue_tui::train::{checkpoint_progress, saved_predictions};
use std::path::{Path, PathBuf};

/// `events.jsonl`.
pub fn events(folder: &Path, data: &[u8]) {
    let run = run_folder(folder);
    write(&run, "events.jsonl", data);
    read_run(&run);
}

/// Several files of a run directory.
pub fn run_directory(folder: &Path, data: &[u8]) {
    let run = folder.join("run");
    files::write(&run, data);
    read_run(&run);
    let _ = (run::list(folder), run::find(folder, "run"), checkpoint_progress(&run));
    let dir = RunDir::at(&run);
    if let Ok(spec) = dir.spec() {
        let _ = (dir.evaluations(&spec.task().labels), dir.summary());
    }
}

/// A file of predictions of a classifier or of a regression.
pub fn predictions(folder: &Path, data: &[u8]) {
    let saved = folder.join("predictions");
    std::fs::create_dir_all(&saved).expect("the folder can be created");
    write(&saved, "step-00000004.safetensors", data);
    for task in ["demo", "stsb"].map(|name| task(name).expect("the task exists")) {
        for saved in saved_predictions(folder, &task.labels).unwrap_or_default() {
            let _ = saved.predictions.scores(task);
        }
    }
    let _ = saved_predictions(folder, &Labels::default());
}

/// The archive of a submission.
pub fn submission(folder: &Path, data: &[u8]) {
    let _ = check_submission(&write(folder, "submission.zip", data));
}

/// `control.jsonl`.
pub fn control(folder: &Path, data: &[u8]) {
    let _ = fuzzing::read_control_file(&write(folder, "control.jsonl", data));
}

/// `queue.toml`.
pub fn queue(folder: &Path, data: &[u8]) {
    write(folder, "queue.toml", data);
    let Ok(queue) = Queue::read(folder) else { return };
    if let Some(entry) = queue.entries.last() {
        let _ = Queue::edit(folder, QueueEdit::MoveToFront(entry.id));
        let again = Queue::read(folder).map(|queue| queue.entries.len());
        assert_eq!(again.ok(), Some(queue.entries.len()), "the queue is written and read");
    }
}

/// An empty run directory.
fn run_folder(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    if !run.exists() {
        std::fs::create_dir(&run).expect("the folder can be created");
        write(&run, "spec.toml", SPEC.as_bytes());
    }
    run
}

fn read_run(run: &Path) {
    let _ = (run::replay(run), run::row(run));
    let mut tail = HistoryTail::of(run);
    let _ = tail.update();
    let history = tail.history();
    let _ =
        (history.fraction(), history.epochs(), history.seconds_left(), history.stages(), history.padding());
    let _ = (history.peak_learning_rate(), history.examples_per_second(), history.arithmetic());
}
