//! Keys of the table of runs to compare.

use super::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::keymap::condition::{has_marked_seeds, has_marks, has_one_pane, has_past_runs, on_compared};
use crate::tui::msg::Action;
use crate::tui::screens::compare::Facet;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The table.
pub(super) static COMPARE: &[Row] = &[
    bind(
        "mark",
        &[char(' ')],
        Action::Mark,
        "mark",
        "lay the curves of the run under the cursor beside the others, or take them away",
    )
    .when(on_compared),
    bind("next", TAB, Action::Next, "values", "other values: losses, scores, learning rate, gradients")
        .when(has_marks),
    bind(
        "differences",
        &[char('d')],
        Action::Differences,
        "differences",
        "what differs in the specifications, or the curves again",
    )
    .when(has_one_pane),
    bind("sort", &[char('s')], Action::Sort, "sort", "sort by the next column").when(on_compared),
    bind("reverse", &[char('S')], Action::Reverse, "", "sort the other way round"),
    bind(
        "search",
        &[char('/')],
        Action::Filter,
        "filter",
        "show only what contains a text; status:, task: and model: look there only",
    )
    .when(has_past_runs),
    bind(
        "same_task",
        &[char('t')],
        Action::Same(Facet::Task),
        "",
        "only runs of the same task, or all again",
    )
    .when(on_compared),
    bind(
        "same_model",
        &[char('m')],
        Action::Same(Facet::Model),
        "",
        "only runs of the same model, or all again",
    )
    .when(on_compared),
    bind(
        "same_status",
        &[char('u')],
        Action::Same(Facet::Status),
        "",
        "only runs of the same status, or all again",
    )
    .when(on_compared),
    bind("mark_all", &[char('*')], Action::MarkAll, "", "mark every run that is shown, up to a hundred"),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "the seeds of a run as a band of mean and standard deviation, or each as a curve of its own",
    )
    .when(has_marked_seeds),
    bind("clear_marks", &[char('c')], Action::ClearMarks, "", "take all marks away").when(has_marks),
    bind("open", ENTER, Action::Enter, "", "show everything of the run under the cursor").when(on_compared),
    bind("up", UP, Action::Up, "", "one line up"),
    bind("down", DOWN, Action::Down, "", "one line down"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind("first", FIRST, Action::First, "", "to the first line"),
    bind("last", LAST, Action::Last, "", "to the last line"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Refresh, "", "look for new runs"),
    bind(
        "back",
        ESC,
        Action::Back,
        "",
        "take the reading cursor away, or the zoom, or the filter; then back",
    ),
];
