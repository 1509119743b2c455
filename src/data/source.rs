//! What to load and where from.

use crate::catalog::{Labels, Task};
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::hub::Hub;
use crate::spec::RunSpec;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The dataset to load and where to read it from.
#[derive(Debug, Clone, Copy)]
pub struct DatasetSource<'a> {
    /// The task.
    pub task: &'static Task,
    /// A local folder to read from instead of the source of the catalog.
    pub data_dir: Option<&'a Path>,
    /// The specification that names the files of task `custom`.
    pub spec: Option<&'a RunSpec>,
    /// The labels of task `custom`, if they are not to be read from its training file.
    pub labels: Option<&'a Labels>,
    /// Whether rows that `max_train_samples` and `max_eval_samples` of the specification do not choose may be left out.
    /// [`subsample`](super::subsample) of the remaining ones changes nothing.
    pub is_subsampled: bool,
}

impl<'a> DatasetSource<'a> {
    /// The dataset of a task other than `custom`.
    pub fn for_task(task: &'static Task, data_dir: Option<&'a Path>) -> Self {
        DatasetSource { task, data_dir, spec: None, labels: None, is_subsampled: false }
    }

    /// The dataset of a specification.
    pub fn from_spec(spec: &'a RunSpec) -> Self {
        DatasetSource { spec: Some(spec), ..DatasetSource::for_task(spec.task(), spec.data_dir.as_deref()) }
    }

    /// The same dataset with only the rows that its specification chooses.
    pub fn subsampled(self) -> Self {
        DatasetSource { is_subsampled: true, ..self }
    }

    /// The specification that names the files, if the task is `custom`.
    pub(super) fn custom_spec(&self) -> Result<Option<&'a RunSpec>> {
        if !self.task.is_custom() {
            return Ok(None);
        }
        self.spec.filter(|spec| spec.task().is_custom()).map(Some).ok_or_else(|| {
            let problem =
                "a specification names the files of task custom; give a run of that task or an experiment";
            Error::Usage(problem.into())
        })
    }
}

/// What loading needs besides the source.
pub struct LoadContext<'a> {
    /// The hub to fetch datasets from.
    pub hub: &'a Hub,
    /// Receives the progress.
    pub on_progress: &'a mut dyn FnMut(Progress),
    /// Set by another thread to cancel.
    pub cancelled: &'a AtomicBool,
}
