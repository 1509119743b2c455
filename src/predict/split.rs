//! Predictions for the rows of a split of the data that a run was trained on.

use super::{ModelOutput, PREDICT_BATCH_SIZE, Predictor};
use crate::data::{self, DatasetSource, Example, LoadContext};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName, Unit};
use crate::hub::Hub;
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches that are predicted between two reports of progress.
const BATCHES: usize = 8;

/// A row of a split with its prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitRow {
    /// Its index in the split, from 0.
    pub row: usize,
    /// Its texts, and its label if it has one.
    pub example: Example,
    /// The output of the model.
    pub output: ModelOutput,
}

/// Predicts the rows of a split that the run of the model uses, which `max_train_samples` and `max_eval_samples` limit, in
/// their order. Rows without a label are predicted too.
///
/// # Errors
/// [`Error::Usage`] for a model that is not from a run, and for a split that the task does not have; errors of the data and of
/// the model; [`Error::Interrupted`] soon after `cancelled` is set.
pub fn predict_split(
    predictor: &mut Predictor,
    split: SplitName,
    hub: &Hub,
    on_progress: &mut dyn FnMut(Progress),
    cancelled: &AtomicBool,
) -> Result<Vec<SplitRow>> {
    let spec = predictor.spec().cloned().ok_or_else(|| {
        Error::Usage(format!("{} is not a run, so the rows of its data are not known", predictor.name()))
    })?;
    let labels = predictor.data_labels();
    let source = DatasetSource { labels: Some(&labels), ..DatasetSource::from_spec(&spec) };
    let in_data = data::source_split(&spec, split);
    let rows = data::load_split(source, in_data, &mut LoadContext { hub, on_progress, cancelled })?;
    let indices = data::selected_rows(&spec, split, &rows);
    let mut rows: Vec<Option<Example>> = rows.into_iter().map(Some).collect();
    let rows: Vec<(usize, Example)> =
        indices.into_iter().filter_map(|row| Some((row, rows.get_mut(row)?.take()?))).collect();
    let (total, mut found) = (rows.len() as u64, Vec::with_capacity(rows.len()));
    for chunk in rows.chunks(BATCHES * PREDICT_BATCH_SIZE) {
        if cancelled.load(Ordering::Relaxed) {
            return Err(Error::Interrupted("the predictions were stopped".into()));
        }
        let what = format!("predicting {}", split.name());
        on_progress(Progress { what, done: found.len() as u64, total: Some(total), unit: Unit::Rows });
        let inputs: Vec<_> = chunk.iter().map(|(_, row)| (row.text.clone(), row.text_pair.clone())).collect();
        let outputs = predictor.predict_all(&inputs)?.into_iter().map(|prediction| prediction.output);
        let of_chunk = chunk.iter().cloned().zip(outputs);
        found.extend(of_chunk.map(|((row, example), output)| SplitRow { row, example, output }));
    }
    Ok(found)
}
