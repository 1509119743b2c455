//! Keys of what a run gets right and wrong.

use super::{DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, bind, char, key};
use crate::tui::keymap::condition::{has_judged_rows, has_matrix, has_seed_rows, has_text_row};
use crate::tui::msg::Action;
use crate::tui::screens::insight::Listed;
use crossterm::event::KeyCode;

/// The matrix and the rows.
pub(super) static INSIGHT: &[Row] = &[
    bind("open", ENTER, Action::Enter, "open", "the rows of the cell, or all of the row, under the cursor")
        .when(has_judged_rows),
    bind("next", TAB, Action::Next, "matrix, rows", "from the matrix to the rows and back").when(has_matrix),
    bind("hardest", &[char('h')], Action::List(Listed::Hardest), "hardest", "the rows with the highest loss")
        .when(has_judged_rows),
    bind(
        "mislabelled",
        &[char('m')],
        Action::List(Listed::Mislabelled),
        "mislabelled",
        "the rows that are likely mislabelled: the model says another label all along",
    )
    .when(has_matrix),
    bind(
        "all_seeds",
        &[char('a')],
        Action::List(Listed::CrossSeed),
        "all seeds",
        "the rows that most seeds get wrong",
    )
    .when(has_seed_rows),
    bind(
        "open_infer",
        &[char('i')],
        Action::Infer,
        "infer",
        "type the row under the cursor into the weights of the run, to see what the answer rests on",
    )
    .when(has_text_row),
    bind("seed_before", &[char('[')], Action::SeedBefore, "seed", "the seed before").when(has_seed_rows),
    bind("seed_after", &[char(']')], Action::SeedAfter, "", "the seed after").when(has_seed_rows),
    bind("evaluation_before", &[char('<'), char(',')], Action::Before, "evaluation", "the evaluation before")
        .when(has_judged_rows),
    bind("evaluation_after", &[char('>'), char('.')], Action::After, "", "the evaluation after")
        .when(has_judged_rows),
    bind("up", UP, Action::Up, "", "one cell or line up"),
    bind("down", DOWN, Action::Down, "", "one cell or line down"),
    bind("left", &[key(KeyCode::Left)], Action::Left, "", "one cell to the left"),
    bind("right", &[key(KeyCode::Right)], Action::Right, "", "one cell to the right"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind("first", FIRST, Action::First, "", "to the first line"),
    bind("last", LAST, Action::Last, "", "to the last line"),
    bind("refresh", &[key(KeyCode::F(5))], Action::Refresh, "", "read the run again"),
    bind("back", ESC, Action::Back, "back", "back to the matrix, or to the screen before"),
];
