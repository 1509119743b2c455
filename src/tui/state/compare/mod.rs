//! The state of the Compare screen: a table to filter and mark runs, the curves of the marked runs, and the
//! differences between their specifications.

mod table;
mod verdict;

pub use table::{Column, Order};
pub use verdict::{RunPair, Verdict};

use super::filter::FilterField;
use super::run::RunState;
use crate::catalog::Metric;
use crate::event::SplitName;
use crate::run::comparison::Comparison;
use crate::run::history::History;
use crate::run::queue::Queue;
use crate::run::run_chart::RunCurve;
use crate::run::series::Series;
use crate::run::{RunRow, RunStatus, SettingChange};
use crate::spec::{Difference, RunSpec, differences_by};
use crate::tui::theme::CURVES;
use crate::tui::widgets::line_chart::ChartView;
use std::path::{Path, PathBuf};

/// Maximum number of marked runs.
const MAX_MARKS: usize = 100;

/// The state of the Compare screen.
#[derive(Debug, Default)]
pub struct CompareState {
    /// The filter of the rows.
    pub filter: FilterField,
    /// How the rows are sorted.
    pub order: Order,
    /// The run under the cursor; the cursor is on the first row if that run is not visible.
    pub(in crate::tui) selected: Option<PathBuf>,
    /// The runs whose curves are shown, in the order of marking.
    pub marks: Vec<Mark>,
    /// The differences between their specifications.
    pub(in crate::tui) differences: Vec<Difference>,
    /// The comparison of two marked runs.
    pub verdict: Option<Verdict>,
    /// The values that are drawn.
    pub quantity: Quantity,
    /// Axis, zoom, cursor and smoothing of the chart.
    pub chart: ChartView,
    /// Whether the differences are shown in place of the curves where only one of them fits.
    pub shows_differences: bool,
}

/// A marked run. Its color is derived from its name, unless another mark has that color, and its symbol is unique:
/// a run looks the same each time and no two runs look alike.
#[derive(Debug)]
pub struct Mark {
    /// The run directory.
    pub dir: PathBuf,
    /// Index of its color.
    pub color: u8,
    /// Index of its symbol.
    pub symbol: usize,
    /// Its specification and histories, or the error; `None` until they are loaded.
    pub(in crate::tui) loaded: Option<Result<(RunSpec, Vec<History>), String>>,
}

/// The values that are drawn for each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// The loss of the steps.
    #[default]
    TrainLoss,
    /// The loss on the validation split.
    ValidationLoss,
    /// The score that selects the best weights, on the validation split.
    Score,
    /// The learning rate.
    LearningRate,
    /// The gradient norm before clipping.
    GradNorm,
}

impl Quantity {
    const ALL: [Quantity; 5] = [
        Quantity::TrainLoss,
        Quantity::ValidationLoss,
        Quantity::Score,
        Quantity::LearningRate,
        Quantity::GradNorm,
    ];

    pub(in crate::tui) fn name(self) -> &'static str {
        match self {
            Quantity::TrainLoss => "Training loss",
            Quantity::ValidationLoss => "Validation loss",
            Quantity::Score => "Validation score",
            Quantity::LearningRate => "Learning rate",
            Quantity::GradNorm => "Gradient norm",
        }
    }

    pub(in crate::tui) fn next(self) -> Quantity {
        let index = Quantity::ALL.iter().position(|one| *one == self).unwrap_or(0);
        Quantity::ALL[(index + 1) % Quantity::ALL.len()]
    }

    /// The curve of a run.
    pub(in crate::tui) fn series(self, history: &History) -> Option<&Series> {
        self.curve(history).series(history)
    }

    /// The curve of a run with this history.
    pub(in crate::tui) fn curve(self, history: &History) -> RunCurve {
        match self {
            Quantity::TrainLoss => RunCurve::TrainLoss,
            Quantity::ValidationLoss => RunCurve::Score(SplitName::Validation, Metric::Loss),
            Quantity::Score => RunCurve::Score(SplitName::Validation, history.metric()),
            Quantity::LearningRate => RunCurve::LearningRate,
            Quantity::GradNorm => RunCurve::GradNorm,
        }
    }

    /// Whether there is a value for each step, so that smoothing is useful.
    pub(in crate::tui) fn is_noisy(self) -> bool {
        matches!(self, Quantity::TrainLoss | Quantity::GradNorm)
    }

    /// Whether there are few values, so that each one is drawn as a symbol.
    pub(in crate::tui) fn is_sparse(self) -> bool {
        matches!(self, Quantity::ValidationLoss | Quantity::Score)
    }
}

impl CompareState {
    /// The run under the cursor.
    pub fn run<'a>(&self, runs: &'a [RunRow]) -> Option<&'a RunRow> {
        let rows = self.rows(runs);
        rows.get(self.cursor(&rows)).copied()
    }

    /// The visible rows.
    pub fn rows<'a>(&self, runs: &'a [RunRow]) -> Vec<&'a RunRow> {
        table::rows(runs, self.filter.filter(), self.order)
    }

    /// Whether any row is visible. It is called for every key, so it does not sort.
    pub fn has_rows(&self, runs: &[RunRow]) -> bool {
        table::has_match(runs, self.filter.filter())
    }

    /// Whether a marked run has several seeds.
    pub fn has_seeds(&self, training: Option<&RunState>) -> bool {
        self.marks.iter().any(|mark| mark.histories(training).len() > 1)
    }

    /// The index of the row under the cursor.
    pub(in crate::tui) fn cursor(&self, rows: &[&RunRow]) -> usize {
        let selected = self.selected.as_deref();
        selected.and_then(|dir| rows.iter().position(|run| is_same(&run.dir, dir))).unwrap_or(0)
    }

    /// The index of the mark of the run under the cursor.
    pub(in crate::tui) fn selected_mark(&self, runs: &[RunRow]) -> Option<usize> {
        let dir = self.selected.as_deref().or_else(|| self.run(runs).map(|run| run.dir.as_path()))?;
        self.marks.iter().position(|mark| is_same(&mark.dir, dir))
    }

    /// The marked runs that another process may be training.
    pub fn unfinished(&self, training: Option<&RunState>) -> Vec<PathBuf> {
        let is_ours = |dir: &Path| training.is_some_and(|run| run.dir == dir);
        let is_open = |mark: &&Mark| match &mark.loaded {
            Some(Ok((_, seeds))) => !seeds.last().is_some_and(History::is_over),
            Some(Err(_)) | None => false,
        };
        let open = self.marks.iter().filter(|mark| !is_ours(&mark.dir)).filter(is_open);
        open.map(|mark| mark.dir.clone()).collect()
    }

    /// Marks a run; returns false if it is marked already or the maximum is reached.
    pub(in crate::tui) fn mark(&mut self, run: &RunRow) -> bool {
        if self.marks.len() >= MAX_MARKS || self.marks.iter().any(|mark| mark.dir == run.dir) {
            return false;
        }
        let used = |color: u8| self.marks.iter().filter(|mark| mark.color == color).count();
        let wanted = hash(&run.name) % u32::from(CURVES);
        let colors = (0..CURVES).map(|offset| ((wanted + u32::from(offset)) % u32::from(CURVES)) as u8);
        let Some(color) = colors.min_by_key(|color| used(*color)) else { return false };
        let mut symbols =
            (0..MAX_MARKS).filter(|symbol| self.marks.iter().all(|mark| mark.symbol != *symbol));
        let Some(symbol) = symbols.next() else { return false };
        drop(symbols);
        self.marks.push(Mark { dir: run.dir.clone(), color, symbol, loaded: None });
        true
    }

    /// Computes the differences between the settings of the marked runs, with the changes during the runs.
    pub(in crate::tui) fn update_differences(&mut self, runs: &[RunRow]) {
        let marks: Vec<(&Mark, &RunSpec)> =
            self.marks.iter().filter_map(|mark| Some((mark, mark.spec()?))).collect();
        let specs: Vec<&RunSpec> = marks.iter().map(|(_, spec)| *spec).collect();
        let rows: Vec<Option<&RunRow>> =
            marks.iter().map(|(mark, _)| runs.iter().find(|run| is_same(&run.dir, &mark.dir))).collect();
        self.differences = differences_by(&specs, |index, key| {
            let changes = &rows.get(index)?.as_ref()?.changes;
            SettingChange::values(changes, key.name, specs[index].seed_count() > 1)
        });
    }

    /// The pair to compare: the first marked run, and the one under the cursor if it is marked too, or else the second.
    pub fn pair(&self, runs: &[RunRow]) -> Option<RunPair> {
        let a = self.marks.first()?;
        let selected = self.selected_mark(runs).filter(|index| *index > 0);
        let b = self.marks.get(selected.unwrap_or(1))?;
        Some(RunPair { a: a.dir.clone(), b: b.dir.clone() })
    }

    /// Takes note that the pair is to be compared; returns it if that was not requested since a run has finished. Until
    /// a newer result is there, that of the same pair stays.
    pub(in crate::tui) fn request_verdict(&mut self, runs: &[RunRow]) -> Option<RunPair> {
        let Some(pair) = self.pair(runs) else {
            self.verdict = None;
            return None;
        };
        let finished = runs.iter().filter(|run| run.status == RunStatus::Finished).count();
        let known = self.verdict.take().filter(|verdict| verdict.pair == pair);
        let is_current = known.as_ref().is_some_and(|verdict| verdict.finished == finished);
        let result = known.and_then(|verdict| verdict.result);
        self.verdict = Some(Verdict { pair: pair.clone(), result, finished });
        (!is_current).then_some(pair)
    }

    /// Takes a comparison, unless another pair is shown by now.
    pub(in crate::tui) fn set_comparison(&mut self, pair: &RunPair, result: Result<Box<Comparison>, String>) {
        if let Some(verdict) = self.verdict.as_mut().filter(|verdict| verdict.pair == *pair) {
            verdict.result = Some(result);
        }
    }

    /// The comparison that is shown.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.verdict.as_ref()?.result.as_ref()?.as_deref().ok()
    }

    /// The pair whose further seeds can be queued, and their number on each side.
    pub(in crate::tui) fn undecided_pair(&self, queue: &Queue) -> Option<(&RunPair, u64)> {
        let comparison = self.comparison()?;
        let (_, further) = comparison.further_seeds()?;
        let is_queued = comparison.plan.as_ref().is_some_and(|plan| queue.has_seeds_of(plan.id));
        self.verdict.as_ref().filter(|_| !is_queued).map(|verdict| (&verdict.pair, further))
    }
}

impl Mark {
    /// Its name.
    pub(in crate::tui) fn name(&self) -> String {
        self.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The histories of its seeds, from memory if this process trains the run.
    pub(in crate::tui) fn histories<'a>(&'a self, training: Option<&'a RunState>) -> &'a [History] {
        match (training, &self.loaded) {
            (Some(run), _) if run.dir == self.dir => &run.seeds,
            (_, Some(Ok((_, seeds)))) => seeds,
            _ => &[],
        }
    }

    pub(in crate::tui) fn spec(&self) -> Option<&RunSpec> {
        self.loaded.as_ref()?.as_ref().ok().map(|(spec, _)| spec)
    }
}

/// Whether two paths are equal byte by byte. `Path` compares component by component, which is slow for every row of
/// every frame.
pub(in crate::tui) fn is_same(one: &Path, other: &Path) -> bool {
    one.as_os_str() == other.as_os_str()
}

/// FNV-1a, which is the same on every machine and in every version, so that a run keeps its color.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
