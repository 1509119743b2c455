//! Runs an experiment: every seed in order, each logged in its run directory, with errors and panics recorded.
//! [`run_blocking`] does it on the calling thread, [`start`] on a thread of its own.

use super::changed_data::{ChangedData, RecordedData};
use super::control_file::ControlWatcher;
use super::dir::RunDir;
use super::event_channel::{RunEvent, event_channel};
use super::log::{EventLog, recorded};
use super::repeats::RepeatsSummary;
use super::unchanged::check_unchanged;
use crate::data;
use crate::error::{Error, Result, is_disk_full, panic_error};
use crate::event::{Change, Command, Event, Status, now};
use crate::files::{FolderLocation, OpenFolder, check_model_folder};
use crate::hub::Hub;
use crate::machine::SystemMonitor;
use crate::spec::RunSpec;
use crate::text::plural;
use crate::train::{Control, Handle, Job, Snapshot, Summary, control, resolve, train};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, never};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Name of the thread that [`start`] spawns.
const THREAD_NAME: &str = "training";
/// Time between two readings of the machine's gauges.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two warnings about a log that cannot be written.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);
/// How long the end of a run waits for space for its log on a full disk.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);

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
    is_over: Receiver<()>,
}

/// Stops a run from any thread, and waits for its end.
#[derive(Debug, Clone)]
pub struct RunStopper {
    handle: Handle,
    is_over: Receiver<()>,
}

impl RunStopper {
    /// Stops the run, and returns when its work is saved.
    pub fn stop(&self) {
        self.handle.send(Command::Stop);
        // Nothing is ever sent; the channel is disconnected at the end.
        self.is_over.recv().ok();
    }
}

impl RunHandle {
    /// Stops the run from another thread.
    pub fn stopper(&self) -> RunStopper {
        RunStopper { handle: self.handle.clone(), is_over: self.is_over.clone() }
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
    let policy = changed_data_policy(&start);
    let (dir, spec) = open(start, runs_dir)?;
    let (mut sender, events) = event_channel();
    let (running, is_over) = bounded::<()>(0);
    let path = dir.path().to_path_buf();
    let thread = Builder::new()
        .name(THREAD_NAME.into())
        .spawn(move || {
            let _running = running;
            run_seeds(&dir, &spec, policy, &control, &mut |event| sender.send(event))
        })
        .map_err(|e| Error::Device(format!("cannot start a thread for the training: {e}")))?;
    Ok(RunHandle { dir: path, events, handle, thread: Some(thread), is_over })
}

/// Receives the events of a run, on any of its threads.
type Emit<'a> = &'a mut (dyn FnMut(&RunEvent) + Send);

/// Runs an experiment on the calling thread until it ends.
///
/// # Errors
/// When the run directory cannot be created or its specification cannot be read, and every error of the training.
pub fn run_blocking(start: Start, runs_dir: &Path, control: &Control, emit: Emit<'_>) -> Result<TrainOutput> {
    let policy = changed_data_policy(&start);
    let (dir, spec) = open(start, runs_dir)?;
    run_seeds(&dir, &spec, policy, control, emit)
}

/// What a start does if the data of the run changed.
fn changed_data_policy(start: &Start) -> ChangedData {
    match start {
        Start::ResumeOnChangedData(_) => ChangedData::Accept,
        Start::New(_) | Start::Resume(_) | Start::Replay(_) => ChangedData::Refuse,
    }
}

fn open(start: Start, runs_dir: &Path) -> Result<(RunDir, RunSpec)> {
    match start {
        Start::New(spec) => {
            let spec = data::infer_columns(&spec)?;
            Ok((RunDir::create(runs_dir, &spec)?, spec))
        }
        Start::Resume(path) | Start::ResumeOnChangedData(path) => {
            let dir = RunDir::at(path);
            let spec = dir.spec()?;
            Ok((dir, spec))
        }
        Start::Replay(path) => create_replay(&RunDir::at(path), runs_dir),
    }
}

/// A new run directory whose log starts with the mid-run changes of the run in `dir`: a training executes the
/// commands that its log has for a step.
fn create_replay(dir: &RunDir, runs_dir: &Path) -> Result<(RunDir, RunSpec)> {
    let spec = dir.spec()?;
    if spec.repeats > 1 {
        return Err(Error::Usage(format!(
            "{name} has several seeds, each with its own changes; name one of them, for example {path}/seed-{seed}",
            name = dir.name(),
            path = dir.path().display(),
            seed = spec.seed
        )));
    }
    let changes = recorded(dir)?.changes;
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

/// Trains every seed of the run in `dir`.
fn run_seeds(
    dir: &RunDir,
    spec: &RunSpec,
    policy: ChangedData,
    control: &Control,
    emit: Emit<'_>,
) -> Result<TrainOutput> {
    // Opened before the log: once the log is locked, commands in the control file reach the run.
    let _control_watcher = ControlWatcher::open(dir, control.handle())?;
    if spec.repeats <= 1 {
        let summary = train_seed(dir, (spec, 0), (&dir.probes_file(), policy), control, emit)?;
        return Ok(TrainOutput {
            dir: dir.path().to_path_buf(),
            status: summary.status,
            summaries: vec![summary],
            repeats: None,
        });
    }
    run_repeats(dir, spec, policy, control, emit)
}

/// Trains several seeds, each in a run directory of its own, and writes the summary of all. Seeds that are
/// finished are not trained again.
fn run_repeats(
    dir: &RunDir,
    spec: &RunSpec,
    policy: ChangedData,
    control: &Control,
    emit: Emit<'_>,
) -> Result<TrainOutput> {
    let probes_file = dir.probes_file();
    let mut log = EventLog::open(dir)?;
    let folder = OpenFolder::open(dir.path())?;
    for seed_dir in dir.existing_seeds()? {
        let (seed, repeats) = (spec.seed, spec.repeats);
        let trained = recorded(&seed_dir)?.spec.map(|trained| RunSpec { seed, repeats, ..trained });
        // All seeds are trained with the same specification; more of them may be added.
        check_unchanged(dir, trained.as_ref(), spec)?;
    }
    dir.remove_summary()?;
    let mut summaries = Vec::new();
    let mut status = Status::Finished;
    for repeat in 0..spec.repeats {
        let spec = RunSpec { seed: spec.seed + repeat, repeats: 1, ..spec.clone() };
        let seed_dir = dir.of_seed(&spec)?;
        let has_weights = || check_model_folder(&seed_dir.best()).is_ok();
        let finished = seed_dir.summary().filter(|s| s.status == Status::Finished && has_weights());
        let summary = match finished {
            Some(summary) => summary,
            None => train_seed(&seed_dir, (&spec, repeat), (&probes_file, policy), control, emit)?,
        };
        if let Some(best) = summary.best {
            let (seed, name) = (spec.seed, best.metric.name());
            // What cannot be written now is written later.
            log.write(&Event::note(format!("seed {seed}: best {name} {:.4}", best.value))).ok();
        }
        status = summary.status;
        summaries.push(summary);
        if status != Status::Finished {
            break;
        }
    }
    require_unmoved(&folder)?;
    let repeats = RepeatsSummary::of(&summaries);
    if let Some(all) = &repeats {
        link_best(dir, all.best_seed.seed)?;
        dir.write_summary(all)?;
    }
    log.write(&Event::Ended { time: now(), status, error: None }).ok();
    log.close(LOG_TIMEOUT)?;
    Ok(TrainOutput { dir: dir.path().to_path_buf(), status, summaries, repeats })
}

/// Logs the events of one seed and passes them on.
struct EventSink<'a> {
    log: EventLog,
    emit: Emit<'a>,
    repeat: u64,
    dir: Arc<Path>,
    /// Whether the last warning about a log that cannot be written still applies. Such a log never ends a training: it
    /// is written later.
    is_warned: bool,
    last_warning: Option<Instant>,
}

impl EventSink<'_> {
    fn send(&mut self, event: Event) {
        let written = self.log.write(&event);
        self.emit(event);
        match written {
            // On a disk that is nearly full, some events fit and others do not.
            Err(error)
                if !self.is_warned && self.last_warning.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL) =>
            {
                (self.is_warned, self.last_warning) = (true, Some(Instant::now()));
                self.report(Event::warning(format!(
                    "events are kept in memory until they can be logged: {error}"
                )));
            }
            Ok(()) if self.is_warned => {
                self.is_warned = false;
                self.report(Event::note("the log is written again"));
            }
            _ => {}
        }
    }

    /// Emits an event about the log itself.
    fn report(&mut self, event: Event) {
        self.log.write(&event).ok();
        self.emit(event);
    }

    fn emit(&mut self, event: Event) {
        (self.emit)(&RunEvent { repeat: self.repeat, dir: self.dir.clone(), event });
    }
}

/// Trains one seed and writes its log and summary. An error or a panic is logged before it is returned.
fn train_seed(
    dir: &RunDir,
    (spec, repeat): (&RunSpec, u64),
    (probes_file, policy): (&Path, ChangedData),
    control: &Control,
    emit: Emit<'_>,
) -> Result<Summary> {
    let log = EventLog::open(dir)?;
    let folder = OpenFolder::open(dir.path())?;
    let recorded = recorded(dir)?;
    let note = check_unchanged(dir, recorded.spec.as_ref(), spec)?;
    let recorded_data = RecordedData { is_started: recorded.spec.is_some(), digests: recorded.data };
    // A run whose data changed stays as it is.
    let is_refused = AtomicBool::new(false);
    // Shared by the training and the gauges thread.
    let dir_path = Arc::from(dir.path());
    let sink = EventSink { log, emit, repeat, dir: dir_path, is_warned: false, last_warning: None };
    let sink = Mutex::new(sink);
    let emit = |event| sink.lock().unwrap_or_else(PoisonError::into_inner).send(event);
    if let Some(note) = note {
        emit(Event::warning(note));
    }
    let job = Job { spec, dir: dir.path(), replayed_changes: &recorded.changes, probes_file };
    let hub = Hub::from_env();
    let work = |emit: &mut dyn FnMut(Event)| {
        let resources = resolve(spec, &hub, control.cancelled(), emit)?;
        let note = recorded_data.check(spec, &resources.digests, policy);
        is_refused.store(note.is_err(), Ordering::Relaxed);
        if let Some(note) = note? {
            emit(note);
        }
        dir.remove_summary()?;
        train(job, resources, control, emit)
    };
    let result = std::thread::scope(|scope| {
        let (close, closed) = bounded(0);
        let emit = &emit;
        // A run without this thread has no gauges and is otherwise the same.
        Builder::new().name("gauges".into()).spawn_scoped(scope, move || emit_gauges(&closed, emit)).ok();
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut |event| emit(event))));
        drop(close);
        result
    });
    let result = result.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
    if is_refused.into_inner() {
        return result;
    }
    let result = result.map_err(|error| with_advice(error, dir));
    let place = match folder.location() {
        FolderLocation::Moved(path) => &RunDir::at(path),
        _ => dir,
    };
    let (status, error) = match &result {
        Ok(summary) => (summary.status, None),
        Err(Error::Interrupted(_)) => (Status::Stopped, None),
        Err(error) => (Status::Failed, Some(error.to_string())),
    };
    let written = match &result {
        Ok(summary) => place.write_summary(summary),
        Err(error) if status == Status::Failed => place.write_summary(&Summary::failed(spec, error)),
        Err(_) => Ok(()),
    };
    emit(Event::Ended { time: now(), status, error });
    let closed = sink.into_inner().unwrap_or_else(PoisonError::into_inner).log.close(LOG_TIMEOUT);
    // The error of the training says more than that of the summary.
    let summary = result?;
    require_unmoved(&folder)?;
    written.and(closed).map_err(|error| with_advice(error, dir))?;
    Ok(summary)
}

/// The error of a training that ended because a file could not be written, with what to do.
fn with_advice(error: Error, dir: &RunDir) -> Error {
    match error {
        Error::Write { path, source } => {
            let problem = if is_disk_full(&source) { "free space" } else { "check the disk" };
            Error::Training(format!(
                "cannot write {}: {source}; {problem}, then continue with: glue-tui train --resume {}",
                path.display(),
                dir.path().display()
            ))
        }
        error => error,
    }
}

/// Checks at the end of a run that its directory is still where it was: another place has only a part of its files.
fn require_unmoved(folder: &OpenFolder) -> Result<()> {
    let path = folder.path().display();
    match folder.location() {
        FolderLocation::Unchanged => Ok(()),
        FolderLocation::Moved(to) => Err(Error::Training(format!(
            "the run directory {path} was moved to {} during the training, where its log and checkpoints are; continue \
             with: glue-tui train --resume {}",
            to.display(),
            to.display()
        ))),
        FolderLocation::Removed => Err(Error::Training(format!(
            "the run directory {path} was removed during the training, with its log and checkpoints"
        ))),
    }
}

/// Emits the machine's gauges until the channel is disconnected.
fn emit_gauges(closed: &Receiver<()>, emit: &dyn Fn(Event)) {
    let Some(mut meter) = SystemMonitor::new() else { return };
    while closed.recv_timeout(GAUGE_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        emit(Event::Machine(meter.read(now())));
    }
}

/// Makes `best` of a run with repeats a symbolic link to that of the best seed.
#[cfg(unix)]
fn link_best(dir: &RunDir, seed: u64) -> Result<()> {
    let (best, target) = (dir.best(), Path::new(&format!("seed-{seed}")).join("best"));
    // A rename replaces an old link atomically.
    let temporary = best.with_file_name(".best.link");
    let link = || -> std::io::Result<()> {
        if temporary.symlink_metadata().is_ok() {
            std::fs::remove_file(&temporary)?;
        }
        std::os::unix::fs::symlink(target, &temporary)?;
        std::fs::rename(&temporary, &best)
    };
    link().map_err(Error::writing(&best))
}

#[cfg(not(unix))]
fn link_best(_dir: &RunDir, _seed: u64) -> Result<()> {
    Ok(())
}
