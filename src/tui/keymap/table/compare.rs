//! Keys of the Compare screen.

use super::row::{ENTER, ESC, Row, TAB, bind, char, key};
use crate::tui::action::{Action, CompareAction, Facet, FilterAction, GlobalAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The bindings of the table of runs.
pub(super) static COMPARE: &[Row] = &[
    bind(
        "mark",
        &[char(' ')],
        Action::Compare(CompareAction::ToggleMark),
        "mark",
        "mark the run to draw its curves, or unmark it",
    )
    .primary()
    .when(Condition::OnComparedRun),
    bind(
        "next",
        TAB,
        Action::Compare(CompareAction::NextQuantity),
        "values",
        "next values: losses, score, learning rate, gradient norm",
    )
    .when(Condition::HasMarks),
    bind(
        "differences",
        &[char('d')],
        Action::Compare(CompareAction::ToggleDifferences),
        "differences",
        "show the differences of the specifications, or the curves",
    )
    .when(Condition::HasOnePane),
    bind(
        "add_seeds",
        &[char('n')],
        Action::Compare(CompareAction::AddSeeds),
        "more seeds",
        "queue the seeds that decide between the two marked runs, and remove the rest once decided",
    )
    .when(Condition::IsUndecided),
    bind("sort", &[char('s')], Action::Compare(CompareAction::Sort), "sort", "sort by the next column")
        .when(Condition::OnComparedRun),
    bind("reverse", &[char('S')], Action::Compare(CompareAction::Reverse), "", "reverse the order"),
    bind(
        "search",
        &[char('/')],
        Action::Filter(FilterAction::Start),
        "filter",
        "filter by words, tags, settings and scores: #tag, batch=32, accuracy>0.9, -word",
    )
    .when(Condition::HasPastRuns),
    bind(
        "same_task",
        &[char('t')],
        Action::Compare(CompareAction::Match(Facet::Task)),
        "",
        "show only runs of the same task, or all runs",
    )
    .when(Condition::OnComparedRun),
    bind(
        "same_model",
        &[char('m')],
        Action::Compare(CompareAction::Match(Facet::Model)),
        "",
        "show only runs of the same model, or all runs",
    )
    .when(Condition::OnComparedRun),
    bind(
        "same_status",
        &[char('u')],
        Action::Compare(CompareAction::Match(Facet::Status)),
        "",
        "show only runs of the same status, or all runs",
    )
    .when(Condition::OnComparedRun),
    bind(
        "mark_all",
        &[char('*')],
        Action::Compare(CompareAction::MarkAll),
        "",
        "mark every listed run, up to 100",
    ),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "toggle between a band (mean and standard deviation over the seeds) and a curve for each seed",
    )
    .when(Condition::HasMarkedSeeds),
    bind("export", &[char('E')], Action::Global(GlobalAction::Export), "", "export the chart as SVG or CSV")
        .when(Condition::HasMarks),
    bind("clear_marks", &[char('c')], Action::Compare(CompareAction::ClearMarks), "", "clear all marks")
        .when(Condition::HasMarks),
    bind("open", ENTER, Action::Compare(CompareAction::Open), "", "open the run on the Live screen")
        .when(Condition::OnComparedRun),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Compare(CompareAction::Refresh),
        "",
        "refresh the list of runs",
    ),
    bind(
        "back",
        ESC,
        Action::Compare(CompareAction::Back),
        "",
        "clear the chart cursor, the zoom or the filter; then go back",
    ),
];
