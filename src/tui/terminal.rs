//! Sets up the terminal and restores it: at the end, after a panic, before a signal ends the program.

use super::background;
use super::theme::{ColorDepth, Theme};
use crate::error::{Error, Result};
use crate::terminal_reset;
use crate::text::sanitize;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};
use std::io::{IsTerminal, Stdout, Write, stdin, stdout};
use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

/// Whether the terminal reports mouse events.
static HAS_MOUSE_CAPTURE: AtomicBool = AtomicBool::new(false);

/// The terminal while the interface is open. Dropping it restores the terminal.
#[derive(Debug)]
pub struct TerminalScreen {
    /// Not dropped: ratatui would show the cursor, as [`restore`] does, and panic if the terminal is gone.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl TerminalScreen {
    /// Sets up the terminal.
    ///
    /// # Errors
    /// [`Error::Usage`] when standard input or output is not a terminal, or it cannot be used.
    pub fn open(theme: Theme) -> Result<TerminalScreen> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Error::Usage(
                "the interface needs a terminal; without one use `glue-tui train NAME`, `glue-tui runs` or `glue-tui predict`"
                    .into(),
            ));
        }
        if theme.color_depth == ColorDepth::None {
            // With NO_COLOR set, crossterm would drop bold and reverse as well. This theme has no colors.
            crossterm::style::force_color_output(true);
        }
        install_panic_hook(std::thread::current().id());
        set_up().map_err(terminal_error)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(terminal_error)?;
        Ok(TerminalScreen { terminal: ManuallyDrop::new(terminal) })
    }

    /// Draws a frame as one synchronized update.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate).map_err(terminal_error)?;
        let drawn = self.terminal.draw(draw).map(|_| ());
        execute!(stdout(), EndSynchronizedUpdate).map_err(terminal_error)?;
        drawn.map_err(terminal_error)
    }

    /// Makes the next frame redraw the whole screen.
    pub fn clear(&mut self) -> Result<()> {
        // `Terminal::clear` queries the cursor position, and the thread that reads keys would receive the answer. A
        // resize to the same size clears without a query.
        let size = self.terminal.size().map_err(terminal_error)?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(terminal_error)
    }

    /// Rings the bell and sends `text` as a desktop notification (OSC 9), which terminals without support ignore.
    pub fn notify(&self, text: &str, is_plain: bool) -> Result<()> {
        let notice = if is_plain { String::new() } else { format!("\x1b]9;{}\x1b\\", sanitize(text)) };
        let mut out = stdout();
        out.write_all(format!("{notice}\x07").as_bytes()).and_then(|()| out.flush()).map_err(terminal_error)
    }

    /// Asks the terminal for its background; see [`super::background`].
    #[expect(clippy::unused_self, reason = "the terminal must be set up")]
    pub(super) fn query_background(&self) -> Result<()> {
        let mut out = stdout();
        out.write_all(background::QUERY.as_bytes()).and_then(|()| out.flush()).map_err(terminal_error)
    }

    /// Copies `text` to the clipboard of the user with OSC 52.
    pub fn copy(&self, text: &str) -> Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text)).map_err(terminal_error)
    }

    /// Turns mouse events on or off. Without them the terminal selects text with the mouse.
    pub fn set_mouse_capture(&mut self, is_on: bool) -> Result<()> {
        HAS_MOUSE_CAPTURE.store(is_on, Ordering::SeqCst);
        if is_on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
            .map_err(terminal_error)
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((0, 0), |size| (size.width, size.height))
    }

    /// Restores the terminal, suspends the process, and sets the terminal up again when it continues.
    pub fn suspend(&mut self) -> Result<()> {
        restore();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)
            .map_err(terminal_error)?;
        set_up().map_err(terminal_error)?;
        if HAS_MOUSE_CAPTURE.load(Ordering::SeqCst) {
            self.set_mouse_capture(true)?;
        }
        self.clear()
    }
}

impl Drop for TerminalScreen {
    fn drop(&mut self) {
        restore();
    }
}

fn set_up() -> std::io::Result<()> {
    terminal_reset::changed();
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

/// Restores the terminal if it is set up. Ignores errors, because the terminal may be gone.
pub fn restore() {
    if terminal_reset::restored() {
        if HAS_MOUSE_CAPTURE.load(Ordering::SeqCst) {
            execute!(stdout(), DisableMouseCapture).ok();
        }
        // A multiplexer whose window shrank keeps lines of the last frame otherwise.
        execute!(stdout(), DisableBracketedPaste, Clear(ClearType::All), LeaveAlternateScreen, cursor::Show)
            .ok();
        disable_raw_mode().ok();
    }
}

/// Restores the terminal before the message of a panic on the thread `drawing` is printed. A panic on another thread is
/// caught there and becomes an event or a message; its text must not be printed over the screen.
fn install_panic_hook(drawing: ThreadId) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == drawing {
                restore();
            }
            if !terminal_reset::is_changed() {
                default(panic);
            }
        }));
    });
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` wants")]
fn terminal_error(error: std::io::Error) -> Error {
    Error::Usage(format!("cannot use this terminal: {error}"))
}
