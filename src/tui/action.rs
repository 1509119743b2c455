//! What a key or a click means, grouped by the part of the interface that handles it. Each part matches its own
//! enum without a catch-all, so that the compiler reports an action that it does not handle.

use super::screen::Screen;
use super::widgets::line_chart::ChartKey;
use crate::event::Command;

/// What a key or a click means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// On every screen.
    Global(GlobalAction),
    /// Moves the cursor of the list that has the focus.
    List(ListAction),
    /// The filter of the list that has the focus.
    Filter(FilterAction),
    /// The popup.
    Popup(PopupAction),
    /// The Runs screen.
    Runs(RunsAction),
    /// The form of an experiment.
    Form(FormAction),
    /// The Live screen.
    Live(LiveAction),
    /// The Infer screen.
    Infer(InferAction),
    /// The Compare screen.
    Compare(CompareAction),
    /// The Insight screen.
    Insight(InsightAction),
    /// The Data screen.
    Data(DataAction),
    /// The Open screen.
    Open(OpenAction),
    /// The Machine screen.
    Machine(MachineAction),
    /// The Sweep screen.
    Sweep(SweepAction),
    /// The chart that has the focus.
    Chart(ChartKey),
}

/// An action of every screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalAction {
    /// Quit the program.
    Quit,
    /// Show all keys.
    Help,
    /// Open the command palette, or close it.
    Palette,
    /// Go to a screen.
    GoTo(Screen),
    /// Suspend the program, as the shell's job control does.
    Suspend,
    /// Redraw the whole terminal.
    Redraw,
    /// Toggle mouse support. Without it the terminal selects text with the mouse.
    ToggleMouse,
    /// Switch to the next theme and save the choice.
    NextTheme,
    /// Copy the selection.
    Copy,
    /// Offer what can be exported of the run or of the chart.
    Export,
    /// Cancel the uploads, downloads and exports that are in progress.
    CancelWork,
}

/// A move of the cursor in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListAction {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// Ten lines up.
    PageUp,
    /// Ten lines down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// An action of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterAction {
    /// Start typing.
    Start,
    /// Stop typing and apply the filter.
    Accept,
    /// Stop typing and clear the filter.
    Clear,
}

/// An action of a popup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PopupAction {
    /// Choose the item under the cursor, or close the message.
    Accept,
    /// Close the popup without choosing.
    Cancel,
    /// Choose the answer with that index.
    Answer(usize),
    /// Put the cursor on a line; the line under the cursor is accepted.
    Select(usize),
    /// Complete the path that is typed.
    Complete,
}

/// An action of the Runs screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsAction {
    /// Start the experiment, open the run, or move the queue entry to the front.
    Open,
    /// Edit the experiment.
    Edit,
    /// Create an experiment.
    New,
    /// Create an experiment from a copy of this one.
    Copy,
    /// Resume the run.
    Resume,
    /// Delete the run, or remove the queue entry.
    Delete,
    /// Change the name, the tags or the note of the run.
    EditNotes(NotesPart),
    /// Ask which checkpoints to remove.
    Prune,
    /// Add to the queue.
    Enqueue,
    /// Submit the experiment, the run or the sweep to Slurm.
    Submit,
    /// Ask whether to train the model of the experiment on all tasks of GLUE.
    TrainGlue,
    /// Take the run or the sweep back from Slurm.
    Cancel,
    /// Swap the queue entry with the one before it.
    MoveEarlier,
    /// Swap the queue entry with the one after it.
    MoveLater,
    /// Hold the queue, or release it.
    ToggleHold,
    /// Open the run's best weights on the Infer screen.
    OpenInfer,
    /// Open the run on the Insight screen.
    OpenInsight,
    /// Open the sweep on the Sweep screen.
    OpenSweep,
    /// Open the experiment on the Data screen.
    OpenData,
    /// Ask whether to train the run again with the settings that its diagnosis suggests.
    TrySuggestion,
    /// Choose a file or folder with data to open.
    OpenFile,
    /// Compare the runs with the published results.
    ShowPublished,
    /// Go to the next section: experiments, queue, past runs.
    NextSection,
    /// Reload the experiments file and the list of runs.
    Refresh,
    /// Clear the filter.
    ClearFilter,
    /// Put the cursor on a line; the line under the cursor is opened.
    Select(usize),
}

/// A part of the notes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotesPart {
    /// The name.
    Name,
    /// The tags.
    Tags,
    /// The note.
    Note,
}

/// An action of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormAction {
    /// Edit the value under the cursor, or start.
    Open,
    /// Start with the values of the form.
    Start,
    /// Add a run with the values of the form to the queue.
    Enqueue,
    /// Write the form to the experiments file.
    Save,
    /// Undo the change of the value under the cursor.
    Reset,
    /// Close the form, after a question if a value was changed.
    Close,
    /// Accept the typed value.
    Accept,
    /// Discard the typed value.
    Discard,
    /// Accept the typed value and go to the next line.
    AcceptAndNext,
    /// Put the cursor on a line; the line under the cursor is opened.
    Select(usize),
}

/// An action of the Live screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LiveAction {
    /// Send a command to the run.
    Send(Command),
    /// Choose a new learning rate.
    SetLearningRate,
    /// Choose a new number of epochs or steps.
    SetLength,
    /// Ask for confirmation, then stop the run.
    Stop,
    /// Ask whether to train the run again with the settings that its diagnosis suggests.
    TrySuggestion,
    /// Open the run's weights on the Infer screen.
    OpenInfer,
    /// Open the run on the Insight screen.
    OpenInsight,
    /// Show the other chart.
    NextChart,
    /// Show one chart on the whole screen, or all panes again.
    ToggleFullChart,
    /// Show the previous seed.
    PreviousSeed,
    /// Show the next seed.
    NextSeed,
    /// Resume the run.
    Resume,
    /// Stop the run of this process and delete it.
    Discard,
    /// Reset the chart, close the full chart, or go back.
    Back,
}

/// An action of the Infer screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferAction {
    /// Add the text to the history and clear the fields.
    AddToHistory,
    /// Go to the other text of a pair.
    OtherText,
    /// Add the text to the probes, or remove it.
    ToggleProbe,
    /// Choose the model.
    ChooseModel,
    /// Choose a second model to compare with.
    ChooseComparison,
    /// Load the current weights of the run.
    Refresh,
    /// Classify the probes that the run has not classified.
    ClassifyProbes,
    /// Go back.
    Back,
}

/// An action of the Compare screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareAction {
    /// Open the run on the Live screen.
    Open,
    /// Mark the run, or unmark it.
    ToggleMark,
    /// Mark every listed run.
    MarkAll,
    /// Remove all marks.
    ClearMarks,
    /// Draw the next quantity.
    NextQuantity,
    /// Show the differences in place of the curves.
    ToggleDifferences,
    /// Queue the further seeds that the comparison needs.
    AddSeeds,
    /// Sort by the next column.
    Sort,
    /// Reverse the order.
    Reverse,
    /// Show only runs that share a property with the one under the cursor, or all runs.
    Match(Facet),
    /// Reload the list of runs.
    Refresh,
    /// Reset the chart, clear the filter, or go back.
    Back,
    /// Put the cursor on a row; the row under the cursor is marked.
    Select(usize),
}

/// A property that runs are matched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// The status.
    Status,
    /// The task.
    Task,
    /// The model.
    Model,
}

/// An action of the Insight screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsightAction {
    /// List the rows of the cell, or show the row.
    Open,
    /// Move the focus between matrix and rows.
    SwitchPane,
    /// List a selection of the rows.
    List(RowList),
    /// Show the thresholds of a label, or the rows again.
    Thresholds,
    /// Open the row on the Infer screen.
    OpenInfer,
    /// Show the previous seed.
    PreviousSeed,
    /// Show the next seed.
    NextSeed,
    /// Show the previous evaluation.
    PreviousEvaluation,
    /// Show the next evaluation.
    NextEvaluation,
    /// One cell to the left.
    Left,
    /// One cell to the right.
    Right,
    /// Reload the run.
    Refresh,
    /// Go back to the matrix or to the previous screen.
    Back,
    /// Put the cursor on a row; the row under the cursor is shown.
    Select(usize),
    /// List the rows of a cell, given as label and predicted class.
    SelectCell(usize, usize),
}

/// Which rows are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowList {
    /// The rows with the highest loss.
    #[default]
    Hardest,
    /// The rows with likely label errors.
    LabelIssues,
    /// The rows that most seeds predict wrongly.
    CrossSeed,
    /// The rows of the cell under the cursor.
    Cell,
}

/// An action of the Data screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataAction {
    /// Show the lengths and the rows of the next split.
    NextSplit,
    /// Show rows in place of the lengths, or the lengths again.
    ToggleRows,
    /// Profile the data again.
    Refresh,
    /// Go back.
    Back,
}

/// An action of the Open screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAction {
    /// Train on the data.
    Train,
    /// Save the experiment to the experiments file.
    Save,
    /// Edit the settings of the experiment in the form.
    Edit,
    /// Use the column under the cursor as the text.
    Text,
    /// Use the column under the cursor as the second text, or do not.
    TextPair,
    /// Use the column under the cursor as the label; on further columns of 0 and 1, as one more label.
    Label,
    /// Predict classes, sets of labels or a number.
    ProblemType,
    /// Choose the model.
    ChooseModel,
    /// Choose other data.
    ChooseFile,
    /// One column to the left.
    Left,
    /// One column to the right.
    Right,
    /// Put the cursor on a column.
    Select(usize),
    /// Read the data again.
    Refresh,
    /// Go back.
    Back,
}

/// An action of the Machine screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineAction {
    /// Reset the charts, or go back.
    Back,
}

/// An action of the Sweep screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepAction {
    /// Open the run of the trial on the Live screen.
    Open,
    /// Sort by the next column.
    Sort,
    /// Reverse the order.
    Reverse,
    /// Group by the next key, or by none.
    Group,
    /// Show the next chart.
    NextChart,
    /// Draw the scores against the next key.
    NextAxis,
    /// Draw the scores against the previous key.
    PreviousAxis,
    /// Ask how many seeds to train the best trial with.
    TrainWinner,
    /// Add the sweep to the queue.
    Resume,
    /// Read the sweep again.
    Refresh,
    /// Go back.
    Back,
    /// Put the cursor on a line; the line under the cursor is opened.
    Select(usize),
}

impl Action {
    /// Whether the action accepts, closes or quits something, so that it must keep a key.
    pub fn requires_key(self) -> bool {
        match self {
            Action::Global(action) => action == GlobalAction::Quit,
            Action::Filter(action) => action != FilterAction::Start,
            Action::Popup(action) => matches!(action, PopupAction::Accept | PopupAction::Cancel),
            Action::Runs(action) => matches!(action, RunsAction::Open | RunsAction::ClearFilter),
            Action::Form(action) => matches!(
                action,
                FormAction::Open | FormAction::Close | FormAction::Accept | FormAction::Discard
            ),
            Action::Live(action) => action == LiveAction::Back,
            Action::Infer(action) => matches!(action, InferAction::AddToHistory | InferAction::Back),
            Action::Compare(action) => matches!(action, CompareAction::Open | CompareAction::Back),
            Action::Insight(action) => matches!(action, InsightAction::Open | InsightAction::Back),
            Action::Data(action) => action == DataAction::Back,
            Action::Open(action) => matches!(action, OpenAction::Train | OpenAction::Back),
            Action::Machine(MachineAction::Back) => true,
            Action::Sweep(action) => matches!(action, SweepAction::Open | SweepAction::Back),
            Action::List(_) | Action::Chart(_) => false,
        }
    }
}
