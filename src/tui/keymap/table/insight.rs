//! Keys of what a run gets right and wrong.

use super::row::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::action::{Action, InsightAction, ListAction, RowList};
use crate::tui::keymap::condition::Condition;
use crossterm::event::KeyCode;

/// The matrix and the rows.
pub(super) static INSIGHT: &[Row] = &[
    bind(
        "open",
        ENTER,
        Action::Insight(InsightAction::Open),
        "open",
        "the rows of the cell, or all of the row, under the cursor",
    )
    .when(Condition::HasPredictions),
    bind(
        "next",
        TAB,
        Action::Insight(InsightAction::SwitchPane),
        "matrix, rows",
        "from the matrix to the rows and back",
    )
    .when(Condition::HasMatrix),
    bind(
        "hardest",
        &[char('h')],
        Action::Insight(InsightAction::List(RowList::Hardest)),
        "hardest",
        "the rows with the highest loss",
    )
    .when(Condition::HasPredictions),
    bind(
        "mislabelled",
        &[char('m')],
        Action::Insight(InsightAction::List(RowList::Mislabelled)),
        "mislabelled",
        "the rows that are likely mislabelled: the model says another label all along",
    )
    .when(Condition::HasMatrix),
    bind(
        "all_seeds",
        &[char('a')],
        Action::Insight(InsightAction::List(RowList::CrossSeed)),
        "all seeds",
        "the rows that most seeds get wrong",
    )
    .when(Condition::HasInsightSeeds),
    bind(
        "open_infer",
        &[char('i')],
        Action::Insight(InsightAction::OpenInfer),
        "infer",
        "type the row under the cursor into the weights of the run, to see what the answer rests on",
    )
    .when(Condition::OnRowWithText),
    bind(
        "seed_before",
        &[char('[')],
        Action::Insight(InsightAction::PreviousSeed),
        "seed",
        "the seed before",
    )
    .when(Condition::HasInsightSeeds),
    bind("seed_after", &[char(']')], Action::Insight(InsightAction::NextSeed), "", "the seed after")
        .when(Condition::HasInsightSeeds),
    bind(
        "evaluation_before",
        &[char('<'), char(',')],
        Action::Insight(InsightAction::PreviousEvaluation),
        "evaluation",
        "the evaluation before",
    )
    .when(Condition::HasPredictions),
    bind(
        "evaluation_after",
        &[char('>'), char('.')],
        Action::Insight(InsightAction::NextEvaluation),
        "",
        "the evaluation after",
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
    bind("refresh", &[key(KeyCode::F(5))], Action::Insight(InsightAction::Refresh), "", "read the run again"),
    bind(
        "back",
        ESC,
        Action::Insight(InsightAction::Back),
        "back",
        "back to the matrix, or to the screen before",
    ),
];
