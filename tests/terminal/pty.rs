//! A program in a pseudo-terminal that receives keys and draws a screen of text.

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Timeout of each wait, long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// What the thread does that reads the output.
#[derive(PartialEq)]
enum Reading {
    On,
    Paused,
    Closed,
}

/// A program and its terminal.
pub(crate) struct Terminal {
    pub(crate) parser: vt100::Parser,
    pub(crate) output: Receiver<Vec<u8>>,
    /// The complete output, for sequences that do not change the screen.
    pub(crate) raw: Vec<u8>,
    pub(crate) input: Box<dyn Write + Send>,
    #[allow(dead_code, reason = "the tests resize it; the benchmark only keeps it open")]
    pub(crate) master: Option<Box<dyn MasterPty + Send>>,
    #[allow(dead_code, reason = "only tests stop reading")]
    reading: Arc<Mutex<Reading>>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    /// Starts `program` with `args` in `folder`, in a terminal of `cols` columns and `rows` rows.
    pub(crate) fn start(
        program: &str,
        args: &[&str],
        folder: &Path,
        variables: &[(&str, &str)],
        (cols, rows): (u16, u16),
    ) -> Terminal {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        // Do not read the settings of the user who runs the tests.
        command.env("XDG_CONFIG_HOME", folder.join("config"));
        let of_this_terminal =
            ["COLORFGBG", "COLORTERM", "STY", "TERM_PROGRAM", "TMUX", "VTE_VERSION", "WT_SESSION"];
        let settings = ["NO_COLOR", "LC_ALL", "GLUE_TUI_RUNS", "GLUE_TUI_ASCII", "GLUE_TUI_THEME"];
        for name in of_this_terminal.into_iter().chain(settings) {
            command.env_remove(name);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        let reading = Arc::new(Mutex::new(Reading::On));
        let state = reading.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
                while *state.lock().unwrap() != Reading::On {
                    if *state.lock().unwrap() == Reading::Closed {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Terminal {
            parser: vt100::Parser::new(size.rows.try_into().unwrap(), size.cols.try_into().unwrap(), 0),
            output,
            raw: Vec::new(),
            input: pair.master.take_writer().unwrap(),
            master: Some(pair.master),
            reading,
            child,
        }
    }

    /// Stops reading, as a terminal after Ctrl-S.
    #[allow(dead_code, reason = "only tests stop reading")]
    pub(crate) fn stop_reading(&self) {
        *self.reading.lock().unwrap() = Reading::Paused;
    }

    /// Closes the terminal, as a window that is closed.
    #[allow(dead_code, reason = "only tests close it")]
    pub(crate) fn close(&mut self) {
        // The thread that reads ends after the next output, and the terminal is then closed everywhere.
        *self.reading.lock().unwrap() = Reading::Closed;
        self.master = None;
        self.input = Box::new(std::io::sink());
    }

    /// Waits up to `timeout` for output and processes all that is available.
    pub(crate) fn read_output(&mut self, timeout: Duration) {
        if let Ok(bytes) = self.output.recv_timeout(timeout) {
            self.parser.process(&bytes);
            self.raw.extend(bytes);
        }
        while let Ok(bytes) = self.output.try_recv() {
            self.parser.process(&bytes);
            self.raw.extend(bytes);
        }
    }

    pub(crate) fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until `condition` is true for the text of the screen.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        self.wait_until(what, |terminal| condition(&terminal.text()));
    }

    /// Waits until `condition` is true for the terminal.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < TIMEOUT, "no {what} on\n{}", self.text());
            self.read_output(Duration::from_millis(50));
        }
    }

    /// Waits until the screen shows `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait(text, |screen| screen.contains(text));
    }

    pub(crate) fn send(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits for the end of the program and reads its remaining output.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        let status = loop {
            self.read_output(Duration::from_millis(20));
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < TIMEOUT, "still running:\n{}", self.text());
        };
        self.read_output(Duration::from_millis(200));
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}
