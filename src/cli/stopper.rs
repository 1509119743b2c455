//! Stops a process that trains several runs one after the other.

use crate::event::Command;
use crate::train::Handle;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stops the current training, and the next ones before their first step.
#[derive(Debug, Default)]
pub(super) struct Stopper {
    is_stopped: AtomicBool,
    handle: Mutex<Option<Handle>>,
}

impl Stopper {
    /// Stops the current training, whose work is then saved.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        if let Some(handle) = self.handle.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            handle.send(Command::Stop);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// The flag that [`Stopper::stop`] sets.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.is_stopped
    }

    /// Sets the current training.
    pub(super) fn set(&self, handle: Handle) {
        let mut current = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever stops it later waits for the lock, and finds this handle.
        if self.is_stopped() {
            handle.send(Command::Stop);
        }
        *current = Some(handle);
    }
}
