//! Restores the terminal with system calls alone, for a program that can neither allocate memory nor wait for locks: it
//! has run out of memory, or its other threads hang on a terminal that nobody reads.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the program has changed the terminal. Global state, because the terminal is.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// Whether a thread is reporting why the program ends.
static IS_REPORTED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether it is this thread.
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

/// Ends a synchronized update; turns off mouse reports, bracketed paste and the alternate screen; shows the cursor. The
/// first sequence ends one that was written in part.
#[cfg(unix)]
const RESET: &[u8] = b"\x1b\\\x1b[?2026l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1049l\x1b[?25h";
/// How long a terminal that takes no output is waited for, in milliseconds.
#[cfg(unix)]
const WRITE_TIMEOUT: i32 = 200;

/// Records that the program is about to change the terminal: its settings are those to restore.
pub fn changed() {
    #[cfg(unix)]
    unix::remember_settings();
    IS_CHANGED.store(true, Ordering::SeqCst);
}

/// Records that the terminal is restored. Returns whether it was changed before.
pub fn restored() -> bool {
    IS_CHANGED.swap(false, Ordering::SeqCst)
}

/// Whether the program has changed the terminal.
pub fn is_changed() -> bool {
    IS_CHANGED.load(Ordering::SeqCst)
}

/// Restores the terminal if the program has changed it, then writes `message` to stderr. Output that a terminal does not
/// take is dropped. Safe in an allocator and in a signal handler.
pub fn restore_and_report(message: &[u8]) {
    let was_changed = restored();
    #[cfg(unix)]
    {
        if was_changed {
            unix::restore_settings();
            unix::discard_output(libc::STDOUT_FILENO);
            unix::write(libc::STDOUT_FILENO, RESET, WRITE_TIMEOUT);
        }
        unix::write(libc::STDERR_FILENO, message, WRITE_TIMEOUT);
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        let _ = (was_changed, std::io::stderr().write_all(message));
    }
}

/// Waits forever if another thread reports why the program ends: where memory is short, several threads fail, and the
/// first one reports it and ends the process. Allocates nothing.
pub fn report_alone() {
    while !IS_REPORTER.get() && IS_REPORTED.swap(true, Ordering::SeqCst) {
        wait();
    }
    IS_REPORTER.set(true);
}

/// Lets the other threads run for a while. Allocates nothing.
pub fn wait() {
    std::thread::sleep(std::time::Duration::from_millis(10));
}

/// Ends the process at once, without running the code that a normal exit runs.
pub fn exit_now(code: i32) -> ! {
    #[cfg(unix)]
    unix::exit_now(code);
    #[cfg(not(unix))]
    std::process::exit(code);
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "system calls")]
mod unix {
    use std::sync::OnceLock;

    /// The settings of the terminal before the program changed them first.
    static SETTINGS: OnceLock<libc::termios> = OnceLock::new();

    pub(super) fn remember_settings() {
        let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the settings are read only after the call has filled them.
        let settings = unsafe {
            if libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) != 0 {
                return;
            }
            settings.assume_init()
        };
        SETTINGS.get_or_init(|| settings);
    }

    pub(super) fn restore_settings() {
        if let Some(settings) = SETTINGS.get() {
            // SAFETY: the settings are those that the system returned.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) };
        }
    }

    /// Discards output that the terminal has not taken.
    pub(super) fn discard_output(file: i32) {
        // SAFETY: has no effect on memory.
        unsafe { libc::tcflush(file, libc::TCOFLUSH) };
    }

    /// Writes to a file that takes output within `timeout` milliseconds.
    pub(super) fn write(file: i32, mut bytes: &[u8], timeout: i32) {
        let mut poll = libc::pollfd { fd: file, events: libc::POLLOUT, revents: 0 };
        while !bytes.is_empty() {
            // SAFETY: both calls use memory that lives until they return.
            let written = unsafe {
                if libc::poll(&raw mut poll, 1, timeout) != 1 {
                    return;
                }
                libc::write(file, bytes.as_ptr().cast(), bytes.len())
            };
            match usize::try_from(written) {
                Ok(count @ 1..) => bytes = bytes.get(count..).unwrap_or_default(),
                _ => return,
            }
        }
    }

    pub(super) fn exit_now(code: i32) -> ! {
        // SAFETY: ends the process.
        unsafe { libc::_exit(code) }
    }
}
