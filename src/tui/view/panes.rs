//! The panes of a run: its curves, its newest step, its scores, its log.

use super::chart_title::view_suffix;
use super::{machine, probes, scores};
use crate::catalog::{Metric, published};
use crate::event::{Eval, SplitName};
use crate::format;
use crate::run::axis::{Axis, StepAxis};
use crate::run::history::History;
use crate::run::message::LogKind;
use crate::run::series::{Series, Viewport};
use crate::text;
use crate::tui::layout::LIVE_WIDE;
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::spark;
use crate::tui::widgets::line_chart::{ChartView, Curve, LineChart, Look, Reference, Seeds};
use crate::tui::widgets::{airy_pane, cut, pane, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// The seeds of a run that a chart shows: one of them, and all together behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// The history of each seed that has begun.
    pub seeds: &'a [History],
    /// The one that is looked at.
    pub history: &'a History,
}

impl<'a> Shown<'a> {
    pub(super) fn of(run: &'a RunState) -> Self {
        Shown { seeds: &run.seeds, history: run.history() }
    }

    /// `curve` of all seeds as a band, where the view wants it and several have values.
    fn band(
        self,
        view: ChartView,
        curve: &Curve<'a>,
        of: impl Fn(&'a History) -> Option<&'a Series>,
    ) -> Option<Curve<'a>> {
        let series: Vec<_> = self.seeds.iter().filter_map(of).filter(|series| !series.is_empty()).collect();
        let furthest = self.seeds.iter().max_by_key(|history| history.steps_done())?;
        let is_wanted = view.seeds == Seeds::Band && series.len() > 1;
        let (look, course) = (Look::Mean, &furthest.step_axis);
        is_wanted.then(|| Curve { name: "mean", look, series, course, ..curve.clone() })
    }

    /// What a band is, for the end of a title.
    fn told(self, view: ChartView, theme: Theme) -> String {
        let count = self.seeds.iter().filter(|history| !history.loss.is_empty()).count();
        match (view.seeds, count) {
            (Seeds::Each, _) | (_, 0 | 1) => String::new(),
            (Seeds::Band, count) => format!(", mean {} sd of {count} seeds", theme.glyph(Symbol::PlusMinus)),
        }
    }
}

/// Draws the losses in their pane; says where the curves are.
pub(super) fn draw_loss_pane(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let (shown, view) = (Shown::of(run), app.live.chart);
    let title = format!("Loss{}{}", shown.told(view, app.theme), view_suffix(&view));
    let title = cut(app.theme, &title, (area.width as usize).saturating_sub(6));
    let block = pane(app.theme, &title, app.live.is_full);
    let inner = block.inner(area);
    block.render(area, buffer);
    draw_loss(app, shown, view, inner, buffer)
}

/// The curve of a score on the validation split.
fn of_validation<'a>(metric: Metric) -> impl Fn(&'a History) -> Option<&'a Series> {
    move |history| history.score(SplitName::Validation, metric)
}

/// Draws the losses of training and validation; says where the curves are.
pub(super) fn draw_loss(
    app: &App,
    shown: Shown<'_>,
    view: ChartView,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Rect> {
    let history = shown.history;
    let train = Curve {
        name: "train",
        role: Role::Train,
        look: Look::Line,
        series: vec![&history.loss],
        course: &history.step_axis,
        is_smoothed: true,
    };
    let validation = |series| Curve {
        name: "validation",
        role: Role::Validation,
        look: Look::Points(Symbol::Disc),
        series: vec![series],
        is_smoothed: false,
        ..train.clone()
    };
    let loss = of_validation(Metric::Loss);
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
        empty: "the loss of the first step comes here",
        theme: app.theme,
    };
    chart.draw(area, buffer);
    chart.plot(area)
}

/// Draws the scores in their pane; says where the curves are.
pub(super) fn draw_score_pane(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let (shown, history) = (Shown::of(run), run.history());
    let metric = history.metric();
    let best = history.best.map_or(String::new(), |best| {
        format!(", best {} at step {}", format::score(metric, best.value), format::count(best.step))
    });
    let name = metric.title();
    let view = app.live.chart;
    let is_log = if view.is_log { ", logarithmic" } else { "" };
    let title = format!("{name}{best}{is_log}");
    let title = cut(app.theme, &title, (area.width as usize).saturating_sub(6));
    let block = pane(app.theme, &title, app.live.is_full);
    let inner = block.inner(area);
    block.render(area, buffer);
    let looks = [
        (SplitName::Train, Look::Points(Symbol::Ring)),
        (SplitName::Test, Look::Points(Symbol::Diamond)),
        (SplitName::Validation, Look::Points(Symbol::Disc)),
    ];
    let curve = |(split, look): (SplitName, Look)| {
        Some(Curve {
            name: split.name(),
            role: scores::split_role(split),
            look,
            series: vec![history.score(split, metric)?],
            course: &history.step_axis,
            is_smoothed: false,
        })
    };
    let own: Vec<Curve<'_>> = looks.into_iter().filter_map(curve).collect();
    // Of three bands one over the other none could be read: it is the validation split that chooses.
    let validation = of_validation(metric);
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
        empty: "the first score comes here",
        theme: app.theme,
    };
    chart.draw(inner, buffer);
    chart.plot(inner)
}

/// What the scores are held against: the best of this run, and what others have published for the same model
/// and task, with the standard error that so many rows give it.
fn references(history: &History, metric: Metric) -> Vec<Reference<'static>> {
    let best = history.best.map(|best| Reference { name: "", value: best.value, spread: 0.0 });
    let elsewhere = history.started.as_ref().and_then(|started| {
        let score = published(&started.spec.model, started.spec.task().name, metric)?;
        let spread = score.standard_error(started.rows[1]).unwrap_or(0.0);
        Some(Reference { name: "published", value: score.share(), spread })
    });
    best.into_iter().chain(elsewhere).collect()
}

pub(super) fn draw_step(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = airy_pane(theme, "Step", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let step = history.step.as_ref();
    let dash = || "-".to_string();
    let mut rows: Vec<(&str, String, Option<String>)> = Vec::new();
    let spark_width = (inner.width as usize).saturating_sub(18).min(12);
    let sparked = |series: &Series| Some(spark(series.recent().map(|(_, value)| value), spark_width, theme));
    rows.push(("loss", step.map_or_else(dash, |step| format::loss(step.loss)), sparked(&history.loss)));
    rows.push((
        "lr",
        step.map_or_else(dash, |step| format::learning_rate(step.learning_rate)),
        Some(spark(course(&history.learning_rate, spark_width).into_iter(), spark_width, theme)),
    ));
    rows.push((
        "grad norm",
        step.map_or_else(dash, |step| format::short(step.grad_norm)),
        sparked(&history.grad_norm),
    ));
    let rate = |rate: Option<f64>| rate.map_or_else(dash, format::short);
    let stages = rows.len();
    if app.size.0 < LIVE_WIDE {
        // There is no room for the table of scores, and the speeds stand above.
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
        // A part to a line where the panel is narrower than the whole: "cpu, 2 threads" and "AVX2".
        for (part, line) in
            lines_of_parts(&started.device, (inner.width as usize).saturating_sub(11)).into_iter().enumerate()
        {
            rows.push((if part == 0 { "device" } else { "" }, line, None));
        }
        rows.push(("precision", started.precision.clone(), None));
    }
    // Where the time goes comes after what has a line of little bars, if there is room for all of these.
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
        put(buffer, inner.x, y, inner.width, name, theme.style(Role::Muted));
        let x = inner.x + 11;
        let rest = inner.right().saturating_sub(x);
        if let Some(spark) = spark {
            put(buffer, x, y, rest, &format!("{value:>6}"), theme.style(Role::Text));
            put(buffer, x + 7, y, rest.saturating_sub(7), &spark, theme.style(Role::Train));
        } else {
            let value = if text::width(&value) <= 6 { format!("{value:>6}") } else { value };
            put(buffer, x, y, rest, &cut(theme, &value, rest as usize), theme.style(Role::Text));
        }
    }
}

/// The parts of a list with commas, as many on a line as `width` holds and at least one.
fn lines_of_parts(text: &str, width: usize) -> Vec<String> {
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

/// A curve from its first step to its last in at most `width` values.
fn course(series: &Series, width: usize) -> Vec<f64> {
    let last = series.last().map_or(0.0, |(step, _)| step as f64);
    let sight = Viewport { from: 0.0, to: last, columns: width, span: 0.0 };
    let columns = series.columns(StepAxis::default().mapper(Axis::Step), sight);
    columns.iter().filter(|column| column.finite > 0).map(|column| column.mean).collect()
}

pub(super) fn draw_scores(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = airy_pane(theme, "Scores", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let used = scores::draw(run.history(), theme, inner, buffer);
    let Some((metric, spread)) = run.spread().filter(|_| run.spec.repeats > 1) else { return };
    let y = inner.y + used;
    if y < inner.bottom() {
        let text = format!(
            "{} {} {} over {} of {} seeds",
            format::score(metric, spread.mean),
            theme.glyph(Symbol::PlusMinus),
            format::score(metric, spread.sd),
            spread.count,
            run.spec.repeats
        );
        put(buffer, inner.x, y, inner.width, &text, theme.style(Role::Best));
    }
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    if usize::from(rest.height) > run.seeds.len() {
        scores::draw_seeds(&run.seeds, theme, rest, buffer);
    }
}

/// Draws the pinned texts that were scored last.
pub(super) fn draw_probes(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let block = airy_pane(app.theme, "Probes", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let newest = history.probes.newest();
    let lines: Vec<_> = newest
        .map(|course| probes::ProbeLine { pin: &course.probe, course: Some(course), is_at: false })
        .collect();
    probes::draw(&lines, Some(history), app.theme, inner, buffer);
}

pub(super) fn draw_log(app: &App, history: &History, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let title = if app.live.log_scroll > 0 {
        format!("Log, {} lines back", app.live.log_scroll)
    } else {
        "Log".into()
    };
    let block = airy_pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let lines = log_lines(app, history, inner.width as usize, inner.height as usize);
    for (row, (text, role)) in lines.iter().enumerate() {
        let y = inner.y + row as u16;
        let style = theme.style(*role);
        put(buffer, inner.x, y, inner.width, text, style);
        put(buffer, inner.x, y, 8.min(inner.width), text, theme.style(Role::Muted));
    }
}

/// The last lines of the log that fit, wrapped; the oldest first.
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
