//! Any runs side by side: a table to find and mark them in, their curves over each other, and the lines
//! in which their specifications differ.

mod draw;
mod table;

pub use draw::{SIDE_BY_SIDE, draw, draw_tiny, plot, row_at};
pub(super) use table::tagged_name;
pub use table::{Column, Facet, Order};

use super::live;
use super::popup::moved;
use crate::catalog::Metric;
use crate::event::SplitName;
use crate::run::RunRow;
use crate::run::history::History;
use crate::run::series::Series;
use crate::spec::{Difference, RunSpec, differences};
use crate::tui::app::{App, Tab};
use crate::tui::msg::{Action, Effect};
use crate::tui::theme::CURVES;
use crate::tui::widgets::line_chart::ChartView;
use crate::tui::widgets::text_field::{Edit, TextField};
use std::path::{Path, PathBuf};

/// Runs that can be marked.
const MOST: usize = 100;

/// What is compared, and how.
#[derive(Debug, Default)]
pub struct Compare {
    /// What the rows must contain.
    pub filter: TextField,
    /// Whether the filter is being typed.
    pub is_filtering: bool,
    /// How the rows are sorted.
    pub order: Order,
    /// The run under the cursor; the first row when it is not shown.
    at: Option<PathBuf>,
    /// The runs whose curves are shown, in the order of marking.
    pub marks: Vec<Mark>,
    /// In what their specifications differ.
    differences: Vec<Difference>,
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
    read: Option<Result<(RunSpec, Vec<History>), String>>,
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

    fn name(self) -> &'static str {
        match self {
            Quantity::TrainLoss => "Training loss",
            Quantity::ValidationLoss => "Validation loss",
            Quantity::Score => "Validation score",
            Quantity::LearningRate => "Learning rate",
            Quantity::GradNorm => "Gradient norm",
        }
    }

    fn next(self) -> Quantity {
        let at = Quantity::ALL.iter().position(|one| *one == self).unwrap_or(0);
        Quantity::ALL[(at + 1) % Quantity::ALL.len()]
    }

    /// The curve of a run.
    fn series(self, history: &History) -> Option<&Series> {
        match self {
            Quantity::TrainLoss => Some(&history.loss),
            Quantity::ValidationLoss => history.score(SplitName::Validation, Metric::Loss),
            Quantity::Score => history.score(SplitName::Validation, history.metric()),
            Quantity::LearningRate => Some(&history.learning_rate),
            Quantity::GradNorm => Some(&history.grad_norm),
        }
    }

    /// Whether there is a value for each step, that one may want smoothed.
    fn is_noisy(self) -> bool {
        matches!(self, Quantity::TrainLoss | Quantity::GradNorm)
    }

    /// Whether there are few values, each worth a sign.
    fn is_sparse(self) -> bool {
        matches!(self, Quantity::ValidationLoss | Quantity::Score)
    }
}

impl Compare {
    /// The run under the cursor.
    pub fn run<'a>(&self, app: &'a App) -> Option<&'a RunRow> {
        let rows = self.rows(app);
        rows.get(self.place(&rows)).copied()
    }

    /// The rows that are shown.
    pub fn rows<'a>(&self, app: &'a App) -> Vec<&'a RunRow> {
        table::rows(&app.runs.runs, self.filter.text(), self.order)
    }

    /// Whether any row is shown; asked for every key, so it sorts nothing.
    pub fn has_rows(&self, app: &App) -> bool {
        table::is_any_shown(&app.runs.runs, self.filter.text())
    }

    /// Whether a marked run has several seeds.
    pub fn has_seeds(&self, app: &App) -> bool {
        self.marks.iter().any(|mark| mark.histories(app).len() > 1)
    }

    /// Which of the rows the cursor is on.
    fn place(&self, rows: &[&RunRow]) -> usize {
        let at = self.at.as_deref();
        at.and_then(|at| rows.iter().position(|run| is_same(&run.dir, at))).unwrap_or(0)
    }

    /// The marked runs that somebody else may be training.
    pub fn unfinished(&self, app: &App) -> Vec<PathBuf> {
        let is_ours = |dir: &Path| app.training.as_ref().is_some_and(|run| run.dir == dir);
        let is_open = |mark: &&Mark| match &mark.read {
            Some(Ok((_, seeds))) => !seeds.last().is_some_and(History::is_over),
            Some(Err(_)) | None => false,
        };
        let open = self.marks.iter().filter(|mark| !is_ours(&mark.dir)).filter(is_open);
        open.map(|mark| mark.dir.clone()).collect()
    }

    /// Marks a run that is not marked, if there is room, and asks for its logs.
    fn mark(&mut self, run: &RunRow) -> Option<Effect> {
        if self.marks.len() >= MOST || self.marks.iter().any(|mark| mark.dir == run.dir) {
            return None;
        }
        let used = |colour: u8| self.marks.iter().filter(|mark| mark.colour == colour).count();
        let wanted = hash(&run.name) % u32::from(CURVES);
        let colours = (0..CURVES).map(|place| ((wanted + u32::from(place)) % u32::from(CURVES)) as u8);
        let colour = colours.min_by_key(|colour| used(*colour))?;
        let sign = (0..MOST).find(|sign| self.marks.iter().all(|mark| mark.sign != *sign))?;
        self.marks.push(Mark { dir: run.dir.clone(), colour, sign, read: None });
        Some(Effect::RequireHistory(run.dir.clone()))
    }

    fn find_differences(&mut self) {
        let specs: Vec<&RunSpec> = self.marks.iter().filter_map(Mark::spec).collect();
        self.differences = differences(&specs);
    }
}

impl Mark {
    /// Its name.
    fn name(&self) -> String {
        self.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The histories of its seeds: those of the training itself when it is of this process.
    fn histories<'a>(&'a self, app: &'a App) -> &'a [History] {
        match (&app.training, &self.read) {
            (Some(run), _) if run.dir == self.dir => &run.seeds,
            (_, Some(Ok((_, seeds)))) => seeds,
            _ => &[],
        }
    }

    fn spec(&self) -> Option<&RunSpec> {
        self.read.as_ref()?.as_ref().ok().map(|(spec, _)| spec)
    }
}

/// Whether two directories are written alike. Paths compare part by part, which is slow for what is asked
/// of every row with every frame.
fn is_same(one: &Path, other: &Path) -> bool {
    one.as_os_str() == other.as_os_str()
}

/// FNV-1a: the same on every machine and in every version, as a run's colour should be.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Takes over what the logs of a run say, if it is marked.
pub fn replayed(app: &mut App, dir: &Path, result: &Result<(RunSpec, Vec<History>), String>) {
    let compare = &mut app.compare;
    if let Some(mark) = compare.marks.iter_mut().find(|mark| mark.dir == dir) {
        mark.read = Some(result.clone());
        compare.find_differences();
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Enter if app.compare.is_filtering => app.compare.is_filtering = false,
        Action::Back if app.compare.is_filtering => {
            app.compare.is_filtering = false;
            app.compare.filter = TextField::default();
        }
        Action::Enter => {
            let dir = app.compare.run(app).map(|run| run.dir.clone());
            return dir.map_or(Vec::new(), |dir| live::view(app, dir));
        }
        Action::Mark => return toggle(app),
        Action::MarkAll => {
            let rows: Vec<RunRow> = app.compare.rows(app).into_iter().cloned().collect();
            return rows.iter().filter_map(|run| app.compare.mark(run)).collect();
        }
        Action::ClearMarks => {
            app.compare.marks.clear();
            app.compare.find_differences();
        }
        Action::Next => app.compare.quantity = app.compare.quantity.next(),
        Action::Differences => app.compare.shows_differences = !app.compare.shows_differences,
        Action::Chart(key) => app.compare.chart.apply(key),
        Action::Sort => app.compare.order = app.compare.order.next(),
        Action::Reverse => app.compare.order.is_reversed = !app.compare.order.is_reversed,
        Action::Filter => app.compare.is_filtering = true,
        Action::Same(facet) => {
            if let Some(run) = app.compare.run(app) {
                app.compare.filter = TextField::new(&facet.toggled(app.compare.filter.text(), run));
            }
        }
        Action::Refresh => return vec![Effect::Refresh],
        Action::Back if app.compare.chart.back() => {}
        Action::Back if !app.compare.filter.text().is_empty() => app.compare.filter = TextField::default(),
        Action::Back => {
            app.go(Tab::Runs);
            return vec![Effect::Refresh];
        }
        Action::Point(row) => {
            let rows = app.compare.rows(app);
            let is_there = app.compare.place(&rows) == row;
            let at = rows.get(row).map(|run| run.dir.clone());
            if is_there {
                return toggle(app);
            }
            app.compare.at = at;
        }
        action => {
            let rows = app.compare.rows(app);
            let to = moved(app.compare.place(&rows), rows.len(), action);
            app.compare.at = rows.get(to).map(|run| run.dir.clone());
        }
    }
    Vec::new()
}

/// Marks the run under the cursor, or takes its mark away, and goes to the next row.
fn toggle(app: &mut App) -> Vec<Effect> {
    let Some(run) = app.compare.run(app).cloned() else { return Vec::new() };
    let before = app.compare.marks.len();
    app.compare.marks.retain(|mark| mark.dir != run.dir);
    let effect = if app.compare.marks.len() == before { app.compare.mark(&run) } else { None };
    app.compare.find_differences();
    effect.into_iter().collect()
}

/// Types into the filter.
pub fn type_in(app: &mut App, edit: &Edit) {
    app.compare.filter.edit(edit);
}
