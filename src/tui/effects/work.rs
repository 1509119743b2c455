//! Work that takes long, on threads of its own: copies and exports, fetching GLUE, submitting and cancelling.

use super::EffectRunner;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::terminal_caps::TerminalCaps;
use crate::tui::export_worker;
use crate::tui::msg::Msg;
use crate::tui::options::Options;
use crate::tui::run_worker::RunJob;
use crate::tui::scheduler;
use crate::tui::state::copied::Copied;
use crate::tui::state::export_request::ExportRequest;
use crate::tui::state::train_request::TrainRequest;
use crate::tui::train_subject::fetch_glue;
use crate::tui::worker::{Watch, catch_panic, error_msg, spawn};
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl EffectRunner {
    pub(super) fn export(&self, request: Box<ExportRequest>) -> Option<Msg> {
        let can_be_cancelled = request.can_be_cancelled();
        let export = |options: &Options, watch: Watch<'_>| export_worker::export(options, *request, watch);
        if can_be_cancelled {
            return self.cancellable_work("exporting", "Cannot export", export);
        }
        let messages = self.messages.clone();
        self.work("exporting", "Cannot export", move |options| {
            export(&options, (&mut |progress| report(&messages, progress), &AtomicBool::new(false)))
        })
    }

    /// Adds a request to the queue. The data of a GLUE run are fetched first.
    pub(super) fn enqueue(&self, request: TrainRequest) -> Option<Msg> {
        let TrainRequest::Glue { model, data_dir } = request else {
            self.send_run_job(RunJob::Enqueue(request));
            return None;
        };
        self.cancellable_work("fetching data", "Cannot train on all tasks of GLUE", move |options, watch| {
            fetch_glue(options, &model, data_dir, watch)
        })
    }

    /// As [`EffectRunner::work`], with progress, until [`Effect::CancelWork`] cancels it.
    fn cancellable_work(
        &self,
        job: &'static str,
        title: &'static str,
        work: impl FnOnce(&Options, Watch<'_>) -> Result<Msg> + Send + 'static,
    ) -> Option<Msg> {
        let (messages, cancelled) = (self.messages.clone(), self.work_cancelled.clone());
        self.work(job, title, move |options| {
            messages.send(Msg::WorkStarted).ok();
            let result = catch_panic(job, || {
                work(&options, (&mut |progress| report(&messages, progress), &cancelled))
            });
            messages.send(Msg::WorkEnded).ok();
            match result {
                Err(Error::Interrupted(text)) => Ok(Msg::WorkCancelled(text)),
                result => result,
            }
        })
    }

    /// Does `work` on a thread of its own, which sends its message or its error. `job` and `title` are for errors.
    fn work(
        &self,
        job: &'static str,
        title: &'static str,
        work: impl FnOnce(Options) -> Result<Msg> + Send + 'static,
    ) -> Option<Msg> {
        let (options, messages) = (self.options.clone(), self.messages.clone());
        let thread = spawn("work", move || {
            let msg = catch_panic(job, || work(options)).unwrap_or_else(|error| error_msg(title, &error));
            messages.send(msg).ok();
        });
        thread.err().map(|error| error_msg(title, &error))
    }

    pub(super) fn copy(&self, Copied { what, content }: Copied) -> Option<Msg> {
        let (clipboard, text) = (TerminalCaps::detect().clipboard, content.text());
        self.work("copying", "Cannot copy", move |options| {
            export_worker::copy(&options, clipboard, what, &text)
        })
    }

    /// Submits a run or a sweep to Slurm.
    pub(super) fn submit(&self, request: TrainRequest) -> Option<Msg> {
        self.cancellable_work("submitting to Slurm", "Cannot submit to Slurm", |options, watch| {
            scheduler::submit(options, request, watch)
        })
    }

    /// Takes the run or the sweep of that name back from Slurm.
    pub(super) fn cancel_jobs(&self, name: String) -> Option<Msg> {
        self.work("cancelling jobs", "Cannot cancel the jobs", move |options| {
            scheduler::cancel(&options, &name)
        })
    }

    /// Cancels the uploads, downloads and exports that are in progress.
    pub(super) fn cancel_work(&mut self) {
        self.work_cancelled.store(true, Ordering::Relaxed);
        self.work_cancelled = Arc::default();
    }
}

/// Sends progress. What the interface has no time for is replaced by the next.
fn report(messages: &Sender<Msg>, progress: Progress) {
    messages.try_send(Msg::WorkProgress(progress)).ok();
}
