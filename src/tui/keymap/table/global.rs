//! Keys of every screen.

use super::row::{Row, alt, bind, char, ctrl, key};
use crate::tui::action::{Action, GlobalAction};
use crate::tui::keymap::condition::Condition;
use crate::tui::screen::Screen;
use crossterm::event::KeyCode;

/// The bindings of every screen; those of the current context take precedence.
pub(super) static GLOBAL: &[Row] = &[
    bind(
        "show_runs",
        &[char('1'), alt('1')],
        Action::Global(GlobalAction::GoTo(Screen::Runs)),
        "",
        "show the Runs screen",
    ),
    bind(
        "show_live",
        &[char('2'), alt('2')],
        Action::Global(GlobalAction::GoTo(Screen::Live)),
        "",
        "show the Live screen",
    ),
    bind(
        "show_infer",
        &[char('3'), alt('3')],
        Action::Global(GlobalAction::GoTo(Screen::Infer)),
        "",
        "show the Infer screen",
    ),
    bind(
        "show_compare",
        &[char('4'), alt('4')],
        Action::Global(GlobalAction::GoTo(Screen::Compare)),
        "",
        "show the Compare screen",
    ),
    bind(
        "commands",
        &[char(':'), key(KeyCode::F(4))],
        Action::Global(GlobalAction::Palette),
        "commands",
        "search every action, setting, experiment and run (F4 also while typing)",
    )
    .primary(),
    bind(
        "help",
        &[char('?'), key(KeyCode::F(1))],
        Action::Global(GlobalAction::Help),
        "help",
        "show all keys",
    )
    .primary(),
    bind(
        "quit",
        &[char('q'), ctrl('c')],
        Action::Global(GlobalAction::Quit),
        "quit",
        "quit; asks for confirmation while a run is being trained",
    )
    .primary(),
    bind(
        "next_theme",
        &[char('T'), key(KeyCode::F(2))],
        Action::Global(GlobalAction::NextTheme),
        "",
        "switch to the next theme and save the choice (F2 also while typing)",
    ),
    bind(
        "mouse",
        &[char('M'), key(KeyCode::F(3))],
        Action::Global(GlobalAction::ToggleMouse),
        "",
        "toggle mouse support; without it the terminal selects text (F3 also while typing)",
    ),
    bind(
        "copy_selection",
        &[char('Y'), ctrl('y')],
        Action::Global(GlobalAction::Copy),
        "",
        "copy the selection: path, values at the cursor, text or prediction (^Y also while typing)",
    ),
    bind(
        "cancel_work",
        &[ctrl('x')],
        Action::Global(GlobalAction::CancelWork),
        "cancel",
        "cancel the upload, the download of GLUE or the export of predictions that is in progress",
    )
    .when(Condition::IsWorking),
    bind("redraw", &[ctrl('l')], Action::Global(GlobalAction::Redraw), "", "redraw"),
    bind(
        "suspend",
        &[ctrl('z')],
        Action::Global(GlobalAction::Suspend),
        "",
        "suspend to the shell; fg resumes (training is suspended too)",
    ),
];
