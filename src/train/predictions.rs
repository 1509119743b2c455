//! What an evaluation said of each row. Kept in `judged/step-00000267.safetensors` below the run directory,
//! so that a reader can ask which rows a score is made of.

use super::scores::{Tally, argmax, cross_entropy, regression};
use crate::batch::Label;
use crate::catalog::Task;
use crate::error::{Error, Result};
use crate::event::{Event, Scores};
use crate::files::write_atomic_with;
use crate::nn::{Array, Weights, read_arrays, write_arrays};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder in a run directory.
const FOLDER: &str = "judged";
const LOGITS: &str = "logits";
const LABELS: &str = "labels";

/// The logits of every row of a split, in the order of the split.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Numbers that are told of a row: one a class, or one alone of a regression.
    outputs: usize,
    /// (rows, outputs), row after row.
    logits: Vec<f32>,
    labels: Vec<Label>,
}

impl Predictions {
    /// Rows that are still to be judged, by a model of so many outputs.
    pub fn new(rows: usize, outputs: usize) -> Self {
        let label = if outputs == 1 { Label::Value(0.0) } else { Label::Class(0) };
        Predictions { outputs, logits: vec![0.0; rows * outputs], labels: vec![label; rows] }
    }

    /// Takes over what was said of a row, its logits (one an output), and its label.
    pub fn set(&mut self, row: usize, logits: &[f32], label: Label) {
        self.logits[row * self.outputs..][..self.outputs].copy_from_slice(logits);
        self.labels[row] = label;
    }

    /// Number of classes; 0 of a regression.
    pub fn classes(&self) -> usize {
        if self.is_regression() { 0 } else { self.outputs }
    }

    /// Whether labels are numbers, and what is told of a row is one.
    pub fn is_regression(&self) -> bool {
        self.outputs == 1
    }

    /// The label of each row, as the data has it.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The class of a row, as the data has it.
    ///
    /// # Panics
    /// Of a regression, which has none.
    pub fn label(&self, row: usize) -> usize {
        match self.labels[row] {
            Label::Class(class) => class as usize,
            Label::Value(value) => panic!("row {row} is labelled {value}, which is no class"),
        }
    }

    /// Of a regression, the number that is given for a row.
    pub fn given(&self, row: usize) -> f64 {
        f64::from(self.labels[row].number())
    }

    /// Of a regression, the number that was told of a row.
    pub fn told(&self, row: usize) -> f64 {
        f64::from(self.logits(row)[0])
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The logits of a row, one an output.
    pub fn logits(&self, row: usize) -> &[f32] {
        &self.logits[row * self.outputs..][..self.outputs]
    }

    /// The most probable class of a row.
    pub fn predicted(&self, row: usize) -> usize {
        argmax(self.logits(row))
    }

    /// The probability of a class of a row.
    pub fn probability(&self, row: usize, class: usize) -> f64 {
        (-cross_entropy(self.logits(row), class)).exp()
    }

    /// The cross-entropy of a row; of a regression the squared error.
    pub fn loss(&self, row: usize) -> f64 {
        match self.labels[row] {
            Label::Class(class) => cross_entropy(self.logits(row), class as usize),
            Label::Value(value) => (self.told(row) - f64::from(value)).powi(2),
        }
    }

    /// The scores that the rows come to, with those that `task` is judged by.
    pub fn scores(&self, task: &Task) -> Scores {
        if self.is_regression() {
            let told: Vec<f64> = (0..self.len()).map(|row| self.told(row)).collect();
            let given: Vec<f64> = (0..self.len()).map(|row| self.given(row)).collect();
            return regression(&told, &given);
        }
        let mut tally = Tally::new(self.outputs);
        for row in 0..self.len() {
            tally.add(self.logits(row), self.label(row));
        }
        tally.scores(task)
    }
}

/// A pass over the validation split.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedPredictions {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// What it said of each row.
    pub judged: Predictions,
}

impl SavedPredictions {
    /// Writes it below the run directory `dir`, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let Predictions { outputs, logits, labels } = &self.judged;
        let labels: Vec<f32> = labels.iter().map(|label| label.number()).collect();
        let arrays = Weights::from([
            (LOGITS.to_string(), Array { shape: vec![labels.len(), *outputs], data: logits.clone() }),
            (LABELS.to_string(), Array { shape: vec![labels.len()], data: labels }),
        ]);
        let told = BTreeMap::from([
            ("format".to_string(), "1".to_string()),
            ("split".to_string(), "validation".to_string()),
            ("epoch".to_string(), self.epoch.to_string()),
        ]);
        let path = path(dir, self.step);
        std::fs::create_dir_all(dir.join(FOLDER)).map_err(Error::writing(&path))?;
        write_atomic_with(&path, |aside| write_arrays(aside, &arrays, &told).map(drop))
    }

    fn read(step: u64, path: &Path) -> Result<Self> {
        let wrong = |problem: &str| Error::data(path, None, format!("is no evaluation: {problem}"));
        let (mut arrays, told) = read_arrays(path)?;
        let mut take = |name: &str| arrays.remove(name).ok_or_else(|| wrong(&format!("has no {name}")));
        let (logits, labels) = (take(LOGITS)?, take(LABELS)?);
        let [rows, outputs] = logits.shape[..] else { return Err(wrong("logits are not (rows, outputs)")) };
        let is_label = |label: &f32| match outputs {
            1 => label.is_finite(),
            classes => *label >= 0.0 && *label < classes as f32 && label.fract() == 0.0,
        };
        if labels.shape != [rows] || !labels.data.iter().all(is_label) {
            return Err(wrong("labels are not one class, or one number, a row"));
        }
        let epoch = told.get("epoch").and_then(|epoch| epoch.parse().ok());
        let epoch = epoch.ok_or_else(|| wrong("does not tell its epoch"))?;
        let label =
            |number: &f32| if outputs == 1 { Label::Value(*number) } else { Label::Class(*number as u32) };
        let labels = labels.data.iter().map(label).collect();
        Ok(SavedPredictions { step, epoch, judged: Predictions { outputs, logits: logits.data, labels } })
    }
}

/// Every evaluation that is kept below the run directory `dir`, oldest first.
///
/// # Errors
/// [`Error::Data`] for a file that is damaged, or of other rows than the others.
pub fn evaluations(dir: &Path) -> Result<Vec<SavedPredictions>> {
    let mut all: Vec<SavedPredictions> = Vec::new();
    for (step, path) in list(dir) {
        let evaluation = SavedPredictions::read(step, &path)?;
        if let Some(before) = all.last().filter(|before| !are_alike(&before.judged, &evaluation.judged)) {
            let problem =
                format!("has other rows than step {}; remove the one that is not wanted", before.step);
            return Err(Error::data(path, None, problem));
        }
        all.push(evaluation);
    }
    Ok(all)
}

/// The newest evaluation that is kept below the run directory `dir`.
///
/// # Errors
/// [`Error::Data`] for a file that is damaged.
pub fn newest_evaluation(dir: &Path) -> Result<Option<SavedPredictions>> {
    list(dir).pop().map(|(step, path)| SavedPredictions::read(step, &path)).transpose()
}

fn are_alike(a: &Predictions, b: &Predictions) -> bool {
    a.outputs == b.outputs && a.labels == b.labels
}

/// Keeps the evaluations of a training. What cannot be written warns once and never ends it.
pub(super) struct Keeper<'a> {
    dir: &'a Path,
    /// The step that is gone on from, until the evaluations after it are removed.
    from: Option<u64>,
    is_well: bool,
}

impl<'a> Keeper<'a> {
    /// For a training in the run directory `dir` that goes on from `step`: it makes the later ones anew.
    pub(super) fn new(dir: &'a Path, step: u64) -> Self {
        Keeper { dir, from: Some(step), is_well: true }
    }

    /// Writes an evaluation.
    pub(super) fn keep(&mut self, evaluation: &SavedPredictions, say: &mut dyn FnMut(Event)) {
        if !self.is_well {
            return;
        }
        let forgotten = self.from.take().map_or(Ok(()), |step| forget_after(self.dir, step));
        if let Err(error) = forgotten.and_then(|()| evaluation.write(self.dir)) {
            self.is_well = false;
            say(Event::warning(format!("what evaluations say of each row is not kept: {error}")));
        }
    }
}

/// Removes the evaluations after `step`.
fn forget_after(dir: &Path, step: u64) -> Result<()> {
    for (_, path) in list(dir).into_iter().filter(|(at, _)| *at > step) {
        std::fs::remove_file(&path).map_err(Error::writing(&path))?;
    }
    Ok(())
}

fn path(dir: &Path, step: u64) -> PathBuf {
    dir.join(FOLDER).join(format!("step-{step:08}.safetensors"))
}

/// Steps and files, oldest first.
fn list(dir: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir.join(FOLDER)) else { return Vec::new() };
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

    fn evaluation(step: u64) -> SavedPredictions {
        let mut judged = Predictions::new(3, 2);
        judged.set(2, &[0.25, -1.0 / 3.0], Label::Class(1));
        judged.set(0, &[step as f32, f32::MIN_POSITIVE], Label::Class(0));
        SavedPredictions { step, epoch: step as f64 / 3.0, judged }
    }

    #[test]
    fn evaluations_come_back_bit_for_bit_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(evaluations(dir.path()).unwrap(), []);
        let all = [0, 7, 1_000, 123_456_789].map(evaluation);
        for evaluation in all.iter().rev() {
            evaluation.write(dir.path()).unwrap();
        }
        assert_eq!(evaluations(dir.path()).unwrap(), all);
        assert!(dir.path().join("judged/step-00001000.safetensors").is_file());
        forget_after(dir.path(), 7).unwrap();
        assert_eq!(evaluations(dir.path()).unwrap(), all[..2]);
        forget_after(&dir.path().join("nowhere"), 0).unwrap();
    }

    #[test]
    fn a_regression_comes_back_with_its_scores() {
        let dir = tempfile::tempdir().unwrap();
        let mut judged = Predictions::new(3, 1);
        for (row, (told, given)) in [(2.5, 3.0), (0.1, 1.2), (4.75, 4.0)].into_iter().enumerate() {
            judged.set(row, &[told], Label::Value(given));
        }
        let evaluation = SavedPredictions { step: 4, epoch: 0.5, judged };
        evaluation.write(dir.path()).unwrap();
        let again = evaluations(dir.path()).unwrap().remove(0);
        assert_eq!(again, evaluation);
        assert!(again.judged.is_regression() && again.judged.classes() == 0);
        assert_eq!((again.judged.told(2), again.judged.given(2), again.judged.loss(2)), (4.75, 4.0, 0.5625));
        let task = crate::catalog::task("stsb").unwrap();
        assert_eq!(again.judged.scores(task), evaluation.judged.scores(task));
    }

    #[test]
    fn what_is_no_evaluation_is_named() {
        let dir = tempfile::tempdir().unwrap();
        evaluation(1).write(dir.path()).unwrap();
        SavedPredictions { step: 2, epoch: 1.0, judged: Predictions::new(4, 2) }.write(dir.path()).unwrap();
        let error = evaluations(dir.path()).unwrap_err().to_string();
        assert!(error.contains("step-00000002") && error.contains("other rows"), "{error}");
        let torn = dir.path().join("judged/step-00000002.safetensors");
        std::fs::write(&torn, b"torn").unwrap();
        assert!(evaluations(dir.path()).unwrap_err().to_string().contains("damaged"));
        let arrays = Weights::from([("logits".to_string(), Array { shape: vec![4], data: vec![0.0; 4] })]);
        write_arrays(&torn, &arrays, &BTreeMap::new()).unwrap();
        assert!(evaluations(dir.path()).unwrap_err().to_string().contains("no labels"));
    }

    #[test]
    fn probabilities_and_losses_are_those_of_the_logits() {
        let mut judged = Predictions::new(1, 2);
        judged.set(0, &[3f32.ln(), 0.0], Label::Class(1));
        assert!((judged.probability(0, 0) - 0.75).abs() < 1e-7);
        assert!((judged.loss(0) - 4f64.ln()).abs() < 1e-6);
        assert_eq!((judged.predicted(0), judged.label(0)), (0, 1));
    }
}
