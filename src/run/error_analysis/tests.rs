use super::label_issues::find_label_issues;
use super::*;
use crate::batch::Label;
use crate::catalog::{Metric, ProblemType, task};

/// Rows of two classes, each with the probability of class 1 and its label.
fn predictions(rows: &[(f64, u32)]) -> Predictions {
    let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, rows.len(), 2);
    for (row, (p, label)) in rows.iter().enumerate() {
        predictions.set(row, &[0.0, (p / (1.0 - p)).ln() as f32], Label::Class(*label));
    }
    predictions
}

fn evaluation(step: u64, rows: &[(f64, u32)]) -> SavedPredictions {
    SavedPredictions { step, epoch: 0.0, predictions: predictions(rows) }
}

#[test]
fn rows_are_sorted_by_cell_and_by_loss() {
    let predictions = predictions(&[(0.9, 1), (0.2, 1), (0.3, 0), (0.8, 0), (0.95, 0), (0.1, 1)]);
    let demo = task("demo").unwrap();
    let analysis = ErrorAnalysis::of(&predictions, demo, &demo.labels);
    let Detail::Classes(classes) = &analysis.detail else { panic!("classes") };
    let cells = &classes.cells;
    assert_eq!(*cells, [[vec![2], vec![4, 3]], [vec![5, 1], vec![0]]]);
    // Losses: −ln 0.05, −ln 0.1, then −ln 0.2 twice in the order of the rows, −ln 0.7, −ln 0.9.
    assert_eq!(analysis.hardest[..2], [4, 5]);
    assert_eq!(analysis.hardest[4..], [2, 0]);
    let counts: Vec<Vec<u64>> =
        cells.iter().map(|row| row.iter().map(|c| c.len() as u64).collect()).collect();
    let scores = &analysis.scores;
    assert_eq!((&counts, scores.get(Metric::Accuracy)), (&scores.confusion, Some(2.0 / 6.0)));
}

#[test]
fn rows_of_a_regression_are_sorted_by_residual() {
    let mut predictions = Predictions::new(ProblemType::Regression, 3, 1);
    for (row, (predicted, target)) in [(2.5, 3.0), (0.1, 3.2), (4.75, 4.0)].into_iter().enumerate() {
        predictions.set(row, &[predicted], Label::Value(target));
    }
    let stsb = task("stsb").unwrap();
    let analysis = ErrorAnalysis::of(&predictions, stsb, &stsb.labels);
    assert_eq!(analysis.hardest, [1, 2, 0]);
    let Detail::Scale(bins) = analysis.detail else { panic!("a scale") };
    assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [0, 0, 0, 2, 1]);
    assert_eq!((bins[3].from, bins[3].to, bins[0].rmse), (3.0, 4.0, 0.0));
    // The targets of rows 0 and 1 are in the fourth interval; the predictions are 0.5 and 3.1 too low.
    assert!((bins[3].bias + 1.8).abs() < 1e-6);
    assert!((bins[3].rmse - (f64::midpoint(0.25, 9.61)).sqrt()).abs() < 1e-6);
    assert!((bins[4].bias - 0.75).abs() < 1e-6 && (bins[4].rmse - 0.75).abs() < 1e-6);
    assert_eq!(find_label_issues(&[SavedPredictions { step: 3, epoch: 1.0, predictions }]), []);
}

#[test]
fn rows_of_a_multi_label_classification_start_with_wrong_sets() {
    let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, 3, 2);
    // Wrong by a little, right but uncertain, wrong by far.
    predictions.set(0, &[1.0, 0.1], Label::set([0]));
    predictions.set(1, &[0.01, -0.01], Label::set([0]));
    predictions.set(2, &[-3.0, -2.0], Label::set([0, 1]));
    let labels = Labels::multi_label(vec!["a".into(), "b".into()]);
    let analysis = ErrorAnalysis::of(&predictions, task("custom").unwrap(), &labels);
    assert_eq!(analysis.hardest, [2, 0, 1]);
    assert_eq!(analysis.detail, Detail::MultiLabel);
    let counts = analysis.scores.per_class.iter().map(|label| (label.support, label.predicted));
    assert_eq!(counts.collect::<Vec<_>>(), [(Some(3), Some(2)), (Some(1), Some(1))]);
    assert_eq!(analysis.scores.get(Metric::ExactMatch), Some(1.0 / 3.0));
    assert_eq!(find_label_issues(&[SavedPredictions { step: 3, epoch: 1.0, predictions }]), []);
}

/// By hand: of ten rows, four at 0.95 and three of them right, five at 0.75 and four right, one at 0.65
/// and wrong: 0.4·|0.75 − 0.95| + 0.5·|0.8 − 0.75| + 0.1·|0 − 0.65| = 0.17.
#[test]
fn calibration_error_matches_the_definition() {
    let rows = [
        (0.95, 1),
        (0.95, 1),
        (0.05, 0),
        (0.05, 1),
        (0.75, 1),
        (0.75, 1),
        (0.25, 0),
        (0.25, 0),
        (0.75, 0),
        (0.65, 0),
    ];
    let calibration = Calibration::of(&predictions(&rows));
    assert!((calibration.error - 0.17).abs() < 1e-6, "{}", calibration.error);
    assert_eq!(calibration.bins.map(|bin| bin.rows), [0, 0, 0, 0, 0, 0, 1, 5, 0, 4]);
    let bin = calibration.bins[9];
    assert!((bin.confidence - 0.95).abs() < 1e-6 && bin.accuracy == 0.75, "{bin:?}");
    assert_eq!(Calibration::of(&predictions(&[])).error, 0.0);
    // A model that is always certain and always right is perfectly calibrated.
    let mut certain = Predictions::new(ProblemType::SingleLabelClassification, 1, 2);
    certain.set(0, &[-200.0, 200.0], Label::Class(1));
    assert_eq!((Calibration::of(&certain).error, Calibration::of(&certain).bins[9].rows), (0.0, 1));
}

/// By hand: losses −ln of the label's probability, means over two seeds.
#[test]
fn seeds_are_compared_row_by_row() {
    let seeds = [
        predictions(&[(0.9, 1), (0.2, 1), (0.7, 0), (0.4, 1)]),
        predictions(&[(0.8, 1), (0.1, 1), (0.4, 0), (0.6, 1)]),
    ];
    let comparison = CrossSeed::of(&seeds).unwrap();
    let rows: Vec<(usize, usize, usize)> =
        comparison.rows.iter().map(|row| (row.row, row.wrong, row.predicted)).collect();
    assert_eq!((comparison.seed_count, rows), (2, vec![(1, 2, 0), (2, 1, 1), (3, 1, 0), (0, 0, 1)]));
    let first = &comparison.rows[0];
    assert!(
        (first.loss - (-(0.2f64.ln()) - 0.1f64.ln()) / 2.0).abs() < 1e-6
            && (first.probability - 0.85).abs() < 1e-6
    );
    let other = predictions(&[(0.9, 1), (0.2, 0), (0.7, 0), (0.4, 1)]);
    assert!(CrossSeed::of(&[seeds[0].clone(), other]).is_err());
}

#[test]
fn label_issue_needs_confidence_in_another_class_over_all_evaluations() {
    // Row 0 is learned, row 1 never, row 2 is forgotten at the end, row 3 is less certain than row 1. Predictions
    // before the first step do not count.
    let evaluations = [
        evaluation(0, &[(0.01, 1), (0.99, 1), (0.5, 0), (0.5, 0)]),
        evaluation(10, &[(0.6, 1), (0.1, 1), (0.1, 0), (0.7, 0)]),
        evaluation(20, &[(0.9, 1), (0.2, 1), (0.8, 0), (0.6, 0)]),
    ];
    let found = find_label_issues(&evaluations);
    assert_eq!(found.iter().map(|issue| (issue.row, issue.suggested)).collect::<Vec<_>>(), [(1, 0), (3, 1)]);
    assert!(
        (found[0].label_probability - 0.15).abs() < 1e-6
            && (found[0].suggested_probability - 0.85).abs() < 1e-6
    );
    assert!((found[1].label_probability - 0.35).abs() < 1e-6);
    assert_eq!(find_label_issues(&evaluations[..1]), []);
    assert_eq!(find_label_issues(&[]), []);
}
