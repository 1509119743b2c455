//! Keys of the curves of one run.

use super::row::{DOWN, ESC, LAST, Row, TAB, UP, bind, char, key};
use crate::event::Command;
use crate::tui::action::{Action, GlobalAction, ListAction, LiveAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::screen::Screen;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The curves.
pub(super) static LIVE: &[Row] = &[
    bind(
        "pause",
        &[char(' ')],
        Action::Live(LiveAction::Send(Command::Pause)),
        "pause",
        "pause the training",
    )
    .when(Condition::IsRunning),
    bind(
        "pause",
        &[char(' ')],
        Action::Live(LiveAction::Send(Command::Resume)),
        "go on",
        "go on with the paused training",
    )
    .when(Condition::IsPaused),
    bind(
        "eval",
        &[char('v')],
        Action::Live(LiveAction::Send(Command::Eval)),
        "eval",
        "score the validation split now; it changes nothing",
    )
    .when(Condition::IsControllable),
    bind(
        "save",
        &[char('s')],
        Action::Live(LiveAction::Send(Command::Save)),
        "save",
        "write a checkpoint now",
    )
    .when(Condition::IsControllable),
    bind(
        "stop",
        &[char('x')],
        Action::Live(LiveAction::Stop),
        "stop",
        "stop the training; the work is saved",
    )
    .when(Condition::IsControllable),
    bind(
        "open_infer",
        &[char('i')],
        Action::Live(LiveAction::OpenInfer),
        "infer",
        "type sentences into the weights of this run",
    )
    .when(Condition::HasRun),
    bind(
        "open_insight",
        &[char('w')],
        Action::Live(LiveAction::OpenInsight),
        "insight",
        "what the run gets right and wrong, row by row",
    )
    .when(Condition::HasRun),
    bind(
        "learning_rate",
        &[char('l')],
        Action::Live(LiveAction::SetLearningRate),
        "rate",
        "halve or set the learning rate from here on",
    )
    .when(Condition::IsControllable),
    bind(
        "length",
        &[char('e')],
        Action::Live(LiveAction::SetLength),
        "length",
        "train longer or shorter than planned, or end here",
    )
    .when(Condition::IsControllable),
    bind("next", TAB, Action::Live(LiveAction::NextChart), "chart", "the other chart")
        .when(Condition::HasOneChart),
    bind(
        "full_chart",
        &[char('f')],
        Action::Live(LiveAction::ToggleFullChart),
        "full chart",
        "one chart over the whole screen, to look closer at",
    )
    .when(Condition::HasPanes),
    bind(
        "full_chart",
        &[char('f')],
        Action::Live(LiveAction::ToggleFullChart),
        "all panes",
        "all panes again",
    )
    .when(Condition::IsFullChart),
    bind(
        "seed_before",
        &[key(KeyCode::Left), char('[')],
        Action::Live(LiveAction::PreviousSeed),
        "seed",
        "the seed before",
    )
    .when(Condition::HasSeeds),
    bind(
        "seed_after",
        &[key(KeyCode::Right), char(']')],
        Action::Live(LiveAction::NextSeed),
        "",
        "the seed after",
    )
    .when(Condition::HasSeeds),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "all seeds as a band of mean and deviation behind this one, or this one alone",
    )
    .when(Condition::HasSeeds),
    bind("up", UP, Action::List(ListAction::Up), "", "earlier lines of the log"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "later lines of the log"),
    bind("last", LAST, Action::List(ListAction::Last), "", "the newest lines of the log"),
    bind("back", ESC, Action::Live(LiveAction::Back), "back", "back to the runs")
        .when(Condition::CanLeaveLive),
    bind(
        "open_machine",
        &[char('m')],
        Action::Global(GlobalAction::GoTo(Screen::Machine)),
        "machine",
        "where the time goes, and what processor, memory and GPUs do",
    )
    .when(Condition::HasRun),
];
