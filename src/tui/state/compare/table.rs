//! The table of runs: which rows are shown, in which order, what stands in them.

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
    /// The model in a word.
    Model,
    /// Where the run stands.
    Status,
    /// The best validation score.
    Score,
    /// Optimizer steps done.
    Steps,
    /// How long the steps took.
    Time,
    /// When the run was started.
    Started,
}

/// How rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub column: Column,
    /// Whether the other way round than one mostly wants: texts from A, scores from the best, numbers
    /// from the largest, times from the newest.
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
    /// Sorted by the next column.
    pub(in crate::tui) fn next(self) -> Order {
        let at = Column::ALL.iter().position(|column| *column == self.column).unwrap_or(0);
        Order { column: Column::ALL[(at + 1) % Column::ALL.len()], is_reversed: false }
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

    /// What has no score is at the end, whichever way.
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

    /// How it is written in a filter.
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

    /// The filter with a word for what `run` is in this, in place of another such word; without the
    /// word when it is there.
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

/// The runs that have all words of the filter, sorted.
pub(in crate::tui) fn rows<'a>(runs: &'a [RunRow], filter: &str, order: Order) -> Vec<&'a RunRow> {
    let filter = filter.to_lowercase();
    let words = words(&filter);
    let mut rows: Vec<&RunRow> = runs.iter().filter(|run| has_all(run, &words)).collect();
    // Stable: what is alike stays in the order of the list, the newest first.
    rows.sort_by(|a, b| order.compare(a, b));
    rows
}

/// Whether any run has all words of the filter.
pub(in crate::tui) fn is_any_shown(runs: &[RunRow], filter: &str) -> bool {
    let filter = filter.to_lowercase();
    let words = words(&filter);
    runs.iter().any(|run| has_all(run, &words))
}

/// The words of a filter, each with where it is looked for; anywhere when that is `None`.
fn words(filter: &str) -> Vec<(Option<Facet>, &str)> {
    let word = |word| {
        let facet =
            Facet::ALL.into_iter().find_map(|f| Some((Some(f), str::strip_prefix(word, f.prefix())?)));
        facet.unwrap_or((None, word))
    };
    filter.split_whitespace().map(word).collect()
}

fn has_all(run: &RunRow, words: &[(Option<Facet>, &str)]) -> bool {
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
            measured_speed: None,
        }
    }

    fn some() -> Vec<RunRow> {
        vec![
            run("b", "sst", RunStatus::Finished, Some(0.8), 3.0),
            run("c", "sst2", RunStatus::Failed, None, 2.0),
            run("a", "sst", RunStatus::Stopped, Some(0.9), 1.0),
        ]
    }

    fn names(filter: &str, column: Column, is_reversed: bool) -> String {
        let runs = some();
        rows(&runs, filter, Order { column, is_reversed }).iter().map(|run| run.name.as_str()).collect()
    }

    #[test]
    fn every_column_sorts_both_ways() {
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
    fn words_narrow_and_facets_look_in_one_place() {
        assert_eq!(names("SST", Column::Name, false), "abc");
        assert_eq!(names("task:sst2", Column::Name, false), "c");
        assert_eq!(names("task:sst status:fin", Column::Name, false), "b");
        assert_eq!(names("model:some-bert stopped", Column::Name, false), "a");
        assert_eq!(names("nothing", Column::Name, false), "");
    }

    #[test]
    fn a_facet_comes_changes_and_goes() {
        let runs = some();
        let filter = Facet::Task.toggled("x", &runs[0]);
        assert_eq!(filter, "x task:sst");
        assert_eq!(Facet::Task.toggled(&filter, &runs[1]), "x task:sst2");
        assert_eq!(Facet::Task.toggled(&filter, &runs[0]), "x");
    }
}
