//! Keys of the Live screen.

use super::row::{DISCARD, DOWN, ESC, LAST, Row, TAB, UP, bind, char, key};
use crate::event::Command;
use crate::tui::action::{Action, GlobalAction, ListAction, LiveAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::screen::Screen;
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::KeyCode;

/// The bindings of the Live screen.
pub(super) static LIVE: &[Row] = &[
    bind(
        "pause",
        &[char(' ')],
        Action::Live(LiveAction::Send(Command::Pause)),
        "pause",
        "pause the training",
    )
    .primary()
    .when(Condition::IsRunning),
    bind(
        "pause",
        &[char(' ')],
        Action::Live(LiveAction::Send(Command::Resume)),
        "resume",
        "resume the paused training",
    )
    .primary()
    .when(Condition::IsPaused),
    bind(
        "eval",
        &[char('v')],
        Action::Live(LiveAction::Send(Command::Eval)),
        "eval",
        "evaluate on the validation split now; training is not affected",
    )
    .when(Condition::IsControllable),
    bind(
        "save",
        &[char('s')],
        Action::Live(LiveAction::Send(Command::Save)),
        "save",
        "save a checkpoint now",
    )
    .when(Condition::IsControllable),
    bind(
        "stop",
        &[char('x')],
        Action::Live(LiveAction::Stop),
        "stop",
        "stop the training and save a checkpoint",
    )
    .when(Condition::IsControllable),
    bind(
        "try_suggestion",
        &[char('!')],
        Action::Live(LiveAction::TrySuggestion),
        "try",
        "train again with the settings that the diagnosis of the run suggests",
    )
    .when(Condition::HasSuggestion),
    bind(
        "resume",
        &[char('r')],
        Action::Live(LiveAction::Resume),
        "resume",
        "resume the run from its last checkpoint",
    )
    .primary()
    .when(Condition::IsResumable),
    bind("discard", &[char('u')], Action::Live(LiveAction::Discard), "discard", DISCARD)
        .primary()
        .when(Condition::IsDiscardable),
    bind(
        "open_infer",
        &[char('i')],
        Action::Live(LiveAction::OpenInfer),
        "infer",
        "open the model of this run on the Infer screen",
    )
    .when(Condition::HasRun),
    bind(
        "open_insight",
        &[char('w')],
        Action::Live(LiveAction::OpenInsight),
        "insight",
        "analyze the errors of the run, row by row",
    )
    .when(Condition::HasRun),
    bind(
        "learning_rate",
        &[char('l')],
        Action::Live(LiveAction::SetLearningRate),
        "rate",
        "change the learning rate from the next step on",
    )
    .when(Condition::IsControllable),
    bind(
        "length",
        &[char('e')],
        Action::Live(LiveAction::SetLength),
        "length",
        "change the number of epochs or steps, or finish now",
    )
    .when(Condition::IsControllable),
    bind(
        "next",
        TAB,
        Action::Live(LiveAction::NextChart),
        "chart",
        "show the next chart: loss, score, learning rate, gradient norm, tokens per second",
    )
    .when(Condition::HasOneChart),
    bind(
        "full_chart",
        &[char('f')],
        Action::Live(LiveAction::ToggleFullChart),
        "full chart",
        "show one chart on the whole screen, with cursor and zoom",
    )
    .when(Condition::HasPanes),
    bind(
        "full_chart",
        &[char('f')],
        Action::Live(LiveAction::ToggleFullChart),
        "all panes",
        "show all panes",
    )
    .when(Condition::IsFullChart),
    bind(
        "seed_before",
        &[key(KeyCode::Left), char('[')],
        Action::Live(LiveAction::PreviousSeed),
        "seed",
        "previous seed",
    )
    .when(Condition::HasSeeds),
    bind(
        "seed_after",
        &[key(KeyCode::Right), char(']')],
        Action::Live(LiveAction::NextSeed),
        "",
        "next seed",
    )
    .when(Condition::HasSeeds),
    bind(
        "seeds",
        &[char('b')],
        Action::Chart(ChartKey::Seeds),
        "band",
        "toggle the band of mean and standard deviation over all seeds",
    )
    .when(Condition::HasSeeds),
    bind(
        "export",
        &[char('E')],
        Action::Global(GlobalAction::Export),
        "export",
        "export the model, metrics, a chart or predictions, or push the run to the hub",
    )
    .when(Condition::HasRun),
    bind("up", UP, Action::List(ListAction::Up), "", "scroll the log back"),
    bind("down", DOWN, Action::List(ListAction::Down), "", "scroll the log forward"),
    bind("last", LAST, Action::List(ListAction::Last), "", "scroll to the end of the log"),
    bind("back", ESC, Action::Live(LiveAction::Back), "back", "back to the Runs screen")
        .when(Condition::CanLeaveLive),
    bind(
        "open_machine",
        &[char('m')],
        Action::Global(GlobalAction::GoTo(Screen::Machine)),
        "machine",
        "show the Machine screen: step time, CPU, memory and GPUs",
    )
    .when(Condition::HasRun),
];
