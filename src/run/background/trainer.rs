//! The process in the background: it trains runs that it has taken over, and then the queue.

use super::process::{BackgroundOptions, Report, UnexecutedCommand};
use crate::error::Result;
use crate::event::{Command, Event, Status};
use crate::run::comparison::PlanWatcher;
use crate::run::dir::{RunDir, seed_dirs};
use crate::run::queue::{Queue, QueueDevice, QueueEdit, StartedRun, TrainingLock};
use crate::run::reader::ends;
use crate::run::runner::{RunHandle, Start, start, start_controlled};
use crate::train::control;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two looks at the runs and the queue.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long the lock of the device is waited for, which the other process holds until its run is over.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts to take it.
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// Bytes at the end of a log that say whether the run is paused.
const END_BYTES: u64 = 1 << 16;

/// Errors of the queue in a row after which it is given up.
const MAX_FAILURES: u32 = 10;

/// Trains runs and the queue, without a terminal.
pub struct BackgroundTrainer {
    options: BackgroundOptions,
    devices: Vec<QueueDevice>,
    /// Removes seeds of comparisons that are decided from the queue.
    plan_watcher: PlanWatcher,
    active: Vec<ActiveRun>,
}

/// A run that this process trains.
struct ActiveRun {
    handle: RunHandle,
    /// Keeps a queue from starting another run beside it.
    _lock: Option<TrainingLock>,
}

impl BackgroundTrainer {
    /// A trainer without runs.
    pub fn new(options: BackgroundOptions) -> Self {
        let devices = QueueDevice::chosen(QueueDevice::all(), options.device);
        BackgroundTrainer { options, devices, plan_watcher: PlanWatcher::default(), active: Vec::new() }
    }

    /// Resumes the runs in `dirs`, which another process has stopped, and sends them the commands that they had not executed
    /// there; a run that was paused stays paused. Returns once this process holds their locks.
    pub fn resume(&mut self, dirs: &[PathBuf], commands: &[UnexecutedCommand]) -> Report {
        let mut report = Report::default();
        for dir in dirs {
            if is_finished(dir) {
                report.finished.push(dir.clone());
                continue;
            }
            let commands = commands.iter().filter(|unexecuted| unexecuted.dir == *dir);
            match self.resume_run(dir, commands.map(|unexecuted| unexecuted.command)) {
                Ok(()) => report.training.push(dir.clone()),
                Err(error) => report.failed.push((dir.clone(), error.to_string())),
            }
        }
        report
    }

    fn resume_run(&mut self, dir: &Path, commands: impl Iterator<Item = Command>) -> Result<()> {
        let (control, handle) = control();
        let pause = was_paused(dir).then_some(Command::Pause);
        pause.into_iter().chain(commands).for_each(|command| handle.send(command));
        let run = start_controlled(Start::Resume(dir.into()), &self.options.runs_dir, (control, handle))?;
        if !run.wait_for_lock() {
            return run.join().map(drop);
        }
        let device = RunDir::at(dir).spec()?.device;
        let start = Instant::now();
        let lock = loop {
            match TrainingLock::shared(&self.options.runs_dir, device) {
                None if start.elapsed() < LOCK_TIMEOUT => std::thread::sleep(LOCK_RETRY),
                lock => break lock,
            }
        };
        self.add(run, lock);
        Ok(())
    }

    fn add(&mut self, mut handle: RunHandle, lock: Option<TrainingLock>) {
        handle.discard_events();
        self.active.push(ActiveRun { handle, _lock: lock });
    }

    /// Trains until the runs are over and no run waits in the queue, or until `stop` receives a message: then the work of
    /// the runs is saved. `report` receives the errors of the queue; those of a run are in its log. Returns whether it was
    /// stopped.
    pub fn train(mut self, stop: &Receiver<()>, report: &dyn Fn(String)) -> bool {
        let mut failures = 0;
        loop {
            let has_next = match self.serve() {
                Ok(has_next) => {
                    failures = 0;
                    has_next
                }
                // A run that cannot be started is removed from the queue, and the next one may start.
                Err(error) => {
                    report(format!("cannot train a run of the queue: {error}"));
                    failures += 1;
                    failures < MAX_FAILURES
                }
            };
            if self.active.is_empty() && !has_next {
                return false;
            }
            if stop.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                self.stop();
                return true;
            }
        }
    }

    /// Removes the runs that are over, and starts those of the queue for which a device is idle. Returns whether runs wait
    /// in the queue.
    fn serve(&mut self) -> Result<bool> {
        let runs_dir = self.options.runs_dir.clone();
        let (over, active) =
            std::mem::take(&mut self.active).into_iter().partition(|run| run.handle.is_over());
        self.active = active;
        for ActiveRun { handle, _lock } in over {
            let dir = handle.dir.clone();
            // Its log has its error.
            handle.join().ok();
            if let Some(entry) = Queue::read(&runs_dir)?.entry_of(&dir) {
                Queue::edit(&runs_dir, QueueEdit::Remove(entry.id))?;
            }
        }
        if !Queue::read(&runs_dir)?.has_next() {
            return Ok(false);
        }
        // Without a look, as with a damaged file of plans, the seeds stay in the queue.
        self.plan_watcher.look(&runs_dir).ok();
        let device = self.options.device;
        while let Some(StartedRun { lock, run, .. }) =
            Queue::start_next(&runs_dir, &self.devices, |what| start(what.on_device(device), &runs_dir))?
        {
            self.add(run, Some(lock));
        }
        Ok(Queue::read(&runs_dir)?.has_next())
    }

    /// Stops the runs and waits until their work is saved. Those of the queue stay in it, to be resumed.
    fn stop(&mut self) {
        let runs = std::mem::take(&mut self.active);
        for run in &runs {
            run.handle.send(Command::Stop);
        }
        for ActiveRun { handle, _lock } in runs {
            handle.join().ok();
        }
    }
}

/// Whether the run in `dir` is finished.
fn is_finished(dir: &Path) -> bool {
    RunDir::at(dir).summary().is_some_and(|summary| summary.status == Status::Finished)
}

/// Whether the run in `dir` was paused when it was stopped.
fn was_paused(dir: &Path) -> bool {
    let Ok(spec) = RunDir::at(dir).spec() else { return false };
    let Some(newest) = seed_dirs(dir, &spec).pop() else { return false };
    let Ok((first, last)) = ends(&newest, END_BYTES) else { return false };
    let mut is_paused = false;
    for event in first.iter().chain(&last) {
        match event {
            Event::Command { command: Command::Pause, replayed: false, .. } => is_paused = true,
            Event::Command { command: Command::Resume, .. } | Event::Step(_) | Event::Started(_) => {
                is_paused = false;
            }
            Event::Ended { status, .. } if *status != Status::Stopped => is_paused = false,
            _ => {}
        }
    }
    is_paused
}
