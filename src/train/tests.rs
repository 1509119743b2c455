//! The scores equal those of scikit-learn, SciPy and PyTorch for random and degenerate predictions.

use super::metric_rows::MetricRows;
use super::predictions::Predictions;
use crate::catalog::{Metric, ProblemType, TASKS, Task};
use crate::event::ClassScores;
use serde_json::Value;
use std::collections::BTreeSet;

/// A number of the reference file; one that JSON does not have is a string.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// A metric of the reference file; null is undefined.
fn metric(value: &Value) -> Option<f64> {
    (!value.is_null()).then(|| number(value))
}

fn assert_near(what: &str, found: Option<f64>, expected: Option<f64>) {
    let is_near = match (found, expected) {
        (Some(found), Some(expected)) if expected.is_finite() => {
            (found - expected).abs() <= 1e-6 * expected.abs().max(1.0)
        }
        (Some(found), Some(expected)) => found == expected || (found.is_nan() && expected.is_nan()),
        (found, expected) => found == expected,
    };
    assert!(is_near, "{what}: {found:?}, expected {expected:?}");
}

/// The predictions of a case of `tests/reference/metrics.json`.
fn predictions(case: &Value) -> Predictions {
    let problem_type: ProblemType = case["problem_type"].as_str().unwrap().parse().unwrap();
    let rows: Vec<Vec<f64>> = case["logits"].as_array().unwrap().iter().map(numbers).collect();
    let targets: Vec<f64> = match problem_type {
        ProblemType::MultiLabelClassification => {
            case["targets"].as_array().unwrap().iter().flat_map(numbers).collect()
        }
        _ => numbers(&case["targets"]),
    };
    let to_f32 = |numbers: Vec<f64>| numbers.into_iter().map(|number| number as f32).collect::<Vec<f32>>();
    Predictions::from_arrays(problem_type, rows[0].len(), to_f32(rows.concat()), &to_f32(targets)).unwrap()
}

/// The tasks that models with these outputs are for; task `custom` is for all.
fn tasks(predictions: &Predictions) -> impl Iterator<Item = &'static Task> {
    let outputs = (predictions.problem_type(), predictions.outputs());
    TASKS.iter().filter(move |task| {
        task.is_custom() || (task.labels.problem_type(), task.labels.outputs()) == outputs
    })
}

fn check_per_class(name: &str, found: &[ClassScores], case: &Value) {
    let expected = case["per_class"].as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (class, (found, expected)) in found.iter().zip(expected).enumerate() {
        let ClassScores { precision, recall, f1, average_precision, .. } = *found;
        let found = [Some(precision), Some(recall), Some(f1), average_precision];
        // Classes have no average precision, and no fourth number.
        for (index, found) in found.into_iter().enumerate() {
            assert_near(&format!("{name}: number {index} of class {class}"), found, metric(&expected[index]));
        }
    }
}

#[test]
fn scores_equal_scikit_learn_and_scipy() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/reference/metrics.json")).unwrap();
    let mut compared = BTreeSet::new();
    for case in golden["cases"].as_array().unwrap() {
        let (name, predictions) = (case["name"].as_str().unwrap(), predictions(case));
        let rows: Vec<u32> = (0..predictions.len() as u32).collect();
        let metric_rows = MetricRows::of(&predictions);
        for task in tasks(&predictions) {
            let name = format!("{name}, task {}", task.name);
            let scores = predictions.scores(task);
            assert_near(&format!("{name}: loss"), Some(scores.loss), metric(&case["scores"]["loss"]));
            for (of, found) in &scores.metrics {
                let expected = metric(case["scores"].get(of.name()).unwrap());
                assert_near(&format!("{name}: {of}"), *found, expected);
                if *of != Metric::Mae {
                    assert_near(&format!("{name}: {of} of rows"), metric_rows.value(*of, &rows), expected);
                }
                compared.insert((task.name, predictions.problem_type().name(), *of));
            }
            check_per_class(&name, &scores.per_class, case);
            if let Some(confusion) = case.get("confusion") {
                assert_eq!(&serde_json::to_value(&scores.confusion).unwrap(), confusion, "{name}");
            }
        }
    }
    for task in TASKS {
        for problem_type in ProblemType::ALL {
            if !task.is_custom() && task.labels.problem_type() != problem_type {
                continue;
            }
            let own = task.metrics(problem_type).iter().filter(|metric| metric.source().is_none());
            for metric in own {
                let key = (task.name, problem_type.name(), *metric);
                assert!(compared.contains(&key), "{key:?} is in no case");
            }
        }
    }
}

#[test]
fn scores_of_no_rows_are_defined_or_absent() {
    for task in TASKS {
        for problem_type in ProblemType::ALL {
            let scores = Predictions::new(problem_type, 0, 3).scores(task);
            assert_eq!(scores.examples, 0);
            let values = scores.metrics.values().flatten();
            assert!(values.into_iter().all(|value| value.is_finite()), "{}: {scores:?}", task.name);
        }
    }
}
