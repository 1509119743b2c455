//! The predictions of evaluations on disk: `predictions/step-00000267.safetensors` in the run directory, so that
//! readers can analyze the errors of a run. Runs of version 0.1 have the folder `judged/` with the same files.

use super::predictions::Predictions;
use crate::catalog::{Labels, ProblemType};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::files::write_atomic_with;
use crate::nn::{Array, Weights, read_arrays, write_arrays};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FOLDER: &str = "predictions";
/// The folder of runs of version 0.1.
const OLD_FOLDER: &str = "judged";
const LOGITS: &str = "logits";
/// The array of the targets.
const LABELS: &str = "labels";

/// The key of the digest in the metadata.
const DIGEST: &str = "sha256";

/// The SHA-256 of all values in the order of the names of the arrays, in hexadecimal digits.
fn digest(arrays: &Weights) -> String {
    let mut hasher = Sha256::new();
    for array in arrays.values() {
        array.data.iter().for_each(|value| hasher.update(value.to_le_bytes()));
    }
    hex::encode(hasher.finalize())
}

/// The folder with the predictions of a run: that of version 0.1 if the run has it and not the new one.
fn predictions_dir(run_dir: &Path) -> PathBuf {
    let (new, old) = (run_dir.join(FOLDER), run_dir.join(OLD_FOLDER));
    if !new.exists() && old.exists() { old } else { new }
}

/// The predictions of an evaluation of the validation split.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedPredictions {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The predictions.
    pub predictions: Predictions,
}

impl SavedPredictions {
    /// Writes them to the run directory `run_dir`, atomically.
    pub fn write(&self, run_dir: &Path) -> Result<()> {
        let predictions = &self.predictions;
        let (rows, outputs) = (predictions.len(), predictions.outputs());
        let logits = Array { shape: vec![rows, outputs], data: predictions.all_logits().to_vec() };
        let targets = predictions.target_numbers();
        let is_multi_label = predictions.problem_type() == ProblemType::MultiLabelClassification;
        let shape = if is_multi_label { vec![rows, outputs] } else { vec![rows] };
        let arrays = Weights::from([
            (LOGITS.to_string(), logits),
            (LABELS.to_string(), Array { shape, data: targets }),
        ]);
        let metadata = BTreeMap::from([
            ("format".to_string(), "1".to_string()),
            ("split".to_string(), "validation".to_string()),
            ("epoch".to_string(), self.epoch.to_string()),
            (DIGEST.to_string(), digest(&arrays)),
        ]);
        let folder = predictions_dir(run_dir);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::writing(&folder)(error));
            }
            _ => {}
        }
        let path = folder.join(format!("step-{:08}.safetensors", self.step));
        write_atomic_with(&path, |temporary| write_arrays(temporary, &arrays, &metadata).map(drop))
    }

    /// Reads a file of a run whose labels are `labels`, as far as they are known.
    fn read(step: u64, path: &Path, labels: &Labels) -> Result<Self> {
        let invalid =
            |problem: String| Error::data(path, None, format!("is not a predictions file: {problem}"));
        let (mut arrays, metadata) = read_arrays(path)?;
        // Files of earlier versions have no digest.
        if metadata.get(DIGEST).is_some_and(|expected| *expected != digest(&arrays)) {
            return Err(Error::data(path, None, "is damaged: it does not match its digest; delete it"));
        }
        let mut take = |name: &str| arrays.remove(name).ok_or_else(|| invalid(format!("has no {name}")));
        let (logits, targets) = (take(LOGITS)?, take(LABELS)?);
        let [rows, outputs] = logits.shape[..] else {
            return Err(invalid("the shape of logits is not (rows, outputs)".into()));
        };
        let problem_type = labels.problem_type();
        let (shape, expected) = match problem_type {
            ProblemType::MultiLabelClassification => (vec![rows, outputs], "(rows, outputs)"),
            ProblemType::SingleLabelClassification | ProblemType::Regression => (vec![rows], "(rows)"),
        };
        if targets.shape != shape {
            return Err(invalid(format!("the shape of labels is not {expected}")));
        }
        let is_expected = match labels {
            Labels::Classes(names) => outputs > 1 && (names.is_empty() || names.len() == outputs),
            labels => labels.outputs() == outputs,
        };
        if !is_expected {
            let expected = match labels {
                Labels::Classes(names) if names.is_empty() => "2 or more".to_string(),
                labels => labels.outputs().to_string(),
            };
            return Err(invalid(format!("the number of outputs is {outputs}, but the task has {expected}")));
        }
        let epoch = metadata.get("epoch").and_then(|epoch| epoch.parse().ok());
        let epoch = epoch.ok_or_else(|| invalid("the metadata has no epoch".into()))?;
        let predictions =
            Predictions::from_arrays(problem_type, outputs, logits.data, &targets.data).map_err(invalid)?;
        Ok(SavedPredictions { step, epoch, predictions })
    }
}

/// All predictions of the run in `run_dir`, whose labels are `labels` (classes without names if unknown), oldest
/// first.
///
/// # Errors
/// [`Error::Data`] for a file that is damaged, does not belong to the labels, or has other rows than the others.
pub fn saved_predictions(run_dir: &Path, labels: &Labels) -> Result<Vec<SavedPredictions>> {
    let mut all: Vec<SavedPredictions> = Vec::new();
    for (step, path) in list(run_dir) {
        let saved = SavedPredictions::read(step, &path, labels)?;
        let has_other_rows = |first: &&SavedPredictions| {
            let (first, next) = (&first.predictions, &saved.predictions);
            first.outputs() != next.outputs() || first.targets() != next.targets()
        };
        if let Some(previous) = all.last().filter(has_other_rows) {
            let problem = format!("has other rows than step {}; remove the wrong file", previous.step);
            return Err(Error::data(path, None, problem));
        }
        all.push(saved);
    }
    Ok(all)
}

/// The newest predictions of the run in `run_dir`, as [`saved_predictions`].
///
/// # Errors
/// [`Error::Data`] for a file that is damaged or does not belong to the labels.
pub fn newest_predictions(run_dir: &Path, labels: &Labels) -> Result<Option<SavedPredictions>> {
    list(run_dir).pop().map(|(step, path)| SavedPredictions::read(step, &path, labels)).transpose()
}

/// The predictions of the evaluation at `step` of the run in `run_dir`, as [`saved_predictions`]; `None` without its
/// file.
///
/// # Errors
/// [`Error::Data`] for a file that is damaged or does not belong to the labels.
pub fn predictions_of_step(run_dir: &Path, step: u64, labels: &Labels) -> Result<Option<SavedPredictions>> {
    let file = list(run_dir).into_iter().find(|(at, _)| *at == step);
    file.map(|(step, path)| SavedPredictions::read(step, &path, labels)).transpose()
}

/// Writes the predictions of a training. A write error becomes a warning and does not end the training.
pub(super) struct PredictionWriter {
    /// The step that the training starts from, until the files of later steps are removed.
    first_step: Option<u64>,
    has_failed: bool,
}

impl PredictionWriter {
    /// For a training that starts from `first_step`: files of later steps, from before it was resumed, are removed.
    pub(super) fn new(first_step: u64) -> Self {
        PredictionWriter { first_step: Some(first_step), has_failed: false }
    }

    /// Writes the predictions of an evaluation to the run directory `run_dir`.
    pub(super) fn write(&mut self, run_dir: &Path, saved: &SavedPredictions, emit: &mut dyn FnMut(Event)) {
        let removed = self.first_step.map_or(Ok(()), |step| remove_after(run_dir, step));
        self.first_step = self.first_step.filter(|_| removed.is_err());
        let result = removed.and_then(|()| saved.write(run_dir));
        match result {
            Err(error) if !self.has_failed => {
                emit(Event::warning(format!(
                    "the predictions of step {} are not saved: {error}",
                    saved.step
                )));
                self.has_failed = true;
            }
            Ok(()) => self.has_failed = false,
            Err(_) => {}
        }
    }
}

/// Removes the files of steps after `step`.
fn remove_after(run_dir: &Path, step: u64) -> Result<()> {
    for (_, path) in list(run_dir).into_iter().filter(|(at, _)| *at > step) {
        std::fs::remove_file(&path).map_err(Error::writing(&path))?;
    }
    Ok(())
}

/// Steps and files, oldest first.
fn list(run_dir: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(predictions_dir(run_dir)) else { return Vec::new() };
    let step = |name: &str| -> Option<u64> {
        name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
    };
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((step(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::task;

    const SCALE: Labels = Labels::Scale { low: 0.0, high: 5.0 };

    fn classes() -> Labels {
        Labels::from(["no", "yes"].map(String::from).to_vec())
    }

    fn saved(step: u64) -> SavedPredictions {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, 3, 2);
        predictions.set(2, &[0.25, -1.0 / 3.0], Label::Class(1));
        predictions.set(0, &[step as f32, f32::MIN_POSITIVE], Label::Class(0));
        SavedPredictions { step, epoch: step as f64 / 3.0, predictions }
    }

    fn read_error(dir: &Path, labels: &Labels) -> String {
        saved_predictions(dir, labels).unwrap_err().to_string()
    }

    #[test]
    fn predictions_are_read_bit_for_bit_in_the_order_of_steps() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(saved_predictions(dir.path(), &classes()).unwrap(), []);
        let all = [0, 7, 1_000, 123_456_789].map(saved);
        for saved in all.iter().rev() {
            saved.write(dir.path()).unwrap();
        }
        assert_eq!(saved_predictions(dir.path(), &classes()).unwrap(), all);
        assert_eq!(saved_predictions(dir.path(), &Labels::default()).unwrap(), all, "unknown class names");
        assert!(dir.path().join("predictions/step-00001000.safetensors").is_file());
        let of_step = |step| predictions_of_step(dir.path(), step, &classes()).unwrap();
        assert_eq!((of_step(7), of_step(8)), (Some(saved(7)), None));
        remove_after(dir.path(), 7).unwrap();
        assert_eq!(saved_predictions(dir.path(), &classes()).unwrap(), all[..2]);
        remove_after(&dir.path().join("nowhere"), 0).unwrap();
    }

    #[test]
    fn the_folder_of_an_old_run_stays_in_use() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("judged")).unwrap();
        saved(4).write(dir.path()).unwrap();
        assert!(dir.path().join("judged/step-00000004.safetensors").is_file());
        assert!(!dir.path().join("predictions").exists());
        assert_eq!(saved_predictions(dir.path(), &classes()).unwrap(), [saved(4)]);
    }

    #[test]
    fn predictions_of_a_regression_are_read_with_the_same_scores() {
        let dir = tempfile::tempdir().unwrap();
        let mut predictions = Predictions::new(ProblemType::Regression, 3, 1);
        for (row, (predicted, target)) in [(2.5, 3.0), (0.1, 1.2), (4.75, 4.0)].into_iter().enumerate() {
            predictions.set(row, &[predicted], Label::Value(target));
        }
        let saved = SavedPredictions { step: 4, epoch: 0.5, predictions };
        saved.write(dir.path()).unwrap();
        let read = newest_predictions(dir.path(), &SCALE).unwrap().unwrap();
        assert_eq!(read, saved);
        let stsb = task("stsb").unwrap();
        assert_eq!(read.predictions.scores(stsb), saved.predictions.scores(stsb));
    }

    #[test]
    fn sets_of_labels_are_read_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, 2, 3);
        predictions.set(1, &[0.5, -2.0, 1.0], Label::set([0, 2]));
        let saved = SavedPredictions { step: 4, epoch: 0.5, predictions };
        saved.write(dir.path()).unwrap();
        let labels = Labels::multi_label(["a", "b", "c"].map(String::from).to_vec());
        assert_eq!(saved_predictions(dir.path(), &labels).unwrap(), [saved]);
        assert!(read_error(dir.path(), &classes()).contains("the shape of labels is not (rows)"));
    }

    #[test]
    fn invalid_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        saved(1).write(dir.path()).unwrap();
        SavedPredictions {
            step: 2,
            epoch: 1.0,
            predictions: Predictions::new(ProblemType::SingleLabelClassification, 4, 2),
        }
        .write(dir.path())
        .unwrap();
        let error = read_error(dir.path(), &classes());
        assert!(error.contains("step-00000002") && error.contains("other rows"), "{error}");
        let path = dir.path().join("predictions/step-00000002.safetensors");
        let mut flipped = std::fs::read(&path).unwrap();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(read_error(dir.path(), &classes()).contains("does not match its digest"));
        std::fs::write(&path, b"torn").unwrap();
        assert!(read_error(dir.path(), &classes()).contains("damaged"));
        let arrays = Weights::from([("logits".to_string(), Array { shape: vec![4], data: vec![0.0; 4] })]);
        write_arrays(&path, &arrays, &BTreeMap::new()).unwrap();
        assert!(read_error(dir.path(), &classes()).contains("has no labels"));
    }

    #[test]
    fn predictions_of_another_kind_of_labels_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        SavedPredictions {
            step: 1,
            epoch: 1.0,
            predictions: Predictions::new(ProblemType::Regression, 4, 1),
        }
        .write(dir.path())
        .unwrap();
        assert!(
            read_error(dir.path(), &classes()).contains("the number of outputs is 1, but the task has 2")
        );
        assert!(read_error(dir.path(), &Labels::default()).contains("but the task has 2 or more"));
        saved(1).write(dir.path()).unwrap();
        assert!(read_error(dir.path(), &SCALE).contains("the number of outputs is 2, but the task has 1"));
    }
}
