//! Executes the effects that [`update`](super::update::update) asks for. The interface thread only hands them to
//! workers, so no file, lock, model or network keeps a key waiting; results come back as messages.
//!
//! | thread      | does                                                        |
//! | ----------- | ----------------------------------------------------------- |
//! | `files`     | reads and writes experiments, logs, predictions, probes     |
//! | `runs`      | starts runs, changes the queue, sends commands to other runs |
//! | `inference` | opens models and classifies texts                           |
//! | `lookup`    | lists folders, models and earlier data; checks values of a form |
//! | `rows`      | profiles the data of one experiment; ends when it is done    |
//! | `prune`     | removes checkpoints; ends when it is done                    |
//! | `compare`   | compares two runs; one thread for each pair, ends when it is done |
//! | `preview`   | reads the start of a file or folder; ends when it is done    |
//! | `work`      | copies and exports, fetches GLUE, submits and cancels; one thread for each, ends when it is done |
//! | `scheduler` | asks Slurm about all tasks                                    |
//! | `training`  | trains; see [`crate::run::start`]                           |
//!
//! Jobs wait in unbounded channels: a bounded one would block the interface while a disk hangs. They grow by one
//! small job per key press; jobs that a timer sends are not sent while one of their kind waits. Results go through
//! a bounded channel, which blocks only the workers.

mod work;

use super::active_runs::{Ending, HandedOver};
use super::file_worker::{FileJob, FileWorker};
use super::inference::{Explain, InferenceJob, InferenceWorker};
use super::lookup_worker::{LookupJob, LookupWorker};
use super::msg::{Effect, Msg, PruneResult};
use super::options::Options;
use super::run_worker::{ActiveRun, RunFlags, RunJob, RunWorker, StartReply};
use super::scheduler::SchedulerPoll;
use super::signals::SignalState;
use super::state::compare::RunPair;
use super::state::infer::ModelSource;
use super::worker::{catch_panic, error_msg, serve, spawn};
use crate::data::Preview;
use crate::error::{Error, Result};
use crate::event::Command;
use crate::run::comparison::{Comparison, Side};
use crate::run::profile::DataProfile;
use crate::run::{PruneScope, RunEvent, RunHandle, TrainOutput, prune};
use crate::spec::RunSpec;
use crossbeam_channel::{Receiver, Sender, bounded, never, unbounded};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the end of the program waits for the `runs` thread, unless its runs are handed over.
const RUNS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the end of the program waits for the `files` thread.
const FILES_TIMEOUT: Duration = Duration::from_secs(2);
/// Replies of the `runs` thread that wait for the interface.
const REPLIES: usize = 16;

/// Hands effects to the workers and holds the run that this process trains.
pub(super) struct EffectRunner {
    messages: Sender<Msg>,
    file_jobs: Sender<FileJob>,
    run_jobs: Sender<RunJob>,
    inference_jobs: Sender<InferenceJob>,
    lookup_jobs: Sender<LookupJob>,
    active: Option<ActiveRun>,
    /// Number of the run, so that the weights of one are not taken for those of another.
    run_number: u64,
    start_replies: Receiver<StartReply>,
    /// Start requests without a reply.
    pending_starts: usize,
    flags: Arc<RunFlags>,
    /// Whether a [`FileJob::FollowLogs`] waits.
    is_follow_pending: Arc<AtomicBool>,
    /// Whether a [`FileJob::PollRuns`] waits.
    is_poll_pending: Arc<AtomicBool>,
    /// The run that will be deleted as soon as it has ended.
    discarded: Option<PathBuf>,
    /// Cancels the data profile that is being computed.
    profile_cancelled: Arc<AtomicBool>,
    /// Cancels the preview that is being read.
    preview_cancelled: Arc<AtomicBool>,
    /// Cancels the uploads, downloads and exports that are in progress.
    work_cancelled: Arc<AtomicBool>,
    signal_state: SignalState,
    scheduler_poll: SchedulerPoll,
    options: Options,
}

impl EffectRunner {
    /// Starts the workers, which send their results to `messages`. A signal ends the runs that `signal_state` has.
    ///
    /// # Errors
    /// [`Error::Device`] when a thread cannot be started.
    pub(super) fn new(
        options: Options,
        messages: Sender<Msg>,
        signal_state: SignalState,
    ) -> Result<EffectRunner> {
        let flags = Arc::<RunFlags>::default();
        let [is_follow_pending, is_poll_pending] = [(); 2].map(|()| Arc::<AtomicBool>::default());
        let (file_jobs, receiver) = unbounded();
        let sender = messages.clone();
        let worker = FileWorker::new(
            options.clone(),
            sender.clone(),
            [is_follow_pending.clone(), is_poll_pending.clone()],
        );
        spawn("files", move || serve(worker, &receiver, &sender))?;

        let (run_jobs, receiver) = unbounded();
        let (replies, start_replies) = bounded(REPLIES);
        let sender = messages.clone();
        let active_runs = signal_state.active_runs.clone();
        let worker = RunWorker::new(options.clone(), sender.clone(), replies, flags.clone(), active_runs);
        spawn("runs", move || serve(worker, &receiver, &sender))?;

        let (lookup_jobs, receiver) = unbounded();
        let sender = messages.clone();
        let worker = LookupWorker::new(options.runs_dir.clone(), sender.clone());
        spawn("lookup", move || serve(worker, &receiver, &sender))?;

        let (inference_jobs, receiver) = unbounded();
        let worker = InferenceWorker::new(options.clone(), messages.clone());
        spawn("inference", move || worker.serve(&receiver))?;
        Ok(EffectRunner {
            messages,
            file_jobs,
            run_jobs,
            inference_jobs,
            lookup_jobs,
            active: None,
            run_number: 0,
            start_replies,
            pending_starts: 0,
            flags,
            is_follow_pending,
            is_poll_pending,
            discarded: None,
            profile_cancelled: Arc::default(),
            preview_cancelled: Arc::default(),
            work_cancelled: Arc::default(),
            signal_state,
            scheduler_poll: SchedulerPoll::start(&options.runs_dir)?,
            options,
        })
    }

    /// The events of the run that this process trains; a channel without events while there is none.
    pub(super) fn events(&self) -> Receiver<RunEvent> {
        self.active.as_ref().map_or_else(never, |active| active.handle.events.clone())
    }

    /// Replies to start requests, for [`EffectRunner::take_reply`].
    pub(super) fn start_replies(&self) -> Receiver<StartReply> {
        self.start_replies.clone()
    }

    /// Takes over a run that was started. The message has to be handled before the first event of the run.
    pub(super) fn take_reply(&mut self, reply: StartReply) -> Option<Msg> {
        self.pending_starts = self.pending_starts.saturating_sub(1);
        if let Some(run) = reply.run {
            self.run_number += 1;
            self.active = Some(run);
        }
        reply.msg
    }

    /// Executes an effect; those of the terminal are executed by the loop. Returns a message about an effect that
    /// fails at once.
    pub(super) fn run(&mut self, effect: Effect) -> Option<Msg> {
        match effect {
            Effect::Refresh => {
                self.send_file_job(FileJob::List);
                self.send_file_job(FileJob::MeasureDisk);
                self.poll_queue();
            }
            Effect::LoadHistory(dir) => self.send_file_job(FileJob::LoadHistory(dir)),
            Effect::RequireHistory(dir) => self.send_file_job(FileJob::RequireHistory(dir)),
            Effect::FollowLogs(dirs) => {
                if !self.is_follow_pending.swap(true, Ordering::Relaxed) {
                    self.send_file_job(FileJob::FollowLogs(dirs));
                }
            }
            Effect::PollRuns => {
                self.scheduler_poll.request();
                if !self.is_poll_pending.swap(true, Ordering::Relaxed) {
                    self.send_file_job(FileJob::PollRuns);
                }
            }
            Effect::LoadPredictions(subject) => self.send_file_job(FileJob::LoadPredictions(subject)),
            Effect::LoadSweep(source) => self.send_file_job(FileJob::LoadSweep(source)),
            Effect::LoadReproduction => self.send_file_job(FileJob::LoadReproduction),
            Effect::SaveExperiment { name, changes, target } => {
                self.send_file_job(FileJob::SaveExperiment { name, changes, target });
            }
            Effect::DeleteRun(dir) => self.delete_run(dir),
            Effect::DiscardTraining(dir) => self.discard_training(dir),
            Effect::EditNotes(dir, edit) => self.send_file_job(FileJob::EditNotes(dir, edit)),
            Effect::Prune(runs) => return self.prune(runs),
            Effect::ToggleProbe(probe) => self.send_file_job(FileJob::ToggleProbe(probe)),
            Effect::SaveTheme(name) => self.send_file_job(FileJob::SaveTheme(name)),
            Effect::StartTraining(request) => self.send_start(RunJob::Start(request)),
            Effect::StartNext => self.send_start(RunJob::StartNext),
            Effect::Enqueue(request) => return self.enqueue(request),
            Effect::CompareRuns(pair) => return self.compare_runs(pair),
            Effect::AddSeeds(pair) => self.send_run_job(RunJob::AddSeeds(pair)),
            Effect::Submit(request) => return self.submit(request),
            Effect::Cancel(name) => return self.cancel_jobs(name),
            Effect::EditQueue(edit) => self.send_run_job(RunJob::EditQueue(edit)),
            Effect::PollQueue => self.poll_queue(),
            Effect::SendCommand(command) => self.send_command(command),
            Effect::SendCommandTo(dir, command) => self.send_run_job(RunJob::SendCommandTo(dir, command)),
            Effect::HandOver => self.send_run_job(RunJob::HandOver),
            Effect::OpenModel { request_id, source } => return self.open_model(request_id, source),
            Effect::OpenComparison { request_id, source } => {
                let name = match source {
                    ModelSource::Run { dir, .. } => Some(dir.display().to_string()),
                    ModelSource::Named(name) => Some(name),
                    ModelSource::Nothing | ModelSource::Live => None,
                };
                self.send_inference_job(InferenceJob::OpenComparison { request_id, name });
            }
            Effect::Classify { request_id, text, text_pair } => {
                self.send_inference_job(InferenceJob::Classify { request_id, text, text_pair });
            }
            Effect::ClassifyProbes { request_id, probes } => {
                self.send_inference_job(InferenceJob::ClassifyProbes { request_id, probes });
            }
            Effect::Explain { request_id, text, text_pair } => {
                self.send_inference_job(InferenceJob::Explain(Explain { request_id, text, text_pair }));
            }
            Effect::ProfileData(spec) => return self.profile_data(spec),
            Effect::Preview(path) => return self.preview(path),
            Effect::ListFolder { folder, kind } => {
                self.send_lookup_job(LookupJob::ListFolder { folder, kind });
            }
            Effect::CheckForm(values) => self.send_lookup_job(LookupJob::CheckForm(values)),
            Effect::ListSuggestions => self.send_lookup_job(LookupJob::ListSuggestions),
            Effect::Export(request) => return self.export(request),
            Effect::CancelWork => self.cancel_work(),
            Effect::Copy(copied) => return self.copy(copied),
            Effect::Suspend | Effect::Redraw | Effect::Notify(_) | Effect::SetMouse(_) | Effect::Quit => {}
        }
        None
    }

    fn delete_run(&mut self, dir: PathBuf) {
        if self.discarded.as_ref() == Some(&dir) {
            self.discarded = None;
        }
        self.send_file_job(FileJob::DeleteRun(dir));
    }

    /// Stops a training, which is neither handed over nor saved.
    fn discard_training(&mut self, dir: PathBuf) {
        self.signal_state.active_runs.remove(&dir);
        self.discarded = Some(dir);
        self.send_command(Command::Stop);
    }

    // A worker ends only with the program, so a job is never lost.
    fn send_file_job(&self, job: FileJob) {
        self.file_jobs.send(job).ok();
    }

    fn send_run_job(&self, job: RunJob) {
        self.run_jobs.send(job).ok();
    }

    fn send_inference_job(&self, job: InferenceJob) {
        self.inference_jobs.send(job).ok();
    }

    fn send_lookup_job(&self, job: LookupJob) {
        self.lookup_jobs.send(job).ok();
    }

    fn send_start(&mut self, job: RunJob) {
        // The timer asks for the next run of the queue every second.
        if matches!(job, RunJob::StartNext) && self.pending_starts > 0 {
            return;
        }
        self.pending_starts += 1;
        self.signal_state.active_runs.start_requested();
        self.send_run_job(job);
    }

    fn poll_queue(&self) {
        if !self.flags.is_poll_pending.swap(true, Ordering::Relaxed) {
            self.send_run_job(RunJob::PollQueue);
        }
    }

    /// Profiles data on a thread of its own, because a large data set takes seconds.
    fn profile_data(&mut self, spec: Box<RunSpec>) -> Option<Msg> {
        self.profile_cancelled.store(true, Ordering::Relaxed);
        self.profile_cancelled = Arc::default();
        let (cancelled, messages) = (self.profile_cancelled.clone(), self.messages.clone());
        let profile = move || {
            let result = catch_panic("profiling the data", || DataProfile::read(&spec, &cancelled));
            if !matches!(result, Err(Error::Interrupted(_))) {
                messages.send(Msg::DataProfiled { spec, result: result.map_err(|e| e.to_string()) }).ok();
            }
        };
        spawn("rows", profile).err().map(|error| error_msg("Cannot profile the data", &error))
    }

    /// Compares two runs on a thread of its own, because resampling many rows takes seconds.
    fn compare_runs(&self, pair: RunPair) -> Option<Msg> {
        let (messages, runs_dir) = (self.messages.clone(), self.options.runs_dir.clone());
        let compare = move || {
            let compared = catch_panic("comparing runs", || {
                let (a, b) = Side::pair(&runs_dir, &pair.a, &pair.b)?;
                Comparison::of(&runs_dir, a, b).map(Box::new)
            });
            messages.send(Msg::Compared { pair, result: compared.map_err(|error| error.to_string()) }).ok();
        };
        spawn("compare", compare).err().map(|error| error_msg("Cannot compare the runs", &error))
    }

    /// Prunes runs on a thread of its own, because large files take seconds.
    fn prune(&self, runs: Vec<(PathBuf, PruneScope)>) -> Option<Msg> {
        let messages = self.messages.clone();
        let prune = move || {
            let mut result = PruneResult::default();
            for (dir, scope) in runs {
                match catch_panic("pruning a run", || prune(&dir, scope)) {
                    Ok(bytes) => result.freed.push(bytes),
                    Err(error) => result.errors.push(error.to_string()),
                }
            }
            messages.send(Msg::Pruned(result)).ok();
        };
        spawn("prune", prune).err().map(|error| error_msg("Cannot prune runs", &error))
    }

    /// Reads the start of data on a thread of its own, because a disk may be slow.
    fn preview(&mut self, path: PathBuf) -> Option<Msg> {
        self.preview_cancelled.store(true, Ordering::Relaxed);
        self.preview_cancelled = Arc::default();
        let (cancelled, messages) = (self.preview_cancelled.clone(), self.messages.clone());
        let preview = move || {
            let result = catch_panic("reading the data", || Preview::read(&path, &cancelled));
            if !matches!(result, Err(Error::Interrupted(_))) {
                messages.send(Msg::Previewed { path, result: result.map_err(|e| e.to_string()) }).ok();
            }
        };
        spawn("preview", preview).err().map(|error| error_msg("Cannot read the data", &error))
    }

    fn open_model(&self, request_id: u64, source: ModelSource) -> Option<Msg> {
        let job = match (source, &self.active) {
            (ModelSource::Nothing, _) => return None,
            (ModelSource::Run { dir, .. }, _) => {
                InferenceJob::Open { request_id, name: dir.display().to_string() }
            }
            (ModelSource::Named(name), _) => InferenceJob::Open { request_id, name },
            (ModelSource::Live, Some(ActiveRun { handle, .. })) => InferenceJob::OpenLive {
                request_id,
                run_number: self.run_number,
                weights: handle.request_weights(),
            },
            (ModelSource::Live, None) => {
                let result = Err("no run is being trained".to_string());
                return Some(Msg::ModelOpened { request_id, result });
            }
        };
        self.send_inference_job(job);
        None
    }

    /// Sends a command to the run that this process trains, if there is one.
    pub(super) fn send_command(&self, command: Command) {
        if let Some(active) = &self.active {
            active.handle.send(command);
        }
    }

    /// Waits for the run, whose channel is disconnected or which was stopped, and returns its result.
    pub(super) fn finish(&mut self) -> Option<Result<TrainOutput>> {
        let result = self.active.take().map(|ActiveRun { handle, _lock }| {
            self.signal_state.active_runs.remove(&handle.dir);
            RunHandle::join(handle)
        });
        self.flags.is_training.store(false, Ordering::Relaxed);
        result
    }

    /// Waits for the jobs of the `runs` thread: runs that are being started, and commands to others.
    fn finish_run_jobs(&mut self, ending: Ending) {
        let (sender, done) = bounded::<()>(0);
        self.send_run_job(RunJob::Finish(sender));
        match ending {
            // Nobody waits for the program, and a run that was requested is not lost.
            Ending::HandOver => drop(done.recv()),
            Ending::Stop => drop(done.recv_timeout(RUNS_TIMEOUT)),
        }
        while let Ok(reply) = self.start_replies.try_recv() {
            self.take_reply(reply);
        }
    }

    /// Ends the runs that this process trains, or is just starting, and waits until their work is saved. Runs that cannot be
    /// handed over are stopped.
    pub(super) fn shut_down(&mut self, ending: Ending) -> ShutDown {
        self.signal_state.set_ending(true);
        self.finish_run_jobs(ending);
        let active_runs = &self.signal_state.active_runs;
        let handed_over = active_runs.end(ending).unwrap_or_else(|_| {
            active_runs.end(Ending::Stop).ok();
            None
        });
        let (sender, others_saved) = bounded(0);
        if self.flags.others.load(Ordering::Relaxed) > 0 {
            self.send_run_job(RunJob::JoinOthers(sender));
        } else {
            drop(sender);
        }
        let stopped = self.finish();
        if let Some(dir) = self.discarded.take() {
            self.send_file_job(FileJob::DeleteRun(dir));
        }
        let (sender, files_written) = bounded(0);
        self.send_file_job(FileJob::Finish(sender));
        // A deletion is not left half done, unless the disk hangs.
        files_written.recv_timeout(FILES_TIMEOUT).ok();
        // Disconnected once the runs on other devices are saved.
        others_saved.recv().ok();
        self.signal_state.set_ending(false);
        ShutDown { stopped, handed_over }
    }
}

/// What has become of the runs of this process.
pub(super) struct ShutDown {
    /// The result of the run that the interface showed.
    pub(super) stopped: Option<Result<TrainOutput>>,
    /// The runs that a process in the background has taken over.
    pub(super) handed_over: Option<HandedOver>,
}
