//! One run while it trains: progress, speed, loss and scores.

use super::diagnosis;
use super::machine;
use super::panes::{draw_log, draw_probes, draw_scores, draw_step};
use super::run_charts::{draw_run_chart, plot_of_run_chart};
use super::run_header::{draw_header, draw_no_run, elapsed_seconds, progress_parts, state};
use crate::event::{Averaging, SplitName};
use crate::format;
use crate::run::run_chart::RunChart;
use crate::tui::layout::{LIVE_GRID, LIVE_ONE_ROW, LIVE_PANES, LIVE_WIDE};
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
    let areas = areas(app, run, area);
    draw_header(app, run, areas.header, buffer);
    diagnosis::draw(app, run.history(), areas.diagnosis, buffer);
    for (chart, area) in &areas.charts {
        draw_run_chart(app, run, *chart, *area, buffer);
    }
    machine::draw_strip(app, run.history(), areas.gauges, buffer);
    draw_panes(app, run, areas.panes, buffer);
}

/// The areas of the parts of the screen; empty ones are not shown.
struct Areas {
    header: Rect,
    diagnosis: Rect,
    charts: Vec<(RunChart, Rect)>,
    gauges: Rect,
    panes: Rect,
}

fn areas(app: &App, run: &RunState, area: Rect) -> Areas {
    let lines = diagnosis::height(run.history());
    let heights = [Constraint::Length(2), Constraint::Length(lines), Constraint::Fill(1)];
    let [header, diagnosis, body] = Layout::vertical(heights).areas(area);
    let diagnosis = Rect { x: diagnosis.x + 1, width: diagnosis.width.saturating_sub(2), ..diagnosis };
    if app.live.is_full {
        let charts = vec![(app.live.selected, body)];
        return Areas { header, diagnosis, charts, gauges: Rect::ZERO, panes: Rect::ZERO };
    }
    let low = match body.height {
        _ if has_two_rows(body) => TWO_ROWS.iter().sum(),
        0..=15 => 5,
        16..=24 => 8,
        25..=40 => 11,
        height => (height / 4).min(14),
    };
    let strip = machine::strip_height(run, body);
    let heights = [Constraint::Fill(1), Constraint::Length(strip), Constraint::Length(low)];
    let [charts, gauges, panes] = Layout::vertical(heights).areas(body);
    let (columns, rows) = LIVE_GRID;
    let charts = if body.width >= columns && body.height >= rows {
        grid(charts)
    } else if body.width >= LIVE_WIDE {
        let halves: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).areas(charts);
        [RunChart::Loss, RunChart::Score].into_iter().zip(halves).collect()
    } else {
        vec![(app.live.selected, charts)]
    };
    Areas { header, diagnosis, charts, gauges, panes }
}

/// All charts: loss and score above the others.
fn grid(area: Rect) -> Vec<(RunChart, Rect)> {
    let [upper, lower] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    let upper: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).areas(upper);
    let lower: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).areas(lower);
    RunChart::ALL.into_iter().zip(upper.into_iter().chain(lower)).collect()
}

/// Heights of the two rows of panes: the last step and scores, probes and log.
const TWO_ROWS: [u16; 2] = [7, 6];

/// Whether the panes are in two rows, because they are too narrow in one.
fn has_two_rows(body: Rect) -> bool {
    (LIVE_WIDE..LIVE_ONE_ROW).contains(&body.width) && body.height >= 26
}

/// Draws the panes below the charts.
fn draw_panes(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    const STEP: u16 = 29;
    const SCORES: u16 = 47;
    const PROBES: u16 = 60;
    let history = run.history();
    let probes = history.probes.newest().count() as u16;
    if area.is_empty() {
        return;
    }
    if area.height == TWO_ROWS.iter().sum::<u16>() && area.width < LIVE_ONE_ROW {
        let [upper, lower] = Layout::vertical(TWO_ROWS.map(Constraint::Length)).areas(area);
        let [step, scores] = Layout::horizontal([Constraint::Length(STEP), Constraint::Fill(1)]).areas(upper);
        draw_step(app, history, false, step, buffer);
        draw_scores(app, run, scores, buffer);
        let share = Constraint::Fill(u16::from(probes > 0));
        let [probe_area, log] = Layout::horizontal([share, Constraint::Fill(1)]).areas(lower);
        draw_probes(app, history, probe_area, buffer);
        draw_log(app, history, log, buffer);
        return;
    }
    if area.width < LIVE_ONE_ROW {
        let [step, log] = Layout::horizontal([Constraint::Length(26), Constraint::Fill(1)]).areas(area);
        draw_step(app, history, true, step, buffer);
        draw_log(app, history, log, buffer);
        return;
    }
    let widths = [Constraint::Length(STEP), Constraint::Length(SCORES), Constraint::Fill(1)];
    let [step, scores, rest] = Layout::horizontal(widths).areas(area);
    draw_step(app, history, false, step, buffer);
    draw_scores(app, run, scores, buffer);
    let [probe_area, log] = match probes {
        0 => [Rect::ZERO, rest],
        _ if rest.width >= LIVE_PANES - STEP - SCORES => {
            Layout::horizontal([Constraint::Length(PROBES), Constraint::Fill(1)]).areas(rest)
        }
        count => {
            // The log keeps three lines.
            let height = (count + 2).min(area.height.saturating_sub(5).max(3));
            Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(rest)
        }
    };
    draw_probes(app, history, probe_area, buffer);
    draw_log(app, history, log, buffer);
}

/// The plot areas of the charts on a screen with body `area`.
pub fn plots(app: &App, area: Rect) -> Vec<Rect> {
    let Some(run) = app.shown_run() else { return Vec::new() };
    let charts = areas(app, run, area).charts.into_iter();
    charts.filter_map(|(chart, area)| plot_of_run_chart(app, run, chart, area)).collect()
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
            format!(
                "best {} at step {}{}",
                format::score(best.metric, best.value),
                best.step,
                Averaging::suffix(best.averaging)
            ),
            Role::Best,
        ));
    }
    for (row, (text, role)) in rows.iter().enumerate().take(area.height as usize) {
        let text = truncate(app.theme, text, usize::from(area.width));
        draw_text(buffer, area.x, area.y + row as u16, area.width, &text, app.theme.style(*role));
    }
}
