//! The table of runs: columns, order and filter.

use crate::catalog::Metric;
use crate::run::RunRow;
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

/// The mean over the seeds, or the best score.
pub fn score(run: &RunRow) -> Option<(Metric, f64)> {
    let (metric, best) = run.best?;
    Some((metric, run.repeats.map_or(best, |repeats| repeats.mean)))
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
            Column::Name => a.name.cmp(&b.name),
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
        match (score(a), score(b)) {
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
    const ALL: [Facet; 3] = [Facet::Status, Facet::Task, Facet::Model];

    /// Its prefix in a filter.
    fn prefix(self) -> &'static str {
        match self {
            Facet::Status => "status:",
            Facet::Task => "task:",
            Facet::Model => "model:",
        }
    }

    fn of(self, run: &RunRow) -> String {
        match self {
            Facet::Status => run.status.name().to_string(),
            Facet::Task => run.task.to_lowercase(),
            Facet::Model => run.model.to_lowercase(),
        }
    }

    /// The filter with the word that matches `run` in this facet, in place of another word of the facet; without the
    /// word if the filter contains it.
    pub(in crate::tui) fn toggled(self, filter: &str, run: &RunRow) -> String {
        let word = format!("{}{}", self.prefix(), self.of(run));
        let rest = filter.split_whitespace().filter(|other| !other.starts_with(self.prefix()));
        let mut words: Vec<&str> = rest.collect();
        if !filter.split_whitespace().any(|other| other == word) {
            words.push(&word);
        }
        words.join(" ")
    }
}

/// The runs that match all words of the filter, sorted.
pub(in crate::tui) fn rows<'a>(runs: &'a [RunRow], filter: &str, order: Order) -> Vec<&'a RunRow> {
    let filter = filter.to_lowercase();
    let words = words(&filter);
    let mut rows: Vec<&RunRow> = runs.iter().filter(|run| matches_all(run, &words)).collect();
    // The sort is stable: equal rows stay in the order of the list, the newest first.
    rows.sort_by(|a, b| order.compare(a, b));
    rows
}

/// Whether any run matches all words of the filter.
pub(in crate::tui) fn has_match(runs: &[RunRow], filter: &str) -> bool {
    let filter = filter.to_lowercase();
    let words = words(&filter);
    runs.iter().any(|run| matches_all(run, &words))
}

/// The words of a filter, each with the facet that it must match; `None` matches the name and every facet.
fn words(filter: &str) -> Vec<(Option<Facet>, &str)> {
    let word = |word| {
        let facet =
            Facet::ALL.into_iter().find_map(|f| Some((Some(f), str::strip_prefix(word, f.prefix())?)));
        facet.unwrap_or((None, word))
    };
    filter.split_whitespace().map(word).collect()
}

fn matches_all(run: &RunRow, words: &[(Option<Facet>, &str)]) -> bool {
    words.iter().all(|word| match word {
        (Some(facet), text) => facet.of(run).contains(text),
        (None, text) => {
            run.name.to_lowercase().contains(text)
                || Facet::ALL.iter().any(|facet| facet.of(run).contains(text))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
            repeats: None,
            problem: None,
            measured_speed: None,
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
        rows(&runs, filter, Order { column, is_reversed }).iter().map(|run| run.name.as_str()).collect()
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
    fn filter_matches_all_words_and_prefixed_words_match_one_facet() {
        assert_eq!(names("SST", Column::Name, false), "abc");
        assert_eq!(names("task:sst2", Column::Name, false), "c");
        assert_eq!(names("task:sst status:fin", Column::Name, false), "b");
        assert_eq!(names("model:some-bert stopped", Column::Name, false), "a");
        assert_eq!(names("nothing", Column::Name, false), "");
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
