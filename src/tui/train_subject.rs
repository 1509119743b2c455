//! What a request to train stands for.

use super::options::Options;
use super::state::train_request::TrainRequest;
use crate::catalog::GLUE_TASKS;
use crate::error::Result;
use crate::run::executor::Subject;
use crate::run::sweep::{SweepDir, glue_sweep, retry_trials, same_sweep, tasks_named};
use crate::spec::{Experiments, RunSpec};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The run or the sweep that a request stands for. A new one is trained on the device that the interface was opened for.
///
/// # Errors
/// When changed values are not those of an experiment.
pub(super) fn subject_of(options: &Options, request: TrainRequest) -> Result<Subject> {
    let subject = match request {
        TrainRequest::Spec(spec) => Subject::New(*spec),
        TrainRequest::Changed { name, changes } => {
            let experiments = Experiments::open(options.experiments.as_deref())?;
            experiments.with_changes(&name, &changes)?.into()
        }
        TrainRequest::Resume(dir) => Subject::Run(dir),
        TrainRequest::Sweep(sweep) => Subject::NewSweep(sweep),
        TrainRequest::ResumeSweep(name) => Subject::Sweep(SweepDir::at(&options.runs_dir, &name)),
        TrainRequest::Glue { model, data_dir } => glue(options, &model, data_dir)?,
    };
    Ok(match (subject, options.device) {
        (Subject::New(spec), Some(device)) => Subject::New(RunSpec { device, ..spec }),
        (Subject::NewSweep(mut sweep), Some(device)) => {
            sweep.base.device = device;
            Subject::NewSweep(sweep)
        }
        (subject, _) => subject,
    })
}

/// The GLUE run of a model: the one with the same settings, whose failed and skipped tasks are tried again, or a new one.
fn glue(options: &Options, model: &str, data_dir: Option<PathBuf>) -> Result<Subject> {
    let tasks = tasks_named(&GLUE_TASKS.map(str::to_owned), &GLUE_TASKS)?;
    let set = |key: &str, text: String| (key.to_owned(), text);
    let mut overrides = Vec::new();
    overrides.extend(data_dir.map(|folder| set("data_dir", folder.display().to_string())));
    overrides.extend(options.device.map(|device| set("device", device.to_string())));
    let experiments = Experiments::open(options.experiments.as_deref())?;
    let sweep = glue_sweep(&experiments, (model, model), &tasks, &overrides, &AtomicBool::new(false))?;
    let Some(dir) = same_sweep(&options.runs_dir, &sweep)? else {
        return Ok(Subject::NewSweep(Box::new(sweep)));
    };
    retry_trials(&dir, &mut |_, _| Ok(None))?;
    Ok(Subject::Sweep(dir))
}
