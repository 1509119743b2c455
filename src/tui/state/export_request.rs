//! What the user exports.

use super::compare::Quantity;
use crate::catalog::FileFormat;
use crate::event::SplitName;
use crate::export::chart::{ChartColors, ChartRange};
use crate::export::glue::StandIns;
use crate::export::{MetricsFormat, ModelFormat};
use crate::run::run_chart::RunChart;
use std::path::PathBuf;

/// What the user exports of a run or of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportRequest {
    /// The best weights of the run in that directory.
    Model {
        /// The run directory.
        run: PathBuf,
        /// The format.
        format: ModelFormat,
    },
    /// The best weights as a Hugging Face folder, uploaded to the hub.
    Push {
        /// The run directory.
        run: PathBuf,
        /// The repository, as typed.
        repo: String,
        /// Whether the repository is private if it is created.
        private: bool,
    },
    /// The metrics of the run in that directory, as a table.
    Metrics(PathBuf, MetricsFormat),
    /// The metrics of the run in that directory, as event files of TensorBoard.
    TensorBoard(PathBuf),
    /// The predictions of a run for the rows of a split of its data.
    SplitPredictions {
        /// The run directory.
        run: PathBuf,
        /// The split.
        split: SplitName,
        /// The format of the table.
        format: FileFormat,
    },
    /// A chart.
    Chart(Box<ChartRequest>),
    /// The predictions of a run for the rows of a file.
    Predictions {
        /// The run directory.
        run: PathBuf,
        /// The file, as typed.
        file: String,
    },
    /// The submission of a sweep of tasks to GLUE's leaderboard.
    Submission {
        /// The name of the sweep.
        sweep: String,
        /// What it has for tasks without predictions.
        stand_ins: StandIns,
    },
    /// The files of a submission to GLUE's leaderboard that the run in that directory predicts.
    SubmissionFiles(PathBuf),
    /// The command line that repeats the run in that directory.
    CommandLine(PathBuf),
}

impl ExportRequest {
    /// Whether the export ends soon after it is cancelled.
    pub(in crate::tui) fn can_be_cancelled(&self) -> bool {
        match self {
            ExportRequest::Push { .. }
            | ExportRequest::SplitPredictions { .. }
            | ExportRequest::Submission { .. }
            | ExportRequest::SubmissionFiles(_) => true,
            ExportRequest::Model { .. }
            | ExportRequest::Metrics(..)
            | ExportRequest::TensorBoard(_)
            | ExportRequest::Chart(_)
            | ExportRequest::Predictions { .. }
            | ExportRequest::CommandLine(_) => false,
        }
    }
}

/// The format of an exported chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartFormat {
    /// A picture.
    Svg,
    /// The values.
    Csv,
}

impl ChartFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            ChartFormat::Svg => "svg",
            ChartFormat::Csv => "csv",
        }
    }
}

/// A chart to export.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartRequest {
    /// The runs, and the color of each as in CSS.
    pub runs: Vec<(PathBuf, String)>,
    /// Which values.
    pub content: ChartContent,
    /// The format.
    pub format: ChartFormat,
    /// The visible part and the scale.
    pub range: ChartRange,
    /// The other colors.
    pub colors: ChartColors,
}

/// The values of a chart to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartContent {
    /// Those of a chart of one run.
    Run(RunChart),
    /// Those of several runs.
    Comparison(Quantity),
}
