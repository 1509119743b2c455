//! The conditions under which a binding is active, as data, each with a sentence for a key that does not apply. The
//! state of the interface evaluates them.

/// When a binding is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// The cursor is on an experiment.
    OnExperiment,
    /// The cursor is on a past run.
    OnRun,
    /// The cursor is on a run that another process trains.
    OnRunElsewhere,
    /// The cursor is on a past run whose files can be read.
    OnReadableRun,
    /// The cursor is on a run that can be resumed.
    OnResumableRun,
    /// The cursor is on a run with best weights.
    OnScoredRun,
    /// The cursor is on a sweep, a trial or an experiment that is a sweep.
    OnSweep,
    /// The cursor is on the line of a sweep.
    OnSweepLine,
    /// The cursor is on the line of a sweep of tasks.
    OnSweepOfTasks,
    /// A sweep is shown on the Sweep screen.
    HasSweep,
    /// The sweep has trials of different tasks, with a scoreboard.
    HasScoreboard,
    /// The sweep has trials of one task, which are compared in charts.
    HasTrialCharts,
    /// The cursor is on a trial that has a run.
    OnStartedTrial,
    /// The sweep has a trial with a score.
    HasWinner,
    /// A diagnosis of the run suggests settings to try.
    HasSuggestion,
    /// The cursor is on a queue entry.
    OnQueueEntry,
    /// The cursor is on a queue entry that has not started.
    OnWaitingEntry,
    /// The cursor is on a queue entry that has started.
    OnStartedEntry,
    /// The cursor is on a run that waits or is trained in Slurm.
    OnActiveTask,
    /// The cursor is on something that can be added to the queue.
    CanEnqueue,
    /// The queue has entries.
    HasQueue,
    /// The queue has entries and is held.
    IsQueueHeld,
    /// The queue has entries and is not held.
    IsQueueReleased,
    /// The run on the Live screen takes commands.
    IsControllable,
    /// The run on the Live screen takes commands and is paused.
    IsPaused,
    /// The run on the Live screen takes commands and is not paused.
    IsRunning,
    /// The run on the Live screen can be resumed.
    IsResumable,
    /// The run of this process can be discarded.
    IsDiscardable,
    /// The Live screen can be left.
    CanLeaveLive,
    /// The run on the Live screen has several seeds.
    HasSeeds,
    /// Only one chart of a run is visible.
    HasOneChart,
    /// One chart has the whole screen.
    IsFullChart,
    /// A run is shown in panes.
    HasPanes,
    /// The screen has a chart with curves.
    HasChart,
    /// A past run exists.
    HasPastRuns,
    /// The cursor is on a run of the Compare screen.
    OnComparedRun,
    /// A run is marked.
    HasMarks,
    /// Two runs are compared, and further seeds may decide between them.
    IsUndecided,
    /// A marked run has several seeds.
    HasMarkedSeeds,
    /// The Compare screen shows either curves or differences.
    HasOnePane,
    /// A run is shown on the Live screen.
    HasRun,
    /// The run on the Insight screen has predictions.
    HasPredictions,
    /// The run on the Insight screen has a confusion matrix.
    HasMatrix,
    /// The run on the Insight screen predicts labels, which can have thresholds.
    HasThresholds,
    /// The run on the Insight screen has several seeds.
    HasInsightSeeds,
    /// The cursor is on a row with a text.
    OnRowWithText,
    /// The model takes a pair of texts.
    IsTextPair,
    /// The model is being trained.
    IsLiveModel,
    /// The model is not being trained, and has no predictions for some probes.
    HasUnscoredProbes,
    /// The Data screen shows either lengths or rows.
    HasOneDataPane,
    /// The columns of the data on the Open screen can have other roles.
    HasFreeColumns,
    /// The list to choose from has paths.
    HasPaths,
    /// An upload, a download or an export that can be cancelled is in progress.
    IsWorking,
    /// The help is open.
    IsHelp,
}

/// What is missing where a condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The cursor has to be on this, with an article.
    Cursor(&'static str),
    /// A sentence.
    Sentence(&'static str),
}

impl Condition {
    /// The more general condition that holds wherever this one does. If that does not hold either, it is the reason.
    pub fn requires(self) -> Option<Condition> {
        match self {
            Condition::OnReadableRun
            | Condition::OnRunElsewhere
            | Condition::OnResumableRun
            | Condition::OnScoredRun => Some(Condition::OnRun),
            Condition::OnWaitingEntry | Condition::OnStartedEntry => Some(Condition::OnQueueEntry),
            Condition::IsQueueHeld | Condition::IsQueueReleased => Some(Condition::HasQueue),
            Condition::IsPaused | Condition::IsRunning => Some(Condition::IsControllable),
            Condition::IsControllable
            | Condition::IsResumable
            | Condition::HasSeeds
            | Condition::HasOneChart
            | Condition::IsFullChart
            | Condition::HasPanes => Some(Condition::HasRun),
            Condition::OnStartedTrial
            | Condition::HasWinner
            | Condition::HasTrialCharts
            | Condition::HasScoreboard => Some(Condition::HasSweep),
            Condition::HasMarkedSeeds | Condition::IsUndecided => Some(Condition::HasMarks),
            Condition::HasMatrix
            | Condition::HasThresholds
            | Condition::HasInsightSeeds
            | Condition::OnRowWithText => Some(Condition::HasPredictions),
            Condition::Always
            | Condition::OnExperiment
            | Condition::OnRun
            | Condition::OnActiveTask
            | Condition::OnSweep
            | Condition::OnSweepLine
            | Condition::OnSweepOfTasks
            | Condition::HasSweep
            | Condition::HasSuggestion
            | Condition::OnQueueEntry
            | Condition::CanEnqueue
            | Condition::IsDiscardable
            | Condition::HasQueue
            | Condition::CanLeaveLive
            | Condition::HasChart
            | Condition::HasPastRuns
            | Condition::OnComparedRun
            | Condition::HasMarks
            | Condition::HasOnePane
            | Condition::HasRun
            | Condition::HasPredictions
            | Condition::IsTextPair
            | Condition::IsLiveModel
            | Condition::HasUnscoredProbes
            | Condition::HasOneDataPane
            | Condition::HasFreeColumns
            | Condition::HasPaths
            | Condition::IsWorking
            | Condition::IsHelp => None,
        }
    }

    /// What is missing where the condition does not hold, although [`Condition::requires`] does.
    pub fn missing(self) -> Missing {
        use Missing::{Cursor, Sentence};
        match self {
            Condition::Always => Sentence("This key does not apply here."),
            Condition::OnExperiment => Cursor("an experiment"),
            Condition::OnRun => Cursor("a past run"),
            Condition::OnReadableRun => Sentence("The files of this run cannot be read."),
            Condition::OnRunElsewhere => Sentence("No other process trains this run."),
            Condition::OnResumableRun | Condition::IsResumable => {
                Sentence("Only a run that was stopped, was interrupted or failed can be resumed.")
            }
            Condition::OnActiveTask => Cursor("a run or a sweep that waits or is trained in Slurm"),
            Condition::OnScoredRun => Sentence("The run has no best weights yet."),
            Condition::OnSweep | Condition::OnSweepLine => Cursor("a sweep"),
            Condition::OnSweepOfTasks => Cursor("a sweep of tasks"),
            Condition::HasSweep => Sentence("No sweep is open."),
            Condition::HasScoreboard => Sentence("The trials of this sweep are of one task."),
            Condition::HasTrialCharts => Sentence("The trials of this sweep are of different tasks."),
            Condition::OnStartedTrial => Cursor("a trial that was started"),
            Condition::HasWinner => Sentence("No trial has a score yet."),
            Condition::HasSuggestion => Sentence("No diagnosis of the run suggests other settings."),
            Condition::OnQueueEntry => Cursor("a queue entry"),
            Condition::OnWaitingEntry => Sentence("This queue entry has started."),
            Condition::OnStartedEntry => Sentence("This queue entry has not started yet."),
            Condition::CanEnqueue => Cursor("an experiment, a sweep, or a run that can be resumed"),
            Condition::HasQueue => Sentence("The queue is empty."),
            Condition::IsQueueHeld => Sentence("The queue is not held."),
            Condition::IsQueueReleased => Sentence("The queue is held already."),
            Condition::IsControllable => Sentence("The run is not being trained."),
            Condition::IsPaused => Sentence("The run is not paused."),
            Condition::IsRunning => Sentence("The run is paused."),
            Condition::IsDiscardable => Sentence(
                "Only a run that was started here in the last ten seconds, without a checkpoint, can be discarded.",
            ),
            Condition::CanLeaveLive => Sentence("There is no screen to go back to."),
            Condition::HasSeeds | Condition::HasInsightSeeds => Sentence("The run has only one seed."),
            Condition::HasOneChart => Sentence("All charts are visible already."),
            Condition::IsFullChart => Sentence("No chart has the whole screen."),
            Condition::HasPanes => Sentence("A chart has the whole screen already."),
            Condition::HasChart => Sentence("There is no chart: open a run, or mark one to compare."),
            Condition::HasPastRuns => Sentence("There are no past runs yet."),
            Condition::OnComparedRun => Cursor("a run"),
            Condition::HasMarks => Sentence("No run is marked."),
            Condition::IsUndecided => Sentence("No comparison of two marked runs waits for further seeds."),
            Condition::HasMarkedSeeds => Sentence("No marked run has several seeds."),
            Condition::HasOnePane => Sentence("Curves and differences are both visible already."),
            Condition::HasRun => Sentence("No run is open."),
            Condition::HasPredictions => Sentence("The run has no predictions yet."),
            Condition::HasMatrix => Sentence("The run has no confusion matrix."),
            Condition::HasThresholds => Sentence("A regression has no thresholds."),
            Condition::OnRowWithText => Cursor("a row with a text"),
            Condition::IsTextPair => Sentence("The model takes a single text."),
            Condition::IsLiveModel => Sentence("The model is not being trained."),
            Condition::HasUnscoredProbes => Sentence("There is no probe without a prediction."),
            Condition::HasOneDataPane => Sentence("Lengths and rows are both visible already."),
            Condition::HasFreeColumns => Sentence("The columns of these data have fixed roles."),
            Condition::HasPaths => Sentence("The list has no paths."),
            Condition::IsWorking => Sentence("No upload, download or export of predictions is in progress."),
            Condition::IsHelp => Sentence("Only the help can be searched."),
        }
    }
}
