//! The state of the Insight screen: the errors of a run, row by row. The confusion matrix and the rows behind it,
//! the calibration of the probabilities, the hardest rows and the likely label errors; of a multi-label classification
//! the labels and the rows whose set is predicted wrongly; of a regression the rows with the largest residuals.

use crate::run::error_analysis::{CrossSeed, Detail, ErrorAnalysis, ErrorReport, ThresholdCurve};
use crate::train::{Predictions, SavedPredictions};
use crate::tui::action::RowList;
use crate::tui::screen::Screen;
use std::path::PathBuf;

/// The run that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its directory.
    pub dir: PathBuf,
    /// The index of the seed; the newest one when `None`.
    pub seed: Option<usize>,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct InsightState {
    /// The run that is shown.
    pub subject: Option<Subject>,
    /// Its report, once it is read.
    pub content: Content,
    /// The index of the evaluation that is shown; the newest one when `None`.
    pub(in crate::tui) evaluation: Option<usize>,
    /// The cell of the matrix under the cursor: label and predicted class.
    pub(in crate::tui) cell: (usize, usize),
    /// Which rows are listed.
    pub(in crate::tui) listed: RowList,
    /// Whether the list has the focus; else the matrix has it.
    pub(in crate::tui) is_in_list: bool,
    /// The index of the row under the cursor, in the list.
    pub(in crate::tui) selected: usize,
    /// The label whose thresholds are shown in place of the list.
    pub(in crate::tui) threshold_label: Option<usize>,
    /// The screen that it was opened from, which going back leads to.
    pub(in crate::tui) opened_from: Option<Screen>,
}

/// What is known about the run.
#[derive(Debug, Default)]
pub enum Content {
    /// It is being read.
    #[default]
    Reading,
    /// It cannot be read.
    Error(String),
    /// It has no saved predictions.
    Empty,
    /// Its report.
    Loaded(Box<LoadedReport>),
}

/// The report of a run, and the analysis of the evaluation that is shown.
#[derive(Debug)]
pub struct LoadedReport {
    pub(in crate::tui) report: ErrorReport,
    /// The index of the evaluation that is shown.
    pub(in crate::tui) evaluation_index: usize,
    pub(in crate::tui) analysis: ErrorAnalysis,
    /// A label and its thresholds at this evaluation, if they are shown.
    pub(in crate::tui) threshold_curve: Option<(usize, ThresholdCurve)>,
}

impl LoadedReport {
    pub(in crate::tui) fn new(report: ErrorReport, evaluation: Option<usize>) -> Option<Self> {
        let newest = report.evaluations.len().checked_sub(1)?;
        let evaluation_index = evaluation.unwrap_or(newest).min(newest);
        let analysis = ErrorAnalysis::of(
            &report.evaluations[evaluation_index].predictions,
            report.spec.task(),
            &report.labels,
        );
        Some(LoadedReport { report, evaluation_index, analysis, threshold_curve: None })
    }

    /// Computes the thresholds of a label; none without one.
    fn select_threshold_label(&mut self, label: Option<usize>) {
        let classes = self.predictions().classes();
        let label = label.filter(|label| *label < classes);
        self.threshold_curve = label.map(|label| (label, ThresholdCurve::of(self.predictions(), label)));
    }

    /// Selects an evaluation.
    pub(in crate::tui) fn select_evaluation(&mut self, index: usize) {
        self.evaluation_index = index;
        self.analysis = ErrorAnalysis::of(self.predictions(), self.report.spec.task(), &self.report.labels);
    }

    pub(in crate::tui) fn evaluation(&self) -> &SavedPredictions {
        &self.report.evaluations[self.evaluation_index]
    }

    pub(in crate::tui) fn predictions(&self) -> &Predictions {
        &self.evaluation().predictions
    }

    /// The predictions of all seeds for each row, if there are any.
    pub(in crate::tui) fn cross_seed(&self) -> Option<&CrossSeed> {
        self.report.cross_seed.as_ref().ok().and_then(Option::as_ref)
    }

    /// The rows of a cell of the matrix; none without a matrix.
    pub(in crate::tui) fn cell(&self, (label, predicted): (usize, usize)) -> &[usize] {
        match &self.analysis.detail {
            Detail::Classes(classes) => &classes.cells[label][predicted],
            Detail::MultiLabel | Detail::Scale(_) => &[],
        }
    }

    /// The loss of a row at each evaluation.
    pub(in crate::tui) fn losses(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.report.evaluations.iter().map(move |evaluation| evaluation.predictions.loss(row))
    }
}

impl InsightState {
    pub(in crate::tui) fn loaded(&self) -> Option<&LoadedReport> {
        match &self.content {
            Content::Loaded(loaded) => Some(loaded),
            _ => None,
        }
    }

    /// How many rows are listed.
    pub(in crate::tui) fn count(&self) -> usize {
        self.loaded().map_or(0, |loaded| match self.listed {
            RowList::Hardest => loaded.analysis.hardest.len(),
            RowList::LabelIssues => loaded.report.label_issues.len(),
            RowList::CrossSeed => loaded.cross_seed().map_or(0, |cross_seed| cross_seed.rows.len()),
            RowList::Cell => loaded.cell(self.cell).len(),
        })
    }

    /// The row of the dataset at an index of the list.
    pub(in crate::tui) fn row(&self, index: usize) -> Option<usize> {
        let loaded = self.loaded()?;
        match self.listed {
            RowList::Hardest => loaded.analysis.hardest.get(index).copied(),
            RowList::LabelIssues => loaded.report.label_issues.get(index).map(|issue| issue.row),
            RowList::CrossSeed => loaded.cross_seed()?.rows.get(index).map(|shared| shared.row),
            RowList::Cell => loaded.cell(self.cell).get(index).copied(),
        }
    }

    /// Whether the run has several seeds.
    pub fn has_seeds(&self) -> bool {
        self.loaded().is_some_and(|loaded| loaded.report.seed_count > 1)
    }

    /// Whether there are rows to list.
    pub fn has_rows(&self) -> bool {
        self.loaded().is_some()
    }

    /// Whether there is a confusion matrix: single-label classifications have one.
    pub fn has_matrix(&self) -> bool {
        self.loaded().is_some_and(|loaded| matches!(loaded.analysis.detail, Detail::Classes(_)))
    }

    /// Whether the run has labels with thresholds: all but regressions have.
    pub fn has_thresholds(&self) -> bool {
        self.loaded().is_some_and(|loaded| loaded.predictions().classes() > 0)
    }

    /// Shows the thresholds of a label in place of the list, or the list.
    pub(in crate::tui) fn show_thresholds(&mut self, label: Option<usize>) {
        self.threshold_label = label;
        self.update_threshold_curve();
    }

    /// Computes the thresholds that are shown, after the predictions or the label have changed.
    pub(in crate::tui) fn update_threshold_curve(&mut self) {
        let label = self.threshold_label;
        if let Content::Loaded(loaded) = &mut self.content {
            loaded.select_threshold_label(label);
        }
    }

    /// Whether the cursor is on a row with a text.
    pub fn is_on_text(&self) -> bool {
        self.is_in_list
            && self.threshold_label.is_none()
            && self.row(self.selected).is_some()
            && self.loaded().is_some_and(|loaded| loaded.report.examples.is_ok())
    }

    pub(in crate::tui) fn show_list(&mut self, listed: RowList) {
        self.show_thresholds(None);
        self.listed = listed;
        self.is_in_list = true;
        self.selected = 0;
    }

    /// Selects the evaluation before or after.
    pub(in crate::tui) fn step_evaluation(&mut self, is_back: bool) {
        let Content::Loaded(loaded) = &mut self.content else { return };
        let newest = loaded.report.evaluations.len() - 1;
        let index = if is_back {
            loaded.evaluation_index.saturating_sub(1)
        } else {
            (loaded.evaluation_index + 1).min(newest)
        };
        loaded.select_evaluation(index);
        self.evaluation = (index < newest).then_some(index);
        self.update_threshold_curve();
        self.selected = self.selected.min(self.count().saturating_sub(1));
    }
}
