//! One run while it trains: progress, speed, loss and scores.

use super::diagnosis;
use super::machine;
use super::panes::{draw_log, draw_loss_pane, draw_probes, draw_score_pane, draw_scores, draw_step};
use super::run_header::{draw_header, draw_no_run, elapsed_seconds, progress_parts, state};
use crate::event::SplitName;
use crate::format;
use crate::tui::layout::{LIVE_PROBES, LIVE_SCORES_AND_PROBES, LIVE_WIDE};
use crate::tui::state::App;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

/// Draws the screen.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(run) = app.shown_run() else {
        draw_no_run(app, area, buffer);
        return;
    };
    let [header, problem, body] = parts(run, area);
    draw_header(app, run, header, buffer);
    let history = run.history();
    diagnosis::draw(app, history, problem, buffer);
    if app.live.is_full {
        draw_chart(app, run, body, buffer);
        return;
    }
    let low = match body.height {
        0..=15 => 5,
        16..=24 => 8,
        25..=40 => 11,
        height => height / 4,
    };
    let strip = machine::strip_height(run, body);
    let heights = [Constraint::Fill(1), Constraint::Length(strip), Constraint::Length(low)];
    let [charts, gauges, panes] = Layout::vertical(heights).areas(body);
    machine::draw_strip(app, history, gauges, buffer);
    if area.width >= LIVE_WIDE {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
        draw_loss_pane(app, run, left, buffer);
        draw_score_pane(app, run, right, buffer);
        draw_row(app, run, panes, buffer);
    } else {
        draw_chart(app, run, charts, buffer);
        let [step, log] = Layout::horizontal([Constraint::Length(26), Constraint::Fill(1)]).areas(panes);
        draw_step(app, history, step, buffer);
        draw_log(app, history, log, buffer);
    }
}

/// The panes below the charts, side by side. If the area is too narrow for
/// both, probes replace the scores, which the charts show too.
fn draw_row(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    let has_probes = area.width >= LIVE_PROBES && run.history().probes.newest().next().is_some();
    let (scores, probes) = match (has_probes, area.width >= LIVE_SCORES_AND_PROBES) {
        (false, _) => (47, 0),
        (true, false) => (0, 47),
        (true, true) => (47, 60),
    };
    let widths = [29, scores, probes].map(Constraint::Length);
    let [step, table, probe_area, log] =
        Layout::horizontal(widths.into_iter().chain([Constraint::Fill(1)])).areas(area);
    draw_step(app, run.history(), step, buffer);
    if scores > 0 {
        draw_scores(app, run, table, buffer);
    }
    if probes > 0 {
        draw_probes(app, run.history(), probe_area, buffer);
    }
    draw_log(app, run.history(), log, buffer);
}

/// Splits the screen into header, diagnosis and body.
fn parts(run: &RunState, area: Rect) -> [Rect; 3] {
    let problem = diagnosis::height(run.history());
    let heights = [Constraint::Length(2), Constraint::Length(problem), Constraint::Fill(1)];
    let [header, problem, body] = Layout::vertical(heights).areas(area);
    let indented = Rect { x: problem.x + 1, width: problem.width.saturating_sub(2), ..problem };
    [header, indented, body]
}

/// The plot area of the full-screen chart, if it is shown, on a screen with body `area`.
pub fn plot(app: &App, area: Rect) -> Option<Rect> {
    let run = app.shown_run().filter(|_| app.live.is_full)?;
    let [.., body] = parts(run, area);
    draw_chart(app, run, body, &mut Buffer::empty(body))
}

/// Draws the selected chart; returns the area of its curves.
fn draw_chart(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    if app.live.shows_score {
        draw_score_pane(app, run, area, buffer)
    } else {
        draw_loss_pane(app, run, area, buffer)
    }
}

/// Draws the screen as lines of text, for a very small terminal.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(run) = app.shown_run() else {
        draw_text(buffer, area.x, area.y, area.width, "no run selected", app.theme.style(Role::Muted));
        return;
    };
    let history = run.history();
    let dash = || app.theme.symbol(Symbol::Dash).to_string();
    let (word, role) = state(app, run);
    let left = history.seconds_left().map_or("-:--".into(), format::duration);
    let mut rows = vec![
        (run.name(), Role::Title),
        (word, role),
        (
            format!(
                "{:>3.0} %  step {} / {}",
                100.0 * history.fraction(),
                history.steps_done(),
                history.total_steps()
            ),
            Role::Text,
        ),
        (format!("{} elapsed, {left} left", format::duration(elapsed_seconds(app, run))), Role::Text),
    ];
    if let Some(progress) = &history.progress {
        let (what, _, amount) = progress_parts(progress);
        rows.push((format!("{what} {amount}"), Role::Text));
    }
    if let Some(loss) = history.loss.smoothed(app.live.chart.smoothing() * history.total_steps() as f64) {
        rows.push((format!("train loss {}", format::loss(loss)), Role::Train));
    }
    if let Some(eval) = history.latest.get(&SplitName::Validation) {
        let metric = history.metric();
        let value = eval.scores.get(metric).map_or_else(dash, |value| format::score(metric, value));
        rows.push((
            format!("validation loss {}, {} {value}", format::loss(eval.scores.loss), format::metric(metric)),
            Role::Validation,
        ));
    }
    if let Some(diagnosis) = diagnosis::summary(app, history) {
        rows.push((diagnosis, Role::Warning));
    }
    if let Some(best) = history.best {
        rows.push((
            format!("best {} at step {}", format::score(best.metric, best.value), best.step),
            Role::Best,
        ));
    }
    for (row, (text, role)) in rows.iter().enumerate().take(area.height as usize) {
        let text = truncate(app.theme, text, usize::from(area.width));
        draw_text(buffer, area.x, area.y + row as u16, area.width, &text, app.theme.style(*role));
    }
}
