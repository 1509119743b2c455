//! Starts runs, changes the queue and sends commands to runs of other processes. All of these take locks or
//! create directories.

use super::active_runs::{ActiveRuns, Ending, HandedOver, continues};
use super::history_cache::FollowedRun;
use super::msg::{HandOverError, Msg};
use super::options::Options;
use super::state::compare::RunPair;
use super::state::train_request::TrainRequest;
use super::train_subject::subject_of;
use super::worker::{Worker, catch_panic, error_msg};
use crate::error::{Error, Result};
use crate::event::Command;
use crate::run::comparison::{PlanWatcher, add_seeds};
use crate::run::executor::Subject;
use crate::run::history::History;
use crate::run::queue::{Queue, QueueDevice, QueueEdit, QueuedSweep, StartedRun, TrainingLock};
use crate::run::sweep::{SweepDir, TaskData, check_sweep};
use crate::run::{PendingCommand, RunDir, RunHandle, Start, start};
use crate::spec::Sweep;
use crossbeam_channel::Sender;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A job of the [`RunWorker`].
pub(super) enum RunJob {
    Start(TrainRequest),
    /// Start the next run of the queue.
    StartNext,
    Enqueue(TrainRequest),
    EditQueue(QueueEdit),
    /// Queue the further seeds of a comparison.
    AddSeeds(RunPair),
    /// Read the queue and send it if it has changed.
    PollQueue,
    SendCommandTo(PathBuf, Command),
    /// Hand over all runs to a process in the background.
    HandOver,
    /// Drop the sender, when the jobs before this one are done.
    Finish(Sender<()>),
    /// Wait for the runs on other devices, which were stopped, then drop the sender.
    JoinOthers(Sender<()>),
}

/// The answer to [`RunJob::Start`] and to [`RunJob::StartNext`].
pub(super) struct StartReply {
    /// Whether a run was started, or why not; `None` when there was nothing to start.
    pub(super) msg: Option<Msg>,
    /// The run.
    pub(super) run: Option<ActiveRun>,
}

/// A run that this process trains.
pub(super) struct ActiveRun {
    pub(super) handle: RunHandle,
    /// Keeps the queue from starting another run beside it.
    pub(super) _lock: Option<TrainingLock>,
}

/// Does the jobs of the thread `runs`.
pub(super) struct RunWorker {
    options: Options,
    messages: Sender<Msg>,
    replies: Sender<StartReply>,
    /// The queue that was sent last.
    queue: Option<Queue>,
    /// Removes seeds of comparisons that are decided from the queue.
    plan_watcher: PlanWatcher,
    /// Runs of the queue that train on other devices than the run that the interface shows. It reads their logs, as
    /// those of other programs.
    others: Vec<ActiveRun>,
    /// Lists the devices of the machine.
    list_devices: fn() -> Vec<QueueDevice>,
    has_listed_devices: bool,
    flags: Arc<RunFlags>,
    active_runs: ActiveRuns,
}

/// State that the interface and the [`RunWorker`] share.
#[derive(Default)]
pub(super) struct RunFlags {
    /// Whether this process trains. Set by the worker, cleared by the interface.
    pub(super) is_training: AtomicBool,
    /// Number of runs on other devices.
    pub(super) others: AtomicUsize,
    /// Whether a [`RunJob::PollQueue`] waits, so that no second one is sent.
    pub(super) is_poll_pending: AtomicBool,
}

impl Worker for RunWorker {
    type Job = RunJob;

    fn describe(job: &RunJob) -> &'static str {
        match job {
            RunJob::Start(_) => "starting a run",
            RunJob::StartNext => "starting the next run of the queue",
            RunJob::Enqueue(_) | RunJob::EditQueue(_) => "changing the queue",
            RunJob::PollQueue => "reading the queue",
            RunJob::AddSeeds(_) => "queuing further seeds",
            RunJob::SendCommandTo(..) => "sending a command to a run",
            RunJob::HandOver => "handing over runs",
            RunJob::Finish(_) => "ending",
            RunJob::JoinOthers(_) => "stopping runs",
        }
    }

    fn run(&mut self, job: RunJob, _is_last: bool) {
        let name = Self::describe(&job);
        match job {
            RunJob::Start(request) => {
                let started = catch_panic(name, || self.start(request));
                self.reply(started.unwrap_or_else(|error| StartReply {
                    msg: Some(Msg::StartFailed(error.to_string())),
                    run: None,
                }));
                self.active_runs.start_done();
            }
            RunJob::StartNext => {
                let started = catch_panic(name, || self.start_next());
                let reply = started.unwrap_or_else(|error| StartReply {
                    msg: Some(self.queue_start_failed(&error)),
                    run: None,
                });
                self.reply(reply);
                self.active_runs.start_done();
            }
            RunJob::Finish(_done) => {}
            RunJob::Enqueue(request) => {
                let edited = match self.subject_of(request) {
                    Ok(Subject::New(spec)) => self.edit_queue(QueueEdit::Add(Box::new(Start::New(spec)))),
                    Ok(Subject::Run(dir)) => self.edit_queue(QueueEdit::Add(Box::new(Start::Resume(dir)))),
                    Ok(Subject::NewSweep(sweep)) => self.enqueue_new_sweep(&sweep),
                    Ok(Subject::Sweep(dir)) => self.enqueue_sweep(&dir),
                    Err(error) => Err(error),
                };
                if let Err(error) = edited {
                    self.send(error_msg("Cannot add this to the queue", &error));
                }
            }
            RunJob::EditQueue(edit) => {
                if let Err(error) = self.edit_queue(edit) {
                    self.send(error_msg("Cannot change the queue", &error));
                }
            }
            RunJob::AddSeeds(RunPair { a, b }) => {
                let added = catch_panic(name, || add_seeds(&self.options.runs_dir, &a, &b));
                match added {
                    Ok((queue, text)) => {
                        self.send(Msg::SeedsAdded(text));
                        self.queue = Some(queue.clone());
                        self.send(Msg::QueueLoaded(Ok(queue)));
                    }
                    Err(error) => self.send(error_msg("Cannot add seeds", &error)),
                }
            }
            RunJob::PollQueue => {
                self.flags.is_poll_pending.store(false, Ordering::Relaxed);
                self.finish_others();
                if !std::mem::replace(&mut self.has_listed_devices, true) && self.devices().len() > 1 {
                    self.send(Msg::SeveralDevices);
                }
                if let Some(msg) = self.changed_queue() {
                    self.send(msg);
                }
            }
            RunJob::SendCommandTo(dir, command) => {
                if let Err(error) = PendingCommand::send(&dir, command) {
                    self.send(error_msg("Cannot reach the run", &error));
                }
            }
            RunJob::HandOver => {
                let dirs: Vec<PathBuf> = self.active_runs.dirs();
                let result = catch_panic(name, || self.active_runs.end(Ending::HandOver));
                let mut msg = handed_over(dirs, result);
                if let Msg::HandedOver(Err(error)) = &mut msg {
                    // Runs that were not stopped continue.
                    let active = self.active_runs.dirs();
                    error.dirs.retain(|dir| !active.contains(dir));
                }
                self.send(msg);
            }
            RunJob::JoinOthers(_done) => {
                for ActiveRun { handle, _lock } in std::mem::take(&mut self.others) {
                    // The log has the error of a run that failed.
                    handle.join().ok();
                }
            }
        }
    }
}

/// The message about runs that were handed over.
fn handed_over(dirs: Vec<PathBuf>, result: Result<Option<HandedOver>>) -> Msg {
    Msg::HandedOver(match result {
        Ok(Some(HandedOver { process, report })) if report.failed.is_empty() => {
            Ok(continues(process, &report))
        }
        Ok(Some(HandedOver { report, .. })) => {
            let texts =
                report.failed.iter().map(|(dir, error)| format!("{}: {error}", RunDir::at(dir).name()));
            let text = texts.collect::<Vec<_>>().join("\n");
            let dirs = report.failed.into_iter().map(|(dir, _)| dir).collect();
            Err(HandOverError { text, dirs })
        }
        // The runs have ended before.
        Ok(None) => Ok(String::new()),
        Err(error) => Err(HandOverError { text: error.to_string(), dirs }),
    })
}

impl RunWorker {
    /// A worker that sends started runs to `replies` and everything else to `messages`.
    pub(super) fn new(
        options: Options,
        messages: Sender<Msg>,
        replies: Sender<StartReply>,
        flags: Arc<RunFlags>,
        active_runs: ActiveRuns,
    ) -> Self {
        RunWorker {
            options,
            active_runs,
            messages,
            replies,
            queue: None,
            plan_watcher: PlanWatcher::default(),
            others: Vec::new(),
            list_devices: QueueDevice::all,
            has_listed_devices: false,
            flags,
        }
    }

    fn send(&self, msg: Msg) {
        self.messages.send(msg).ok();
    }

    fn reply(&self, reply: StartReply) {
        self.replies.send(reply).ok();
    }

    /// What a request stands for. Data that have to be fetched first were fetched on another thread.
    fn subject_of(&self, request: TrainRequest) -> Result<Subject> {
        let data = &mut TaskData { cancelled: &AtomicBool::new(false), emit: &mut |_| {} };
        subject_of(&self.options, request, data)
    }

    /// Checks a new sweep, creates its directory and adds it to the queue.
    fn enqueue_new_sweep(&mut self, sweep: &Sweep) -> Result<()> {
        check_sweep(sweep, &AtomicBool::new(false))?;
        self.enqueue_sweep(&SweepDir::create(&self.options.runs_dir, sweep)?)
    }

    /// Adds a sweep to the queue.
    fn enqueue_sweep(&mut self, dir: &SweepDir) -> Result<()> {
        let (name, sweep) = (dir.name().to_owned(), dir.sweep()?);
        let trials = sweep.len();
        let queued = QueuedSweep { name: name.clone(), trials };
        self.edit_queue(QueueEdit::AddSweep(queued, Box::new(sweep.base)))?;
        self.send(Msg::SweepQueued { name, trials });
        Ok(())
    }

    fn start(&mut self, request: TrainRequest) -> Result<StartReply> {
        if self.flags.is_training.load(Ordering::Relaxed) {
            return Err(Error::Usage("another run is being trained; add this one to the queue".into()));
        }
        let nothing = StartReply { msg: None, run: None };
        let start = match self.subject_of(request)? {
            Subject::New(spec) => Start::New(spec),
            Subject::Run(dir) => Start::Resume(dir),
            // The queue trains it.
            Subject::NewSweep(sweep) => return self.enqueue_new_sweep(&sweep).map(|()| nothing),
            Subject::Sweep(dir) => return self.enqueue_sweep(&dir).map(|()| nothing),
        };
        // The queue may train in another interface; that does not keep the user from training in this one.
        let (handle, earlier) = start_run(start, &self.options)?;
        let device = RunDir::at(&handle.dir).spec()?.device;
        let lock = TrainingLock::shared(&self.options.runs_dir, device);
        self.started(handle, lock, earlier, None)
    }

    fn start_next(&mut self) -> Result<StartReply> {
        let is_training = self.flags.is_training.load(Ordering::Relaxed);
        let devices = self.devices();
        if is_training && devices.len() == 1 {
            return Ok(StartReply { msg: None, run: None });
        }
        self.remove_decided_seeds();
        let mut earlier = Vec::new();
        let started = Queue::start_next(&self.options.runs_dir, &devices, |start| {
            let (run, histories) = start_run(start, &self.options)?;
            earlier = histories;
            Ok(run)
        });
        match started? {
            None => Ok(StartReply { msg: self.changed_queue(), run: None }),
            Some(StartedRun { lock, mut run, queue }) if is_training => {
                run.discard_events();
                self.active_runs.add(run.stopper());
                self.others.push(ActiveRun { handle: run, _lock: Some(lock) });
                self.flags.others.store(self.others.len(), Ordering::Relaxed);
                self.queue = Some(queue.clone());
                Ok(StartReply { msg: Some(Msg::QueueLoaded(Ok(queue))), run: None })
            }
            Some(StartedRun { lock, run, queue }) => {
                self.queue = Some(queue.clone());
                self.started(run, Some(lock), earlier, Some(queue))
            }
        }
    }

    /// Removes the waiting seeds of comparisons that are decided. An error is one of the queue or of the list of runs, which are read
    /// again anyway.
    fn remove_decided_seeds(&mut self) {
        if let Ok(Some((queue, verdicts))) = self.plan_watcher.look(&self.options.runs_dir) {
            self.queue = Some(queue.clone());
            self.send(Msg::QueueLoaded(Ok(queue)));
            for verdict in verdicts {
                self.send(Msg::ComparisonDecided(verdict));
            }
        }
    }

    /// The devices that the queue trains on: the one that the interface was opened for, or all.
    fn devices(&self) -> Vec<QueueDevice> {
        QueueDevice::chosen((self.list_devices)(), self.options.device)
    }

    /// Forgets the runs on other devices that are over, and reports those that failed.
    fn finish_others(&mut self) {
        let all = std::mem::take(&mut self.others);
        let (over, training): (Vec<_>, Vec<_>) = all.into_iter().partition(|run| run.handle.is_over());
        self.others = training;
        self.flags.others.store(self.others.len(), Ordering::Relaxed);
        for ActiveRun { handle, _lock } in over {
            self.active_runs.remove(&handle.dir);
            let title = format!("The run {} failed", RunDir::at(&handle.dir).name());
            if let Err(error) = handle.join() {
                self.send(error_msg(&title, &error));
            }
        }
    }

    fn started(
        &self,
        handle: RunHandle,
        lock: Option<TrainingLock>,
        earlier: Vec<History>,
        queue: Option<Queue>,
    ) -> Result<StartReply> {
        self.active_runs.add(handle.stopper());
        let dir = handle.dir.clone();
        let spec = Box::new(RunDir::at(&dir).spec()?);
        self.flags.is_training.store(true, Ordering::Relaxed);
        let msg = Msg::RunStarted { spec, dir, earlier, queue };
        Ok(StartReply { msg: Some(msg), run: Some(ActiveRun { handle, _lock: lock }) })
    }

    /// The next run of the queue cannot be started: either that run has an error and was removed, or the queue
    /// itself cannot be used.
    fn queue_start_failed(&mut self, error: &Error) -> Msg {
        match self.changed_queue() {
            Some(queue @ Msg::QueueLoaded(Ok(_))) => {
                self.send(error_msg("Cannot start a run of the queue", error));
                queue
            }
            _ => self.unreadable_queue(error),
        }
    }

    /// Changes the queue and sends the new one.
    fn edit_queue(&mut self, edit: QueueEdit) -> Result<()> {
        let queue = Queue::edit(&self.options.runs_dir, edit)?;
        self.queue = Some(queue.clone());
        self.send(Msg::QueueLoaded(Ok(queue)));
        Ok(())
    }

    /// The queue, if it has changed since it was sent last.
    fn changed_queue(&mut self) -> Option<Msg> {
        match Queue::read(&self.options.runs_dir) {
            Ok(queue) if self.queue.as_ref() == Some(&queue) => None,
            Ok(queue) => {
                self.queue = Some(queue.clone());
                Some(Msg::QueueLoaded(Ok(queue)))
            }
            Err(error) => Some(self.unreadable_queue(&error)),
        }
    }

    fn unreadable_queue(&mut self, error: &Error) -> Msg {
        self.queue = None;
        Msg::QueueLoaded(Err(error.to_string()))
    }
}

/// Starts a run, a new one on the device that the interface was opened for. Also returns the histories of its
/// seeds so far.
fn start_run(what: Start, options: &Options) -> Result<(RunHandle, Vec<History>)> {
    let what = what.on_device(options.device);
    let earlier = match &what {
        Start::Resume(dir) => FollowedRun::read(dir)?.histories(),
        _ => Vec::new(),
    };
    Ok((start(what, &options.runs_dir)?, earlier))
}

#[cfg(test)]
mod tests;
