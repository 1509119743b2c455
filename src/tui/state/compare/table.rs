//! The table of runs: columns, order and filter.

use crate::run::RunRow;
use crate::run::filter::{RunFilter, toggle_term};
use crate::tui::action::Facet;
use crate::tui::state::model_name::model_name;
use std::cmp::Ordering;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The run's name.
    Name,
    /// Name of the task.
    Task,
    /// Short name of the model.
    Model,
    /// Status of the run.
    Status,
    /// The best validation score.
    Score,
    /// Optimizer steps done.
    Steps,
    /// Training time.
    Time,
    /// When the run was started.
    Started,
}

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The column that rows are sorted by.
    pub column: Column,
    /// Whether the default direction is reversed. Default: texts from A, scores from the best, numbers from the largest,
    /// times from the newest.
    pub is_reversed: bool,
}

impl Column {
    /// Every column, from left to right.
    pub const ALL: [Column; 8] = [
        Column::Name,
        Column::Task,
        Column::Model,
        Column::Status,
        Column::Score,
        Column::Steps,
        Column::Time,
        Column::Started,
    ];
}

impl Default for Order {
    fn default() -> Self {
        Order { column: Column::Started, is_reversed: false }
    }
}

impl Order {
    /// The order by the next column.
    pub(in crate::tui) fn next(self) -> Order {
        let index = Column::ALL.iter().position(|column| *column == self.column).unwrap_or(0);
        Order { column: Column::ALL[(index + 1) % Column::ALL.len()], is_reversed: false }
    }

    fn compare(self, a: &RunRow, b: &RunRow) -> Ordering {
        let order = match self.column {
            Column::Name => a.display_name().cmp(b.display_name()),
            Column::Task => a.task.cmp(&b.task),
            Column::Model => model_name(&a.model).cmp(&model_name(&b.model)),
            Column::Status => a.status.name().cmp(b.status.name()),
            Column::Score => return self.by_score(a, b),
            Column::Steps => b.steps.cmp(&a.steps),
            Column::Time => b.train_seconds.total_cmp(&a.train_seconds),
            Column::Started => b.started.total_cmp(&a.started),
        };
        if self.is_reversed { order.reverse() } else { order }
    }

    /// Runs without a score are at the end in both directions.
    fn by_score(self, a: &RunRow, b: &RunRow) -> Ordering {
        match (a.score(), b.score()) {
            (Some((metric, a)), Some((_, b))) => {
                let order = if metric.improves(a, b) { Ordering::Less } else { b.total_cmp(&a) };
                let order = if metric.improves(b, a) { Ordering::Greater } else { order };
                if self.is_reversed { order.reverse() } else { order }
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

impl Facet {
    /// The filter with the term that matches `run` in this facet, in place of another term of the facet; without the
    /// term if the filter contains it.
    pub(in crate::tui) fn toggled(self, filter: &str, run: &RunRow) -> String {
        match self {
            Facet::Status => toggle_term(filter, "status", run.status.name()),
            Facet::Task => toggle_term(filter, "task", &run.task),
            Facet::Model => toggle_term(filter, "model", &run.model),
        }
    }
}

/// The runs that match the filter, sorted.
pub(in crate::tui) fn rows<'a>(runs: &'a [RunRow], filter: &RunFilter, order: Order) -> Vec<&'a RunRow> {
    let mut rows: Vec<&RunRow> = runs.iter().filter(|run| filter.matches_run(run)).collect();
    // The sort is stable: equal rows stay in the order of the list, the newest first.
    rows.sort_by(|a, b| order.compare(a, b));
    rows
}

/// Whether any run matches the filter.
pub(in crate::tui) fn has_match(runs: &[RunRow], filter: &RunFilter) -> bool {
    runs.iter().any(|run| filter.matches_run(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Metric;
    use crate::run::RunStatus;
    use std::path::PathBuf;

    fn run(name: &str, task: &str, status: RunStatus, best: Option<f64>, started: f64) -> RunRow {
        RunRow {
            dir: PathBuf::from(name),
            name: name.into(),
            experiment: name.into(),
            task: task.into(),
            model: "org/Some-BERT".into(),
            seed: 42,
            status,
            best: best.map(|best| (Metric::Accuracy, best)),
            steps: 10,
            total_steps: 10,
            train_seconds: 1.0,
            started,
            ..RunRow::default()
        }
    }

    fn sample_runs() -> Vec<RunRow> {
        vec![
            run("b", "sst", RunStatus::Finished, Some(0.8), 3.0),
            run("c", "sst2", RunStatus::Failed, None, 2.0),
            run("a", "sst", RunStatus::Stopped, Some(0.9), 1.0),
        ]
    }

    fn names(filter: &str, column: Column, is_reversed: bool) -> String {
        let runs = sample_runs();
        rows(&runs, &RunFilter::parse(filter), Order { column, is_reversed })
            .iter()
            .map(|run| run.name.as_str())
            .collect()
    }

    #[test]
    fn columns_sort_in_both_directions() {
        assert_eq!([names("", Column::Started, false), names("", Column::Started, true)], ["bca", "acb"]);
        assert_eq!([names("", Column::Score, false), names("", Column::Score, true)], ["abc", "bac"]);
        assert_eq!([names("", Column::Name, false), names("", Column::Name, true)], ["abc", "cba"]);
        let mut order = Order::default();
        let mut seen = Vec::new();
        for _ in Column::ALL {
            order = order.next();
            assert!(!seen.contains(&order.column));
            seen.push(order.column);
        }
    }

    #[test]
    fn toggled_facet_is_added_replaced_and_removed() {
        let runs = sample_runs();
        let filter = Facet::Task.toggled("x", &runs[0]);
        assert_eq!(filter, "x task:sst");
        assert_eq!(Facet::Task.toggled(&filter, &runs[1]), "x task:sst2");
        assert_eq!(Facet::Task.toggled(&filter, &runs[0]), "x");
    }
}
