//! The model and the data of a training, resolved before it starts.

use super::teacher::Teacher;
use crate::catalog::SplitName;
use crate::data::{self, Dataset, DatasetSource, LoadContext};
use crate::error::Result;
use crate::event::{Event, Progress, SplitDigest};
use crate::files::ModelFolder;
use crate::hub::Hub;
use crate::machine::start_threads;
use crate::spec::RunSpec;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The model folder and the data set that a specification names.
#[derive(Debug)]
pub struct Resources {
    /// Configuration, weights and tokenizer.
    pub folder: ModelFolder,
    /// The rows of every split that the training uses.
    pub dataset: Dataset,
    /// The model that the training follows too.
    pub teacher: Option<Teacher>,
    /// The digests of the rows.
    pub digests: BTreeMap<SplitName, SplitDigest>,
    /// Duration of [`resolve`] in seconds.
    pub seconds: f64,
}

/// Finds or downloads the model and reads the data of `spec`; emits [`Event::Progress`].
///
/// # Errors
/// [`Error::Hub`](crate::error::Error::Hub), [`Error::Model`](crate::error::Error::Model) and
/// [`Error::Data`](crate::error::Error::Data) for what cannot be fetched or read,
/// [`Error::Device`](crate::error::Error::Device) if the system has no threads left, and
/// [`Error::Interrupted`](crate::error::Error::Interrupted) soon after `cancelled` is set.
pub fn resolve(
    spec: &RunSpec,
    hub: &Hub,
    cancelled: &AtomicBool,
    emit: &mut dyn FnMut(Event),
) -> Result<Resources> {
    start_threads()?;
    let start = Instant::now();
    let mut watch = |progress: Progress| emit(Event::Progress(progress));
    let folder = hub.model(&spec.model, &spec.revision, &mut watch, cancelled)?;
    let teacher = spec.teacher.as_deref().map(|name| Teacher::find(name, hub, &mut watch, cancelled));
    let teacher = teacher.transpose()?;
    let mut context = LoadContext { hub, on_progress: &mut watch, cancelled };
    let dataset = data::load(DatasetSource::from_spec(spec).subsampled(), &mut context)?;
    let rows = dataset.splits.iter().map(|(name, rows)| (*name, rows.len()));
    let total_rows = rows.chain(dataset.total_rows.clone()).collect();
    let dataset = data::select(spec, dataset);
    let digests = dataset.digests(&total_rows);
    Ok(Resources { folder, dataset, teacher, digests, seconds: start.elapsed().as_secs_f64() })
}
