//! Runs an experiment: every seed in order. [`run_blocking`] does it on the calling thread, [`start`] on a thread of its
//! own.

use super::changed_data::ChangedData;
use super::check::check_spec;
use super::control_file::ControlWatcher;
use super::dir::RunDir;
use super::event_channel::{RunEvent, event_channel};
use super::log::{EventLog, recorded};
use super::repeats::RepeatsSummary;
use super::seed::{Emit, RunContext, train_seed};
use super::seeds::{SeedResults, complete_run, run_repeats};
use crate::error::{Error, Result};
use crate::event::{Change, Command, Event, Status};
use crate::spec::{DeviceSpec, RunSpec};
use crate::text::plural;
use crate::train::{Control, Handle, Snapshot, Summary, control};
use crossbeam_channel::{Receiver, bounded, never};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, JoinHandle};

/// Name of the thread that [`start`] spawns.
const THREAD_NAME: &str = "training";

/// What to train.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is made for a whole run")]
pub enum Start {
    /// A new run.
    New(RunSpec),
    /// The run in this directory, from its newest checkpoint.
    Resume(PathBuf),
    /// As [`Start::Resume`], also if the data of the run changed.
    ResumeOnChangedData(PathBuf),
    /// A new run with the specification and the mid-run changes of the run in this directory.
    Replay(PathBuf),
}

impl Start {
    /// The directory of a run that is resumed.
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Start::Resume(dir) | Start::ResumeOnChangedData(dir) => Some(dir),
            Start::New(_) | Start::Replay(_) => None,
        }
    }

    /// The same start on the device that the program was opened for, if this is a new run.
    pub fn on_device(self, device: Option<DeviceSpec>) -> Start {
        match (self, device) {
            // The queue has chosen one of several devices.
            (Start::New(spec), Some(DeviceSpec::Auto)) if matches!(spec.device, DeviceSpec::Cuda(_)) => {
                Start::New(spec)
            }
            (Start::New(spec), Some(device)) => Start::New(RunSpec { device, ..spec }),
            (start, _) => start,
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct TrainOutput {
    /// The run directory.
    pub dir: PathBuf,
    /// How it ended.
    pub status: Status,
    /// The summary of each seed that was trained.
    pub summaries: Vec<Summary>,
    /// Mean and standard deviation over the seeds, with repeats.
    pub repeats: Option<RepeatsSummary>,
}

/// A run on a thread of its own. Dropping the handle stops the run.
#[derive(Debug)]
pub struct RunHandle {
    /// The run directory.
    pub dir: PathBuf,
    /// The events of the run; disconnected when the run is over.
    pub events: Receiver<RunEvent>,
    handle: Handle,
    thread: Option<JoinHandle<Result<TrainOutput>>>,
    is_locked: Receiver<()>,
    is_over: Receiver<Vec<Command>>,
}

/// Stops a run from any thread, and waits for its end.
#[derive(Debug, Clone)]
pub struct RunStopper {
    /// The run directory.
    pub dir: PathBuf,
    handle: Handle,
    /// Receives the commands that were not executed, and is then disconnected.
    is_over: Receiver<Vec<Command>>,
}

impl RunStopper {
    /// Stops the run, whose work is then saved.
    pub fn request_stop(&self) {
        self.handle.send(Command::Stop);
    }

    /// Waits until the run is over. The first call returns the commands that it has received and not executed.
    pub fn wait(&self) -> Vec<Command> {
        let mut commands = self.is_over.recv().unwrap_or_default();
        commands.retain(|command| *command != Command::Stop);
        commands
    }
}

impl RunHandle {
    /// Stops the run from another thread.
    pub fn stopper(&self) -> RunStopper {
        RunStopper { dir: self.dir.clone(), handle: self.handle.clone(), is_over: self.is_over.clone() }
    }

    /// Sends a command to the run, which executes it between two steps.
    pub fn send(&self, command: Command) {
        self.handle.send(command);
    }

    /// Requests a copy of the weights. The receiver is disconnected without one when the run is over.
    pub fn request_weights(&self) -> Receiver<Snapshot> {
        self.handle.request_snapshot()
    }

    /// Discards the events of the run from now on.
    pub fn discard_events(&mut self) {
        // A full channel that nobody reads would block the training.
        self.events = never();
    }

    /// Waits until the run holds the lock of its directory. Returns false when it is over without it.
    pub fn wait_for_lock(&self) -> bool {
        self.is_locked.recv().is_ok()
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the run is over. Events that were not received are discarded.
    pub fn join(mut self) -> Result<TrainOutput> {
        self.discard_events();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(Error::Training("internal error: the training thread panicked".into())),
        }
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.handle.send(Command::Stop);
        }
    }
}

/// Creates the run directory of a new run without training it. `train --resume` trains it from its beginning.
///
/// # Errors
/// When the specification cannot be trained, as far as is known before its rows are tokenized, or the directory cannot be
/// created; [`Error::Interrupted`] soon after `cancelled` is set.
pub fn create(spec: &RunSpec, runs_dir: &Path, cancelled: &AtomicBool) -> Result<RunDir> {
    RunDir::create(runs_dir, &check_spec(spec, cancelled)?)
}

/// Starts a run on a thread of its own.
///
/// # Errors
/// When the run directory cannot be created or its specification cannot be read.
pub fn start(start: Start, runs_dir: &Path) -> Result<RunHandle> {
    start_controlled(start, runs_dir, control())
}

/// [`start`], with control ends that exist before the run, so that a run can be stopped while it starts.
///
/// # Errors
/// As [`start`].
pub fn start_controlled(
    start: Start,
    runs_dir: &Path,
    (control, handle): (Control, Handle),
) -> Result<RunHandle> {
    let changed_data = changed_data_policy(&start);
    let (dir, spec) = open(start, runs_dir, control.cancelled())?;
    let (mut sender, events) = event_channel();
    let (over, is_over) = bounded(1);
    let (locked, is_locked) = bounded(1);
    let path = dir.path().to_path_buf();
    let thread = Builder::new()
        .name(THREAD_NAME.into())
        .spawn(move || {
            let run = RunContext { dir: &dir, changed_data, control: &control, locked: &locked };
            let result = run_seeds(&run, &spec, &mut |event| sender.send(event));
            over.send(control.take_commands()).ok();
            result
        })
        .map_err(|e| Error::Device(format!("cannot start a thread for the training: {e}")))?;
    Ok(RunHandle { dir: path, events, handle, thread: Some(thread), is_locked, is_over })
}

/// Runs an experiment on the calling thread until it ends.
///
/// # Errors
/// When the run directory cannot be created or its specification cannot be read, and every error of the training.
pub fn run_blocking(start: Start, runs_dir: &Path, control: &Control, emit: Emit<'_>) -> Result<TrainOutput> {
    let changed_data = changed_data_policy(&start);
    let (dir, spec) = open(start, runs_dir, control.cancelled())?;
    let (locked, _is_locked) = bounded(1);
    run_seeds(&RunContext { dir: &dir, changed_data, control, locked: &locked }, &spec, emit)
}

/// What a start does if the data of the run changed.
fn changed_data_policy(start: &Start) -> ChangedData {
    match start {
        Start::ResumeOnChangedData(_) => ChangedData::Accept,
        Start::New(_) | Start::Resume(_) | Start::Replay(_) => ChangedData::Refuse,
    }
}

fn open(start: Start, runs_dir: &Path, cancelled: &AtomicBool) -> Result<(RunDir, RunSpec)> {
    match start {
        Start::New(spec) => {
            let spec = check_spec(&spec, cancelled)?;
            Ok((RunDir::create(runs_dir, &spec)?, spec))
        }
        Start::Resume(path) | Start::ResumeOnChangedData(path) => {
            let dir = RunDir::at(path);
            let spec = dir.spec()?;
            Ok((dir, spec))
        }
        Start::Replay(path) => create_replay(&RunDir::at(path), runs_dir, cancelled),
    }
}

/// A new run directory whose log starts with the mid-run changes of the run in `dir`: a training executes the
/// commands that its log has for a step.
fn create_replay(dir: &RunDir, runs_dir: &Path, cancelled: &AtomicBool) -> Result<(RunDir, RunSpec)> {
    let spec = dir.spec()?;
    if spec.seed_count() > 1 {
        return Err(Error::Usage(format!(
            "{name} has several seeds, each with its own changes; name one of them, for example {path}/seed-{seed}",
            name = dir.name(),
            path = dir.path().display(),
            seed = spec.seed
        )));
    }
    let changes = recorded(dir)?.changes;
    check_spec(&spec, cancelled)?;
    let new = RunDir::create(runs_dir, &spec)?;
    let (name, count) = (dir.name(), plural(changes.len(), "mid-run change"));
    let log_changes = || -> Result<()> {
        let mut log = EventLog::open(&new)?;
        log.write(&Event::note(format!("replays {name} with {count}")))?;
        for Change { step, command } in changes {
            let (settings, replayed, error) = (None, false, None);
            log.write(&Event::Command { step, command, settings, replayed, error })?;
        }
        Ok(())
    };
    if let Err(error) = log_changes() {
        // A replay without all of its changes would be another run.
        std::fs::remove_dir_all(new.path()).ok();
        return Err(error);
    }
    Ok((new, spec))
}

/// Trains every seed of a run.
fn run_seeds(run: &RunContext<'_>, spec: &RunSpec, emit: Emit<'_>) -> Result<TrainOutput> {
    let dir = run.dir;
    // Opened before the log: once the log is locked, commands in the control file reach the run.
    let _control_watcher = ControlWatcher::open(dir, run.control.handle())?;
    if spec.seed_count() > 1 {
        let SeedResults { status, summaries, repeats } = run_repeats(run, spec, emit)?;
        return Ok(TrainOutput { dir: dir.path().to_path_buf(), status, summaries, repeats });
    }
    let summary = train_seed(run, dir, spec, 0, emit)?;
    if let Some(whole) = dir.run_of_seed() {
        complete_run(&whole)?;
    }
    Ok(TrainOutput {
        dir: dir.path().to_path_buf(),
        status: summary.status,
        summaries: vec![summary],
        repeats: None,
    })
}
