//! Keys of the Sweep screen, which also has the scores of a sweep of tasks.

use super::row::{ENTER, ESC, Row, TAB, bind, char, key};
use crate::tui::action::{Action, GlobalAction, SweepAction};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of the table of trials and its charts.
pub(super) static SWEEP: &[Row] = &[
    bind(
        "open",
        ENTER,
        Action::Sweep(SweepAction::Open),
        "open",
        "open the run of the trial on the Live screen",
    )
    .primary()
    .when(Condition::OnStartedTrial),
    bind(
        "next",
        TAB,
        Action::Sweep(SweepAction::NextChart),
        "chart",
        "next chart: score by key, best over time, over steps; in small terminals also the importance",
    )
    .when(Condition::HasTrialCharts),
    bind(
        "next_key",
        &[key(KeyCode::Right), char('l')],
        Action::Sweep(SweepAction::NextAxis),
        "key",
        "draw the scores against the next key",
    )
    .when(Condition::HasTrialCharts),
    bind(
        "previous_key",
        &[key(KeyCode::Left)],
        Action::Sweep(SweepAction::PreviousAxis),
        "",
        "draw the scores against the previous key",
    )
    .when(Condition::HasTrialCharts),
    bind("sort", &[char('s')], Action::Sweep(SweepAction::Sort), "sort", "sort by the next column")
        .when(Condition::HasTrialCharts),
    bind("reverse", &[char('S')], Action::Sweep(SweepAction::Reverse), "", "reverse the order")
        .when(Condition::HasTrialCharts),
    bind(
        "group",
        &[char('b')],
        Action::Sweep(SweepAction::Group),
        "group",
        "group by the next key, or by none",
    )
    .when(Condition::HasTrialCharts),
    bind(
        "winner",
        &[char('n')],
        Action::Sweep(SweepAction::TrainWinner),
        "winner",
        "train the best trial with several new seeds; asks how many",
    )
    .when(Condition::HasWinner),
    bind(
        "queue",
        &[char('a')],
        Action::Sweep(SweepAction::Resume),
        "queue",
        "add the sweep to the queue, which trains what is left of it",
    )
    .when(Condition::HasSweep),
    bind(
        "export",
        &[char('E')],
        Action::Global(GlobalAction::Export),
        "export",
        "export the submission to GLUE's leaderboard",
    )
    .when(Condition::HasScoreboard),
    bind("refresh", &[key(KeyCode::F(5))], Action::Sweep(SweepAction::Refresh), "", "read the sweep again"),
    bind("back", ESC, Action::Sweep(SweepAction::Back), "back", "back to the Runs screen").primary(),
];
