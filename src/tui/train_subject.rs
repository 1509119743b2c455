//! What a request to train stands for.

use super::msg::Msg;
use super::options::Options;
use super::state::train_request::TrainRequest;
use super::worker::{Watch, progress_events};
use crate::catalog::GLUE_TASKS;
use crate::error::Result;
use crate::run::executor::Subject;
use crate::run::sweep::{SweepDir, TaskData, glue_sweep, tasks_named};
use crate::spec::{Experiments, RunSpec};
use std::path::PathBuf;

/// The run or the sweep that a request stands for. A new one is trained on the device that the interface was opened for. Those
/// of a GLUE run are fetched with `data`, which takes minutes.
///
/// # Errors
/// When changed values are not those of an experiment, and those of [`TaskData::open`].
pub(super) fn subject_of(
    options: &Options,
    request: TrainRequest,
    data: &mut TaskData<'_>,
) -> Result<Subject> {
    let subject = match request {
        TrainRequest::Spec(spec) => Subject::New(*spec),
        TrainRequest::Changed { name, changes } => {
            let experiments = Experiments::open(options.experiments.as_deref())?;
            experiments.with_changes(&name, &changes)?.into()
        }
        TrainRequest::Resume(dir) => Subject::Run(dir),
        TrainRequest::Sweep(sweep) => Subject::NewSweep(sweep),
        TrainRequest::ResumeSweep(name) => Subject::Sweep(SweepDir::at(&options.runs_dir, &name)),
        TrainRequest::Glue { model, data_dir } => Subject::Sweep(glue(options, &model, data_dir, data)?),
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

/// Fetches the data of the GLUE run of a model, which is then ready to be queued.
///
/// # Errors
/// Those of [`TaskData::open`], such as [`Error::Interrupted`](crate::error::Error::Interrupted) soon after it is cancelled.
pub(super) fn fetch_glue(
    options: &Options,
    model: &str,
    data_dir: Option<PathBuf>,
    (on_progress, cancelled): Watch<'_>,
) -> Result<Msg> {
    let mut data = TaskData { cancelled, emit: &mut progress_events(on_progress) };
    let dir = glue(options, model, data_dir, &mut data)?;
    Ok(Msg::SweepFetched(dir.name().to_owned()))
}

/// The GLUE run of a model: the one with the same settings, whose failed and skipped tasks are tried again, or a new one.
fn glue(
    options: &Options,
    model: &str,
    data_dir: Option<PathBuf>,
    data: &mut TaskData<'_>,
) -> Result<SweepDir> {
    let tasks = tasks_named(&GLUE_TASKS.map(str::to_owned), &GLUE_TASKS)?;
    let set = |key: &str, text: String| (key.to_owned(), text);
    let mut overrides = Vec::new();
    overrides.extend(data_dir.map(|folder| set("data_dir", folder.display().to_string())));
    overrides.extend(options.device.map(|device| set("device", device.to_string())));
    let experiments = Experiments::open(options.experiments.as_deref())?;
    let sweep = glue_sweep(&experiments, (model, model), &tasks, &overrides, data.cancelled)?;
    data.open(&options.runs_dir, &sweep)
}
