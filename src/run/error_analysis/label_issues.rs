//! Rows with likely label errors.

use crate::catalog::ProblemType;
use crate::train::{Predictions, SavedPredictions};

/// A label is a likely error when another class has a higher mean probability than this.
const LABEL_ISSUE_THRESHOLD: f64 = 0.5;

/// A row with a likely label error.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelIssue {
    /// Index of the row.
    pub row: usize,
    /// The class that the model predicts instead.
    pub suggested: usize,
    /// Mean probability of the label over the evaluations.
    pub label_probability: f64,
    /// Mean probability of the suggested class.
    pub suggested_probability: f64,
}

/// Likely label errors, the most likely first: rows with a low mean probability of their label over all evaluations
/// after step 0, where the model is confident in another class. They are the hard-to-learn region of Swayamdipta et
/// al. 2020, "Dataset Cartography".
pub(super) fn find_label_issues(evaluations: &[SavedPredictions]) -> Vec<LabelIssue> {
    let trained: Vec<&Predictions> =
        evaluations.iter().filter(|evaluation| evaluation.step > 0).map(|one| &one.predictions).collect();
    // Only a class can be replaced by another one.
    let is_of_classes = |of: &&&Predictions| of.problem_type() == ProblemType::SingleLabelClassification;
    let Some(first) = trained.first().filter(is_of_classes) else {
        return Vec::new();
    };
    let mean = |row: usize, class: usize| {
        trained.iter().map(|predictions| predictions.probability(row, class)).sum::<f64>()
            / trained.len() as f64
    };
    let mut found: Vec<LabelIssue> = (0..first.len())
        .filter_map(|row| {
            let label = first.target(row);
            let others = (0..first.classes()).filter(|class| *class != label);
            let (suggested, probability) =
                others.map(|class| (class, mean(row, class))).max_by(|a, b| a.1.total_cmp(&b.1))?;
            (probability > LABEL_ISSUE_THRESHOLD).then(|| LabelIssue {
                row,
                suggested,
                label_probability: mean(row, label),
                suggested_probability: probability,
            })
        })
        .collect();
    found.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability));
    found
}
