//! `attach --plain`: prints the events of a run that another process is training. Without `--plain` the interface
//! shows the run.

use super::args::{AttachArgs, GlobalArgs};
use super::output;
use super::run_printer::RunPrinter;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::{self, LogTail, RunDir, RunEvent, RunStatus, TailItem, message};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two reads of the logs.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn attach(global: &GlobalArgs, args: &AttachArgs) -> Result<()> {
    let dir = run::find(&global.runs_dir, &args.run)?;
    let mut run = FollowedRun { spec: RunDir::at(&dir).spec()?, dir, logs: Vec::new() };
    let mut printer = RunPrinter::new(true);
    loop {
        // Read the status before the logs: a run that has ended writes no more events.
        let status = run::row(&run.dir).map(|row| row.status);
        run.read_events(&mut |event| {
            if global.json {
                return output::json_line(&event.event);
            }
            printer.print(&event);
            if let (Event::Ended { .. }, Some(line)) = (&event.event, message::line(&event.event)) {
                output::stderr_line(line);
            }
            Ok(())
        })?;
        match status {
            Some(RunStatus::Running) => std::thread::sleep(POLL_INTERVAL),
            Some(RunStatus::Failed) => {
                let log = run.dir.join("log.txt");
                return Err(Error::Training(format!("the run failed; see {}", log.display())));
            }
            Some(RunStatus::Interrupted) => {
                output::stderr_line(format!(
                    "the run was interrupted; resume it with: glue-tui train --resume {}",
                    run.dir.display()
                ));
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}

/// A run and the event logs of its seeds.
struct FollowedRun {
    dir: PathBuf,
    spec: RunSpec,
    logs: Vec<(Arc<Path>, LogTail)>,
}

impl FollowedRun {
    /// Reads the events since the last call, including those of seeds that have started since.
    fn read_events(&mut self, emit: &mut dyn FnMut(RunEvent) -> Result<()>) -> Result<()> {
        for dir in run::seed_dirs(&self.dir, &self.spec) {
            if !self.logs.iter().any(|(known, _)| **known == *dir) {
                let tail = LogTail::of_events(&dir);
                self.logs.push((Arc::from(dir), tail));
            }
        }
        for (repeat, (dir, tail)) in self.logs.iter_mut().enumerate() {
            let mut result = Ok(());
            tail.read_events(&mut |item| {
                if let (TailItem::Item(event), Ok(())) = (item, &result) {
                    result = emit(RunEvent { repeat: repeat as u64, dir: dir.clone(), event });
                }
            })?;
            result?;
        }
        Ok(())
    }
}
