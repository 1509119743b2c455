//! `attach --plain`: prints the events of a run that another process trains. Without `--plain` the interface
//! shows them.

use super::args::{Attach, Global};
use super::output;
use super::printer::Printer;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::{self, LogTail, RunDir, RunEvent, RunStatus, TailItem, message};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two reads of the logs.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn attach(global: &Global, args: &Attach) -> Result<()> {
    let dir = run::find(&global.runs_dir, &args.run)?;
    let mut followed = FollowedRun { spec: RunDir::at(&dir).spec()?, dir, seeds: Vec::new() };
    let mut printer = Printer::new(true);
    loop {
        // Read before the events: a run that is over has written all of them.
        let status = run::row(&followed.dir).map(|row| row.status);
        followed.read_events(&mut |said| {
            if global.json {
                return output::json_line(&said.event);
            }
            printer.say(&said);
            if let (Event::Ended { .. }, Some(line)) = (&said.event, message::line(&said.event)) {
                output::aside(line);
            }
            Ok(())
        })?;
        match status {
            Some(RunStatus::Running) => std::thread::sleep(POLL_INTERVAL),
            Some(RunStatus::Failed) => {
                return Err(Error::Training(format!(
                    "the run failed; see {}",
                    followed.dir.join("log.txt").display()
                )));
            }
            Some(RunStatus::Interrupted) => {
                output::aside("the run was interrupted; `glue-tui train --resume` goes on with it");
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}

/// A run with the positions in the logs of its seeds.
struct FollowedRun {
    dir: PathBuf,
    spec: RunSpec,
    seeds: Vec<(Arc<Path>, LogTail)>,
}

impl FollowedRun {
    /// Passes the new events of all seeds to `on_event`, including seeds that have started since.
    fn read_events(&mut self, on_event: &mut dyn FnMut(RunEvent) -> Result<()>) -> Result<()> {
        for dir in run::seed_dirs(&self.dir, &self.spec) {
            if !self.seeds.iter().any(|(known, _)| **known == *dir) {
                let tail = LogTail::of_events(&dir);
                self.seeds.push((Arc::from(dir), tail));
            }
        }
        for (repeat, (dir, tail)) in self.seeds.iter_mut().enumerate() {
            let mut result = Ok(());
            tail.read_events(&mut |item| {
                if let (TailItem::Item(event), Ok(())) = (item, &result) {
                    result = on_event(RunEvent { repeat: repeat as u64, dir: dir.clone(), event });
                }
            })?;
            result?;
        }
        Ok(())
    }
}
