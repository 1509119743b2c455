//! What the update function takes and returns: a [`Msg`] in, [`Effect`]s out.

use super::action::Action;
use super::state::experiment::ExperimentRow;
use super::state::infer::{ModelSource, OpenedModel};
use super::state::insight::Subject;
use super::state::train_request::TrainRequest;
use super::widgets::text_field::Edit;
use crate::event::Command;
use crate::predict::{Attributions, Prediction};
use crate::probes::Probe;
use crate::run::error_analysis::ErrorReport;
use crate::run::history::History;
use crate::run::profile::DataProfile;
use crate::run::queue::{Queue, QueueEdit};
use crate::run::{Reproduction, RunEvent, RunRow};
use crate::spec::RunSpec;
use std::path::PathBuf;

/// Something that happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "messages are few and short-lived")]
pub enum Msg {
    /// A key with a meaning was pressed.
    Action(Action),
    /// Text was typed or pasted, or the cursor moved in it.
    Edit(Edit),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// It is so many seconds since 1970.
    Tick(f64),
    /// The experiments file (or what is wrong with it) and the runs there are.
    Listed {
        /// The experiments, or every mistake in their file.
        experiments: Result<Vec<ExperimentRow>, String>,
        /// The runs, newest first.
        runs: Vec<RunRow>,
    },
    /// The history of each seed of a run, from its logs.
    HistoryLoaded {
        /// The run directory.
        dir: PathBuf,
        /// The specification with all its repeats, and the histories, or why they cannot be read.
        result: Result<(RunSpec, Vec<History>), String>,
    },
    /// A training has begun.
    RunStarted {
        /// Its specification.
        spec: Box<RunSpec>,
        /// Its directory.
        dir: PathBuf,
        /// What its seeds did before, when it is gone on with.
        earlier: Vec<History>,
        /// The queue, when it is one of the queue's.
        queue: Option<Queue>,
    },
    /// The queue as it is now, or why it cannot be read or changed.
    QueueLoaded(Result<Queue, String>),
    /// The training said something.
    RunEvent(RunEvent),
    /// The training is over; with the error when it failed.
    RunEnded(Result<(), String>),
    /// An experiment was written to the file.
    ExperimentSaved {
        /// Its name.
        name: String,
    },
    /// A model for the inference pane was opened, or has newer weights.
    ModelOpened {
        /// Number of the question that was waiting for it.
        request_id: u64,
        /// What it is, or why it cannot be opened.
        result: Result<OpenedModel, String>,
    },
    /// The weights beside those that judge were opened.
    ComparisonOpened {
        /// Number of the question that was waiting for them.
        request_id: u64,
        /// What they are, or why they cannot be opened.
        result: Result<OpenedModel, String>,
    },
    /// The weights beside those that judge have judged a sentence too.
    ComparisonPrediction {
        /// Number of the question.
        request_id: u64,
        /// The verdict, or why there is none.
        result: Result<Prediction, String>,
    },
    /// A sentence was judged.
    Prediction {
        /// Number of the question.
        request_id: u64,
        /// Seconds it took.
        seconds: f64,
        /// The verdict, or why there is none.
        result: Result<Prediction, String>,
    },
    /// It was found out what an answer rests on.
    Explanation {
        /// Number of the question.
        request_id: u64,
        /// Seconds it took.
        seconds: f64,
        /// What it rests on, or why that is not known.
        result: Result<Attributions, String>,
    },
    /// What a run keeps of what it said of each row was read.
    PredictionsLoaded {
        /// The run.
        subject: Subject,
        /// What it keeps, or why it cannot be read.
        result: Result<Box<ErrorReport>, String>,
    },
    /// The rows of an experiment were counted.
    DataProfiled {
        /// What they are the rows of.
        spec: Box<RunSpec>,
        /// What they are, or why they cannot be counted.
        result: Result<DataProfile, String>,
    },
    /// The published means with what was come to here, or why they cannot be read.
    Reproduction(Result<Vec<Reproduction>, String>),
    /// What is pinned now, or why that cannot be read.
    ProbesLoaded(Result<Vec<Probe>, String>),
    /// Something did not work.
    Error {
        /// What was tried.
        title: String,
        /// Why it did not work and what to do.
        text: String,
    },
}

/// Something to be done in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read the experiments file and list the runs.
    Refresh,
    /// Begin a training.
    StartTraining(TrainRequest),
    /// Let a training wait for its turn.
    Enqueue(TrainRequest),
    /// Change the queue.
    EditQueue(QueueEdit),
    /// Begin the next run of the queue, if nobody else trains.
    StartNext,
    /// Read the queue if somebody else has changed it.
    PollQueue,
    /// Say something to the training.
    SendCommand(Command),
    /// Say something to the run of that directory, which another process trains.
    SendCommandTo(PathBuf, Command),
    /// Tell somebody who looks elsewhere.
    Notify(String),
    /// Read the logs of a run, unless something else is asked for meanwhile.
    LoadHistory(PathBuf),
    /// Read the logs of a run, whatever else is asked for.
    RequireHistory(PathBuf),
    /// Read on in the logs of these runs where they have grown.
    FollowLogs(Vec<PathBuf>),
    /// Write changes to the experiments file.
    SaveExperiment {
        /// The experiment.
        name: String,
        /// Keys and values as typed.
        changes: Vec<(&'static str, String)>,
    },
    /// Delete a run directory.
    DeleteRun(PathBuf),
    /// Open a model to judge sentences.
    OpenModel {
        /// Number of the question that waits for it.
        request_id: u64,
        /// Which.
        source: ModelSource,
    },
    /// Open a second model, which judges every sentence too; none when no source is named.
    OpenComparison {
        /// Number of the question that waits for it.
        request_id: u64,
        /// Which.
        source: ModelSource,
    },
    /// Classify a text, or a pair.
    Classify {
        /// Number of the question.
        request_id: u64,
        /// The sentence.
        text: String,
        /// The second one.
        text_pair: Option<String>,
    },
    /// Find out what the answer to a question rests on, once nothing else is asked.
    Explain {
        /// Number of the question.
        request_id: u64,
        /// The sentence.
        text: String,
        /// The second one.
        text_pair: Option<String>,
    },
    /// Read what a run keeps of what it said of each row.
    LoadPredictions(Subject),
    /// Count the rows of an experiment, in place of those that are being counted.
    ProfileData(Box<RunSpec>),
    /// Pin a text, or let it go when it is pinned.
    ToggleProbe(Probe),
    /// Listen to the mouse, or no longer.
    SetMouse(bool),
    /// Write the name of the chosen theme where the next start finds it.
    SaveTheme(String),
    /// Find the runs that repeat the published means.
    LoadReproduction,
    /// Go to sleep.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}
