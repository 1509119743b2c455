//! The charts of a run: loss, score, learning rate, gradient norm and speed.

use super::chart_pane::{ChartTitle, change_marks, draw_chart_pane, plot_area};
use super::chart_title::view_suffix;
use super::scores::split_role;
use crate::catalog::{Metric, SplitRole, published};
use crate::format;
use crate::run::history::History;
use crate::run::run_chart::{RunChart, RunCurve};
use crate::run::series::Series;
use crate::text::plural;
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::draw_text;
use crate::tui::widgets::line_chart::{ChartView, Curve, CurveStyle, Dash, LineChart, Reference, Seeds};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The seeds of a run in a chart: one of them, in front of the band of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChartSeeds<'a> {
    /// The history of each seed that has started.
    pub seeds: &'a [History],
    /// The selected one.
    pub history: &'a History,
}

impl<'a> ChartSeeds<'a> {
    pub(super) fn of(run: &'a RunState) -> Self {
        ChartSeeds { seeds: &run.seeds, history: run.history() }
    }

    /// The mean of `curve` over all seeds with a band, if the view has bands and several seeds have values.
    fn band(self, view: ChartView, curve: &Curve<'a>, of: RunCurve) -> Option<Curve<'a>> {
        let series: Vec<&Series> = self.seeds.iter().filter_map(|history| of.series(history)).collect();
        let longest = self.seeds.iter().max_by_key(|history| history.steps_done())?;
        let is_wanted = view.seeds == Seeds::Band && series.len() > 1;
        let name = match of {
            RunCurve::Score(split, _) if split.role() == SplitRole::Validation => "val. seeds",
            RunCurve::TrainLoss => "train seeds",
            _ => "seeds",
        };
        let style = CurveStyle::Mean;
        is_wanted.then(|| Curve {
            name,
            style,
            dash: Dash::Dashed,
            series,
            step_axis: &longest.step_axis,
            ..curve.clone()
        })
    }

    /// The legend of the band, for the end of a title.
    fn band_suffix(self, view: ChartView, theme: Theme) -> String {
        let count = self.seeds.iter().filter(|history| !history.loss.is_empty()).count();
        match (view.seeds, count) {
            (Seeds::Each, _) | (_, 0 | 1) => String::new(),
            (Seeds::Band, count) => {
                format!(", mean {} sd of {}", theme.symbol(Symbol::PlusMinus), plural(count as u64, "seed"))
            }
        }
    }

    /// The curves of a chart, those in front last.
    fn curves(self, chart: RunChart, view: ChartView) -> Vec<Curve<'a>> {
        let mut bands = Vec::new();
        let mut curves = Vec::new();
        for (of, series) in chart.curves(self.history) {
            let curve = curve(of, series, self.history);
            // Three overlapping bands are unreadable, so only the validation split has one.
            let has_band = !matches!(of, RunCurve::Score(split, _) if split.role() != SplitRole::Validation);
            match self.band(view, &curve, of).filter(|_| has_band) {
                Some(band) => bands.push(band),
                None if curve.is_smoothed && view.smoothing() > 0.0 => {
                    bands.push(Curve { name: "", role: Role::TrainRaw, is_smoothed: false, ..curve.clone() });
                }
                None => {}
            }
            curves.push(curve);
        }
        bands.extend(curves);
        bands
    }
}

/// A curve with the look that it has on every chart.
fn curve<'a>(of: RunCurve, series: &'a Series, history: &'a History) -> Curve<'a> {
    let (role, style, dash) = match of {
        RunCurve::Score(split, _) => {
            let (symbol, dash) = match split.role() {
                SplitRole::Train => (Symbol::Ring, Dash::Dotted),
                SplitRole::Test | SplitRole::ExtraTest => (Symbol::Diamond, Dash::DashDotted),
                SplitRole::Validation | SplitRole::ExtraValidation => (Symbol::Disc, Dash::Dashed),
            };
            (split_role(split), CurveStyle::Points(symbol), dash)
        }
        RunCurve::TrainLoss | RunCurve::LearningRate | RunCurve::GradNorm | RunCurve::TokenRate => {
            (Role::Train, CurveStyle::Line, Dash::Solid)
        }
    };
    Curve {
        name: of.name(history),
        role,
        style,
        dash,
        series: vec![series],
        step_axis: &history.step_axis,
        is_smoothed: of.is_noisy(),
        is_faint: false,
    }
}

/// Draws a chart of a run in a pane.
pub(super) fn draw_run_chart(app: &App, run: &RunState, chart: RunChart, area: Rect, buffer: &mut Buffer) {
    with_line_chart(app, run, chart, |chart, title| {
        draw_chart_pane(chart, title, app.live.is_full, area, buffer);
    });
}

/// The area of the curves of a chart that is drawn in a pane on `area`.
pub(super) fn plot_of_run_chart(app: &App, run: &RunState, chart: RunChart, area: Rect) -> Option<Rect> {
    with_line_chart(app, run, chart, |chart, _| chart.plot(plot_area(area)))
}

/// Calls `use_chart` with a chart of a run and its title.
fn with_line_chart<R>(
    app: &App,
    run: &RunState,
    chart: RunChart,
    use_chart: impl FnOnce(&LineChart<'_>, &ChartTitle) -> R,
) -> R {
    let (shown, view, theme) = (ChartSeeds::of(run), app.live.chart, app.theme);
    let history = shown.history;
    let metric = history.metric();
    let details = match chart {
        RunChart::Score => {
            let best = history.best.map_or(String::new(), |best| {
                format!(", best {} at step {}", format::score(metric, best.value), format::count(best.step))
            });
            format!("{best}{}", if view.is_log { ", logarithmic" } else { "" })
        }
        RunChart::LearningRate => String::from(if view.is_log { ", logarithmic" } else { "" }),
        _ => format!("{}{}", shown.band_suffix(view, theme), view_suffix(&view)),
    };
    let title = ChartTitle { name: chart.title(metric).into(), details };
    let curves = shown.curves(chart, view);
    let references = if chart == RunChart::Score { references(history, metric) } else { Vec::new() };
    let chart = LineChart {
        curves: &curves,
        view,
        steps: history.total_steps(),
        percent: chart == RunChart::Score && metric != Metric::Loss,
        references: &references,
        changes: &change_marks(history, Role::Warning, theme),
        span: None,
        empty: waiting_for(chart),
        theme,
    };
    use_chart(&chart, &title)
}

/// The text of a chart without values.
fn waiting_for(chart: RunChart) -> &'static str {
    match chart {
        RunChart::Score => "Waiting for the first evaluation",
        _ => "Waiting for the first step",
    }
}

/// Draws the losses of a run that is not on the Live screen: a title, the legend and the chart, without a frame.
pub(super) fn draw_loss(app: &App, shown: ChartSeeds<'_>, area: Rect, buffer: &mut Buffer) {
    let (view, theme, history) = (ChartView::default(), app.theme, shown.history);
    let [title, below] = [
        Rect { height: area.height.min(1), ..area },
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area },
    ];
    let chart = LineChart {
        curves: &shown.curves(RunChart::Loss, view),
        view,
        steps: history.total_steps(),
        percent: false,
        references: &[],
        changes: &change_marks(history, Role::Warning, theme),
        span: None,
        empty: waiting_for(RunChart::Loss),
        theme,
    };
    let readings = chart.draw(below, buffer);
    let x = draw_text(buffer, title.x, title.y, title.width, "Loss", theme.style(Role::Title)) + 1;
    let beside = Rect { x, width: title.right().saturating_sub(x), ..title };
    chart.draw_legend(beside, below, &readings, buffer);
}

/// Reference lines for the scores: the best score of this run, and the published score of the same model and task
/// with its standard error for this number of validation rows.
fn references(history: &History, metric: Metric) -> Vec<Reference<'static>> {
    let best = history.best.map(|best| Reference { name: "", value: best.value, spread: 0.0 });
    let published = history.started.as_ref().and_then(|started| {
        let score = published(&started.spec.model, started.spec.task().name, metric)?;
        let spread = score.standard_error(started.rows[1]).unwrap_or(0.0);
        Some(Reference { name: "published", value: score.share(), spread })
    });
    best.into_iter().chain(published).collect()
}
