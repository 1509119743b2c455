//! Output on a thread of its own: a terminal that nobody reads, as after Ctrl-S, makes every write wait, and neither a
//! training nor its end may wait for it.

use crate::error::{Error, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the output of an interrupted program waits for its reader.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two looks at the flag of an interruption.
const INTERVAL: Duration = Duration::from_millis(50);

/// Work on a thread that prints.
pub(super) struct OutputThread<T> {
    result: Receiver<T>,
}

impl<T: Send + 'static> OutputThread<T> {
    /// Starts `work`.
    ///
    /// # Errors
    /// [`Error::Device`] when the system has no thread left.
    pub(super) fn start(work: impl FnOnce() -> T + Send + 'static) -> Result<Self> {
        let (sender, result) = bounded(1);
        let thread =
            std::thread::Builder::new().name("output".into()).spawn(move || sender.send(work()).ok());
        thread.map_err(|e| Error::Device(format!("cannot start the thread that prints: {e}")))?;
        Ok(OutputThread { result })
    }

    /// Waits for the result; once `is_interrupted` is set only for a short time. `None` if the thread hangs.
    pub(super) fn wait(self, is_interrupted: &AtomicBool) -> Option<T> {
        let mut since: Option<Instant> = None;
        loop {
            match self.result.recv_timeout(INTERVAL) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if is_interrupted.load(Ordering::SeqCst)
                && since.get_or_insert_with(Instant::now).elapsed() >= TIMEOUT
            {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interrupted_program_gives_up_waiting() {
        let is_interrupted = AtomicBool::new(false);
        let slow = OutputThread::start(|| {
            std::thread::sleep(3 * INTERVAL);
            7
        });
        assert_eq!(slow.unwrap().wait(&is_interrupted), Some(7));
        is_interrupted.store(true, Ordering::SeqCst);
        let stuck = OutputThread::start(|| std::thread::sleep(Duration::from_mins(1)));
        let start = Instant::now();
        assert_eq!(stuck.unwrap().wait(&is_interrupted), None);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
