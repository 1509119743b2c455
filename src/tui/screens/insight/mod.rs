//! What a run gets right and wrong: the confusion matrix and the rows behind it, how far the probabilities can
//! be relied on, the hardest and the likely mislabelled rows. Of a regression the rows that are furthest off.

mod draw;
mod rows;
mod scale;

pub use draw::{draw, draw_tiny, point_at};

use super::infer;
use super::popup::{Popup, moved};
use crate::catalog::Labels;
use crate::event::{Event, SplitName};
use crate::format;
use crate::run::RunEvent;
use crate::run::error_analysis::{CrossSeed, Detail, ErrorAnalysis, ErrorReport};
use crate::text::harmless;
use crate::train::{Predictions, SavedPredictions};
use crate::tui::app::{App, Tab};
use crate::tui::msg::{Action, Effect};
use std::path::PathBuf;

/// The run that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its directory.
    pub dir: PathBuf,
    /// The place of the seed; the newest when `None`.
    pub seed: Option<usize>,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct InsightView {
    /// The run that is looked at.
    pub of: Option<Subject>,
    /// What is known of it.
    pub content: Content,
    /// Place of the evaluation that is looked at; the newest when `None`.
    evaluation: Option<usize>,
    /// The cell of the matrix under the cursor: label and predicted class.
    cell: (usize, usize),
    /// Which rows are listed.
    listed: Listed,
    /// Whether the list takes the keys; else the matrix does.
    is_in_list: bool,
    /// The row of the list under the cursor.
    at: usize,
    /// The screen that it was opened from, where going back leads.
    from: Option<Tab>,
}

/// What is known of the run.
#[derive(Debug, Default)]
pub enum Content {
    /// It is being read.
    #[default]
    Reading,
    /// It cannot be read.
    Trouble(String),
    /// It has not been scored, or has not kept what was said of each row.
    Nothing,
    /// All that it keeps.
    There(Box<Known>),
}

/// What a run keeps, and the picture of the evaluation that is looked at.
#[derive(Debug)]
pub struct Known {
    insight: ErrorReport,
    /// Place of the evaluation.
    at: usize,
    picture: ErrorAnalysis,
}

/// Which rows are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Listed {
    /// Those with the highest loss.
    #[default]
    Hardest,
    /// Those whose label the model doubts.
    Mislabelled,
    /// Those that most seeds get wrong.
    CrossSeed,
    /// Those of the cell under the cursor.
    Cell,
}

impl Known {
    fn new(insight: ErrorReport, at: Option<usize>) -> Option<Self> {
        let newest = insight.evaluations.len().checked_sub(1)?;
        let at = at.unwrap_or(newest).min(newest);
        let picture = ErrorAnalysis::of(&insight.evaluations[at].predictions, insight.spec.task());
        Some(Known { insight, at, picture })
    }

    /// Looks at another evaluation.
    fn look_at(&mut self, at: usize) {
        self.at = at;
        self.picture = ErrorAnalysis::of(self.judged(), self.insight.spec.task());
    }

    fn evaluation(&self) -> &SavedPredictions {
        &self.insight.evaluations[self.at]
    }

    fn judged(&self) -> &Predictions {
        &self.evaluation().predictions
    }

    /// What all seeds say of each row, where that is known.
    fn together(&self) -> Option<&CrossSeed> {
        self.insight.cross_seed.as_ref().ok().and_then(Option::as_ref)
    }

    /// The rows of a cell of the matrix; none of a regression, which has no matrix.
    fn cell(&self, (label, predicted): (usize, usize)) -> &[usize] {
        match &self.picture.detail {
            Detail::Classes(classes) => &classes.cells[label][predicted],
            Detail::Scale(_) => &[],
        }
    }

    /// The loss of a row at each evaluation.
    fn losses(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.insight.evaluations.iter().map(move |evaluation| evaluation.predictions.loss(row))
    }
}

impl InsightView {
    fn known(&self) -> Option<&Known> {
        match &self.content {
            Content::There(known) => Some(known),
            _ => None,
        }
    }

    /// Whether the run tells numbers, so that there is no matrix.
    fn is_regression(&self) -> bool {
        self.known().is_some_and(|known| known.judged().is_regression())
    }

    /// How many rows are listed.
    fn count(&self) -> usize {
        self.known().map_or(0, |known| match self.listed {
            Listed::Hardest => known.picture.hardest.len(),
            Listed::Mislabelled => known.insight.label_issues.len(),
            Listed::CrossSeed => known.together().map_or(0, |together| together.rows.len()),
            Listed::Cell => known.cell(self.cell).len(),
        })
    }

    /// The row at a place of the list.
    fn row(&self, place: usize) -> Option<usize> {
        let known = self.known()?;
        match self.listed {
            Listed::Hardest => known.picture.hardest.get(place).copied(),
            Listed::Mislabelled => known.insight.label_issues.get(place).map(|suspect| suspect.row),
            Listed::CrossSeed => known.together()?.rows.get(place).map(|shared| shared.row),
            Listed::Cell => known.cell(self.cell).get(place).copied(),
        }
    }

    /// Whether the run has several seeds.
    pub fn has_seeds(&self) -> bool {
        self.known().is_some_and(|known| known.insight.seed_count > 1)
    }

    /// Whether there are rows to be listed.
    pub fn has_rows(&self) -> bool {
        self.known().is_some()
    }

    /// Whether there is a confusion matrix: of classes there is.
    pub fn has_matrix(&self) -> bool {
        self.has_rows() && !self.is_regression()
    }

    /// Whether a row is under the cursor whose text is there.
    pub fn is_on_text(&self) -> bool {
        self.is_in_list
            && self.row(self.at).is_some()
            && self.known().is_some_and(|known| known.insight.examples.is_ok())
    }

    fn list(&mut self, listed: Listed) {
        self.listed = listed;
        self.is_in_list = true;
        self.at = 0;
    }

    /// Looks at the evaluation before or after.
    fn turn(&mut self, is_back: bool) {
        let Content::There(known) = &mut self.content else { return };
        let newest = known.insight.evaluations.len() - 1;
        let at = if is_back { known.at.saturating_sub(1) } else { (known.at + 1).min(newest) };
        known.look_at(at);
        self.evaluation = (at < newest).then_some(at);
        self.at = self.at.min(self.count().saturating_sub(1));
    }
}

/// Opens the screen on a run.
pub fn open(app: &mut App, of: Subject) -> Vec<Effect> {
    let from = Some(app.tab);
    app.go(Tab::Insight);
    if app.insight.of.as_ref() == Some(&of) {
        app.insight.from = from;
    } else {
        app.insight = InsightView { of: Some(of), from, ..InsightView::default() };
    }
    read(app)
}

fn read(app: &App) -> Vec<Effect> {
    app.insight.of.clone().map_or(Vec::new(), |of| vec![Effect::LoadPredictions(of)])
}

/// Looks at the seed before or after.
fn turn_seed(app: &mut App, is_back: bool) -> Vec<Effect> {
    let view = &mut app.insight;
    let Some((seed, seeds)) = view.known().map(|known| (known.insight.seed_index, known.insight.seed_count))
    else {
        return Vec::new();
    };
    let next = if is_back { seed.saturating_sub(1) } else { (seed + 1).min(seeds - 1) };
    if next == seed {
        return Vec::new();
    }
    if let Some(of) = &mut view.of {
        of.seed = Some(next);
    }
    read(app)
}

/// Types the row under the cursor into the weights of its run, to see what the answer rests on.
fn infer(app: &mut App) -> Vec<Effect> {
    let view = &app.insight;
    let (Some(known), Some(row), Some(of)) = (view.known(), view.row(view.at), &view.of) else {
        return Vec::new();
    };
    let Ok(texts) = &known.insight.examples else { return Vec::new() };
    let (example, seed) = (texts[row].clone(), known.insight.spec.seed);
    let name = of.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let is_live = app.is_training() && app.training.as_ref().is_some_and(|run| run.dir == of.dir);
    let source = match known.insight.seed_count {
        _ if is_live && known.insight.seed_index + 1 == known.insight.seed_count => infer::ModelSource::Live,
        0 | 1 => infer::ModelSource::Run { name, dir: known.insight.dir.clone() },
        _ => infer::ModelSource::Run { name: format!("{name}, seed {seed}"), dir: known.insight.dir.clone() },
    };
    infer::open_on(app, source, &example)
}

/// Takes over what was read of a run, unless another one is looked at by now.
pub fn examined(app: &mut App, of: &Subject, result: Result<Box<ErrorReport>, String>) {
    let view = &mut app.insight;
    if view.of.as_ref() != Some(of) {
        return;
    }
    view.content = match result {
        Err(why) => Content::Trouble(why),
        Ok(insight) => {
            let known = Known::new(*insight, view.evaluation);
            known.map_or(Content::Nothing, |known| Content::There(Box::new(known)))
        }
    };
    let last = view.known().map_or(0, |known| known.judged().classes().saturating_sub(1));
    view.cell = (view.cell.0.min(last), view.cell.1.min(last));
    // Without a matrix the list takes the keys.
    view.is_in_list |= view.is_regression();
    view.at = view.at.min(view.count().saturating_sub(1));
}

/// Reads again when the run in front was scored once more.
pub fn said(app: &App, said: &RunEvent) -> Vec<Effect> {
    let is_in_front = || {
        let run = app.training.as_ref().map(|run| &run.dir);
        app.tab == Tab::Insight && run.is_some() && app.insight.of.as_ref().map(|of| &of.dir) == run
    };
    match &said.event {
        Event::Eval(eval) if eval.split == SplitName::Validation && is_in_front() => read(app),
        _ => Vec::new(),
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let view = &mut app.insight;
    match action {
        Action::Back if view.is_in_list && view.listed == Listed::Cell => view.is_in_list = false,
        Action::Back => {
            let from = view.from.unwrap_or(Tab::Runs);
            app.go(from);
        }
        Action::Refresh => return read(app),
        Action::SeedBefore | Action::SeedAfter => return turn_seed(app, action == Action::SeedBefore),
        Action::Infer => return infer(app),
        Action::List(listed) => view.list(listed),
        Action::Before | Action::After => view.turn(action == Action::Before),
        Action::Next => view.is_in_list = !view.is_in_list || view.is_regression(),
        Action::Point(line) if view.is_in_list && line == view.at => show_row(app),
        Action::Point(line) => (view.is_in_list, view.at) = (true, line),
        Action::PointCell(label, predicted) => {
            view.cell = (label, predicted);
            view.list(Listed::Cell);
        }
        Action::Enter if view.is_in_list => show_row(app),
        Action::Enter => view.list(Listed::Cell),
        action if view.is_in_list => view.at = moved(view.at, view.count(), action),
        action => move_cell(view, action),
    }
    Vec::new()
}

fn move_cell(view: &mut InsightView, action: Action) {
    let Some(last) = view.known().and_then(|known| known.judged().classes().checked_sub(1)) else { return };
    let (label, predicted) = &mut view.cell;
    match action {
        Action::Up => *label = label.saturating_sub(1),
        Action::Down => *label = (*label + 1).min(last),
        Action::Left => *predicted = predicted.saturating_sub(1),
        Action::Right => *predicted = (*predicted + 1).min(last),
        _ => {}
    }
    if view.listed == Listed::Cell {
        view.at = 0;
    }
}

/// Shows all of the row under the cursor.
fn show_row(app: &mut App) {
    let view = &app.insight;
    let (Some(known), Some(row)) = (view.known(), view.row(view.at)) else { return };
    let judged = known.judged();
    let mut lines = match &known.insight.examples {
        Ok(texts) => {
            let pair = texts[row].text_pair.iter().map(|text| harmless(text));
            std::iter::once(harmless(&texts[row].text)).chain(pair).collect()
        }
        Err(why) => vec![format!("Its text cannot be shown: {}", harmless(why))],
    };
    lines.push(String::new());
    match &known.insight.labels {
        Labels::Classes(names) => {
            lines.push(format!("labelled   {}", names[judged.target(row)]));
            let said =
                |class: usize| format!("{} {:.1} %", names[class], 100.0 * judged.probability(row, class));
            lines.push(format!("predicted  {}", (0..names.len()).map(said).collect::<Vec<_>>().join(", ")));
        }
        Labels::Scale { low, high } => {
            lines.push(format!("labelled   {:.2} on a scale from {low} to {high}", judged.target_value(row)));
            lines.push(format!("predicted  {:.2}", judged.predicted_value(row)));
        }
    }
    let losses: Vec<String> = known.losses(row).map(format::loss).collect();
    lines.push(format!("loss       {}", format::loss(judged.loss(row))));
    lines.push(format!("over the evaluations: {}", losses.join(" ")));
    let shared = known.together().map(|together| (together.seed_count, &together.rows));
    if let Some((seeds, shared)) =
        shared.and_then(|(n, rows)| Some((n, rows.iter().find(|one| one.row == row)?)))
    {
        let loss = format::loss(shared.loss);
        lines.push(format!("all seeds  {} of {seeds} get it wrong, mean loss {loss}", shared.wrong));
    }
    app.popup = Some(Popup::message(format!("Row {}", row + 1), lines.join("\n")));
}
