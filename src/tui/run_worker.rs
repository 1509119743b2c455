//! Starts runs, changes the queue and sends commands to runs of other processes. All of these take locks or
//! create directories.

use super::history_cache::FollowedRun;
use super::msg::Msg;
use super::options::Options;
use super::state::train_request::TrainRequest;
use super::worker::{Worker, catch_panic, error_msg};
use crate::error::{Error, Result};
use crate::event::Command;
use crate::run::history::History;
use crate::run::queue::{Queue, QueueEdit, StartedRun, TrainingLock};
use crate::run::{PendingCommand, RunDir, RunHandle, Start, start};
use crate::spec::{Experiments, RunSpec};
use crossbeam_channel::Sender;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A job of the [`RunWorker`].
pub(super) enum RunJob {
    Start(TrainRequest),
    /// Start the next run of the queue.
    StartNext,
    Enqueue(TrainRequest),
    EditQueue(QueueEdit),
    /// Read the queue and send it if it has changed.
    PollQueue,
    SendCommandTo(PathBuf, Command),
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
    flags: Arc<RunFlags>,
}

/// State that the interface and the [`RunWorker`] share.
#[derive(Default)]
pub(super) struct RunFlags {
    /// Whether this process trains. Set by the worker, cleared by the interface.
    pub(super) is_training: AtomicBool,
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
            RunJob::SendCommandTo(..) => "sending a command to a run",
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
            }
            RunJob::StartNext => {
                let started = catch_panic(name, || self.start_next());
                let reply = started.unwrap_or_else(|error| StartReply {
                    msg: Some(self.queue_start_failed(&error)),
                    run: None,
                });
                self.reply(reply);
            }
            RunJob::Enqueue(request) => {
                let edit = self.start_of(request).map(|start| QueueEdit::Add(Box::new(start)));
                self.edit_queue(edit);
            }
            RunJob::EditQueue(edit) => self.edit_queue(Ok(edit)),
            RunJob::PollQueue => {
                self.flags.is_poll_pending.store(false, Ordering::Relaxed);
                if let Some(msg) = self.changed_queue() {
                    self.send(msg);
                }
            }
            RunJob::SendCommandTo(dir, command) => {
                if let Err(error) = PendingCommand::send(&dir, command) {
                    self.send(error_msg("Cannot reach the run", &error));
                }
            }
        }
    }
}

impl RunWorker {
    /// A worker that sends started runs to `replies` and everything else to `messages`.
    pub(super) fn new(
        options: Options,
        messages: Sender<Msg>,
        replies: Sender<StartReply>,
        flags: Arc<RunFlags>,
    ) -> Self {
        RunWorker { options, messages, replies, queue: None, flags }
    }

    fn send(&self, msg: Msg) {
        self.messages.send(msg).ok();
    }

    fn reply(&self, reply: StartReply) {
        self.replies.send(reply).ok();
    }

    fn start_of(&self, request: TrainRequest) -> Result<Start> {
        Ok(match request {
            TrainRequest::Spec(spec) => Start::New(*spec),
            TrainRequest::Changed { name, changes } => {
                let experiments = Experiments::open(self.options.experiments.as_deref())?;
                Start::New(experiments.with_changes(&name, &changes)?.resolve(&name, &[])?)
            }
            TrainRequest::Resume(dir) => Start::Resume(dir),
        })
    }

    fn start(&mut self, request: TrainRequest) -> Result<StartReply> {
        if self.flags.is_training.load(Ordering::Relaxed) {
            return Err(Error::Usage("another run is being trained; add this one to the queue".into()));
        }
        // The queue may train in another interface; that does not keep the user from training in this one.
        let lock = TrainingLock::shared(&self.options.runs_dir);
        let (handle, earlier) = start_run(self.start_of(request)?, &self.options)?;
        self.started(handle, lock, earlier, None)
    }

    fn start_next(&mut self) -> Result<StartReply> {
        if self.flags.is_training.load(Ordering::Relaxed) {
            return Ok(StartReply { msg: None, run: None });
        }
        let mut earlier = Vec::new();
        let started = Queue::start_next(&self.options.runs_dir, |start| {
            let (run, histories) = start_run(start, &self.options)?;
            earlier = histories;
            Ok(run)
        });
        match started? {
            None => Ok(StartReply { msg: self.changed_queue(), run: None }),
            Some(StartedRun { lock, run, queue }) => {
                self.queue = Some(queue.clone());
                self.started(run, Some(lock), earlier, Some(queue))
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

    fn edit_queue(&mut self, edit: Result<QueueEdit>) {
        let result = edit.and_then(|edit| Queue::edit(&self.options.runs_dir, edit));
        let msg = match result {
            Ok(queue) => {
                self.queue = Some(queue.clone());
                Msg::QueueLoaded(Ok(queue))
            }
            Err(error) => error_msg("Cannot change the queue", &error),
        };
        self.send(msg);
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
    let (what, earlier) = match (what, options.device) {
        (Start::New(spec), Some(device)) => (Start::New(RunSpec { device, ..spec }), Vec::new()),
        (Start::Resume(dir), _) => {
            let earlier = FollowedRun::read(&dir)?.histories();
            (Start::Resume(dir), earlier)
        }
        (what, _) => (what, Vec::new()),
    };
    Ok((start(what, &options.runs_dir)?, earlier))
}
