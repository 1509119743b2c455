//! From a specification to a finished run directory: all repeats, one after the other, logged, with what
//! goes wrong written down. [`run_blocking`] does it in this thread, [`start`] on one of its own.

use super::control_file::ControlWatcher;
use super::dir::RunDir;
use super::log::{EventLog, trail};
use super::repeats::RepeatsSummary;
use crate::data;
use crate::error::{Error, Result};
use crate::event::{Change, Command, Event, Status, now};
use crate::hub::Hub;
use crate::machine::Meter;
use crate::spec::RunSpec;
use crate::train::{Control, Handle, Job, Snapshot, Summary, control, resolve, train};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Name of the thread that [`start`] makes.
pub(super) const THREAD: &str = "training";
/// Between two readings of the machine's gauges.
const GAUGES_EVERY: Duration = Duration::from_secs(1);

/// What to train.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is made for a whole run")]
pub enum Start {
    /// A new run.
    New(RunSpec),
    /// The run of this directory, from its newest checkpoint.
    Resume(PathBuf),
    /// A new run that does what the run of this directory did, with all that was changed on its way.
    Replay(PathBuf),
}

/// An event and the run that it happened in.
#[derive(Debug, Clone)]
pub struct RunEvent {
    /// Which of the repeats, from 0.
    pub repeat: u64,
    /// That run's directory.
    pub dir: Arc<Path>,
    /// What happened.
    pub event: Event,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct TrainOutput {
    /// The run directory.
    pub dir: PathBuf,
    /// How it ended.
    pub status: Status,
    /// The summary of each seed that was trained.
    pub summaries: Vec<Summary>,
    /// Mean and spread, when there are repeats.
    pub repeats: Option<RepeatsSummary>,
}

/// A run on a thread of its own. Dropping it tells the run to stop.
#[derive(Debug)]
pub struct Running {
    /// The run directory.
    pub dir: PathBuf,
    /// Everything that is said; closed when the run is over.
    pub said: Receiver<RunEvent>,
    handle: Handle,
    thread: Option<JoinHandle<Result<TrainOutput>>>,
}

impl Running {
    /// Asks the run to obey `command`.
    pub fn tell(&self, command: Command) {
        self.handle.send(command);
    }

    /// Asks for the weights as they are; closed without an answer when the run is over.
    pub fn ask_weights(&self) -> Receiver<Snapshot> {
        self.handle.request_snapshot()
    }

    /// Waits for the end.
    pub fn join(mut self) -> Result<TrainOutput> {
        let thread = self.thread.take().expect("joined once, as this consumes the run");
        thread
            .join()
            .unwrap_or_else(|_| Err(Error::Training("the training thread ended without a word".into())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.handle.send(Command::Stop);
        }
    }
}

/// Starts a run on a thread of its own.
pub fn start(start: Start, runs_dir: &Path) -> Result<Running> {
    let (dir, spec) = open(start, runs_dir)?;
    let (control, handle) = control();
    let (sender, said) = unbounded();
    let path = dir.path().to_path_buf();
    let thread = Builder::new()
        .name(THREAD.into())
        // The reader may have gone; the log has every event all the same.
        .spawn(move || run_in(&dir, &spec, &control, &mut |said| drop(sender.send(said.clone()))))
        .map_err(|e| Error::Training(format!("no thread for the training: {e}")))?;
    Ok(Running { dir: path, said, handle, thread: Some(thread) })
}

/// Who hears what happens in a run, from whatever thread tells it.
type Say<'a> = &'a mut (dyn FnMut(&RunEvent) + Send);

/// Conducts a run to its end in this thread.
pub fn run_blocking(start: Start, runs_dir: &Path, control: &Control, say: Say<'_>) -> Result<TrainOutput> {
    let (dir, spec) = open(start, runs_dir)?;
    run_in(&dir, &spec, control, say)
}

fn open(start: Start, runs_dir: &Path) -> Result<(RunDir, RunSpec)> {
    match start {
        Start::New(spec) => {
            let spec = data::filled(&spec)?;
            Ok((RunDir::create(runs_dir, &spec)?, spec))
        }
        Start::Resume(path) => {
            let dir = RunDir::at(path);
            let spec = dir.spec()?;
            Ok((dir, spec))
        }
        Start::Replay(path) => once_more(&RunDir::at(path), runs_dir),
    }
}

/// A new directory whose log already has what was changed on the way of the run in `dir`: a training obeys
/// what its log has for a step.
fn once_more(dir: &RunDir, runs_dir: &Path) -> Result<(RunDir, RunSpec)> {
    let spec = dir.spec()?;
    if spec.repeats > 1 {
        return Err(Error::Usage(format!(
            "{name} has several seeds, each with changes of its own; name one of them, as in {path}/seed-{seed}",
            name = dir.name(),
            path = dir.path().display(),
            seed = spec.seed
        )));
    }
    let changes = trail(dir)?;
    let new = RunDir::create(runs_dir, &spec)?;
    let mut log = EventLog::open(&new)?;
    log.write(&Event::note(format!(
        "does {} once more, with {} changes on the way",
        dir.name(),
        changes.len()
    )))?;
    for Change { step, command } in changes {
        log.write(&Event::Command { step, command, settings: None, replayed: false })?;
    }
    Ok((new, spec))
}

fn run_in(dir: &RunDir, spec: &RunSpec, control: &Control, say: Say<'_>) -> Result<TrainOutput> {
    let path = dir.path().to_path_buf();
    let pins = dir.pins_file();
    // Opened before the log: who finds the log taken can rely on being heard.
    let _mailbox = ControlWatcher::open(dir, control.handle())?;
    if spec.repeats <= 1 {
        let summary = train_one(dir, (spec, 0), &pins, control, say)?;
        return Ok(TrainOutput {
            dir: path,
            status: summary.status,
            summaries: vec![summary],
            repeats: None,
        });
    }
    let mut log = EventLog::open(dir)?;
    dir.remove_summary()?;
    let mut summaries = Vec::new();
    let mut status = Status::Finished;
    for repeat in 0..spec.repeats {
        let spec = RunSpec { seed: spec.seed + repeat, repeats: 1, ..spec.clone() };
        let seed_dir = dir.of_seed(&spec)?;
        let finished = seed_dir.summary().filter(|summary| summary.status == Status::Finished);
        let summary = match finished {
            Some(summary) => summary,
            None => train_one(&seed_dir, (&spec, repeat), &pins, control, say)?,
        };
        if let Some(best) = summary.best {
            log.write(&Event::note(format!(
                "seed {}: best {} {:.4}",
                spec.seed,
                best.metric.name(),
                best.value
            )))?;
        }
        status = summary.status;
        summaries.push(summary);
        if status != Status::Finished {
            break;
        }
    }
    let repeats = RepeatsSummary::of(&summaries);
    if let Some(all) = &repeats {
        link_best(dir, all.best_seed.seed)?;
        dir.write_summary(all)?;
    }
    log.write(&Event::Ended { time: now(), status, error: None })?;
    Ok(TrainOutput { dir: path, status, summaries, repeats })
}

/// Writes the events of one seed down and passes them on.
struct EventSink<'a> {
    log: EventLog,
    say: Say<'a>,
    repeat: u64,
    dir: Arc<Path>,
    /// A log that cannot be written warns once and never ends a training.
    is_log_well: bool,
}

impl EventSink<'_> {
    fn tell(&mut self, event: Event) {
        let trouble = if self.is_log_well { self.log.write(&event).err() } else { None };
        self.pass_on(event);
        if let Some(error) = trouble {
            self.is_log_well = false;
            self.pass_on(Event::warning(format!("this run is no longer logged: {error}")));
        }
    }

    fn pass_on(&mut self, event: Event) {
        (self.say)(&RunEvent { repeat: self.repeat, dir: self.dir.clone(), event });
    }
}

/// One seed: log, train, summary. A failure and a panic are written down before they are passed on.
fn train_one(
    dir: &RunDir,
    (spec, repeat): (&RunSpec, u64),
    pins: &Path,
    control: &Control,
    say: Say<'_>,
) -> Result<Summary> {
    let log = EventLog::open(dir)?;
    let trail = trail(dir)?;
    dir.remove_summary()?;
    // The training and the gauges beside it both tell.
    let teller = Mutex::new(EventSink { log, say, repeat, dir: Arc::from(dir.path()), is_log_well: true });
    let tell = |event| teller.lock().unwrap_or_else(PoisonError::into_inner).tell(event);
    let job = Job { spec, dir: dir.path(), replayed_changes: &trail, probes_file: pins };
    let hub = Hub::from_env();
    let work = |emit: &mut dyn FnMut(Event)| {
        let resources = resolve(spec, &hub, control.cancelled(), emit)?;
        train(job, resources, control, emit)
    };
    let result = std::thread::scope(|scope| {
        let (close, closed) = bounded(0);
        let tell = &tell;
        // Without a thread for them there are no gauges, and nothing else changes.
        Builder::new().name("gauges".into()).spawn_scoped(scope, move || tell_gauges(&closed, tell)).ok();
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut |event| tell(event))));
        drop(close);
        result
    });
    let result = result.unwrap_or_else(|panic| {
        Err(Error::Training(format!("internal error: {}", panic_text(panic.as_ref()))))
    });
    let (status, error) = match &result {
        Ok(summary) => (summary.status, None),
        Err(Error::Interrupted(_)) => (Status::Stopped, None),
        Err(error) => (Status::Failed, Some(error.to_string())),
    };
    match &result {
        Ok(summary) => dir.write_summary(summary)?,
        Err(error) if status == Status::Failed => dir.write_summary(&Summary::failed(spec, error))?,
        Err(_) => {}
    }
    tell(Event::Ended { time: now(), status, error });
    result
}

/// Tells what the machine is doing until the channel is closed; sleeps in between.
fn tell_gauges(closed: &Receiver<()>, tell: &dyn Fn(Event)) {
    let Some(mut meter) = Meter::new() else { return };
    while closed.recv_timeout(GAUGES_EVERY) == Err(RecvTimeoutError::Timeout) {
        tell(Event::Machine(meter.read(now())));
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a text".into())
}

/// Lets `best` of an experiment with repeats lead to the best seed's.
#[cfg(unix)]
fn link_best(dir: &RunDir, seed: u64) -> Result<()> {
    let (best, target) = (dir.best(), Path::new(&format!("seed-{seed}")).join("best"));
    let aside = best.with_file_name(".best.link");
    let link = || -> std::io::Result<()> {
        if aside.symlink_metadata().is_ok() {
            std::fs::remove_file(&aside)?;
        }
        std::os::unix::fs::symlink(target, &aside)?;
        std::fs::rename(&aside, &best)
    };
    link().map_err(Error::writing(&best))
}

#[cfg(not(unix))]
fn link_best(_dir: &RunDir, _seed: u64) -> Result<()> {
    Ok(())
}
