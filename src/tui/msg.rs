//! The words between the interface and the world: [`Msg`] in, [`Effect`] out.

use super::app::{ExperimentRow, Tab};
use super::screens::compare::Facet;
use super::screens::infer::ModelSource;
use super::screens::insight::{Listed, Subject};
use super::widgets::line_chart::ChartKey;
use super::widgets::text_field::Edit;
use crate::event::Command;
use crate::predict::{Explanation, Prediction};
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
        result: Result<Explanation, String>,
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

/// What the inference pane says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedModel {
    /// Its name.
    pub name: String,
    /// Whether it judges two texts together; `None` when nothing tells.
    pub pair: Option<bool>,
    /// Optimizer steps its weights have seen, when it is being trained.
    pub step: Option<u64>,
}

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Leave the program.
    Quit,
    /// Show all keys.
    Help,
    /// Go to a screen.
    Go(Tab),
    /// Put the program to sleep, as the shell's job control does.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// One up.
    Up,
    /// One down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Do the obvious thing with what the cursor is on.
    Enter,
    /// Change an experiment.
    Edit,
    /// Make an experiment.
    New,
    /// Make an experiment like this one.
    Copy,
    /// Go on with a run.
    Resume,
    /// Delete a run, or take it out of the queue.
    Delete,
    /// Put something into the queue.
    Enqueue,
    /// Let the run change places with the one before it.
    Earlier,
    /// Let the run change places with the one after it.
    Later,
    /// Hold the queue, or go on with it.
    Hold,
    /// Show only what contains a text.
    Filter,
    /// Type sentences into a model.
    Infer,
    /// Close, cancel, go back.
    Back,
    /// Look for new runs and read the experiments file again.
    Refresh,
    /// Start what the form says.
    StartForm,
    /// Write the form to the experiments file.
    SaveForm,
    /// Put the built-in value back.
    Reset,
    /// The other chart, field or pane.
    Next,
    /// Look at the curves in another way.
    Chart(ChartKey),
    /// One chart over the whole screen, or all panes again.
    FullChart,
    /// Lay the curves of a run beside the others, or take them away.
    Mark,
    /// Mark every run that is shown.
    MarkAll,
    /// Take all marks away.
    ClearMarks,
    /// Sort by the next column.
    Sort,
    /// Sort the other way round.
    Reverse,
    /// Show only runs that are like the one under the cursor in this, or all again.
    Same(Facet),
    /// The lines that differ in place of the curves.
    Differences,
    /// Say something to the training.
    Tell(Command),
    /// Choose another learning rate.
    LearningRate,
    /// Choose another number of steps.
    Length,
    /// Stop the training, after asking.
    StopRun,
    /// The seed before.
    SeedBefore,
    /// The seed after.
    SeedAfter,
    /// Choose which weights judge.
    Weights,
    /// Choose which weights judge beside them.
    Compare,
    /// Take the weights as they are now.
    Fresh,
    /// Pin what is typed, so that every evaluation judges it, or let it go.
    Probe,
    /// Hold the runs against the published means.
    Published,
    /// Look at what a run gets right and wrong.
    Insight,
    /// Look at the data of an experiment.
    Data,
    /// List some of its rows.
    List(Listed),
    /// The evaluation before.
    Before,
    /// The evaluation after.
    After,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// The line of the list in front that was pointed at; the one under the cursor is entered.
    Point(usize),
    /// The cell of the confusion matrix that was pointed at, by label and predicted class: its rows are listed.
    PointCell(usize, usize),
    /// Listen to the mouse, or leave it to the terminal, which selects text with it.
    Mouse,
    /// Show everything in the next theme, and keep the choice.
    NextTheme,
    /// An answer to a question, by its number.
    Answer(usize),
}

/// A training to begin.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainRequest {
    /// Of a specification.
    Spec(Box<RunSpec>),
    /// Of an experiment with changes that are not in the file.
    Changed {
        /// The experiment.
        name: String,
        /// Keys and values as typed.
        changes: Vec<(&'static str, String)>,
    },
    /// Of the run of that directory, from its newest checkpoint.
    Resume(PathBuf),
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
    /// InferenceWorker a sentence, or two.
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
