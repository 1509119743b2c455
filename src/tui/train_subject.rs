//! What a request to train stands for.

use super::options::Options;
use super::state::train_request::TrainRequest;
use crate::error::Result;
use crate::run::executor::Subject;
use crate::run::sweep::SweepDir;
use crate::spec::{Experiments, RunSpec};

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
