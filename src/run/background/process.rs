//! Starts the process in the background, and hands runs over to it.

use crate::error::{Error, Result};
use crate::event::Command;
use crate::files::open_append;
use crate::machine::{detach, this_program};
use crate::run::dir::RunDir;
use crate::spec::DeviceSpec;
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

/// The hidden command that trains in the background.
pub const COMMAND: &str = "background";
/// The line of the process in the background once it waits for the runs.
pub const READY: &str = "ready";
/// How long the process in the background may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take until it has the locks of its runs.
const REPORT_TIMEOUT: Duration = Duration::from_mins(1);

/// The options of the program that the process in the background keeps.
#[derive(Debug, Clone, Default)]
pub struct BackgroundOptions {
    /// The runs directory.
    pub runs_dir: PathBuf,
    /// The device of new runs; overrides their specifications.
    pub device: Option<DeviceSpec>,
}

/// What happened to the runs that were handed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The directories of the runs that the process in the background trains.
    pub training: Vec<PathBuf>,
    /// Those of runs that were finished already.
    pub finished: Vec<PathBuf>,
    /// Those of runs that it cannot train, with the errors.
    pub failed: Vec<(PathBuf, String)>,
}

/// A command that the interface received for a run and that the run has not executed: a line of the stdin of the process
/// in the background.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnexecutedCommand {
    /// The directory of the run.
    pub dir: PathBuf,
    /// The command.
    pub command: Command,
}

/// A process in the background that waits for the runs of this process.
#[derive(Debug)]
pub struct BackgroundProcess {
    child: Child,
    /// Closed to hand over the runs.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl BackgroundProcess {
    /// Starts a process that will resume the runs in `dirs`, and waits until it is ready.
    ///
    /// # Errors
    /// [`Error::Device`] when it cannot be started.
    pub fn start(dirs: &[PathBuf], options: &BackgroundOptions) -> Result<Self> {
        let failed = |e| Error::Device(format!("cannot start a process in the background: {e}"));
        let mut command = this_program().map_err(failed)?;
        command.args(arguments(dirs, options)).stdin(Stdio::piped()).stdout(Stdio::piped());
        // What libraries print, and the report when memory runs out, belong to the log of the run.
        let log = dirs.first().map(|dir| open_append(&RunDir::at(dir).log_file()));
        command.stderr(match log {
            Some(Ok(log)) => Stdio::from(log),
            Some(Err(_)) | None => Stdio::null(),
        });
        detach(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let lines = match child.stdout.take() {
            Some(stdout) => read_lines(stdout)?,
            None => crossbeam_channel::never(),
        };
        let stdin = child.stdin.take();
        let process = BackgroundProcess { child, stdin, lines };
        match process.lines.recv_timeout(READY_TIMEOUT) {
            Ok(line) if line == READY => Ok(process),
            result => Err(process.kill(&result.err().map_or("it has an error".into(), describe))),
        }
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Hands over the runs, which this process has stopped, with the commands that they have not executed. Returns once the
    /// process in the background trains them.
    ///
    /// # Errors
    /// [`Error::Device`] when it does not report; it is then ended, so that this process can resume the runs.
    pub fn hand_over(mut self, commands: &[UnexecutedCommand]) -> Result<Report> {
        if let Some(mut stdin) = self.stdin.take() {
            let lines: Vec<String> = commands.iter().flat_map(serde_json::to_string).collect();
            for line in lines {
                // The process has ended if this fails, which is reported below.
                writeln!(stdin, "{line}").ok();
            }
        }
        let line = match self.lines.recv_timeout(REPORT_TIMEOUT) {
            Ok(line) => line,
            Err(error) => return Err(self.kill(&describe(error))),
        };
        serde_json::from_str(&line).map_err(|_| self.kill("its report is not readable"))
    }

    /// Ends the process, which has not done what it should.
    fn kill(mut self, reason: &str) -> Error {
        self.child.kill().ok();
        self.child.wait().ok();
        Error::Device(format!("cannot train in the background: {reason}; log.txt of the run may say why"))
    }
}

/// The arguments of the process in the background.
fn arguments(dirs: &[PathBuf], options: &BackgroundOptions) -> Vec<OsString> {
    let mut arguments = vec![OsString::from(COMMAND), "--runs-dir".into(), options.runs_dir.clone().into()];
    if let Some(device) = options.device {
        arguments.extend(["--device".into(), device.to_string().into()]);
    }
    arguments.push("--".into());
    arguments.extend(dirs.iter().map(|dir| dir.clone().into()));
    arguments
}

fn describe(error: RecvTimeoutError) -> String {
    match error {
        RecvTimeoutError::Timeout => "the process does not answer".into(),
        RecvTimeoutError::Disconnected => "the process has ended".into(),
    }
}

/// Reads lines on a thread of its own, so that they can be waited for with a timeout.
fn read_lines(stdout: ChildStdout) -> Result<Receiver<String>> {
    let (sender, lines) = unbounded();
    let read = move || {
        for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("background".into()).spawn(read);
    thread.map_err(|e| Error::Device(format!("cannot start a thread for the background: {e}")))?;
    Ok(lines)
}

/// The names of the runs in `dirs`, for a message.
pub fn names(dirs: &[PathBuf]) -> String {
    let name = |dir: &PathBuf| RunDir::at(dir).name();
    dirs.iter().map(name).collect::<Vec<_>>().join(", ")
}
