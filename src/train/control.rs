//! The two ends between a training and those who steer it: commands, questions for the weights, and a
//! flag that ends waiting at once.

use super::Snapshot;
use crate::event::Command;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The training's end.
#[derive(Debug)]
pub struct Control {
    commands: Receiver<Command>,
    questions: Receiver<Sender<Snapshot>>,
    handle: Handle,
}

/// The steering end. Any number of copies may exist; none of their calls waits.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: Sender<Command>,
    questions: Sender<Sender<Snapshot>>,
    cancelled: Arc<AtomicBool>,
}

/// What reached a training.
pub(super) enum Request {
    /// Obey.
    Command(Command),
    /// Send the weights as they are.
    Weights(Sender<Snapshot>),
}

/// A pair of ends.
pub fn control() -> (Control, Handle) {
    let (command_sender, commands) = unbounded();
    let (question_sender, questions) = unbounded();
    let cancelled = Arc::new(AtomicBool::new(false));
    let handle = Handle { commands: command_sender, questions: question_sender, cancelled };
    (Control { commands, questions, handle: handle.clone() }, handle)
}

impl Handle {
    /// Asks the training to obey `command` between two steps. A training that is over does not hear it.
    pub fn tell(&self, command: Command) {
        if command == Command::Stop {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        self.commands.send(command).ok();
    }

    /// Asks for a copy of the weights. The receiver is closed without an answer when the training is over.
    pub fn ask_weights(&self) -> Receiver<Snapshot> {
        let (sender, receiver) = bounded(1);
        self.questions.send(sender).ok();
        receiver
    }
}

impl Control {
    /// One more steering end.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Set as soon as the training is told to stop, so that downloads and scoring end early.
    pub fn cancelled(&self) -> &AtomicBool {
        &self.handle.cancelled
    }

    /// Whether the training was told to stop.
    pub fn is_cancelled(&self) -> bool {
        self.handle.cancelled.load(Ordering::Relaxed)
    }

    /// What waits to be obeyed, oldest first, if anything.
    pub(super) fn poll(&self) -> Option<Request> {
        if let Ok(question) = self.questions.try_recv() {
            return Some(Request::Weights(question));
        }
        self.commands.try_recv().ok().map(Request::Command)
    }

    /// Waits for a request. Both channels stay open, as this end has a sender of each.
    pub(super) fn wait(&self) -> Request {
        select! {
            recv(self.questions) -> question => question.map_or(Request::Command(Command::Stop), Request::Weights),
            recv(self.commands) -> command => Request::Command(command.unwrap_or(Command::Stop)),
        }
    }

    /// A question for the weights that waits, if any: answered also where commands are not obeyed.
    pub(super) fn poll_question(&self) -> Option<Sender<Snapshot>> {
        self.questions.try_recv().ok()
    }
}
