//! The events of a run as they come, for `attach --plain` and `events`.

use crate::error::Result;
use crate::event::Event;
use crate::run::{self, LogTail, RunDir, RunEvent, RunStatus, TailItem};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two reads of the logs.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a run that was stopped is followed: another process may resume it, as when its interface was closed.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(3);

/// A run and the event logs of its seeds.
pub(super) struct FollowedRun {
    /// Its directory.
    pub(super) dir: PathBuf,
    spec: RunSpec,
    logs: Vec<(Arc<Path>, LogTail)>,
}

/// A line of a log.
pub(super) struct LogLine<'a> {
    /// Index of the seed among the repeats.
    repeat: u64,
    /// The run directory of that seed.
    dir: &'a Arc<Path>,
    /// The line, without its newline.
    pub(super) bytes: &'a [u8],
}

impl LogLine<'_> {
    /// Its event; `None` if this version does not know it.
    pub(super) fn event(&self) -> Option<RunEvent> {
        let event: Event = run::parse_event(self.bytes)?;
        Some(RunEvent { repeat: self.repeat, dir: self.dir.clone(), event })
    }
}

impl FollowedRun {
    /// The run that `name` refers to.
    ///
    /// # Errors
    /// When there is no such run, or its specification cannot be read.
    pub(super) fn open(runs_dir: &Path, name: &str) -> Result<Self> {
        let dir = run::find(runs_dir, name)?;
        Ok(FollowedRun { spec: RunDir::at(&dir).spec()?, dir, logs: Vec::new() })
    }

    /// Passes the lines of the logs to `emit`, and then new ones until no process trains the run. Returns how it ended.
    ///
    /// # Errors
    /// Those of `emit`, and when a log cannot be read.
    pub(super) fn follow(
        &mut self,
        emit: &mut dyn FnMut(LogLine<'_>) -> Result<()>,
    ) -> Result<Option<RunStatus>> {
        let mut stopped: Option<Instant> = None;
        let mut was_running = false;
        loop {
            // Read the status before the logs: a run that has ended writes no more events.
            let status = run::row(&self.dir).map(|row| row.status);
            self.read(emit)?;
            match status {
                Some(RunStatus::Running | RunStatus::Pending | RunStatus::Requeued) => {
                    (was_running, stopped) = (true, None);
                }
                Some(RunStatus::Stopped | RunStatus::Interrupted)
                    if was_running
                        && stopped.get_or_insert_with(Instant::now).elapsed() < HAND_OVER_TIMEOUT => {}
                _ => return Ok(status),
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// Passes the lines since the last call to `emit`, including those of seeds that have started since.
    ///
    /// # Errors
    /// Those of `emit`, and when a log cannot be read.
    pub(super) fn read(&mut self, emit: &mut dyn FnMut(LogLine<'_>) -> Result<()>) -> Result<()> {
        for dir in run::seed_dirs(&self.dir, &self.spec) {
            // The log of a run that was just created does not exist yet.
            let exists = RunDir::at(&dir).events_file().exists();
            if exists && !self.logs.iter().any(|(known, _)| **known == *dir) {
                let tail = LogTail::of_events(&dir);
                self.logs.push((Arc::from(dir), tail));
            }
        }
        for (repeat, (dir, tail)) in self.logs.iter_mut().enumerate() {
            let mut result = Ok(());
            tail.read_lines(&mut |item| {
                if let (TailItem::Item(bytes), Ok(())) = (item, &result) {
                    result = emit(LogLine { repeat: repeat as u64, dir, bytes });
                }
            })?;
            result?;
        }
        Ok(())
    }
}
