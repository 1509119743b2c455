//! Keys of the Insight screen.

use super::row::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::action::{Action, InsightAction, ListAction, RowList};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The bindings of the matrix and the rows.
pub(super) static INSIGHT: &[Row] = &[
    bind(
        "open",
        ENTER,
        Action::Insight(InsightAction::Open),
        "open",
        "list the rows of the cell, or show the details of the row",
    )
    .primary()
    .when(Condition::HasPredictions),
    bind(
        "next",
        TAB,
        Action::Insight(InsightAction::SwitchPane),
        "matrix, rows",
        "switch between matrix and rows",
    )
    .when(Condition::HasMatrix),
    bind(
        "hardest",
        &[char('h')],
        Action::Insight(InsightAction::List(RowList::Hardest)),
        "hardest",
        "list the rows with the highest loss",
    )
    .when(Condition::HasPredictions),
    bind(
        "mislabelled",
        &[char('m')],
        Action::Insight(InsightAction::List(RowList::LabelIssues)),
        "label errors",
        "list likely label errors: rows that the model predicts differently at every evaluation",
    )
    .when(Condition::HasMatrix),
    bind(
        "all_seeds",
        &[char('a')],
        Action::Insight(InsightAction::List(RowList::CrossSeed)),
        "all seeds",
        "list the rows that most seeds predict wrongly",
    )
    .when(Condition::HasInsightSeeds),
    bind(
        "thresholds",
        &[char('t')],
        Action::Insight(InsightAction::Thresholds),
        "thresholds",
        "precision and recall of a label by its threshold; left and right select the label",
    )
    .when(Condition::HasThresholds),
    bind(
        "open_infer",
        &[char('i')],
        Action::Insight(InsightAction::OpenInfer),
        "infer",
        "open the row on the Infer screen, to see its word attributions",
    )
    .when(Condition::OnRowWithText),
    bind("seed_before", &[char('[')], Action::Insight(InsightAction::PreviousSeed), "seed", "previous seed")
        .when(Condition::HasInsightSeeds),
    bind("seed_after", &[char(']')], Action::Insight(InsightAction::NextSeed), "", "next seed")
        .when(Condition::HasInsightSeeds),
    bind(
        "evaluation_before",
        &[char('<'), char(',')],
        Action::Insight(InsightAction::PreviousEvaluation),
        "evaluation",
        "previous evaluation",
    )
    .when(Condition::HasPredictions),
    bind(
        "evaluation_after",
        &[char('>'), char('.')],
        Action::Insight(InsightAction::NextEvaluation),
        "",
        "next evaluation",
    )
    .when(Condition::HasPredictions),
    bind("up", UP, Action::List(ListAction::Up), "", "one cell or line up"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "one cell or line down"),
    bind("left", &[key(KeyCode::Left)], Action::Insight(InsightAction::Left), "", "one cell to the left"),
    bind("right", &[key(KeyCode::Right)], Action::Insight(InsightAction::Right), "", "one cell to the right"),
    bind("page_up", PAGE_UP, Action::List(ListAction::PageUp), "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::List(ListAction::PageDown), "", "ten lines down"),
    bind("first", FIRST, Action::List(ListAction::First), "", "to the first line"),
    bind("last", LAST, Action::List(ListAction::Last), "", "to the last line"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Insight(InsightAction::Refresh), "", "reload the run"),
    bind(
        "back",
        ESC,
        Action::Insight(InsightAction::Back),
        "back",
        "back to the matrix, or to the previous screen",
    ),
];
