//! The only side effects of the interface: runs, files, weights. What comes of them comes back as messages.
//!
//! Reading files and judging sentences are done by two threads, so that neither keeps a key waiting.

use super::Options;
use super::history_cache::{CAPACITY, FollowedRun, HistoryCache};
use super::inference::{Explain, InferenceWorker, Question, guarded};
use super::msg::{Effect, Msg};
use super::settings;
use super::state::experiment::ExperimentRow;
use super::state::infer::ModelSource;
use super::state::insight::Subject;
use super::state::train_request::TrainRequest;
use crate::error::{Error, Result};
use crate::event::Command;
use crate::probes::{self, Probe};
use crate::run::error_analysis::ErrorReport;
use crate::run::history::History;
use crate::run::profile::DataProfile;
use crate::run::queue::{Begun, Edit, Queue, Turn};
use crate::run::{
    PendingCommand, RunDir, RunEvent, Running, Start, TrainOutput, list, reproduced, seed_dirs, start,
};
use crate::spec::{Experiments, RunSpec};
use crossbeam_channel::{Receiver, Sender, never, unbounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All that the interface touches.
pub(super) struct EffectRunner {
    options: Options,
    messages: Sender<Msg>,
    running: Option<Running>,
    /// Keeps the queue from training beside it; given back with it.
    turn: Option<Turn>,
    /// The queue that was last told.
    queue: Option<Queue>,
    /// Number of the training, so that the weights of one are not taken for those of another.
    training: u64,
    file_jobs: Sender<FileJob>,
    questions: Sender<Question>,
    /// Set when nobody waits any more for the rows that are being counted.
    counting: Arc<AtomicBool>,
}

/// Something to be done with files.
enum FileJob {
    List,
    Replay(PathBuf),
    Collect(PathBuf),
    Tail(Vec<PathBuf>),
    Examine(Subject),
    Reproduce,
    Save { name: String, changes: Vec<(&'static str, String)> },
    Delete(PathBuf),
    Pin(Probe),
    KeepTheme(String),
}

impl EffectRunner {
    /// A world whose answers go to `messages`.
    pub(super) fn new(options: Options, messages: Sender<Msg>) -> Result<EffectRunner> {
        let (file_jobs, waiting) = unbounded();
        let (questions, receiver) = unbounded();
        let (files, sender) = (options.clone(), messages.clone());
        spawn("files", move || run_file_jobs(&files, &waiting, &sender))?;
        let (models, sender) = (options.clone(), messages.clone());
        spawn("inference", move || InferenceWorker::new(models, sender).run(&receiver))?;
        Ok(EffectRunner {
            options,
            messages,
            running: None,
            turn: None,
            queue: None,
            training: 0,
            file_jobs,
            questions,
            counting: Arc::default(),
        })
    }

    /// What the training says; never anything while there is none.
    pub(super) fn said(&self) -> Receiver<RunEvent> {
        self.running.as_ref().map_or_else(never, |running| running.said.clone())
    }

    /// Does `effect` and says what is known of it at once. Those of the terminal are the loop's.
    pub(super) fn run(&mut self, effect: Effect) -> Option<Msg> {
        match effect {
            Effect::Refresh => {
                self.file_job(FileJob::List);
                return self.look_at_queue();
            }
            Effect::LoadHistory(dir) => self.file_job(FileJob::Replay(dir)),
            Effect::RequireHistory(dir) => self.file_job(FileJob::Collect(dir)),
            Effect::FollowLogs(dirs) => self.file_job(FileJob::Tail(dirs)),
            Effect::LoadPredictions(of) => self.file_job(FileJob::Examine(of)),
            Effect::LoadReproduction => self.file_job(FileJob::Reproduce),
            Effect::SaveExperiment { name, changes } => self.file_job(FileJob::Save { name, changes }),
            Effect::DeleteRun(dir) => self.file_job(FileJob::Delete(dir)),
            Effect::ToggleProbe(pin) => self.file_job(FileJob::Pin(pin)),
            Effect::StartTraining(work) => return Some(self.begin(work)),
            Effect::Enqueue(work) => {
                let edit = self.start_of(work).map(|start| Edit::Add(Box::new(start)));
                return Some(self.edit_queue(edit));
            }
            Effect::EditQueue(edit) => return Some(self.edit_queue(Ok(edit))),
            Effect::StartNext => return self.begin_next(),
            Effect::PollQueue => return self.look_at_queue(),
            Effect::SendCommand(command) => self.tell(command),
            Effect::SendCommandTo(dir, command) => {
                return PendingCommand::of(&dir, command)
                    .err()
                    .map(|why| error_msg("The run does not hear it", &why));
            }
            Effect::OpenModel { request_id, source } => self.open(request_id, source),
            Effect::OpenComparison { request_id, source } => {
                let name = match source {
                    ModelSource::Run { dir, .. } => Some(dir.display().to_string()),
                    ModelSource::Named(name) => Some(name),
                    ModelSource::Nothing | ModelSource::Live => None,
                };
                self.questions.send(Question::Beside { request_id, name }).ok();
            }
            Effect::Classify { request_id, text, text_pair } => {
                self.questions.send(Question::Classify { request_id, text, text_pair }).ok();
            }
            Effect::Explain { request_id, text, text_pair } => {
                self.questions.send(Question::Explain(Explain { request_id, text, text_pair })).ok();
            }
            Effect::ProfileData(spec) => return self.profile(spec),
            Effect::SaveTheme(name) => self.file_job(FileJob::KeepTheme(name)),
            Effect::Suspend | Effect::Redraw | Effect::Notify(_) | Effect::SetMouse(_) | Effect::Quit => {}
        }
        None
    }

    /// Counts rows on a thread of its own: a large set takes seconds.
    fn profile(&mut self, spec: Box<RunSpec>) -> Option<Msg> {
        self.counting.store(true, Ordering::Relaxed);
        self.counting = Arc::default();
        let (cancelled, messages) = (self.counting.clone(), self.messages.clone());
        let count = move || {
            let result = guarded(|| DataProfile::read(&spec, &cancelled));
            if !matches!(result, Err(Error::Interrupted(_))) {
                messages.send(Msg::DataProfiled { spec, result: result.map_err(|e| e.to_string()) }).ok();
            }
        };
        spawn("rows", count).err().map(|why| error_msg("The rows are not counted", &why))
    }

    /// Says something to the training, if there is one.
    pub(super) fn tell(&self, command: Command) {
        if let Some(running) = &self.running {
            running.tell(command);
        }
    }

    /// Waits for the training, whose channel was closed, and says how it ended.
    pub(super) fn finish(&mut self) -> Option<Result<TrainOutput>> {
        let outcome = self.running.take().map(Running::join);
        self.turn = None;
        outcome
    }

    fn file_job(&self, file_job: FileJob) {
        self.file_jobs.send(file_job).ok();
    }

    fn start_of(&self, work: TrainRequest) -> Result<Start> {
        Ok(match work {
            TrainRequest::Spec(spec) => Start::New(*spec),
            TrainRequest::Changed { name, changes } => Start::New(changed(&self.options, &name, &changes)?),
            TrainRequest::Resume(dir) => Start::Resume(dir),
        })
    }

    /// The answer comes at once, so that it is known before the training says its first word.
    fn begin(&mut self, work: TrainRequest) -> Msg {
        // The queue that trains in another interface does not keep a person from training here.
        let turn = Turn::shared(&self.options.runs_dir);
        let begun = self.start_of(work).and_then(|start| begin(start, &self.options));
        match begun.and_then(|(running, earlier)| self.begun(running, turn, earlier, None)) {
            Ok(msg) => msg,
            Err(error) => error_msg("The run cannot be started", &error),
        }
    }

    fn begin_next(&mut self) -> Option<Msg> {
        let mut earlier = Vec::new();
        let begun = Queue::begin_next(&self.options.runs_dir, |start| {
            let (running, histories) = begin(start, &self.options)?;
            earlier = histories;
            Ok(running)
        });
        let begun = match begun {
            Ok(None) => return self.look_at_queue(),
            Ok(Some(Begun { turn, running, queue })) => {
                self.queue = Some(queue.clone());
                self.begun(running, Some(turn), earlier, Some(queue))
            }
            Err(error) => Err(error),
        };
        begun.map_or_else(|error| Some(self.not_begun(&error)), Some)
    }

    /// Why the next run of the queue was not begun: it was at fault and taken out, or the queue is.
    fn not_begun(&mut self, error: &Error) -> Msg {
        match self.look_at_queue() {
            Some(queue @ Msg::QueueLoaded(Ok(_))) => {
                self.messages.send(error_msg("A run of the queue cannot be started", error)).ok();
                queue
            }
            _ => self.no_queue(error),
        }
    }

    fn begun(
        &mut self,
        running: Running,
        turn: Option<Turn>,
        earlier: Vec<History>,
        queue: Option<Queue>,
    ) -> Result<Msg> {
        let dir = running.dir.clone();
        let spec = Box::new(RunDir::at(&dir).spec()?);
        self.training += 1;
        self.running = Some(running);
        self.turn = turn;
        Ok(Msg::RunStarted { spec, dir, earlier, queue })
    }

    fn edit_queue(&mut self, edit: Result<Edit>) -> Msg {
        match edit.and_then(|edit| Queue::edit(&self.options.runs_dir, edit)) {
            Ok(queue) => {
                self.queue = Some(queue.clone());
                Msg::QueueLoaded(Ok(queue))
            }
            Err(error) => error_msg("The queue is as it was", &error),
        }
    }

    /// The queue, if it is another than was last told.
    fn look_at_queue(&mut self) -> Option<Msg> {
        match Queue::read(&self.options.runs_dir) {
            Ok(queue) if self.queue.as_ref() == Some(&queue) => None,
            Ok(queue) => {
                self.queue = Some(queue.clone());
                Some(Msg::QueueLoaded(Ok(queue)))
            }
            Err(error) => Some(self.no_queue(&error)),
        }
    }

    fn no_queue(&mut self, error: &Error) -> Msg {
        self.queue = None;
        Msg::QueueLoaded(Err(error.to_string()))
    }

    fn open(&self, request_id: u64, source: ModelSource) {
        let question = match (source, &self.running) {
            (ModelSource::Nothing, _) => return,
            (ModelSource::Run { dir, .. }, _) => {
                Question::Open { request_id, name: dir.display().to_string() }
            }
            (ModelSource::Named(name), _) => Question::Open { request_id, name },
            (ModelSource::Live, Some(running)) => {
                Question::Live { request_id, training: self.training, weights: running.ask_weights() }
            }
            (ModelSource::Live, None) => {
                let result = Err("no run is being trained".to_string());
                self.messages.send(Msg::ModelOpened { request_id, result }).ok();
                return;
            }
        };
        self.questions.send(question).ok();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|e| Error::Device(format!("cannot start a thread for {name}: {e}")))
}

/// Starts a run, on the device that the interface was opened for. Also says what its seeds did before.
fn begin(what: Start, options: &Options) -> Result<(Running, Vec<History>)> {
    let (what, earlier) = match (what, &options.device) {
        (Start::New(spec), Some(device)) => {
            (Start::New(RunSpec { device: device.clone(), ..spec }), Vec::new())
        }
        (Start::Resume(dir), _) => {
            let earlier = FollowedRun::read(&dir)?.histories();
            (Start::Resume(dir), earlier)
        }
        (what, _) => (what, Vec::new()),
    };
    Ok((start(what, &options.runs_dir)?, earlier))
}

fn error_msg(title: &str, error: &Error) -> Msg {
    Msg::Error { title: title.into(), text: error.to_string() }
}

/// The specification of an experiment with changes that are not in the file.
fn changed(options: &Options, name: &str, changes: &[(&'static str, String)]) -> Result<RunSpec> {
    let experiments = Experiments::open(options.experiments.as_deref())?;
    experiments.with_changes(name, changes)?.resolve(name, &[])
}

fn run_file_jobs(options: &Options, file_jobs: &Receiver<FileJob>, messages: &Sender<Msg>) {
    let mut cache = HistoryCache::default();
    while let Ok(file_job) = file_jobs.recv() {
        let later = !file_jobs.is_empty();
        let say = |msg: Msg| drop(messages.send(msg));
        match file_job {
            FileJob::List => {
                say(listed(options));
                say(Msg::ProbesLoaded(probes::read(&pins_file(options)).map_err(|e| e.to_string())));
            }
            // Who moves through a list only wants to see where they come to rest.
            FileJob::Replay(_) | FileJob::Tail(_) if later => {}
            FileJob::Replay(dir) | FileJob::Collect(dir) => say(cache.read(dir, CAPACITY)),
            FileJob::Tail(dirs) => cache.follow(&dirs).into_iter().for_each(say),
            FileJob::Examine(of) => say(load_predictions(of)),
            FileJob::Reproduce => {
                say(Msg::Reproduction(reproduced(&options.runs_dir).map_err(|e| e.to_string())));
            }
            FileJob::Save { name, changes } => match save(options, &name, &changes) {
                Ok(()) => {
                    say(listed(options));
                    say(Msg::ExperimentSaved { name });
                }
                Err(error) => say(error_msg("The experiment cannot be saved", &error)),
            },
            FileJob::Pin(pin) => say(match probes::toggle(&pins_file(options), pin) {
                Ok(pins) => Msg::ProbesLoaded(Ok(pins)),
                Err(error) => error_msg("The pinned sentences are as they were", &error),
            }),
            FileJob::KeepTheme(name) => {
                if let Err(error) = settings::keep_theme(&name) {
                    say(error_msg("The theme cannot be kept", &error));
                }
            }
            FileJob::Delete(dir) => {
                if let Err(error) = delete(options, &dir) {
                    say(error_msg("The run cannot be deleted", &error));
                }
                say(listed(options));
            }
        }
    }
}

fn listed(options: &Options) -> Msg {
    let experiments = Experiments::open(options.experiments.as_deref()).map_err(|e| e.to_string());
    let rows = |experiments: Experiments| {
        let row = |name: &&str| ExperimentRow {
            name: (*name).to_string(),
            description: experiments.description(name),
            values: experiments.values(name),
            spec: experiments.resolve(name, &[]).map_err(|e| e.to_string()),
        };
        experiments.names().iter().map(row).collect()
    };
    Msg::Listed { experiments: experiments.map(rows), runs: list(&options.runs_dir) }
}

fn pins_file(options: &Options) -> PathBuf {
    options.runs_dir.join(probes::FILE)
}

fn save(options: &Options, name: &str, changes: &[(&'static str, String)]) -> Result<()> {
    Experiments::open(options.experiments.as_deref())?.save(name, changes)
}

/// Deletes a folder only when it is a run in the runs folder.
fn delete(options: &Options, dir: &Path) -> Result<()> {
    let is_run = RunDir::at(dir).spec_file().is_file() && dir.parent() == Some(&options.runs_dir);
    if !is_run {
        return Err(Error::Usage(format!(
            "{} is no run of {}; delete it by hand if you mean it",
            dir.display(),
            options.runs_dir.display()
        )));
    }
    std::fs::remove_dir_all(dir).map_err(Error::writing(dir))
}

fn load_predictions(subject: Subject) -> Msg {
    let read = || {
        let dirs = seed_dirs(&subject.dir, &RunDir::at(&subject.dir).spec()?);
        ErrorReport::read(&dirs, subject.seed).map(Box::new)
    };
    let result = read().map_err(|e: Error| e.to_string());
    Msg::PredictionsLoaded { subject, result }
}
