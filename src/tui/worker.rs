//! Threads that do the work that may block: files, locks, models. The interface thread never does.

use super::msg::Msg;
use crate::error::{Error, Result, panic_message};
use crate::event::{Event, Progress};
use crossbeam_channel::{Receiver, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

/// What receives the progress of a long job, and the flag that cancels it.
pub(super) type Watch<'a> = (&'a mut dyn FnMut(Progress), &'a AtomicBool);

/// Receives events, and passes on the progress among them.
pub(super) fn progress_events(on_progress: &mut dyn FnMut(Progress)) -> impl FnMut(Event) {
    |event| {
        if let Event::Progress(progress) = event {
            on_progress(progress);
        }
    }
}

/// Starts a thread.
///
/// # Errors
/// [`Error::Device`] when the system has no thread left.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|e| Error::Device(format!("cannot start the thread `{name}`: {e}")))
}

/// Runs a job. Its panic is an error that names the job: bad data must not end the program.
pub(super) fn catch_panic<T>(job: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Error::Training(format!("internal error while {job}: {}", panic_message(panic.as_ref()))))
    })
}

/// A worker that does jobs one after the other.
pub(super) trait Worker {
    /// What it does.
    type Job;

    /// What the job does, as in "reading a run", for the message about a panic.
    fn describe(job: &Self::Job) -> &'static str;

    /// Does a job. `is_last` is false when more jobs wait.
    fn run(&mut self, job: Self::Job, is_last: bool);

    /// Called after a panic, with the worker as the job has left it.
    fn recover(&mut self) {}
}

/// Does all jobs until the channel is disconnected. A job that panics is reported, and the worker continues with
/// the next one.
pub(super) fn serve<W: Worker>(mut worker: W, jobs: &Receiver<W::Job>, messages: &Sender<Msg>) {
    while let Ok(job) = jobs.recv() {
        let name = W::describe(&job);
        let is_last = jobs.is_empty();
        let result = catch_panic(name, || {
            worker.run(job, is_last);
            Ok(())
        });
        if let Err(error) = result {
            worker.recover();
            messages.send(error_msg("Internal error", &error)).ok();
        }
    }
}

/// A message that shows an error.
pub(super) fn error_msg(title: &str, error: &Error) -> Msg {
    Msg::Error { title: title.into(), text: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    struct Divider {
        messages: Sender<Msg>,
    }

    impl Worker for Divider {
        type Job = u64;

        fn describe(_: &u64) -> &'static str {
            "dividing"
        }

        fn run(&mut self, job: u64, _: bool) {
            let name = (12 / job).to_string();
            self.messages.send(Msg::ExperimentSaved { name, path: "e.toml".into() }).ok();
        }
    }

    #[test]
    fn worker_survives_a_panic_and_reports_it() {
        let (sender, jobs) = unbounded();
        let (messages, receiver) = unbounded();
        for job in [3, 0, 4] {
            sender.send(job).unwrap();
        }
        drop(sender);
        serve(Divider { messages: messages.clone() }, &jobs, &messages);
        drop(messages);
        let texts: Vec<String> = receiver
            .iter()
            .map(|msg| match msg {
                Msg::ExperimentSaved { name, .. } => name,
                Msg::Error { text, .. } => text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, ["4", "internal error while dividing: attempt to divide by zero", "3"]);
    }
}
