//! Keys that mean the same on every screen.

use super::{Row, alt, bind, char, ctrl, key};
use crate::tui::app::Tab;
use crate::tui::msg::Action;
use crossterm::event::KeyCode;

/// Whatever has no meaning of its own for the key.
pub(super) static EVERYWHERE: &[Row] = &[
    bind("show_runs", &[char('1'), alt('1')], Action::Go(Tab::Runs), "", "the Runs screen"),
    bind("show_live", &[char('2'), alt('2')], Action::Go(Tab::Live), "", "the Live screen"),
    bind("show_infer", &[char('3'), alt('3')], Action::Go(Tab::Infer), "", "the Infer screen"),
    bind("show_compare", &[char('4'), alt('4')], Action::Go(Tab::Compare), "", "the Compare screen"),
    bind("help", &[char('?'), key(KeyCode::F(1))], Action::Help, "help", "all keys"),
    bind("quit", &[char('q'), ctrl('c')], Action::Quit, "quit", "quit; asks while a run is being trained"),
    bind(
        "next_theme",
        &[char('T'), key(KeyCode::F(2))],
        Action::NextTheme,
        "",
        "the next theme; the choice is kept (F2 also while typing)",
    ),
    bind(
        "mouse",
        &[char('M'), key(KeyCode::F(3))],
        Action::Mouse,
        "",
        "listen to the mouse, or leave it to the terminal, which selects text (F3 also while typing)",
    ),
    bind("redraw", &[ctrl('l')], Action::Redraw, "", "draw everything anew"),
    bind(
        "suspend",
        &[ctrl('z')],
        Action::Suspend,
        "",
        "back to the shell; fg comes back (a training waits too)",
    ),
];
