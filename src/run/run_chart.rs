//! The charts of a run: which values they show.

use super::history::History;
use super::series::Series;
use crate::catalog::Metric;
use crate::event::{Event, SplitName};

/// A chart of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunChart {
    /// The losses of training and validation.
    #[default]
    Loss,
    /// The score that selects the best weights, on each split.
    Score,
    /// The learning rate.
    LearningRate,
    /// The gradient norm before clipping.
    GradNorm,
    /// Tokens per second.
    TokenRate,
}

impl RunChart {
    /// All charts, in order.
    pub const ALL: [RunChart; 5] =
        [RunChart::Loss, RunChart::Score, RunChart::LearningRate, RunChart::GradNorm, RunChart::TokenRate];

    /// The title. The score is named by its metric.
    pub fn title(self, metric: Metric) -> &'static str {
        match self {
            RunChart::Loss => "Loss",
            RunChart::Score => metric.title(),
            RunChart::LearningRate => "Learning rate",
            RunChart::GradNorm => "Gradient norm",
            RunChart::TokenRate => "Tokens per second",
        }
    }

    /// The name in the name of a file.
    pub fn file_name(self) -> &'static str {
        match self {
            RunChart::Loss => "loss",
            RunChart::Score => "score",
            RunChart::LearningRate => "learning-rate",
            RunChart::GradNorm => "grad-norm",
            RunChart::TokenRate => "tokens-per-second",
        }
    }

    /// The next chart.
    pub fn next(self) -> RunChart {
        let at = RunChart::ALL.iter().position(|chart| *chart == self).unwrap_or(0);
        RunChart::ALL[(at + 1) % RunChart::ALL.len()]
    }

    /// The previous chart.
    pub fn previous(self) -> RunChart {
        let at = RunChart::ALL.iter().position(|chart| *chart == self).unwrap_or(0);
        RunChart::ALL[(at + RunChart::ALL.len() - 1) % RunChart::ALL.len()]
    }

    /// The curves that `history` has values for.
    pub fn curves(self, history: &History) -> Vec<(RunCurve, &Series)> {
        let curves = self.all_curves(history.metric()).into_iter();
        curves.filter_map(|curve| Some((curve, curve.series(history)?))).collect()
    }

    /// All curves of a run with this metric.
    pub fn all_curves(self, metric: Metric) -> Vec<RunCurve> {
        match self {
            RunChart::Loss => vec![RunCurve::TrainLoss, RunCurve::Score(SplitName::Validation, Metric::Loss)],
            RunChart::Score => [SplitName::Train, SplitName::Test, SplitName::Validation]
                .map(|split| RunCurve::Score(split, metric))
                .to_vec(),
            RunChart::LearningRate => vec![RunCurve::LearningRate],
            RunChart::GradNorm => vec![RunCurve::GradNorm],
            RunChart::TokenRate => vec![RunCurve::TokenRate],
        }
    }
}

/// A curve of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCurve {
    /// The loss of the steps.
    TrainLoss,
    /// A metric on a split.
    Score(SplitName, Metric),
    /// The learning rate.
    LearningRate,
    /// The gradient norm before clipping.
    GradNorm,
    /// Tokens per second.
    TokenRate,
}

impl RunCurve {
    /// Its values in a run, if there are any.
    pub fn series(self, history: &History) -> Option<&Series> {
        let series = match self {
            RunCurve::TrainLoss => &history.loss,
            RunCurve::Score(split, metric) => history.score(split, metric)?,
            RunCurve::LearningRate => &history.learning_rate,
            RunCurve::GradNorm => &history.grad_norm,
            RunCurve::TokenRate => &history.token_rate,
        };
        (!series.is_empty()).then_some(series)
    }

    /// The step and the value that `event` adds to the curve.
    pub fn point(self, event: &Event) -> Option<(u64, f64)> {
        match (self, event) {
            (RunCurve::TrainLoss, Event::Step(step)) => Some((step.step, step.loss)),
            (RunCurve::LearningRate, Event::Step(step)) => Some((step.step, step.learning_rate)),
            (RunCurve::GradNorm, Event::Step(step)) => Some((step.step, step.grad_norm)),
            (RunCurve::TokenRate, Event::Step(step)) if step.seconds > 0.0 => {
                Some((step.step, step.tokens as f64 / step.seconds))
            }
            (RunCurve::Score(split, metric), Event::Eval(eval)) if eval.split == split => {
                Some((eval.step, eval.scores.get(metric)?))
            }
            _ => None,
        }
    }

    /// Its name in a legend; empty for a curve that is alone on its chart.
    pub fn name(self, history: &History) -> &'static str {
        match self {
            RunCurve::TrainLoss => "train",
            RunCurve::Score(SplitName::Train, _) if history.has_running_scores() => "train mean",
            RunCurve::Score(split, _) => split.name(),
            RunCurve::LearningRate | RunCurve::GradNorm | RunCurve::TokenRate => "",
        }
    }

    /// The name of its column in a table.
    pub fn column(self) -> &'static str {
        match self {
            RunCurve::TrainLoss => "train",
            RunCurve::Score(split, _) => split.name(),
            RunCurve::LearningRate => "learning_rate",
            RunCurve::GradNorm => "grad_norm",
            RunCurve::TokenRate => "tokens_per_second",
        }
    }

    /// Whether there is a value for each step, and values differ from step to step, so that smoothing is useful.
    pub fn is_noisy(self) -> bool {
        matches!(self, RunCurve::TrainLoss | RunCurve::GradNorm | RunCurve::TokenRate)
    }
}
