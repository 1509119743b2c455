//! Keys of the Runs screen and of its filter.

use super::row::{ARROW_DOWN, ARROW_UP, DISCARD, ENTER, ESC, Row, TAB, alt_key, bind, char, key};
use crate::tui::action::{Action, FilterAction, GlobalAction, ListAction, LiveAction, NotesPart, RunsAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of the list of experiments, queue entries and past runs.
pub(super) static RUNS: &[Row] = &[
    bind("open", ENTER, Action::Runs(RunsAction::Open), "start", "start the experiment under the cursor")
        .primary()
        .when(Condition::OnExperiment),
    bind(
        "open",
        ENTER,
        Action::Runs(RunsAction::Open),
        "attach",
        "attach to the run that another process trains",
    )
    .primary()
    .when(Condition::OnRunElsewhere),
    bind("open", ENTER, Action::Runs(RunsAction::Open), "curves", "open the run on the Live screen")
        .primary()
        .when(Condition::OnReadableRun),
    bind("open", ENTER, Action::Runs(RunsAction::Open), "next", "move to the front of the queue")
        .primary()
        .when(Condition::OnWaitingEntry),
    bind("open", ENTER, Action::Runs(RunsAction::Open), "curves", "open the run on the Live screen")
        .primary()
        .when(Condition::OnStartedEntry),
    bind("open", ENTER, Action::Runs(RunsAction::Open), "trials", "show the trials of the sweep")
        .primary()
        .when(Condition::OnSweepLine),
    bind(
        "next",
        TAB,
        Action::Runs(RunsAction::NextSection),
        "section",
        "go to the next section: experiments, queue, past runs",
    ),
    bind(
        "earlier",
        &[char('K'), alt_key(KeyCode::Up)],
        Action::Runs(RunsAction::MoveEarlier),
        "earlier",
        "move up in the queue",
    )
    .when(Condition::OnWaitingEntry),
    bind(
        "later",
        &[char('J'), alt_key(KeyCode::Down)],
        Action::Runs(RunsAction::MoveLater),
        "later",
        "move down in the queue",
    )
    .when(Condition::OnWaitingEntry),
    bind("delete", &[char('d')], Action::Runs(RunsAction::Delete), "remove", "remove from the queue")
        .when(Condition::OnQueueEntry),
    bind("edit", &[char('e')], Action::Runs(RunsAction::Edit), "edit", "edit the experiment in a form")
        .when(Condition::OnExperiment),
    bind(
        "open_file",
        &[char('o')],
        Action::Runs(RunsAction::OpenFile),
        "open",
        "open a file or folder with data of your own",
    ),
    bind("new", &[char('n')], Action::Runs(RunsAction::New), "new", "create an experiment"),
    bind(
        "copy",
        &[char('c')],
        Action::Runs(RunsAction::Copy),
        "copy",
        "create an experiment from a copy of this one",
    )
    .when(Condition::OnExperiment),
    bind(
        "resume",
        &[char('r')],
        Action::Runs(RunsAction::Resume),
        "resume",
        "resume the run from its last checkpoint",
    )
    .when(Condition::OnResumableRun),
    bind("discard", &[char('u')], Action::Live(LiveAction::Discard), "discard", DISCARD)
        .primary()
        .when(Condition::IsDiscardable),
    bind(
        "try_suggestion",
        &[char('!')],
        Action::Runs(RunsAction::TrySuggestion),
        "try",
        "train again with the settings that the diagnosis of the run suggests",
    )
    .when(Condition::HasSuggestion),
    bind(
        "open_infer",
        &[char('i')],
        Action::Runs(RunsAction::OpenInfer),
        "infer",
        "open the run's best model on the Infer screen",
    )
    .when(Condition::OnScoredRun),
    bind(
        "open_insight",
        &[char('w')],
        Action::Runs(RunsAction::OpenInsight),
        "insight",
        "analyze the errors of the run, row by row",
    )
    .when(Condition::OnReadableRun),
    bind(
        "open_sweep",
        &[char('s')],
        Action::Runs(RunsAction::OpenSweep),
        "sweep",
        "show the trials of the sweep; of an experiment those of its newest sweep",
    )
    .primary()
    .when(Condition::OnSweep),
    bind(
        "delete",
        &[char('d')],
        Action::Runs(RunsAction::Delete),
        "delete",
        "delete the run; asks for confirmation",
    )
    .when(Condition::OnRun),
    bind(
        "open_data",
        &[char('D')],
        Action::Runs(RunsAction::OpenData),
        "data",
        "show the data before training: classes, lengths, truncation, leakage between splits",
    )
    .when(Condition::OnExperiment),
    bind(
        "rename",
        &[char('R')],
        Action::Runs(RunsAction::EditNotes(NotesPart::Name)),
        "rename",
        "give the run a name; its folder keeps its own",
    )
    .when(Condition::OnReadableRun),
    bind(
        "tags",
        &[char('t')],
        Action::Runs(RunsAction::EditNotes(NotesPart::Tags)),
        "tags",
        "change the tags of the run, which a filter finds with #tag",
    )
    .when(Condition::OnReadableRun),
    bind(
        "note",
        &[char('N')],
        Action::Runs(RunsAction::EditNotes(NotesPart::Note)),
        "note",
        "write a note about the run",
    )
    .when(Condition::OnReadableRun),
    bind(
        "prune",
        &[char('P')],
        Action::Runs(RunsAction::Prune),
        "prune",
        "free disk space: remove checkpoints of this run or all finished runs; asks first",
    )
    .when(Condition::HasPastRuns),
    bind("queue", &[char('a')], Action::Runs(RunsAction::Enqueue), "queue", "add to the queue")
        .when(Condition::CanEnqueue),
    bind(
        "submit",
        &[char('S')],
        Action::Runs(RunsAction::Submit),
        "submit",
        "submit the experiment, the run or the sweep to Slurm; asks first",
    )
    .when(Condition::CanEnqueue),
    bind(
        "glue",
        &[char('B')],
        Action::Runs(RunsAction::TrainGlue),
        "",
        "train the model of the experiment on all tasks of GLUE; asks first",
    )
    .when(Condition::OnExperiment),
    bind(
        "cancel",
        &[char('X')],
        Action::Runs(RunsAction::Cancel),
        "cancel",
        "take the run or the sweep back from Slurm; a task in training saves its work; asks first",
    )
    .when(Condition::OnActiveTask),
    bind(
        "hold",
        &[char('h')],
        Action::Runs(RunsAction::ToggleHold),
        "hold",
        "hold the queue: the current run continues, no other run starts",
    )
    .when(Condition::IsQueueReleased),
    bind("hold", &[char('h')], Action::Runs(RunsAction::ToggleHold), "resume", "resume the queue")
        .when(Condition::IsQueueHeld),
    bind(
        "published",
        &[char('p')],
        Action::Runs(RunsAction::ShowPublished),
        "",
        "compare the runs with the published results",
    ),
    bind(
        "export",
        &[char('E')],
        Action::Global(GlobalAction::Export),
        "",
        "export the model, metrics, a chart or predictions, or push the run to the hub",
    )
    .when(Condition::OnReadableRun),
    bind(
        "export",
        &[char('E')],
        Action::Global(GlobalAction::Export),
        "",
        "export the submission of a sweep of tasks to GLUE's leaderboard",
    )
    .when(Condition::OnSweepOfTasks),
    bind(
        "search",
        &[char('/')],
        Action::Filter(FilterAction::Start),
        "filter",
        "filter by words, tags, settings and scores: #tag, batch=32, accuracy>0.9, -word",
    ),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Runs(RunsAction::Refresh),
        "",
        "reload the experiments file and the list of runs",
    ),
    bind("back", ESC, Action::Runs(RunsAction::ClearFilter), "", "clear the filter"),
];

/// The bindings while a filter is being typed.
pub(super) static FILTER: &[Row] = &[
    bind("accept", ENTER, Action::Filter(FilterAction::Accept), "apply", "apply the filter").primary(),
    bind("back", ESC, Action::Filter(FilterAction::Clear), "clear", "clear the filter").primary(),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "one line down"),
];
