//! The conditions under which a binding is active, as data. The state of the interface evaluates them.

/// When a binding is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// The cursor is on an experiment.
    OnExperiment,
    /// The cursor is on a past run.
    OnRun,
    /// The cursor is on a past run whose files can be read.
    OnReadableRun,
    /// The cursor is on a run that can be resumed.
    OnResumableRun,
    /// The cursor is on a run with best weights.
    OnScoredRun,
    /// The cursor is on a queue entry.
    OnQueueEntry,
    /// The cursor is on a queue entry that has not started.
    OnWaitingEntry,
    /// The cursor is on a queue entry that has started.
    OnStartedEntry,
    /// The cursor is on something that can be added to the queue.
    CanEnqueue,
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
    /// The run on the Insight screen has several seeds.
    HasInsightSeeds,
    /// The cursor is on a row with a text.
    OnRowWithText,
    /// The model takes a pair of texts.
    IsTextPair,
    /// The model is being trained.
    IsLiveModel,
    /// The Data screen shows either lengths or rows.
    HasOneDataPane,
    /// The columns of the data on the Open screen can have other roles.
    HasFreeColumns,
    /// The list to choose from has paths.
    HasPaths,
    /// The help is open.
    IsHelp,
}
