//! The state of the Insight screen: the errors of a run, row by row. The confusion matrix and the rows behind it,
//! the calibration of the probabilities, the hardest and the likely mislabelled rows; of a regression the rows with
//! the largest residuals.

use crate::run::error_analysis::{CrossSeed, Detail, ErrorAnalysis, ErrorReport};
use crate::train::{Predictions, SavedPredictions};
use crate::tui::action::RowList;
use crate::tui::screen::Screen;
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
pub struct InsightState {
    /// The run that is looked at.
    pub subject: Option<Subject>,
    /// What is known of it.
    pub content: Content,
    /// Place of the evaluation that is looked at; the newest when `None`.
    pub(in crate::tui) evaluation: Option<usize>,
    /// The cell of the matrix under the cursor: label and predicted class.
    pub(in crate::tui) cell: (usize, usize),
    /// Which rows are listed.
    pub(in crate::tui) listed: RowList,
    /// Whether the list takes the keys; else the matrix does.
    pub(in crate::tui) is_in_list: bool,
    /// The row of the list under the cursor.
    pub(in crate::tui) at: usize,
    /// The screen that it was opened from, where going back leads.
    pub(in crate::tui) from: Option<Screen>,
}

/// What is known of the run.
#[derive(Debug, Default)]
pub enum Content {
    /// It is being read.
    #[default]
    Reading,
    /// It cannot be read.
    Error(String),
    /// It has not been scored, or has not kept what was said of each row.
    Empty,
    /// All that it keeps.
    Loaded(Box<Known>),
}

/// What a run keeps, and the picture of the evaluation that is looked at.
#[derive(Debug)]
pub struct Known {
    pub(in crate::tui) insight: ErrorReport,
    /// Place of the evaluation.
    pub(in crate::tui) at: usize,
    pub(in crate::tui) picture: ErrorAnalysis,
}

impl Known {
    pub(in crate::tui) fn new(insight: ErrorReport, at: Option<usize>) -> Option<Self> {
        let newest = insight.evaluations.len().checked_sub(1)?;
        let at = at.unwrap_or(newest).min(newest);
        let picture = ErrorAnalysis::of(&insight.evaluations[at].predictions, insight.spec.task());
        Some(Known { insight, at, picture })
    }

    /// Looks at another evaluation.
    pub(in crate::tui) fn look_at(&mut self, at: usize) {
        self.at = at;
        self.picture = ErrorAnalysis::of(self.judged(), self.insight.spec.task());
    }

    pub(in crate::tui) fn evaluation(&self) -> &SavedPredictions {
        &self.insight.evaluations[self.at]
    }

    pub(in crate::tui) fn judged(&self) -> &Predictions {
        &self.evaluation().predictions
    }

    /// What all seeds say of each row, where that is known.
    pub(in crate::tui) fn together(&self) -> Option<&CrossSeed> {
        self.insight.together.as_ref().ok().and_then(Option::as_ref)
    }

    /// The rows of a cell of the matrix; none of a regression, which has no matrix.
    pub(in crate::tui) fn cell(&self, (label, predicted): (usize, usize)) -> &[usize] {
        match &self.picture.detail {
            Detail::Classes(classes) => &classes.cells[label][predicted],
            Detail::Scale(_) => &[],
        }
    }

    /// The loss of a row at each evaluation.
    pub(in crate::tui) fn losses(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.insight.evaluations.iter().map(move |evaluation| evaluation.predictions.loss(row))
    }
}

impl InsightState {
    pub(in crate::tui) fn known(&self) -> Option<&Known> {
        match &self.content {
            Content::Loaded(known) => Some(known),
            _ => None,
        }
    }

    /// Whether the run tells numbers, so that there is no matrix.
    pub(in crate::tui) fn is_regression(&self) -> bool {
        self.known().is_some_and(|known| known.judged().is_regression())
    }

    /// How many rows are listed.
    pub(in crate::tui) fn count(&self) -> usize {
        self.known().map_or(0, |known| match self.listed {
            RowList::Hardest => known.picture.hardest.len(),
            RowList::Mislabelled => known.insight.suspects.len(),
            RowList::CrossSeed => known.together().map_or(0, |together| together.rows.len()),
            RowList::Cell => known.cell(self.cell).len(),
        })
    }

    /// The row at a place of the list.
    pub(in crate::tui) fn row(&self, place: usize) -> Option<usize> {
        let known = self.known()?;
        match self.listed {
            RowList::Hardest => known.picture.hardest.get(place).copied(),
            RowList::Mislabelled => known.insight.suspects.get(place).map(|suspect| suspect.row),
            RowList::CrossSeed => known.together()?.rows.get(place).map(|shared| shared.row),
            RowList::Cell => known.cell(self.cell).get(place).copied(),
        }
    }

    /// Whether the run has several seeds.
    pub fn has_seeds(&self) -> bool {
        self.known().is_some_and(|known| known.insight.seeds > 1)
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
            && self.known().is_some_and(|known| known.insight.texts.is_ok())
    }

    pub(in crate::tui) fn list(&mut self, listed: RowList) {
        self.listed = listed;
        self.is_in_list = true;
        self.at = 0;
    }

    /// Looks at the evaluation before or after.
    pub(in crate::tui) fn turn(&mut self, is_back: bool) {
        let Content::Loaded(known) = &mut self.content else { return };
        let newest = known.insight.evaluations.len() - 1;
        let at = if is_back { known.at.saturating_sub(1) } else { (known.at + 1).min(newest) };
        known.look_at(at);
        self.evaluation = (at < newest).then_some(at);
        self.at = self.at.min(self.count().saturating_sub(1));
    }
}
