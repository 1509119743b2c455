//! The predictions of an evaluation.

use super::scores::{argmax, classification, cross_entropy, regression};
use crate::batch::Label;
use crate::catalog::Task;
use crate::event::Scores;

/// The logits and the target of every row of a split, in the order of the split.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Number of outputs: one for each class, or a single one for a regression.
    outputs: usize,
    /// (rows, outputs), row-major.
    logits: Vec<f32>,
    /// The label of each row in the data: (rows).
    targets: Vec<Label>,
}

impl Predictions {
    /// Zeros for `rows` rows and a model of `outputs` outputs.
    pub fn new(rows: usize, outputs: usize) -> Self {
        let target = if outputs == 1 { Label::Value(0.0) } else { Label::Class(0) };
        Predictions { outputs, logits: vec![0.0; rows * outputs], targets: vec![target; rows] }
    }

    /// From `logits` (rows, outputs) and the target of each row as a number.
    ///
    /// # Errors
    /// A description of the problem if the lengths do not agree or a target is not valid: a class of a
    /// classification, a finite number of a regression.
    pub(super) fn from_arrays(outputs: usize, logits: Vec<f32>, targets: &[f32]) -> Result<Self, String> {
        if outputs == 0 || logits.len() != targets.len() * outputs {
            return Err(format!(
                "logits and labels are of a different number of rows, with {outputs} outputs"
            ));
        }
        let label = |(row, number): (usize, &f32)| match outputs {
            1 if number.is_finite() => Ok(Label::Value(*number)),
            classes if classes > 1 && number.fract() == 0.0 && (0.0..classes as f32).contains(number) => {
                Ok(Label::Class(*number as u32))
            }
            1 => Err(format!("label {number} of row {row} is not a finite number")),
            classes => Err(format!("label {number} of row {row} is not one of {classes} classes")),
        };
        let targets = targets.iter().enumerate().map(label).collect::<Result<_, _>>()?;
        Ok(Predictions { outputs, logits, targets })
    }

    /// Sets the logits (outputs) and the target of a row.
    pub fn set(&mut self, row: usize, logits: &[f32], target: Label) {
        self.logits[row * self.outputs..][..self.outputs].copy_from_slice(logits);
        self.targets[row] = target;
    }

    /// Number of outputs of the model.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of classes; 0 for a regression.
    pub fn classes(&self) -> usize {
        if self.is_regression() { 0 } else { self.outputs }
    }

    /// Whether targets and predictions are numbers.
    pub fn is_regression(&self) -> bool {
        self.outputs == 1
    }

    /// The target of each row.
    pub fn targets(&self) -> &[Label] {
        &self.targets
    }

    /// The target class of a row of a classification.
    pub fn target(&self, row: usize) -> usize {
        self.targets[row].number() as usize
    }

    /// The target of a row of a regression.
    pub fn target_value(&self, row: usize) -> f64 {
        f64::from(self.targets[row].number())
    }

    /// The most probable class of a row of a classification.
    pub fn predicted(&self, row: usize) -> usize {
        argmax(self.logits(row))
    }

    /// The predicted number of a row of a regression.
    pub fn predicted_value(&self, row: usize) -> f64 {
        f64::from(self.logits(row)[0])
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The logits of all rows: (rows, outputs), row-major.
    pub(super) fn all_logits(&self) -> &[f32] {
        &self.logits
    }

    /// The logits of a row: (outputs).
    pub fn logits(&self, row: usize) -> &[f32] {
        &self.logits[row * self.outputs..][..self.outputs]
    }

    /// The probability of a class in a row.
    pub fn probability(&self, row: usize, class: usize) -> f64 {
        (-cross_entropy(self.logits(row), class)).exp()
    }

    /// The cross-entropy of a row; the squared error of a regression.
    pub fn loss(&self, row: usize) -> f64 {
        match self.targets[row] {
            Label::Class(class) => cross_entropy(self.logits(row), class as usize),
            Label::Value(value) => (self.predicted_value(row) - f64::from(value)).powi(2),
        }
    }

    /// The scores, with the official metrics of `task`.
    pub fn scores(&self, task: &Task) -> Scores {
        let rows = 0..self.len();
        if self.is_regression() {
            let predictions: Vec<f64> = rows.clone().map(|row| self.predicted_value(row)).collect();
            let targets: Vec<f64> = rows.map(|row| self.target_value(row)).collect();
            return regression(task, &predictions, &targets);
        }
        classification(task, self.outputs, rows.map(|row| (self.logits(row), self.target(row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_losses_are_functions_of_the_logits() {
        let mut predictions = Predictions::new(1, 2);
        predictions.set(0, &[3f32.ln(), 0.0], Label::Class(1));
        assert!((predictions.probability(0, 0) - 0.75).abs() < 1e-7);
        assert!((predictions.loss(0) - 4f64.ln()).abs() < 1e-6);
        assert_eq!((predictions.predicted(0), predictions.target(0)), (0, 1));
    }

    #[test]
    fn arrays_are_validated() {
        let error = |outputs, logits: &[f32], targets: &[f32]| {
            Predictions::from_arrays(outputs, logits.to_vec(), targets).unwrap_err()
        };
        assert!(error(2, &[0.0; 4], &[0.0]).contains("different number of rows"));
        assert!(error(0, &[], &[]).contains("0 outputs"));
        assert_eq!(error(2, &[0.0; 4], &[0.0, 2.0]), "label 2 of row 1 is not one of 2 classes");
        for target in [0.5, -1.0, f32::NAN] {
            assert!(error(2, &[0.0; 2], &[target]).contains("of row 0 is not one of 2 classes"));
        }
        assert!(error(1, &[0.0], &[f32::INFINITY]).contains("is not a finite number"));
        let regression = Predictions::from_arrays(1, vec![0.5], &[0.25]).unwrap();
        assert!(regression.is_regression());
        assert_eq!((regression.classes(), regression.loss(0)), (0, 0.0625));
    }
}
