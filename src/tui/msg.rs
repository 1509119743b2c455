//! What the update function takes and returns: a [`Msg`] in, [`Effect`]s out.

use super::action::Action;
use super::state::compare::RunPair;
use super::state::copied::Copied;
use super::state::experiment::ExperimentRow;
use super::state::export_request::ExportRequest;
use super::state::form::{FormCheck, FormValues};
use super::state::infer::{ModelSource, OpenedModel};
use super::state::insight::Subject;
use super::state::path_choice::{PathEntry, PathKind};
use super::state::sweep::SweepSource;
use super::state::train_request::TrainRequest;
use super::widgets::text_field::Edit;
use crate::data::Preview;
use crate::event::{Command, Progress};
use crate::hub::Pushed;
use crate::predict::{Attributions, ModelOutput, Prediction};
use crate::probes::Probe;
use crate::run::comparison::Comparison;
use crate::run::error_analysis::ErrorReport;
use crate::run::history::History;
use crate::run::profile::DataProfile;
use crate::run::queue::{Queue, QueueEdit};
use crate::run::suggestions::Suggestions;
use crate::run::sweep::{SweepReport, SweepRow};
use crate::run::{DiskUse, NotesEdit, PruneScope, Reproduction, RunChanges, RunEvent, RunRow};
use crate::spec::{RunSpec, SaveTarget};
use crate::terminal_caps::Background;
use std::path::PathBuf;

/// Something that happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "messages are few and short-lived")]
pub enum Msg {
    /// A key with a meaning was pressed.
    Action(Action),
    /// A key was pressed whose action does not apply, with the reason.
    KeyDoesNotApply(String),
    /// Text was typed or pasted, or the cursor moved in it.
    Edit(Edit),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A clock tick, with the time in seconds since 1970.
    Tick(f64),
    /// The experiments file was read and the runs were listed.
    Listed {
        /// The experiments, or every error in their file.
        experiments: Result<Vec<ExperimentRow>, String>,
        /// The runs, newest first.
        runs: Vec<RunRow>,
    },
    /// Runs have changed or were added.
    RunsChanged(RunChanges),
    /// The sweeps were listed.
    SweepsListed(
        /// The sweeps, newest first.
        Vec<SweepRow>,
    ),
    /// The trials of a sweep were read; or the error.
    SweepLoaded {
        /// The sweep as it was requested.
        source: SweepSource,
        /// Its trials.
        result: Result<Box<SweepReport>, String>,
    },
    /// The errors outside of experiments in their files, and where a new experiment can be saved.
    ExperimentFiles {
        /// The errors.
        errors: Vec<String>,
        /// The files that a new experiment can be saved to, at least one.
        targets: Vec<(SaveTarget, PathBuf)>,
    },
    /// The disk space of runs was measured, for those where it has changed.
    DiskMeasured(Vec<(PathBuf, DiskUse)>),
    /// Runs were pruned.
    Pruned(PruneResult),
    /// The history of each seed of a run was read from its logs.
    HistoryLoaded {
        /// The run directory.
        dir: PathBuf,
        /// The specification with all its repeats, and the histories; or the error.
        result: Result<(RunSpec, Vec<History>), String>,
    },
    /// Two runs were compared.
    Compared {
        /// The runs.
        pair: RunPair,
        /// The comparison, or the error.
        result: Result<Box<Comparison>, String>,
    },
    /// Further seeds of a comparison were queued, with a sentence about them.
    SeedsAdded(String),
    /// A comparison is decided, and the rest of its seeds removed from the queue; the verdict.
    ComparisonDecided(String),
    /// A run has started.
    RunStarted {
        /// Its specification.
        spec: Box<RunSpec>,
        /// Its directory.
        dir: PathBuf,
        /// The histories of its seeds so far, if the run is resumed.
        earlier: Vec<History>,
        /// The queue, if the run was started from it.
        queue: Option<Queue>,
    },
    /// The run that the user asked for could not be started, with the error.
    StartFailed(String),
    /// The queue was read or changed; or the error.
    QueueLoaded(Result<Queue, String>),
    /// A sweep was added to the queue.
    SweepQueued {
        /// The name of its directory.
        name: String,
        /// Its number of trials.
        trials: u64,
    },
    /// The queue can train on several devices at the same time.
    SeveralDevices,
    /// The run emitted an event.
    RunEvent(RunEvent),
    /// The run has ended, with the error if it failed.
    RunEnded(Result<(), String>),
    /// A process in the background has taken over the runs of this process, with a sentence that says so; or the error.
    HandedOver(Result<String, HandOverError>),
    /// An experiment was written to the file.
    ExperimentSaved {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The model of the Infer screen was opened or refreshed.
    ModelOpened {
        /// Number of the request.
        request_id: u64,
        /// The model, or the error.
        result: Result<OpenedModel, String>,
    },
    /// The second model was opened.
    ComparisonOpened {
        /// Number of the request.
        request_id: u64,
        /// The model, or the error.
        result: Result<OpenedModel, String>,
    },
    /// The second model has classified a text.
    ComparisonPrediction {
        /// Number of the request.
        request_id: u64,
        /// The prediction, or the error.
        result: Result<Prediction, String>,
    },
    /// The model has classified a text.
    Prediction {
        /// Number of the request.
        request_id: u64,
        /// Seconds it took.
        seconds: f64,
        /// The prediction, or the error.
        result: Result<Prediction, String>,
    },
    /// The word attributions of a prediction were computed.
    Explanation {
        /// Number of the request.
        request_id: u64,
        /// Seconds it took.
        seconds: f64,
        /// The attributions, or the error.
        result: Result<Attributions, String>,
    },
    /// The probes of a request were classified.
    ProbesClassified {
        /// Number of the request that opened the model.
        request_id: u64,
        /// The predictions, or the error.
        result: Result<Vec<(Probe, ModelOutput)>, String>,
    },
    /// The saved predictions of a run were read and analyzed.
    PredictionsLoaded {
        /// The run.
        subject: Subject,
        /// The report, or the error.
        result: Result<Box<ErrorReport>, String>,
    },
    /// The dataset of an experiment was profiled.
    DataProfiled {
        /// Its specification.
        spec: Box<RunSpec>,
        /// The profile, or the error.
        result: Result<DataProfile, String>,
    },
    /// The start of a file or folder with data was read.
    Previewed {
        /// The file or folder.
        path: PathBuf,
        /// Its first rows, or the error.
        result: Result<Preview, String>,
    },
    /// The entries of a folder were listed; none if it cannot be read.
    FolderListed {
        /// The folder as typed.
        folder: String,
        /// Its entries.
        entries: Vec<PathEntry>,
    },
    /// The values of the form were checked with the files that they name.
    FormChecked(FormCheck),
    /// Models and data to choose from were listed.
    SuggestionsListed(Suggestions),
    /// The published results and those of the runs were collected; or the error.
    Reproduction(Result<Vec<Reproduction>, String>),
    /// The probes were read or changed; or the error.
    ProbesLoaded(Result<Vec<Probe>, String>),
    /// The selection was copied: to the clipboard, or to a file where the terminal has no clipboard.
    Copied {
        /// What was copied, as in `the path`.
        what: &'static str,
        /// The file; `None` for the clipboard.
        file: Option<PathBuf>,
    },
    /// Something was exported.
    Exported {
        /// The file or folder.
        path: PathBuf,
        /// How an exported model was verified, or what a submission lacks.
        note: Option<String>,
    },
    /// An upload, a download or an export that can be cancelled has started.
    WorkStarted,
    /// One of them has ended; its result follows.
    WorkEnded,
    /// One of them was cancelled, with a sentence about it.
    WorkCancelled(String),
    /// Progress of an upload, a download or an export.
    WorkProgress(Progress),
    /// The directory of the sweep of that name is ready to be queued: the data of its tasks are on this machine.
    SweepFetched(String),
    /// A run was uploaded to the hub.
    Pushed(Pushed),
    /// The command line that repeats a run, and what it does not repeat.
    CommandLine {
        /// The command line.
        command: String,
        /// A sentence about it; may be empty.
        note: String,
    },
    /// The terminal reported its background.
    Background(Background),
    /// Runs were submitted to a scheduler or taken back, with a sentence about it.
    SchedulerDone(String),
    /// An operation failed.
    Error {
        /// What failed.
        title: String,
        /// The cause and what to do.
        text: String,
    },
}

/// Why runs cannot be handed over to a process in the background.
#[derive(Debug, Clone, PartialEq)]
pub struct HandOverError {
    /// The cause.
    pub text: String,
    /// The directories of these runs. Their training may have been stopped.
    pub dirs: Vec<PathBuf>,
}

/// What pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneResult {
    /// The freed bytes of each run that was pruned.
    pub freed: Vec<u64>,
    /// Why the others were not.
    pub errors: Vec<String>,
}

/// A side effect to carry out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read the experiments file and list the runs.
    Refresh,
    /// Read what has changed in the runs that are being trained.
    PollRuns,
    /// Stop the run of this process in that directory, which will be deleted.
    DiscardTraining(PathBuf),
    /// Start a run.
    StartTraining(TrainRequest),
    /// Add a run to the queue.
    Enqueue(TrainRequest),
    /// Compare the recipes of two runs.
    CompareRuns(RunPair),
    /// Queue the further seeds that the comparison of two runs needs.
    AddSeeds(RunPair),
    /// Change the queue.
    EditQueue(QueueEdit),
    /// Submit a run or a sweep to Slurm.
    Submit(TrainRequest),
    /// Take the run or the sweep of that name back from Slurm.
    Cancel(String),
    /// Start the next run of the queue, if no other process is training.
    StartNext,
    /// Read the queue if another process has changed it.
    PollQueue,
    /// Send a command to the run of this process.
    SendCommand(Command),
    /// Send a command to the run in that directory, which another process trains.
    SendCommandTo(PathBuf, Command),
    /// Hand over the runs of this process to a process in the background.
    HandOver,
    /// Show a desktop notification.
    Notify(String),
    /// Read the logs of a run, unless a later request replaces this one.
    LoadHistory(PathBuf),
    /// Read the logs of a run; later requests do not replace this one.
    RequireHistory(PathBuf),
    /// Read the new lines in the logs of these runs.
    FollowLogs(Vec<PathBuf>),
    /// Save changes to the experiments file.
    SaveExperiment {
        /// The experiment.
        name: String,
        /// Keys and values as typed.
        changes: Vec<(&'static str, String)>,
        /// The file of an experiment that is in none.
        target: SaveTarget,
    },
    /// Delete a run directory.
    DeleteRun(PathBuf),
    /// Change the name, the tags or the note of a run.
    EditNotes(PathBuf, NotesEdit),
    /// Remove the checkpoints of runs.
    Prune(Vec<(PathBuf, PruneScope)>),
    /// Open a model to classify texts.
    OpenModel {
        /// Number of the request.
        request_id: u64,
        /// Which model.
        source: ModelSource,
    },
    /// Open a second model, which also classifies every text; `ModelSource::Nothing` closes it.
    OpenComparison {
        /// Number of the request.
        request_id: u64,
        /// Which model.
        source: ModelSource,
    },
    /// Classify a text, or a pair.
    Classify {
        /// Number of the request.
        request_id: u64,
        /// The text.
        text: String,
        /// The second text of a pair.
        text_pair: Option<String>,
    },
    /// Compute the word attributions of a prediction, once no other request is waiting.
    Explain {
        /// Number of the request.
        request_id: u64,
        /// The text.
        text: String,
        /// The second text of a pair.
        text_pair: Option<String>,
    },
    /// Classify probes.
    ClassifyProbes {
        /// Number of the request that opened the model.
        request_id: u64,
        /// The probes.
        probes: Vec<Probe>,
    },
    /// Read and analyze the saved predictions of a run.
    LoadPredictions(Subject),
    /// Profile the dataset of an experiment; replaces a profile that is being made.
    ProfileData(Box<RunSpec>),
    /// Read the start of a file or folder with data; replaces an earlier one that is being read.
    Preview(PathBuf),
    /// List the entries of a folder, unless a later request replaces this one.
    ListFolder {
        /// The folder as typed.
        folder: String,
        /// What is looked for there.
        kind: PathKind,
    },
    /// Check the values of the form with the files that they name.
    CheckForm(FormValues),
    /// List models and data to choose from.
    ListSuggestions,
    /// Add a probe, or remove it if it exists.
    ToggleProbe(Probe),
    /// Enable or disable mouse support.
    SetMouse(bool),
    /// Save the name of the theme to the settings.
    SaveTheme(String),
    /// Read the trials of a sweep, unless a later request replaces this one.
    LoadSweep(SweepSource),
    /// Collect the runs that reproduce the published results.
    LoadReproduction,
    /// Copy to the clipboard, or to a file.
    Copy(Copied),
    /// Export to a file.
    Export(Box<ExportRequest>),
    /// Cancel the uploads, downloads and exports that can be cancelled.
    CancelWork,
    /// Suspend the program.
    Suspend,
    /// Redraw the whole terminal.
    Redraw,
    /// Quit the program.
    Quit,
}
