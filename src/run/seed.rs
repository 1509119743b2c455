//! Trains one seed of a run in its run directory. Its events are logged, and so are its errors and panics.

use super::changed_data::{ChangedData, RecordedData};
use super::diagnosis::Monitor;
use super::dir::RunDir;
use super::event_channel::RunEvent;
use super::log::{EventLog, Recorded, recorded};
use super::sweep::{SweepScheduler, Trial};
use super::tensorboard::TensorBoardWriter;
use super::unchanged::check_unchanged;
use crate::error::{Error, Result, is_disk_full, panic_error};
use crate::event::{Diagnosis, Event, Status, now};
use crate::files::{FolderLocation, OpenFolder};
use crate::hub::Hub;
use crate::machine::SystemMonitor;
use crate::spec::{ReportTo, RunSpec};
use crate::train::{Attempt, Control, Job, Summary, TrialScheduler, resolve, train};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How long the end of a run waits for space for its log on a full disk.
pub(super) const LOG_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two readings of the machine's gauges.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two warnings about a log that cannot be written.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Receives the events of a run, on any of its threads.
pub(super) type Emit<'a> = &'a mut (dyn FnMut(&RunEvent) + Send);

/// What the seeds of a run share.
#[derive(Clone, Copy)]
pub(super) struct RunContext<'a> {
    /// The directory of the run, which has those of its seeds if there are several.
    pub(super) dir: &'a RunDir,
    /// What a resumed run does if its data changed.
    pub(super) changed_data: ChangedData,
    /// Commands to the run.
    pub(super) control: &'a Control,
    /// Receives a message once this process holds the lock of the run.
    pub(super) locked: &'a Sender<()>,
}

impl RunContext<'_> {
    /// Reports that this process holds the lock of the run.
    pub(super) fn report_lock(&self) {
        // Only the first report is read.
        self.locked.try_send(()).ok();
    }
}

/// How the training of a seed ended, other than by an error.
#[expect(clippy::large_enum_variant, reason = "one is made for a whole training")]
enum Outcome {
    /// It finished or was stopped.
    Trained(Summary),
    /// It was not started, because its data changed.
    Refused(Error),
}

/// Trains one seed in `dir` and writes its log and summary. An error or a panic is logged before it is returned.
pub(super) fn train_seed(
    run: &RunContext<'_>,
    dir: &RunDir,
    spec: &RunSpec,
    repeat: u64,
    emit: Emit<'_>,
) -> Result<Summary> {
    let log = EventLog::open(dir)?;
    let attempt = log.attempt();
    run.report_lock();
    let folder = OpenFolder::open(dir.path())?;
    let mut recorded = recorded(dir)?;
    let note = check_unchanged(dir, recorded.spec.as_ref(), spec)?;
    let dir_path = Arc::from(dir.path());
    let monitor = std::mem::take(&mut recorded.monitor);
    let sink = EventSink { log, emit, repeat, dir: dir_path, monitor, is_warned: false, last_warning: None };
    // Shared by the training and the gauges thread.
    let sink = Mutex::new(sink);
    let emit = |event| sink.lock().unwrap_or_else(PoisonError::into_inner).send(event);
    if let Some(note) = note {
        emit(Event::warning(note));
    }
    let is_wanted = spec.report_to == Some(ReportTo::TensorBoard);
    let tensorboard = is_wanted.then(|| TensorBoardWriter::open(dir, attempt.clone()));
    let outcome = with_threads(&emit, tensorboard, || {
        let attempt = attempt.as_deref();
        train_recorded(run, Seed { dir, spec, attempt }, recorded, &mut |event| emit(event))
    });
    // The run directory belongs to the later attempt.
    attempt.as_deref().map_or(Ok(()), Attempt::check)?;

    let result = match outcome {
        Ok(Outcome::Trained(summary)) => {
            let diagnoses = sink.lock().unwrap_or_else(PoisonError::into_inner).diagnose(summary.status);
            Ok(Summary { diagnoses, ..summary })
        }
        Ok(Outcome::Refused(error)) => {
            // The sweep of a trial continues without it. Any other run stays as it is.
            if matches!(Trial::read(run.dir), Ok(Some(_))) {
                dir.write_summary(&Summary::failed(spec, &error))?;
            }
            return Err(error);
        }
        Err(error) => Err(error),
    };
    let place = match folder.location() {
        FolderLocation::Moved(path) => &RunDir::at(path),
        FolderLocation::Unchanged | FolderLocation::Removed => dir,
    };
    let resumable = if dir == run.dir { place } else { run.dir };
    let result = result.map_err(|error| with_advice(error, resumable));
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
    // The error of the training is the cause of that of the summary.
    let summary = result?;
    require_unmoved(&folder)?;
    written.and(closed).map_err(|error| with_advice(error, resumable))?;
    Ok(summary)
}

/// What is trained.
#[derive(Clone, Copy)]
struct Seed<'a> {
    dir: &'a RunDir,
    spec: &'a RunSpec,
    attempt: Option<&'a Attempt>,
}

/// Trains one seed whose log has `recorded`.
fn train_recorded(
    run: &RunContext<'_>,
    Seed { dir, spec, attempt }: Seed<'_>,
    recorded: Recorded,
    emit: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    let resources = resolve(spec, &Hub::from_env(), run.control.cancelled(), emit)?;
    let recorded_data = RecordedData { is_started: recorded.spec.is_some(), digests: recorded.data };
    match recorded_data.check(spec, &resources.digests, run.changed_data) {
        Ok(note) => note.into_iter().for_each(&mut *emit),
        Err(error) => return Ok(Outcome::Refused(error)),
    }
    dir.remove_summary()?;
    let probes_file = &run.dir.probes_file();
    let scheduler = scheduler(run.dir, spec, emit);
    let scheduler = scheduler.as_ref().map(|scheduler| scheduler as &dyn TrialScheduler);
    let replayed_changes = &recorded.changes;
    let job = Job { spec, dir: dir.path(), replayed_changes, probes_file, attempt, scheduler };
    train(job, resources, run.control, emit).map(Outcome::Trained)
}

/// The scheduler of a trial of a sweep. Of several seeds, the first decides; a trial whose sweep cannot be read is trained
/// without one.
fn scheduler(run: &RunDir, spec: &RunSpec, emit: &mut dyn FnMut(Event)) -> Option<SweepScheduler> {
    let is_first = || run.spec().is_ok_and(|first| first.seed == spec.seed);
    match SweepScheduler::of(run) {
        Ok(scheduler) => scheduler.filter(|_| is_first()),
        Err(error) => {
            emit(Event::warning(format!("the trial is trained without the scheduler of its sweep: {error}")));
            None
        }
    }
}

/// Runs `work` while a thread emits the machine's gauges, and another one writes event files of TensorBoard. A panic of
/// `work` is an error.
fn with_threads<T>(
    emit: &(dyn Fn(Event) + Sync),
    tensorboard: Option<TensorBoardWriter>,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let result = std::thread::scope(|scope| {
        let (close, closed) = bounded(0);
        if let Some(writer) = tensorboard {
            let closed = closed.clone();
            let thread = Builder::new().name("tensorboard".into());
            // A panic must not end the training.
            let write = move || drop(catch_unwind(AssertUnwindSafe(|| writer.run(&closed, emit))));
            if let Err(error) = thread.spawn_scoped(scope, write) {
                emit(Event::warning(format!("TensorBoard's event file is not written: {error}")));
            }
        }
        // A run without this thread has no gauges and is otherwise the same.
        Builder::new().name("gauges".into()).spawn_scoped(scope, move || emit_gauges(&closed, emit)).ok();
        let result = catch_unwind(AssertUnwindSafe(work));
        drop(close);
        result
    });
    result.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())))
}

/// Emits the machine's gauges until the channel is disconnected.
fn emit_gauges(closed: &Receiver<()>, emit: &dyn Fn(Event)) {
    let Some(mut meter) = SystemMonitor::new() else { return };
    while closed.recv_timeout(GAUGE_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        emit(Event::Machine(meter.read(now())));
    }
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
pub(super) fn require_unmoved(folder: &OpenFolder) -> Result<()> {
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

/// Logs the events of one seed and passes them on.
struct EventSink<'a> {
    log: EventLog,
    emit: Emit<'a>,
    repeat: u64,
    dir: Arc<Path>,
    /// Diagnoses the training from its events.
    monitor: Monitor,
    /// Whether the last warning about a log that cannot be written still applies. Such a log never ends a training: it
    /// is written later.
    is_warned: bool,
    last_warning: Option<Instant>,
}

impl EventSink<'_> {
    fn send(&mut self, event: Event) {
        let diagnoses = self.monitor.fold(&event);
        self.write(event);
        for diagnosis in diagnoses {
            self.write(diagnosis);
        }
    }

    /// Emits the diagnoses at the end of a training, and returns those that apply.
    fn diagnose(&mut self, status: Status) -> Vec<Diagnosis> {
        if status == Status::Finished {
            for diagnosis in self.monitor.finish() {
                self.write(diagnosis);
            }
        }
        self.monitor.active().to_vec()
    }

    fn write(&mut self, event: Event) {
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
