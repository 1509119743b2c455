//! Any runs side by side: a table to find and mark them in, their curves over each other, and the lines
//! in which their specifications differ.

mod table;

pub use table::{Column, Order, score};

use super::run::RunState;
use crate::catalog::Metric;
use crate::event::SplitName;
use crate::run::RunRow;
use crate::run::history::History;
use crate::run::series::Series;
use crate::spec::{Difference, RunSpec, differences};
use crate::tui::theme::CURVES;
use crate::tui::widgets::line_chart::ChartView;
use crate::tui::widgets::text_field::TextField;
use std::path::{Path, PathBuf};

/// Runs that can be marked.
const MOST: usize = 100;

/// What is compared, and how.
#[derive(Debug, Default)]
pub struct CompareState {
    /// What the rows must contain.
    pub filter: TextField,
    /// Whether the filter is being typed.
    pub is_filtering: bool,
    /// How the rows are sorted.
    pub order: Order,
    /// The run under the cursor; the first row when it is not shown.
    pub(in crate::tui) at: Option<PathBuf>,
    /// The runs whose curves are shown, in the order of marking.
    pub marks: Vec<Mark>,
    /// In what their specifications differ.
    pub(in crate::tui) differences: Vec<Difference>,
    /// Which values are drawn.
    pub quantity: Quantity,
    /// How the chart is looked at.
    pub chart: ChartView,
    /// Whether the differences are shown where there is no room for curves too.
    pub shows_differences: bool,
}

/// A run that is compared. Its colour follows from its name while no other mark has it, and its sign is
/// its own, so that a run looks the same each time and no two look alike.
#[derive(Debug)]
pub struct Mark {
    /// The run directory.
    pub dir: PathBuf,
    /// Number of its colour.
    pub colour: u8,
    /// Number of its sign.
    pub sign: usize,
    /// What its logs say, or why they cannot be read; `None` until they are read.
    pub(in crate::tui) read: Option<Result<(RunSpec, Vec<History>), String>>,
}

/// What is drawn of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// The loss of the steps.
    #[default]
    TrainLoss,
    /// The loss on the validation split.
    ValidationLoss,
    /// The score that chooses the best weights, on the validation split.
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
        let at = Quantity::ALL.iter().position(|one| *one == self).unwrap_or(0);
        Quantity::ALL[(at + 1) % Quantity::ALL.len()]
    }

    /// The curve of a run.
    pub(in crate::tui) fn series(self, history: &History) -> Option<&Series> {
        match self {
            Quantity::TrainLoss => Some(&history.loss),
            Quantity::ValidationLoss => history.score(SplitName::Validation, Metric::Loss),
            Quantity::Score => history.score(SplitName::Validation, history.metric()),
            Quantity::LearningRate => Some(&history.learning_rate),
            Quantity::GradNorm => Some(&history.grad_norm),
        }
    }

    /// Whether there is a value for each step, that one may want smoothed.
    pub(in crate::tui) fn is_noisy(self) -> bool {
        matches!(self, Quantity::TrainLoss | Quantity::GradNorm)
    }

    /// Whether there are few values, each worth a sign.
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

    /// The rows that are shown.
    pub fn rows<'a>(&self, runs: &'a [RunRow]) -> Vec<&'a RunRow> {
        table::rows(runs, self.filter.text(), self.order)
    }

    /// Whether any row is shown; asked for every key, so it sorts nothing.
    pub fn has_rows(&self, runs: &[RunRow]) -> bool {
        table::is_any_shown(runs, self.filter.text())
    }

    /// Whether a marked run has several seeds.
    pub fn has_seeds(&self, training: Option<&RunState>) -> bool {
        self.marks.iter().any(|mark| mark.histories(training).len() > 1)
    }

    /// Which of the rows the cursor is on.
    pub(in crate::tui) fn cursor(&self, rows: &[&RunRow]) -> usize {
        let at = self.at.as_deref();
        at.and_then(|at| rows.iter().position(|run| is_same(&run.dir, at))).unwrap_or(0)
    }

    /// The marked runs that somebody else may be training.
    pub fn unfinished(&self, training: Option<&RunState>) -> Vec<PathBuf> {
        let is_ours = |dir: &Path| training.is_some_and(|run| run.dir == dir);
        let is_open = |mark: &&Mark| match &mark.read {
            Some(Ok((_, seeds))) => !seeds.last().is_some_and(History::is_over),
            Some(Err(_)) | None => false,
        };
        let open = self.marks.iter().filter(|mark| !is_ours(&mark.dir)).filter(is_open);
        open.map(|mark| mark.dir.clone()).collect()
    }

    /// Marks a run; returns whether it was neither marked nor one too many.
    pub(in crate::tui) fn mark(&mut self, run: &RunRow) -> bool {
        if self.marks.len() >= MOST || self.marks.iter().any(|mark| mark.dir == run.dir) {
            return false;
        }
        let used = |colour: u8| self.marks.iter().filter(|mark| mark.colour == colour).count();
        let wanted = hash(&run.name) % u32::from(CURVES);
        let colours = (0..CURVES).map(|offset| ((wanted + u32::from(offset)) % u32::from(CURVES)) as u8);
        let Some(colour) = colours.min_by_key(|colour| used(*colour)) else { return false };
        let mut signs = (0..MOST).filter(|sign| self.marks.iter().all(|mark| mark.sign != *sign));
        let Some(sign) = signs.next() else { return false };
        drop(signs);
        self.marks.push(Mark { dir: run.dir.clone(), colour, sign, read: None });
        true
    }

    /// Finds the differences between the specifications of the marked runs.
    pub(in crate::tui) fn find_differences(&mut self) {
        let specs: Vec<&RunSpec> = self.marks.iter().filter_map(Mark::spec).collect();
        self.differences = differences(&specs);
    }
}

impl Mark {
    /// Its name.
    pub(in crate::tui) fn name(&self) -> String {
        self.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The histories of its seeds: those of the training itself when it is of this process.
    pub(in crate::tui) fn histories<'a>(&'a self, training: Option<&'a RunState>) -> &'a [History] {
        match (training, &self.read) {
            (Some(run), _) if run.dir == self.dir => &run.seeds,
            (_, Some(Ok((_, seeds)))) => seeds,
            _ => &[],
        }
    }

    pub(in crate::tui) fn spec(&self) -> Option<&RunSpec> {
        self.read.as_ref()?.as_ref().ok().map(|(spec, _)| spec)
    }
}

/// Whether two directories are written alike. Paths compare part by part, which is slow for what is asked
/// of every row with every frame.
pub(in crate::tui) fn is_same(one: &Path, other: &Path) -> bool {
    one.as_os_str() == other.as_os_str()
}

/// FNV-1a: the same on every machine and in every version, as a run's colour should be.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
