//! `attach --plain`: follows a run that somebody else trains, by sentences. Without `--plain` the interface
//! does.

use super::args::{Attach, Global};
use super::output;
use super::printer::Printer;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::{self, News, RunDir, RunEvent, RunStatus, Tail, message};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the logs.
const LOOK: Duration = Duration::from_millis(250);

pub(super) fn attach(global: &Global, args: &Attach) -> Result<()> {
    let dir = run::find(&global.runs_dir, &args.run)?;
    let mut followed = Followed { spec: RunDir::at(&dir).spec()?, dir, seeds: Vec::new() };
    let mut printer = Printer::new(true);
    loop {
        // Who has ended has written all that there will be.
        let status = run::row(&followed.dir).map(|row| row.status);
        followed.news(&mut |said| {
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
            Some(RunStatus::Running) => std::thread::sleep(LOOK),
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

/// A run with the logs of its seeds, as far as they are read.
struct Followed {
    dir: PathBuf,
    spec: RunSpec,
    seeds: Vec<(Arc<Path>, Tail)>,
}

impl Followed {
    /// Passes on what the seeds have said since the last time, those that have begun since then too.
    fn news(&mut self, take: &mut dyn FnMut(RunEvent) -> Result<()>) -> Result<()> {
        for dir in run::seed_dirs(&self.dir, &self.spec) {
            if !self.seeds.iter().any(|(known, _)| **known == *dir) {
                let tail = Tail::of(&dir);
                self.seeds.push((Arc::from(dir), tail));
            }
        }
        for (repeat, (dir, tail)) in self.seeds.iter_mut().enumerate() {
            let mut told = Ok(());
            tail.news(&mut |news| {
                if let (News::RunEvent(event), Ok(())) = (news, &told) {
                    told = take(RunEvent { repeat: repeat as u64, dir: dir.clone(), event });
                }
            })?;
            told?;
        }
        Ok(())
    }
}
