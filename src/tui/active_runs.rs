//! The runs that this process trains. Any thread can end them: the interface when it quits, and the thread of the signals
//! even if the interface hangs on a terminal that nobody reads.

use crate::error::Result;
use crate::run::RunStopper;
use crate::run::background::{BackgroundOptions, BackgroundProcess, Report, UnexecutedCommand, names};
use crate::run::queue::Queue;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How the runs of this process end when the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Their work is saved.
    Stop,
    /// Their work is saved, and a process in the background resumes them.
    HandOver,
}

/// Runs that a process in the background has taken over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HandedOver {
    /// The id of the process.
    pub(super) process: u32,
    /// What has become of the runs.
    pub(super) report: Report,
}

/// The runs that this process trains. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct ActiveRuns {
    options: Arc<BackgroundOptions>,
    runs: Arc<Mutex<Vec<RunStopper>>>,
    /// Number of runs that are being started.
    starts: Arc<AtomicUsize>,
    /// Locked while the runs are ended. The runs that were handed over last.
    handed_over: Arc<Mutex<Option<HandedOver>>>,
}

impl ActiveRuns {
    /// No runs. A process in the background will have these options.
    pub(super) fn new(options: BackgroundOptions) -> Self {
        ActiveRuns { options: Arc::new(options), ..ActiveRuns::default() }
    }

    /// Counts a run that is requested.
    pub(super) fn start_requested(&self) {
        self.starts.fetch_add(1, Ordering::SeqCst);
    }

    /// Forgets a request: the run was added, or it cannot be started.
    pub(super) fn start_done(&self) {
        self.starts.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits until no run is being started.
    pub(super) fn wait_for_starts(&self) {
        while self.starts.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Adds a run.
    pub(super) fn add(&self, run: RunStopper) {
        lock(&self.runs).push(run);
    }

    /// Forgets a run, which is over or will be deleted.
    pub(super) fn remove(&self, dir: &Path) {
        lock(&self.runs).retain(|run| run.dir != dir);
    }

    /// Whether runs wait in the queue that this process would start.
    fn is_queue_waiting(&self) -> bool {
        Queue::read(&self.options.runs_dir).is_ok_and(|queue| queue.has_next())
    }

    /// The directories of the runs.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        lock(&self.runs).iter().map(|run| run.dir.clone()).collect()
    }

    /// Ends the runs, and returns when their work is saved. Runs that another thread is ending are waited for. Returns the
    /// runs that were handed over, by whichever thread.
    ///
    /// # Errors
    /// When the runs cannot be handed over. They are stopped only if a process in the background was ready for them.
    pub(super) fn end(&self, ending: Ending) -> Result<Option<HandedOver>> {
        let mut handed_over = lock(&self.handed_over);
        let runs = std::mem::take(&mut *lock(&self.runs));
        // Between two runs of the queue, there is no run to hand over.
        let is_queue_waiting = || handed_over.is_none() && self.is_queue_waiting();
        if ending == Ending::Stop || runs.is_empty() && !is_queue_waiting() {
            stop(&runs);
            return Ok(handed_over.clone());
        }
        let dirs: Vec<_> = runs.iter().map(|run| run.dir.clone()).collect();
        let process = BackgroundProcess::start(&dirs, &self.options).inspect_err(|_| {
            lock(&self.runs).extend(runs.iter().cloned());
        })?;
        let commands = stop(&runs);
        let id = process.id();
        *handed_over = Some(HandedOver { process: id, report: process.hand_over(&commands)? });
        Ok(handed_over.clone())
    }
}

/// Stops runs, and waits until their work is saved. Returns the commands that they have received and not executed.
fn stop(runs: &[RunStopper]) -> Vec<UnexecutedCommand> {
    runs.iter().for_each(RunStopper::request_stop);
    let commands = |run: &RunStopper| {
        let dir = run.dir.clone();
        run.wait().into_iter().map(move |command| UnexecutedCommand { dir: dir.clone(), command })
    };
    runs.iter().flat_map(commands).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has become of runs that were handed over to `process`, as a sentence.
pub(super) fn continues(process: u32, report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.training.is_empty() {
        let verb = if report.training.len() == 1 { "continues" } else { "continue" };
        parts.push(format!("{} {verb} in process {process}", names(&report.training)));
    }
    if !report.finished.is_empty() {
        let verb = if report.finished.len() == 1 { "is" } else { "are" };
        parts.push(format!("{} {verb} finished", names(&report.finished)));
    }
    if parts.is_empty() {
        parts.push(format!("the queue continues in process {process}"));
    }
    parts.join("; ")
}
