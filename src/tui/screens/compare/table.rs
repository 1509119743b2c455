//! The table of runs: which rows are shown, in which order, what stands in them.

use crate::catalog::Metric;
use crate::format;
use crate::run::RunRow;
use crate::tui::app::App;
use crate::tui::screens::runs::model_name;
use crate::tui::theme::Symbol;
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

/// What a run can be like another one in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// Where it stands.
    Status,
    /// Its task.
    Task,
    /// Its model.
    Model,
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

    pub(super) fn title(self) -> &'static str {
        match self {
            Column::Name => "run",
            Column::Task => "task",
            Column::Model => "model",
            Column::Status => "status",
            Column::Score => "best",
            Column::Steps => "steps",
            Column::Time => "took",
            Column::Started => "started",
        }
    }

    /// Its cells; the name takes what is left.
    pub(super) fn width(self) -> usize {
        match self {
            Column::Name => 18,
            Column::Task | Column::Model => 10,
            Column::Status | Column::Started => 11,
            Column::Score | Column::Steps => 7,
            Column::Time => 9,
        }
    }

    /// Whether it is a number, and so ends where its column ends.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Column::Score | Column::Steps | Column::Time)
    }

    pub(super) fn text(self, run: &RunRow, app: &App) -> String {
        let dash = || app.theme.glyph(Symbol::Dash).to_string();
        match self {
            Column::Name => run.name.clone(),
            Column::Task => run.task.clone(),
            Column::Model => model_name(&run.model),
            Column::Status => run.status.name().into(),
            Column::Score => score(run).map_or_else(dash, |(metric, value)| format::score(metric, value)),
            Column::Steps => format::count(run.steps),
            Column::Time => format::duration(run.train_seconds),
            Column::Started if run.started == 0.0 => dash(),
            Column::Started => format::date(run.started, app.utc_offset)[5..].to_string(),
        }
    }

    /// The columns that `width` cells have room for, the one that is sorted by among them.
    pub(super) fn fitting(width: usize, sorted: Column) -> Vec<Column> {
        const WANTED: [Column; 7] = [
            Column::Score,
            Column::Status,
            Column::Task,
            Column::Started,
            Column::Time,
            Column::Model,
            Column::Steps,
        ];
        let mut room = width.saturating_sub(Column::Name.width());
        let mut chosen = vec![Column::Name];
        for column in std::iter::once(sorted).chain(WANTED) {
            if !chosen.contains(&column) && column.width() < room {
                room -= column.width() + 1;
                chosen.push(column);
            }
        }
        Column::ALL.into_iter().filter(|column| chosen.contains(column)).collect()
    }
}

/// The mean over the seeds, or the best score.
fn score(run: &RunRow) -> Option<(Metric, f64)> {
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
    pub(super) fn next(self) -> Order {
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
    pub(super) fn toggled(self, filter: &str, run: &RunRow) -> String {
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
pub(super) fn rows<'a>(runs: &'a [RunRow], filter: &str, order: Order) -> Vec<&'a RunRow> {
    let filter = filter.to_lowercase();
    let words = words(&filter);
    let mut rows: Vec<&RunRow> = runs.iter().filter(|run| has_all(run, &words)).collect();
    // Stable: what is alike stays in the order of the list, the newest first.
    rows.sort_by(|a, b| order.compare(a, b));
    rows
}

/// Whether any run has all words of the filter.
pub(super) fn is_any_shown(runs: &[RunRow], filter: &str) -> bool {
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

/// A run's name in `width` cells: where it is too long, the experiment and when it was started.
pub(super) fn short_name(run: &RunRow, app: &App, width: usize) -> String {
    if run.name.chars().count() <= width || run.started == 0.0 {
        return run.name.clone();
    }
    let day = &format::date(run.started, app.utc_offset)[5..];
    let room = width.saturating_sub(day.len() + 1);
    format!("{} {day}", crate::tui::widgets::cut(app.theme, &run.experiment, room))
}

/// A run's name in `width` cells where its time stands beside it: where it is too long, the experiment
/// and the digits that end the name.
pub(in crate::tui::screens) fn tagged_name(run: &RunRow, app: &App, width: usize) -> String {
    let tag = run.name.rsplit('-').next().filter(|tag| tag.len() <= 8 && run.name != run.experiment);
    match tag {
        Some(tag) if run.name.chars().count() > width => {
            let room = width.saturating_sub(tag.len() + 1);
            format!("{} {tag}", crate::tui::widgets::cut(app.theme, &run.experiment, room))
        }
        _ => run.name.clone(),
    }
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
            time_estimate: None,
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

    #[test]
    fn the_column_that_is_sorted_by_is_shown() {
        assert_eq!(Column::fitting(34, Column::Steps), [Column::Name, Column::Score, Column::Steps]);
        assert_eq!(Column::fitting(200, Column::Name), Column::ALL);
        assert_eq!(Column::fitting(10, Column::Score), [Column::Name]);
    }
}
