//! Metrics of any choice of rows, for resampling.

use super::multi_label_scores::{LabelCounts, average_precision, mean_average_precision};
use super::predictions::{Predictions, multi_hot};
use super::scores::ClassSums;
use crate::catalog::{Metric, ProblemType};
use crate::stats::{pearson, spearman};

/// The most and the fewest resamples of a bootstrap.
const MAX_RESAMPLES: u64 = 9_999;
const MIN_RESAMPLES: u64 = 499;
/// The most work of all resamples of a metric together, in units of [`MetricRows::cost`]: a few seconds.
const MAX_COST: u64 = 200_000_000;

/// The predictions of a model in a form from which a metric of any choice of its rows, with repetitions, is computed
/// quickly.
#[derive(Debug, Clone)]
pub struct MetricRows {
    outputs: usize,
    rows: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Target and predicted class of each row.
    Classes(Vec<(usize, usize)>),
    /// (rows, outputs), row-major.
    Sets { logits: Vec<f32>, targets: Vec<bool> },
    /// Prediction and target of each row.
    Numbers(Vec<(f64, f64)>),
}

impl MetricRows {
    /// From all rows of `predictions`.
    pub fn of(predictions: &Predictions) -> Self {
        let (outputs, rows) = (predictions.outputs(), 0..predictions.len());
        let kind = match predictions.problem_type() {
            ProblemType::SingleLabelClassification => {
                Kind::Classes(rows.map(|row| (predictions.target(row), predictions.predicted(row))).collect())
            }
            ProblemType::MultiLabelClassification => Kind::Sets {
                logits: predictions.all_logits().to_vec(),
                targets: predictions.targets().iter().flat_map(|target| multi_hot(target, outputs)).collect(),
            },
            ProblemType::Regression => Kind::Numbers(
                rows.map(|row| (predictions.predicted_value(row), predictions.target_value(row))).collect(),
            ),
        };
        MetricRows { outputs, rows: predictions.len(), kind }
    }

    /// The number of resamples in which `metric` of all `models`, which predicted the same rows, is computed in time.
    pub fn resamples<'a>(models: impl IntoIterator<Item = &'a MetricRows>, metric: Metric) -> u32 {
        let cost: u64 = models.into_iter().map(|model| model.cost(metric) * model.rows as u64).sum();
        (MAX_COST / cost.max(1)).clamp(MIN_RESAMPLES, MAX_RESAMPLES) as u32
    }

    /// How long a value of `metric` takes for each row, in units of adding a row to a confusion matrix.
    fn cost(&self, metric: Metric) -> u64 {
        match (&self.kind, metric) {
            (Kind::Classes(_), _) => 1,
            (Kind::Sets { .. }, Metric::AveragePrecision) => 20 * self.outputs as u64,
            (Kind::Sets { .. }, _) => self.outputs as u64,
            (Kind::Numbers(_), Metric::Spearman) => 20,
            (Kind::Numbers(_), _) => 4,
        }
    }

    /// The value of `metric` for the rows `rows`, which are indices that may occur several times; `None` where it is
    /// undefined, or not a function of these predictions.
    pub fn value(&self, metric: Metric, rows: &[u32]) -> Option<f64> {
        match &self.kind {
            Kind::Classes(cells) => {
                let mut sums = ClassSums::new(self.outputs);
                for (target, predicted) in rows.iter().filter_map(|row| cells.get(*row as usize)) {
                    sums.add(*target, *predicted, 1.0);
                }
                sums.value(metric)
            }
            Kind::Sets { logits, targets } => {
                let start = |row: &u32| *row as usize * self.outputs;
                if metric == Metric::AveragePrecision {
                    let pair = |index: usize| (logits[index], targets[index]);
                    let column = |label| rows.iter().map(|row| pair(start(row) + label)).collect();
                    return mean_average_precision(
                        (0..self.outputs).map(|label| average_precision(column(label))),
                    );
                }
                let mut counts = LabelCounts::new(self.outputs);
                for row in rows {
                    let span = start(row)..start(row) + self.outputs;
                    counts.add(logits[span.clone()].iter().copied().zip(targets[span].iter().copied()));
                }
                counts.value(metric)
            }
            Kind::Numbers(pairs) => {
                let pairs = rows.iter().filter_map(|row| pairs.get(*row as usize));
                let (predictions, targets): (Vec<f64>, Vec<f64>) = pairs.copied().unzip();
                match metric {
                    Metric::Pearson => pearson(&predictions, &targets),
                    Metric::Spearman => spearman(&predictions, &targets),
                    _ => None,
                }
            }
        }
    }
}

impl Predictions {
    /// The predictions of these rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Predictions {
        let mut selected = Predictions::new(self.problem_type(), rows.len(), self.outputs());
        for (index, row) in rows.iter().enumerate() {
            selected.set(index, self.logits(*row), self.targets()[*row].clone());
        }
        selected
    }

    /// The value of each row for a metric that is their mean; `None` for other metrics.
    pub fn row_values(&self, metric: Metric) -> Option<Vec<f64>> {
        let value = |row| match metric {
            Metric::Accuracy | Metric::ExactMatch => Some(f64::from(u8::from(!self.is_wrong(row)))),
            Metric::Mae => Some((self.predicted_value(row) - self.target_value(row)).abs()),
            Metric::Loss => Some(self.loss(row)),
            _ => None,
        };
        (0..self.len()).map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::task;

    fn classes() -> Predictions {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, 4, 2);
        for (row, (logit, target)) in [(1.0, 1), (-1.0, 1), (2.0, 0), (-2.0, 0)].into_iter().enumerate() {
            predictions.set(row, &[0.0, logit], Label::Class(target));
        }
        predictions
    }

    fn sets() -> Predictions {
        let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, 3, 2);
        for (row, (logits, target)) in
            [([1.0, -1.0], vec![0]), ([1.0, 0.5], vec![1]), ([-1.0, -2.0], vec![])].into_iter().enumerate()
        {
            predictions.set(row, &logits, Label::set(target));
        }
        predictions
    }

    fn numbers() -> Predictions {
        let mut predictions = Predictions::new(ProblemType::Regression, 4, 1);
        for (row, (logit, target)) in [(1.0, 1.5), (2.0, 2.0), (3.5, 3.0), (0.5, 2.0)].into_iter().enumerate()
        {
            predictions.set(row, &[logit], Label::Value(target));
        }
        predictions
    }

    #[test]
    fn values_of_all_rows_are_the_scores() {
        for (name, predictions) in [
            ("mrpc", classes()),
            ("cola", classes()),
            ("custom", sets()),
            ("custom", numbers()),
            ("stsb", numbers()),
        ] {
            let task = task(name).unwrap();
            let scores = predictions.scores(task);
            let rows = MetricRows::of(&predictions);
            let all: Vec<u32> = (0..predictions.len() as u32).collect();
            for (metric, value) in &scores.metrics {
                let found = match predictions.row_values(*metric) {
                    Some(values) => Some(values.iter().sum::<f64>() / values.len() as f64),
                    None => rows.value(*metric, &all),
                };
                let (found, value) = (found.unwrap(), value.unwrap());
                assert!((found - value).abs() < 1e-12, "{name} {metric}: {found}, {value}");
            }
            let losses = predictions.row_values(Metric::Loss).unwrap();
            assert!((losses.iter().sum::<f64>() / losses.len() as f64 - scores.loss).abs() < 1e-9);
        }
    }

    #[test]
    fn a_choice_of_rows_is_that_of_selected_predictions() {
        let task = task("mrpc").unwrap();
        let (choice, indices) = ([2_u32, 0, 0, 3], [2, 0, 0, 3]);
        let selected = classes().select(&indices).scores(task);
        let rows = MetricRows::of(&classes());
        for metric in [Metric::F1, Metric::Accuracy] {
            assert_eq!(rows.value(metric, &choice), selected.get(metric));
        }
        assert_eq!(rows.value(Metric::Pearson, &choice), None);
    }
}
