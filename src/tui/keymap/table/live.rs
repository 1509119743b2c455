//! Keys of the curves of one run.

use super::{DOWN, ESC, LAST, Row, TAB, UP, bind, char, key};
use crate::event::Command;
use crate::tui::app::Tab;
use crate::tui::keymap::condition::{
    has_one_chart, has_panes, has_run, has_seeds, is_full, is_going, is_paused, is_training, is_viewing,
};
use crate::tui::msg::Action;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The curves.
pub(super) static LIVE: &[Row] = &[
    bind("pause", &[char(' ')], Action::Tell(Command::Pause), "pause", "pause the training").when(is_going),
    bind("pause", &[char(' ')], Action::Tell(Command::Resume), "go on", "go on with the paused training")
        .when(is_paused),
    bind(
        "eval",
        &[char('v')],
        Action::Tell(Command::Eval),
        "eval",
        "score the validation split now; it changes nothing",
    )
    .when(is_training),
    bind("save", &[char('s')], Action::Tell(Command::Save), "save", "write a checkpoint now")
        .when(is_training),
    bind("stop", &[char('x')], Action::StopRun, "stop", "stop the training; the work is saved")
        .when(is_training),
    bind("open_infer", &[char('i')], Action::Infer, "infer", "type sentences into the weights of this run")
        .when(has_run),
    bind(
        "open_insight",
        &[char('w')],
        Action::Insight,
        "insight",
        "what the run gets right and wrong, row by row",
    )
    .when(has_run),
    bind(
        "learning_rate",
        &[char('l')],
        Action::LearningRate,
        "rate",
        "halve or set the learning rate from here on",
    )
    .when(is_training),
    bind(
        "length",
        &[char('e')],
        Action::Length,
        "length",
        "train longer or shorter than planned, or end here",
    )
    .when(is_training),
    bind("next", TAB, Action::Next, "chart", "the other chart").when(has_one_chart),
    bind(
        "full_chart",
        &[char('f')],
        Action::FullChart,
        "full chart",
        "one chart over the whole screen, to look closer at",
    )
    .when(has_panes),
    bind("full_chart", &[char('f')], Action::FullChart, "all panes", "all panes again").when(is_full),
    bind("seed_before", &[key(KeyCode::Left), char('[')], Action::SeedBefore, "seed", "the seed before")
        .when(has_seeds),
    bind("seed_after", &[key(KeyCode::Right), char(']')], Action::SeedAfter, "", "the seed after")
        .when(has_seeds),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "all seeds as a band of mean and deviation behind this one, or this one alone",
    )
    .when(has_seeds),
    bind("up", UP, Action::Up, "", "earlier lines of the log"),
    bind("down", DOWN, Action::Down, "", "later lines of the log"),
    bind("last", LAST, Action::Last, "", "the newest lines of the log"),
    bind("back", ESC, Action::Back, "back", "back to the runs").when(is_viewing),
    bind(
        "open_machine",
        &[char('m')],
        Action::Go(Tab::Machine),
        "machine",
        "where the time goes, and what processor, memory and GPUs do",
    )
    .when(has_run),
];
