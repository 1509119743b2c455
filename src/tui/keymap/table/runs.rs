//! Keys of the list of experiments, what waits and past runs, and of its filter.

use super::row::{
    ARROW_DOWN, ARROW_UP, DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, alt_key, bind,
    char, key,
};
use crate::tui::action::{Action, FilterAction, ListAction, RunsAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The list.
pub(super) static RUNS: &[Row] = &[
    bind("open", ENTER, Action::Runs(RunsAction::Open), "start", "start the experiment under the cursor")
        .when(Condition::OnExperiment),
    bind(
        "open",
        ENTER,
        Action::Runs(RunsAction::Open),
        "curves",
        "show the curves of the run under the cursor",
    )
    .when(Condition::OnRun),
    bind("open", ENTER, Action::Runs(RunsAction::Open), "next", "let the waiting run be the next")
        .when(Condition::OnWaitingEntry),
    bind(
        "open",
        ENTER,
        Action::Runs(RunsAction::Open),
        "curves",
        "show the curves of the run under the cursor",
    )
    .when(Condition::OnStartedEntry),
    bind(
        "earlier",
        &[char('K'), alt_key(KeyCode::Up)],
        Action::Runs(RunsAction::MoveEarlier),
        "earlier",
        "let the waiting run change places with the one before it",
    )
    .when(Condition::OnWaitingEntry),
    bind(
        "later",
        &[char('J'), alt_key(KeyCode::Down)],
        Action::Runs(RunsAction::MoveLater),
        "later",
        "let the waiting run change places with the one after it",
    )
    .when(Condition::OnWaitingEntry),
    bind("delete", &[char('d')], Action::Runs(RunsAction::Delete), "remove", "take the run out of the queue")
        .when(Condition::OnQueueEntry),
    bind("edit", &[char('e')], Action::Runs(RunsAction::Edit), "edit", "change the experiment in a form")
        .when(Condition::OnExperiment),
    bind("new", &[char('n')], Action::Runs(RunsAction::New), "new", "make a new experiment"),
    bind("copy", &[char('c')], Action::Runs(RunsAction::Copy), "copy", "make an experiment like this one")
        .when(Condition::OnExperiment),
    bind(
        "resume",
        &[char('r')],
        Action::Runs(RunsAction::Resume),
        "resume",
        "go on with the run from its last checkpoint",
    )
    .when(Condition::OnResumableRun),
    bind(
        "open_infer",
        &[char('i')],
        Action::Runs(RunsAction::OpenInfer),
        "infer",
        "type sentences into the run's best weights",
    )
    .when(Condition::OnScoredRun),
    bind(
        "open_insight",
        &[char('w')],
        Action::Runs(RunsAction::OpenInsight),
        "insight",
        "what the run gets right and wrong, row by row",
    )
    .when(Condition::OnRun),
    bind("delete", &[char('d')], Action::Runs(RunsAction::Delete), "delete", "delete the run, after asking")
        .when(Condition::OnRun),
    bind(
        "open_data",
        &[char('D')],
        Action::Runs(RunsAction::OpenData),
        "data",
        "look at the rows before training: classes, lengths and what is cut, rows that leak",
    )
    .when(Condition::OnExperiment),
    bind(
        "queue",
        &[char('a')],
        Action::Runs(RunsAction::Enqueue),
        "queue",
        "put it into the queue: it is trained when its turn comes",
    )
    .when(Condition::CanEnqueue),
    bind(
        "hold",
        &[char('h')],
        Action::Runs(RunsAction::ToggleHold),
        "hold",
        "hold the queue: what is being trained goes on, and nothing is begun after it",
    )
    .when(Condition::IsQueueReleased),
    bind("hold", &[char('h')], Action::Runs(RunsAction::ToggleHold), "go on", "go on with the queue")
        .when(Condition::IsQueueHeld),
    bind(
        "next",
        TAB,
        Action::Runs(RunsAction::NextSection),
        "",
        "to the next part: experiments, queue, past runs",
    ),
    bind(
        "published",
        &[char('p')],
        Action::Runs(RunsAction::ShowPublished),
        "",
        "hold the runs that follow the article's recipe against its published means",
    ),
    bind(
        "search",
        &[char('/')],
        Action::Filter(FilterAction::Start),
        "filter",
        "show only what contains a text",
    ),
    bind("up", UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first line"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last line"),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Runs(RunsAction::Refresh),
        "",
        "read the experiments file and the runs again",
    ),
    bind("back", ESC, Action::Runs(RunsAction::ClearFilter), "", "take the filter away"),
];

/// Its filter, being typed.
pub(super) static FILTER: &[Row] = &[
    bind("accept", ENTER, Action::Filter(FilterAction::Accept), "keep", "keep the filter"),
    bind("back", ESC, Action::Filter(FilterAction::Clear), "take away", "take the filter away"),
    bind("up", ARROW_UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", ARROW_DOWN, Action::List(ListAction::Down), "", "one line down"),
];
