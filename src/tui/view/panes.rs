//! The panes of a run beside its charts: the last step, scores, probes and log.

use super::{machine, probes, scores};
use crate::catalog::Metric;
use crate::event::{Eval, SplitName};
use crate::format;
use crate::run::axis::{Axis, StepAxis};
use crate::run::history::History;
use crate::run::message::LogKind;
use crate::run::series::{Series, Viewport};
use crate::text::{self, plural};
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::bars::sparkline;
use crate::tui::widgets::{draw_text, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// The name, the value and the sparkline of a row of the Step pane.
type StepRow = (&'static str, String, Option<String>);

/// The rows of the Step pane for a width in cells, and how many of them come before the time of each stage.
fn step_rows(app: &App, history: &History, with_scores: bool, width: usize) -> (Vec<StepRow>, usize) {
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
    if with_scores {
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

/// Draws the values of the last step and their course, and the newest scores where no pane has them.
pub(super) fn draw_step(app: &App, history: &History, with_scores: bool, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Step", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let (rows, stages) = step_rows(app, history, with_scores, inner.width as usize);
    // The time of each stage follows the rows with sparklines, if it fits.
    let gap =
        if with_scores { 0 } else { machine::draw_short_stages(app, history, inner, stages as u16, buffer) };
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
    let Some((metric, spread)) = run.spread().filter(|_| run.spec.seed_count() > 1) else { return };
    let y = inner.y + used;
    if y < inner.bottom() {
        let mean = format::score(metric, spread.mean);
        // One value has no standard deviation.
        let sd = match spread.count {
            0 | 1 => String::new(),
            _ => format!(" {} {}", theme.symbol(Symbol::PlusMinus), format::score(metric, spread.sd)),
        };
        let all = plural(run.spec.seed_count(), run.spec.seed_unit());
        let text = format!("{mean}{sd} over {} of {all}", spread.count);
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
        let stamp = stamp_width(inner.width as usize) as u16;
        draw_text(buffer, inner.x, y, stamp.min(inner.width), text, theme.style(Role::Muted));
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
        let columns = stamp_width(width);
        let wrapped = wrap(&line.text, width.saturating_sub(columns + 2).max(10));
        for (number, text) in wrapped.iter().enumerate().rev() {
            let stamp = if number == 0 { time.get(..columns).unwrap_or_default() } else { "" };
            out.push((format!("{stamp:<columns$}  {text}"), role));
        }
    }
    out.truncate(height);
    out.reverse();
    out
}

/// Columns of the time of day before a line of the log: without seconds where the text needs the space.
fn stamp_width(width: usize) -> usize {
    if width < 40 { 5 } else { 8 }
}
