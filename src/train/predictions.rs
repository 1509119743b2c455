//! The predictions of an evaluation.

use super::multi_label_scores::{binary_cross_entropy, is_predicted, multi_label, sigmoid};
use super::scores::{argmax, classification, cross_entropy, regression};
use crate::batch::Label;
use crate::catalog::{ProblemType, Task};
use crate::event::Scores;

/// The logits and the target of every row of a split, in the order of the split.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    problem_type: ProblemType,
    /// Number of outputs: one for each class or label, or a single one for a regression.
    outputs: usize,
    /// (rows, outputs), row-major.
    logits: Vec<f32>,
    /// The label of each row in the data: (rows).
    targets: Vec<Label>,
}

impl Predictions {
    /// Zeros for `rows` rows and a model of `outputs` outputs.
    pub fn new(problem_type: ProblemType, rows: usize, outputs: usize) -> Self {
        let target = match problem_type {
            ProblemType::SingleLabelClassification => Label::Class(0),
            ProblemType::MultiLabelClassification => Label::set([]),
            ProblemType::Regression => Label::Value(0.0),
        };
        Predictions { problem_type, outputs, logits: vec![0.0; rows * outputs], targets: vec![target; rows] }
    }

    /// From `logits` (rows, outputs) and the targets as numbers: a class or a finite number for each row, or 0 or 1
    /// for each row and output of a multi-label classification.
    ///
    /// # Errors
    /// A description of the problem if the lengths do not agree or a target is not valid.
    pub(super) fn from_arrays(
        problem_type: ProblemType,
        outputs: usize,
        logits: Vec<f32>,
        targets: &[f32],
    ) -> Result<Self, String> {
        let is_multi_label = problem_type == ProblemType::MultiLabelClassification;
        let per_row = if is_multi_label { outputs } else { 1 };
        if outputs == 0 || logits.len() * per_row != targets.len() * outputs {
            return Err(format!(
                "logits and labels are of a different number of rows, with {outputs} outputs"
            ));
        }
        let label = |(row, numbers): (usize, &[f32])| match (problem_type, numbers) {
            (ProblemType::MultiLabelClassification, numbers) => {
                label_set(numbers).ok_or_else(|| format!("labels of row {row} are not 0 or 1"))
            }
            (ProblemType::Regression, [number]) if number.is_finite() => Ok(Label::Value(*number)),
            (ProblemType::SingleLabelClassification, [number])
                if number.fract() == 0.0 && (0.0..outputs as f32).contains(number) =>
            {
                Ok(Label::Class(*number as u32))
            }
            (ProblemType::Regression, _) => {
                Err(format!("label {} of row {row} is not a finite number", numbers[0]))
            }
            (ProblemType::SingleLabelClassification, _) => {
                Err(format!("label {} of row {row} is not one of {outputs} classes", numbers[0]))
            }
        };
        let targets = targets.chunks_exact(per_row).enumerate().map(label).collect::<Result<_, _>>()?;
        Ok(Predictions { problem_type, outputs, logits, targets })
    }

    /// The targets as numbers, as [`Predictions::from_arrays`] takes them.
    pub(super) fn target_numbers(&self) -> Vec<f32> {
        let numbers = |target: &Label| match target {
            Label::Class(class) => vec![*class as f32],
            Label::Value(value) => vec![*value],
            Label::Set(_) => {
                multi_hot(target, self.outputs).map(|applies| f32::from(u8::from(applies))).collect()
            }
        };
        self.targets.iter().flat_map(numbers).collect()
    }

    /// Sets the logits (outputs) and the target of a row.
    pub fn set(&mut self, row: usize, logits: &[f32], target: Label) {
        self.logits[row * self.outputs..][..self.outputs].copy_from_slice(logits);
        self.targets[row] = target;
    }

    /// The rows of `parts`, which have the same outputs, one after the other. Without parts there are no rows.
    pub fn concatenate(parts: &[&Predictions]) -> Self {
        let (problem_type, outputs) = parts
            .first()
            .map_or((ProblemType::SingleLabelClassification, 1), |part| (part.problem_type, part.outputs));
        let logits = parts.iter().flat_map(|part| part.logits.iter().copied()).collect();
        let targets = parts.iter().flat_map(|part| part.targets.iter().cloned()).collect();
        Predictions { problem_type, outputs, logits, targets }
    }

    /// The same rows with logits that are divided by `temperature`.
    pub fn scaled(&self, temperature: f64) -> Self {
        let logits = self.logits.iter().map(|logit| (f64::from(*logit) / temperature) as f32).collect();
        Predictions { logits, ..self.clone() }
    }

    /// What the model predicts.
    pub fn problem_type(&self) -> ProblemType {
        self.problem_type
    }

    /// Number of outputs of the model.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of classes or labels; 0 for a regression.
    pub fn classes(&self) -> usize {
        if self.is_regression() { 0 } else { self.outputs }
    }

    /// Whether targets and predictions are numbers.
    pub fn is_regression(&self) -> bool {
        self.problem_type == ProblemType::Regression
    }

    /// The target of each row.
    pub fn targets(&self) -> &[Label] {
        &self.targets
    }

    /// The target class of a row of a single-label classification.
    pub fn target(&self, row: usize) -> usize {
        self.targets[row].class().unwrap_or_default() as usize
    }

    /// The target of a row of a regression.
    pub fn target_value(&self, row: usize) -> f64 {
        f64::from(self.targets[row].value().unwrap_or_default())
    }

    /// The most probable class of a row of a single-label classification.
    pub fn predicted(&self, row: usize) -> usize {
        argmax(self.logits(row))
    }

    /// The predicted labels of a row of a multi-label classification, ascending.
    pub fn predicted_set(&self, row: usize) -> Vec<u32> {
        let logits = self.logits(row).iter().zip(0..);
        logits.filter(|(logit, _)| is_predicted(**logit)).map(|(_, label)| label).collect()
    }

    /// The predicted number of a row of a regression.
    pub fn predicted_value(&self, row: usize) -> f64 {
        f64::from(self.logits(row)[0])
    }

    /// Whether the predicted class, or the set of the predicted labels, differs from the target; false for a
    /// regression.
    pub fn is_wrong(&self, row: usize) -> bool {
        match &self.targets[row] {
            Label::Class(class) => self.predicted(row) != *class as usize,
            Label::Set(labels) => self.predicted_set(row) != labels[..],
            Label::Value(_) => false,
        }
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

    /// The probability of a class or label in a row.
    pub fn probability(&self, row: usize, class: usize) -> f64 {
        let logits = self.logits(row);
        match self.problem_type {
            ProblemType::MultiLabelClassification => sigmoid(f64::from(logits[class])),
            _ => (-cross_entropy(logits, class)).exp(),
        }
    }

    /// The loss of a row, as [`example_loss`].
    pub fn loss(&self, row: usize) -> f64 {
        example_loss(self.logits(row), &self.targets[row])
    }

    /// The scores, with the official metrics of `task`.
    pub fn scores(&self, task: &Task) -> Scores {
        let rows = 0..self.len();
        match self.problem_type {
            ProblemType::SingleLabelClassification => {
                classification(task, self.outputs, rows.map(|row| (self.logits(row), self.target(row))))
            }
            ProblemType::MultiLabelClassification => {
                let targets = self.targets.iter().flat_map(|target| multi_hot(target, self.outputs));
                multi_label(task, self.outputs, &self.logits, &targets.collect::<Vec<bool>>())
            }
            ProblemType::Regression => {
                let predictions: Vec<f64> = rows.clone().map(|row| self.predicted_value(row)).collect();
                let targets: Vec<f64> = rows.map(|row| self.target_value(row)).collect();
                regression(task, &predictions, &targets)
            }
        }
    }
}

/// The set of labels whose number is 1; `None` if a number is neither 0 nor 1.
fn label_set(numbers: &[f32]) -> Option<Label> {
    let is_valid = numbers.iter().all(|number| [0.0, 1.0].contains(number));
    is_valid.then(|| {
        Label::set(numbers.iter().zip(0..).filter(|(number, _)| **number == 1.0).map(|(_, label)| label))
    })
}

/// The loss of an example: the cross-entropy, the mean binary cross-entropy of all labels, or the squared error.
pub(super) fn example_loss(logits: &[f32], target: &Label) -> f64 {
    match target {
        Label::Class(class) => cross_entropy(logits, *class as usize),
        Label::Set(_) => binary_cross_entropy(logits.iter().copied().zip(multi_hot(target, logits.len()))),
        Label::Value(value) => (f64::from(logits[0]) - f64::from(*value)).powi(2),
    }
}

/// Whether each of `outputs` labels is in the set.
pub(super) fn multi_hot(target: &Label, outputs: usize) -> impl Iterator<Item = bool> {
    (0..outputs as u32).map(|label| target.indices().binary_search(&label).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: ProblemType = ProblemType::SingleLabelClassification;
    const SETS: ProblemType = ProblemType::MultiLabelClassification;
    const REGRESSION: ProblemType = ProblemType::Regression;

    #[test]
    fn probabilities_and_losses_are_functions_of_the_logits() {
        let mut predictions = Predictions::new(CLASSES, 1, 2);
        predictions.set(0, &[3f32.ln(), 0.0], Label::Class(1));
        assert!((predictions.probability(0, 0) - 0.75).abs() < 1e-7);
        assert!((predictions.loss(0) - 4f64.ln()).abs() < 1e-6);
        assert_eq!((predictions.predicted(0), predictions.target(0)), (0, 1));
    }

    #[test]
    fn arrays_are_validated() {
        let error = |of, outputs, logits: &[f32], targets: &[f32]| {
            Predictions::from_arrays(of, outputs, logits.to_vec(), targets).unwrap_err()
        };
        assert!(error(CLASSES, 2, &[0.0; 4], &[0.0]).contains("different number of rows"));
        assert!(error(CLASSES, 0, &[], &[]).contains("0 outputs"));
        assert_eq!(error(CLASSES, 2, &[0.0; 4], &[0.0, 2.0]), "label 2 of row 1 is not one of 2 classes");
        for target in [0.5, -1.0, f32::NAN] {
            assert!(error(CLASSES, 2, &[0.0; 2], &[target]).contains("of row 0 is not one of 2 classes"));
        }
        assert!(error(REGRESSION, 1, &[0.0], &[f32::INFINITY]).contains("is not a finite number"));
        let regression = Predictions::from_arrays(REGRESSION, 1, vec![0.5], &[0.25]).unwrap();
        assert!(regression.is_regression());
        assert_eq!((regression.classes(), regression.loss(0)), (0, 0.0625));
        assert!(error(SETS, 2, &[0.0; 4], &[0.0; 2]).contains("different number of rows"));
        assert_eq!(error(SETS, 2, &[0.0; 4], &[0.0, 1.0, 1.0, 0.5]), "labels of row 1 are not 0 or 1");
    }

    #[test]
    fn sets_of_labels_are_compared_as_a_whole() {
        let targets = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let predictions =
            Predictions::from_arrays(SETS, 3, vec![0.5, -0.5, 2.0, 0.0, 1.0, -3.0], &targets).unwrap();
        assert_eq!(predictions.targets(), [Label::set([0, 2]), Label::set([])]);
        assert_eq!(predictions.target_numbers(), targets);
        assert_eq!((predictions.predicted_set(0), predictions.predicted_set(1)), (vec![0, 2], vec![1]));
        assert!(!predictions.is_wrong(0) && predictions.is_wrong(1));
        assert!((predictions.probability(1, 1) - 0.731_058_578_630_004_9).abs() < 1e-12);
        // −log σ(0.5), −log(1 − σ(−0.5)), −log σ(2)
        let loss = (0.474_076_984 + 0.474_076_984 + 0.126_928_011) / 3.0;
        assert!((predictions.loss(0) - loss).abs() < 1e-8, "{}", predictions.loss(0));
    }
}
