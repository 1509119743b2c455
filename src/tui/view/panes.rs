//! The panes of a run: loss and score curves, the last step, scores, probes and log.

use super::chart_title::view_suffix;
use super::{machine, probes, scores};
use crate::catalog::{Metric, published};
use crate::event::{Eval, SplitName};
use crate::format;
use crate::run::axis::{Axis, StepAxis};
use crate::run::history::History;
use crate::run::message::LogKind;
use crate::run::series::{Series, Viewport};
use crate::text::{self, plural};
use crate::tui::layout::LIVE_WIDE;
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::sparkline;
use crate::tui::widgets::line_chart::{ChartView, Curve, CurveStyle, LineChart, Reference, Seeds};
use crate::tui::widgets::{draw_text, padded_pane, pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

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

    /// `curve` of all seeds as a band, if the view has bands and several seeds have values.
    fn band(
        self,
        view: ChartView,
        curve: &Curve<'a>,
        of: impl Fn(&'a History) -> Option<&'a Series>,
    ) -> Option<Curve<'a>> {
        let series: Vec<_> = self.seeds.iter().filter_map(of).filter(|series| !series.is_empty()).collect();
        let longest = self.seeds.iter().max_by_key(|history| history.steps_done())?;
        let is_wanted = view.seeds == Seeds::Band && series.len() > 1;
        let (style, step_axis) = (CurveStyle::Mean, &longest.step_axis);
        is_wanted.then(|| Curve { name: "mean", style, series, step_axis, ..curve.clone() })
    }

    /// The legend of the band, for the end of a title.
    fn band_suffix(self, view: ChartView, theme: Theme) -> String {
        let count = self.seeds.iter().filter(|history| !history.loss.is_empty()).count();
        match (view.seeds, count) {
            (Seeds::Each, _) | (_, 0 | 1) => String::new(),
            (Seeds::Band, count) => format!(", mean {} sd of {count} seeds", theme.symbol(Symbol::PlusMinus)),
        }
    }
}

/// Draws the pane of the losses; returns the area of the curves.
pub(super) fn draw_loss_pane(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let (shown, view) = (ChartSeeds::of(run), app.live.chart);
    let title = format!("Loss{}{}", shown.band_suffix(view, app.theme), view_suffix(&view));
    let title = truncate(app.theme, &title, (area.width as usize).saturating_sub(6));
    let block = pane(app.theme, &title, app.live.is_full);
    let inner = block.inner(area);
    block.render(area, buffer);
    draw_loss(app, shown, view, inner, buffer)
}

/// Selects the series of a score on the validation split.
fn validation_series<'a>(metric: Metric) -> impl Fn(&'a History) -> Option<&'a Series> {
    move |history| history.score(SplitName::Validation, metric)
}

/// Draws the losses of training and validation; returns the area of the curves.
pub(super) fn draw_loss(
    app: &App,
    shown: ChartSeeds<'_>,
    view: ChartView,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Rect> {
    let history = shown.history;
    let train = Curve {
        name: "train",
        role: Role::Train,
        style: CurveStyle::Line,
        series: vec![&history.loss],
        step_axis: &history.step_axis,
        is_smoothed: true,
    };
    let validation = |series| Curve {
        name: "validation",
        role: Role::Validation,
        style: CurveStyle::Points(Symbol::Disc),
        series: vec![series],
        is_smoothed: false,
        ..train.clone()
    };
    let loss = validation_series(Metric::Loss);
    let mut curves = Vec::new();
    if let Some(band) = shown.band(view, &train, |history| Some(&history.loss)) {
        curves.push(band);
    } else if view.smoothing() > 0.0 {
        curves.push(Curve { name: "", role: Role::TrainRaw, is_smoothed: false, ..train.clone() });
    }
    let validation = loss(history).map(validation);
    curves.extend(validation.as_ref().and_then(|curve| shown.band(view, curve, loss)));
    curves.push(train);
    curves.extend(validation);
    let chart = LineChart {
        curves: &curves,
        view,
        steps: history.total_steps(),
        percent: false,
        references: &[],
        span: None,
        empty: "Waiting for the first step",
        theme: app.theme,
    };
    chart.draw(area, buffer);
    chart.plot(area)
}

/// Draws the pane of the scores; returns the area of the curves.
pub(super) fn draw_score_pane(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let (shown, history) = (ChartSeeds::of(run), run.history());
    let metric = history.metric();
    let best = history.best.map_or(String::new(), |best| {
        format!(", best {} at step {}", format::score(metric, best.value), format::count(best.step))
    });
    let name = metric.title();
    let view = app.live.chart;
    let is_log = if view.is_log { ", logarithmic" } else { "" };
    let title = format!("{name}{best}{is_log}");
    let title = truncate(app.theme, &title, (area.width as usize).saturating_sub(6));
    let block = pane(app.theme, &title, app.live.is_full);
    let inner = block.inner(area);
    block.render(area, buffer);
    let looks = [
        (SplitName::Train, CurveStyle::Points(Symbol::Ring)),
        (SplitName::Test, CurveStyle::Points(Symbol::Diamond)),
        (SplitName::Validation, CurveStyle::Points(Symbol::Disc)),
    ];
    let curve = |(split, style): (SplitName, CurveStyle)| {
        Some(Curve {
            name: split.name(),
            role: scores::split_role(split),
            style,
            series: vec![history.score(split, metric)?],
            step_axis: &history.step_axis,
            is_smoothed: false,
        })
    };
    let own: Vec<Curve<'_>> = looks.into_iter().filter_map(curve).collect();
    // Three overlapping bands are unreadable, so only the validation split has one.
    let validation = validation_series(metric);
    let chosen = own.iter().find(|curve| curve.role == Role::Validation);
    let band = chosen.and_then(|curve| shown.band(view, curve, validation));
    let curves: Vec<Curve<'_>> = band.into_iter().chain(own.iter().cloned()).collect();
    let chart = LineChart {
        curves: &curves,
        view,
        steps: history.total_steps(),
        percent: metric != Metric::Loss,
        references: &references(history, metric),
        span: None,
        empty: "Waiting for the first evaluation",
        theme: app.theme,
    };
    chart.draw(inner, buffer);
    chart.plot(inner)
}

/// Reference lines for the scores: the best score of this run, and the published score of the same model and task
/// The name, the value and the sparkline of a row of the Step pane.
type StepRow = (&'static str, String, Option<String>);

/// The rows of the Step pane for a width in cells, and how many of them come before the time of each stage.
fn step_rows(app: &App, history: &History, width: usize) -> (Vec<StepRow>, usize) {
    let theme = app.theme;
    let step = history.step.as_ref();
    let dash = || theme.symbol(Symbol::Dash).to_string();
    let mut rows: Vec<StepRow> = Vec::new();
    let spark_width = width.saturating_sub(18).min(12);
    let sparked =
        |series: &Series| Some(sparkline(series.recent().map(|(_, value)| value), spark_width, theme));
    rows.push(("loss", step.map_or_else(dash, |step| format::loss(step.loss)), sparked(&history.loss)));
    rows.push((
        "lr",
        step.map_or_else(dash, |step| format::learning_rate(step.learning_rate)),
        Some(sparkline(resample(&history.learning_rate, spark_width).into_iter(), spark_width, theme)),
    ));
    rows.push((
        "grad norm",
        step.map_or_else(dash, |step| format::short(step.grad_norm)),
        sparked(&history.grad_norm),
    ));
    let rate = |rate: Option<f64>| rate.map_or_else(dash, format::short);
    let stages = rows.len();
    if app.size.0 < LIVE_WIDE {
        // There is no pane of scores on a narrow terminal, and the header has the speeds.
        let metric = history.metric();
        let value = |eval: Option<&Eval>, metric| {
            let value = eval.and_then(|eval| eval.scores.get(metric));
            value.map_or_else(dash, |value| format::score(metric, value))
        };
        let latest = history.latest.get(&SplitName::Validation);
        rows.push(("val. loss", value(latest, Metric::Loss), None));
        rows.push((format::metric(metric), value(latest, metric), None));
        rows.push(("best", value(history.best_eval.as_ref(), metric), None));
    }
    rows.push(("examples/s", rate(history.examples_per_second()), None));
    rows.push(("tokens/s", rate(history.tokens_per_second()), None));
    if let Some(started) = &history.started {
        rows.push(("parameters", format::short(started.trainable_parameters as f64), None));
        // Wraps at commas: "cpu, 2 threads" and "AVX2".
        for (part, line) in wrap_list(&started.device, width.saturating_sub(11)).into_iter().enumerate() {
            rows.push((if part == 0 { "device" } else { "" }, line, None));
        }
        rows.push(("precision", started.precision.clone(), None));
    }
    (rows, stages)
}

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

pub(super) fn draw_step(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Step", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let (rows, stages) = step_rows(app, history, inner.width as usize);
    // The time of each stage follows the rows with sparklines, if it fits.
    let gap = if app.size.0 < LIVE_WIDE {
        0
    } else {
        machine::draw_short_stages(app, history, inner, stages as u16, buffer)
    };
    for (row, (name, value, spark)) in rows.into_iter().enumerate() {
        let y = inner.y + row as u16 + if row < stages { 0 } else { gap };
        if y >= inner.bottom() {
            break;
        }
        draw_text(buffer, inner.x, y, inner.width, name, theme.style(Role::Muted));
        let x = inner.x + 11;
        let rest = inner.right().saturating_sub(x);
        if let Some(spark) = spark {
            draw_text(buffer, x, y, rest, &format!("{value:>6}"), theme.style(Role::Text));
            draw_text(buffer, x + 7, y, rest.saturating_sub(7), &spark, theme.style(Role::Train));
        } else {
            let value = if text::width(&value) <= 6 { format!("{value:>6}") } else { value };
            draw_text(buffer, x, y, rest, &truncate(theme, &value, rest as usize), theme.style(Role::Text));
        }
    }
}

/// Wraps a comma-separated list at its commas to lines of at most `width` cells.
fn wrap_list(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(", ") {
        match lines.last_mut() {
            Some(line) if text::width(line) + 2 + text::width(part) <= width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// The whole series, averaged to at most `width` values.
fn resample(series: &Series, width: usize) -> Vec<f64> {
    let last = series.last().map_or(0.0, |(step, _)| step as f64);
    let viewport = Viewport { from: 0.0, to: last, columns: width, span: 0.0 };
    let columns = series.columns(StepAxis::default().mapper(Axis::Step), viewport);
    columns.iter().filter(|column| column.finite > 0).map(|column| column.mean).collect()
}

pub(super) fn draw_scores(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Scores", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let used = scores::draw(run.history(), theme, inner, buffer);
    let Some((metric, spread)) = run.spread().filter(|_| run.spec.repeats > 1) else { return };
    let y = inner.y + used;
    if y < inner.bottom() {
        let mean = format::score(metric, spread.mean);
        // One value has no standard deviation.
        let sd = match spread.count {
            0 | 1 => String::new(),
            _ => format!(" {} {}", theme.symbol(Symbol::PlusMinus), format::score(metric, spread.sd)),
        };
        let text = format!("{mean}{sd} over {} of {}", spread.count, plural(run.spec.repeats, "seed"));
        draw_text(buffer, inner.x, y, inner.width, &text, theme.style(Role::Best));
    }
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    if usize::from(rest.height) > run.seeds.len() {
        scores::draw_seeds(&run.seeds, theme, rest, buffer);
    }
}

/// Draws the probes of the last evaluation.
pub(super) fn draw_probes(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let block = padded_pane(app.theme, "Probes", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let newest = history.probes.newest();
    let lines: Vec<_> = newest
        .map(|series| probes::ProbeLine {
            probe: &series.probe,
            series: Some(series),
            classified: None,
            is_selected: false,
        })
        .collect();
    probes::draw(&lines, Some(history), None, app.theme, inner, buffer);
}

pub(super) fn draw_log(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let title = if app.live.log_scroll > 0 {
        format!("Log, {} back", text::plural(app.live.log_scroll as u64, "line"))
    } else {
        "Log".into()
    };
    let block = padded_pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let lines = log_lines(app, history, inner.width as usize, inner.height as usize);
    for (row, (text, role)) in lines.iter().enumerate() {
        let y = inner.y + row as u16;
        let style = theme.style(*role);
        draw_text(buffer, inner.x, y, inner.width, text, style);
        draw_text(buffer, inner.x, y, 8.min(inner.width), text, theme.style(Role::Muted));
    }
}

/// The last lines of the log that fit, wrapped, oldest first.
fn log_lines(app: &App, history: &History, width: usize, height: usize) -> Vec<(String, Role)> {
    let mut out: Vec<(String, Role)> = Vec::new();
    for line in history.log.iter().rev().skip(app.live.log_scroll) {
        if out.len() >= height {
            break;
        }
        let role = match line.kind {
            LogKind::Note => Role::Text,
            LogKind::Warning => Role::Warning,
            LogKind::Best => Role::Best,
        };
        let time = format::clock(line.time, app.utc_offset);
        let wrapped = wrap(&line.text, width.saturating_sub(10).max(10));
        for (number, text) in wrapped.iter().enumerate().rev() {
            let stamp = if number == 0 { time.as_str() } else { "" };
            out.push((format!("{stamp:<8}  {text}"), role));
        }
    }
    out.truncate(height);
    out.reverse();
    out
}
