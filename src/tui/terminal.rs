//! Takes the terminal and gives it back whole: at the end, after a panic, before a signal ends the program.

use super::theme::{ColorDepth, Theme};
use crate::error::{Error, Result};
use crate::text::harmless;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};
use std::io::{IsTerminal, Stdout, Write, stdin, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

/// Whether the terminal is ours now. It is a state of the process, as the terminal is.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether the terminal tells what the mouse does.
static TELLS_MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct TerminalScreen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl TerminalScreen {
    /// Takes the terminal.
    pub fn take(theme: Theme) -> Result<TerminalScreen> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Error::Usage(
                "the interface needs a terminal; without one use `glue-tui train NAME`, `glue-tui runs` or `glue-tui predict`"
                    .into(),
            ));
        }
        if theme.palette == ColorDepth::None {
            // With NO_COLOR set, crossterm would drop bold and reverse together with the colours,
            // though the theme has none.
            crossterm::style::force_color_output(true);
        }
        hook_panics(std::thread::current().id());
        take().map_err(trouble)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(trouble)?;
        Ok(TerminalScreen { terminal })
    }

    /// Draws a frame in one piece.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate).map_err(trouble)?;
        let drawn = self.terminal.draw(draw).map(|_| ());
        execute!(stdout(), EndSynchronizedUpdate).map_err(trouble)?;
        drawn.map_err(trouble)
    }

    /// Forgets what is on the screen, so that the next frame draws all of it.
    pub fn clear(&mut self) -> Result<()> {
        // `Terminal::clear` would ask the terminal where the cursor is, and the thread that reads keys
        // would take the answer. A resize to the same size clears without asking.
        let size = self.terminal.size().map_err(trouble)?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(trouble)
    }

    /// Rings, and lets a terminal that can (OSC 9) show `text` to somebody who looks elsewhere.
    /// One that cannot is only rung.
    pub fn notify(&self, text: &str, is_plain: bool) -> Result<()> {
        let notice = if is_plain { String::new() } else { format!("\x1b]9;{}\x1b\\", harmless(text)) };
        let mut out = stdout();
        out.write_all(format!("{notice}\x07").as_bytes()).and_then(|()| out.flush()).map_err(trouble)
    }

    /// Lets the terminal tell what the mouse does, or select text with it as it does without us.
    pub fn listen_to_mouse(&mut self, is_on: bool) -> Result<()> {
        TELLS_MOUSE.store(is_on, Ordering::SeqCst);
        if is_on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
            .map_err(trouble)
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((0, 0), |size| (size.width, size.height))
    }

    /// Gives the terminal to the shell and sleeps until the shell wakes the program up.
    pub fn sleep(&mut self) -> Result<()> {
        give_back();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP).map_err(trouble)?;
        take().map_err(trouble)?;
        if TELLS_MOUSE.load(Ordering::SeqCst) {
            self.listen_to_mouse(true)?;
        }
        self.clear()
    }
}

impl Drop for TerminalScreen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> std::io::Result<()> {
    IS_TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back as it was. Does nothing when it is not ours; goes on past errors, as the
/// terminal may be gone.
pub fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        if TELLS_MOUSE.load(Ordering::SeqCst) {
            execute!(stdout(), DisableMouseCapture).ok();
        }
        execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show).ok();
        disable_raw_mode().ok();
    }
}

/// After a panic of `drawing`, gives the terminal back before the panic is told. A panic of another
/// thread is caught there and becomes an event or a message; its text must not smear the screen.
fn hook_panics(drawing: ThreadId) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == drawing {
                give_back();
            }
            if !IS_TAKEN.load(Ordering::SeqCst) {
                before(panic);
            }
        }));
    });
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` wants")]
fn trouble(error: std::io::Error) -> Error {
    Error::Usage(format!("cannot use this terminal: {error}"))
}
