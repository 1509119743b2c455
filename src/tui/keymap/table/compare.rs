//! Keys of the table of runs to compare.

use super::row::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::action::{Action, CompareAction, Facet, FilterAction, ListAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The table.
pub(super) static COMPARE: &[Row] = &[
    bind(
        "mark",
        &[char(' ')],
        Action::Compare(CompareAction::ToggleMark),
        "mark",
        "lay the curves of the run under the cursor beside the others, or take them away",
    )
    .when(Condition::OnComparedRun),
    bind(
        "next",
        TAB,
        Action::Compare(CompareAction::NextQuantity),
        "values",
        "other values: losses, scores, learning rate, gradients",
    )
    .when(Condition::HasMarks),
    bind(
        "differences",
        &[char('d')],
        Action::Compare(CompareAction::ToggleDifferences),
        "differences",
        "what differs in the specifications, or the curves again",
    )
    .when(Condition::HasOnePane),
    bind("sort", &[char('s')], Action::Compare(CompareAction::Sort), "sort", "sort by the next column")
        .when(Condition::OnComparedRun),
    bind("reverse", &[char('S')], Action::Compare(CompareAction::Reverse), "", "sort the other way round"),
    bind(
        "search",
        &[char('/')],
        Action::Filter(FilterAction::Start),
        "filter",
        "show only what contains a text; status:, task: and model: look there only",
    )
    .when(Condition::HasPastRuns),
    bind(
        "same_task",
        &[char('t')],
        Action::Compare(CompareAction::Match(Facet::Task)),
        "",
        "only runs of the same task, or all again",
    )
    .when(Condition::OnComparedRun),
    bind(
        "same_model",
        &[char('m')],
        Action::Compare(CompareAction::Match(Facet::Model)),
        "",
        "only runs of the same model, or all again",
    )
    .when(Condition::OnComparedRun),
    bind(
        "same_status",
        &[char('u')],
        Action::Compare(CompareAction::Match(Facet::Status)),
        "",
        "only runs of the same status, or all again",
    )
    .when(Condition::OnComparedRun),
    bind(
        "mark_all",
        &[char('*')],
        Action::Compare(CompareAction::MarkAll),
        "",
        "mark every run that is shown, up to a hundred",
    ),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "the seeds of a run as a band of mean and standard deviation, or each as a curve of its own",
    )
    .when(Condition::HasMarkedSeeds),
    bind("clear_marks", &[char('c')], Action::Compare(CompareAction::ClearMarks), "", "take all marks away")
        .when(Condition::HasMarks),
    bind(
        "open",
        ENTER,
        Action::Compare(CompareAction::Open),
        "",
        "show everything of the run under the cursor",
    )
    .when(Condition::OnComparedRun),
    bind("up", UP, Action::List(ListAction::Up), "", "one line up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one line down"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first line"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last line"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Compare(CompareAction::Refresh), "", "look for new runs"),
    bind(
        "back",
        ESC,
        Action::Compare(CompareAction::Back),
        "",
        "take the reading cursor away, or the zoom, or the filter; then back",
    ),
];
