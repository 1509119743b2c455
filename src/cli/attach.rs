//! `attach --plain`: prints the events of a run that another process is training. Without `--plain` the interface
//! shows the run.

use super::args::{AttachArgs, GlobalArgs};
use super::follow::FollowedRun;
use super::output;
use super::run_printer::RunPrinter;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::{RunStatus, message};

pub(super) fn attach(global: &GlobalArgs, args: &AttachArgs) -> Result<()> {
    let mut run = FollowedRun::open(&global.runs_dir, &args.run)?;
    let mut printer = RunPrinter::new(true);
    let status = run.follow(&mut |line| {
        let Some(event) = line.event() else { return Ok(()) };
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
        Some(RunStatus::Failed) => {
            let log = run.dir.join("log.txt");
            Err(Error::Training(format!("the run failed; see {}", log.display())))
        }
        Some(RunStatus::Interrupted) => {
            output::stderr_line(format!(
                "the run was interrupted; resume it with: glue-tui train --resume {}",
                run.dir.display()
            ));
            Ok(())
        }
        _ => Ok(()),
    }
}
