//! Keys that mean the same on every screen.

use super::row::{Row, alt, bind, char, ctrl, key};
use crate::tui::action::{Action, GlobalAction};
use crate::tui::screen::Screen;
use crossterm::event::KeyCode;

/// Whatever has no meaning of its own for the key.
pub(super) static GLOBAL: &[Row] = &[
    bind(
        "show_runs",
        &[char('1'), alt('1')],
        Action::Global(GlobalAction::GoTo(Screen::Runs)),
        "",
        "the Runs screen",
    ),
    bind(
        "show_live",
        &[char('2'), alt('2')],
        Action::Global(GlobalAction::GoTo(Screen::Live)),
        "",
        "the Live screen",
    ),
    bind(
        "show_infer",
        &[char('3'), alt('3')],
        Action::Global(GlobalAction::GoTo(Screen::Infer)),
        "",
        "the Infer screen",
    ),
    bind(
        "show_compare",
        &[char('4'), alt('4')],
        Action::Global(GlobalAction::GoTo(Screen::Compare)),
        "",
        "the Compare screen",
    ),
    bind("help", &[char('?'), key(KeyCode::F(1))], Action::Global(GlobalAction::Help), "help", "all keys"),
    bind(
        "quit",
        &[char('q'), ctrl('c')],
        Action::Global(GlobalAction::Quit),
        "quit",
        "quit; asks while a run is being trained",
    ),
    bind(
        "next_theme",
        &[char('T'), key(KeyCode::F(2))],
        Action::Global(GlobalAction::NextTheme),
        "",
        "the next theme; the choice is kept (F2 also while typing)",
    ),
    bind(
        "mouse",
        &[char('M'), key(KeyCode::F(3))],
        Action::Global(GlobalAction::ToggleMouse),
        "",
        "listen to the mouse, or leave it to the terminal, which selects text (F3 also while typing)",
    ),
    bind("redraw", &[ctrl('l')], Action::Global(GlobalAction::Redraw), "", "draw everything anew"),
    bind(
        "suspend",
        &[ctrl('z')],
        Action::Global(GlobalAction::Suspend),
        "",
        "back to the shell; fg comes back (a training waits too)",
    ),
];
