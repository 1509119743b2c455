//! The channel between a training and those who control it: commands, requests for the weights, and a flag that
//! cancels long work at once.

use super::snapshot::Snapshot;
use crate::event::Command;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The end of the training.
#[derive(Debug)]
pub struct Control {
    commands: Receiver<Command>,
    snapshot_requests: Receiver<Sender<Snapshot>>,
    handle: Handle,
}

/// The end of a controller. It can be cloned, and none of its methods blocks.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: Sender<Command>,
    snapshot_requests: Sender<Sender<Snapshot>>,
    cancelled: Arc<AtomicBool>,
}

/// A message to a training.
pub(super) enum Request {
    /// Execute a command.
    Command(Command),
    /// Send a copy of the weights.
    Snapshot(Sender<Snapshot>),
}

/// Creates a pair of ends.
pub fn control() -> (Control, Handle) {
    let (command_sender, commands) = unbounded();
    let (request_sender, snapshot_requests) = unbounded();
    let cancelled = Arc::new(AtomicBool::new(false));
    let handle = Handle { commands: command_sender, snapshot_requests: request_sender, cancelled };
    (Control { commands, snapshot_requests, handle: handle.clone() }, handle)
}

impl Handle {
    /// Sends a command, which the training executes between two steps. Without effect after its end.
    pub fn send(&self, command: Command) {
        if command == Command::Stop {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        self.commands.send(command).ok();
    }

    /// Requests a copy of the weights. The receiver is disconnected without one if the training has ended.
    pub fn request_snapshot(&self) -> Receiver<Snapshot> {
        let (sender, receiver) = bounded(1);
        self.snapshot_requests.send(sender).ok();
        receiver
    }
}

impl Control {
    /// Another handle of this training.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The flag that [`Command::Stop`] sets at once, so that downloads and evaluations end early.
    pub fn cancelled(&self) -> &AtomicBool {
        &self.handle.cancelled
    }

    /// Whether [`Command::Stop`] was sent.
    pub fn is_cancelled(&self) -> bool {
        self.handle.cancelled.load(Ordering::Relaxed)
    }

    /// The next pending request, if any; requests for the weights come first.
    pub(super) fn poll(&self) -> Option<Request> {
        if let Some(request) = self.poll_snapshot_request() {
            return Some(Request::Snapshot(request));
        }
        self.commands.try_recv().ok().map(Request::Command)
    }

    /// Removes and returns the commands that were not executed. Requests for the weights are left.
    pub fn take_commands(&self) -> Vec<Command> {
        self.commands.try_iter().collect()
    }

    /// Blocks until the next request. Both channels stay open because this end holds a sender of each.
    pub(super) fn wait(&self) -> Request {
        select! {
            recv(self.snapshot_requests) -> request => request.map_or(Request::Command(Command::Stop), Request::Snapshot),
            recv(self.commands) -> command => Request::Command(command.unwrap_or(Command::Stop)),
        }
    }

    /// The next pending request for the weights, which is answered during evaluations too.
    pub(super) fn poll_snapshot_request(&self) -> Option<Sender<Snapshot>> {
        self.snapshot_requests.try_recv().ok()
    }
}
