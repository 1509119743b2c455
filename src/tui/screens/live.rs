//! One run as it learns: how far, how fast, how well.

use super::panes::{draw_log, draw_loss_pane, draw_probes, draw_score_pane, draw_scores, draw_step};
use super::popup::{Popup, Reply};
use super::run_view::RunView;
use super::{infer, insight, machine, steer};
use crate::event::{Command, Progress, SplitName, Status, Unit};
use crate::format;
use crate::run::history::Phase;
use crate::text;
use crate::tui::app::{App, Tab};
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, TrainRequest};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::line_chart::ChartView;
use crate::tui::widgets::{cut, put, put_right};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use std::path::PathBuf;

/// From so many columns on, both charts stand side by side.
pub const WIDE: u16 = 100;

/// From so many columns on, pinned texts have a pane.
const PROBES: u16 = 120;
/// From so many columns on, they and the scores have one each.
const BOTH: u16 = 180;

/// How the curves are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LiveView {
    /// Whether the scores are shown where only one chart fits.
    pub shows_score: bool,
    /// Whether one chart has the whole screen, and takes keys.
    pub is_full: bool,
    /// How the charts are looked at.
    pub chart: ChartView,
    /// Lines that the log is scrolled back.
    pub back: usize,
}

/// Begins a training, or offers to queue it while one is going on.
pub fn begin(app: &mut App, work: TrainRequest) -> Vec<Effect> {
    if app.is_training() {
        app.popup = Some(Popup::question(
            "A run is being trained already",
            "This machine trains one run at a time. The queue begins the next one when its turn comes."
                .into(),
            vec![('a', "put it into the queue", Reply::Enqueue(work)), ('k', "do nothing", Reply::Nothing)],
        ));
        return Vec::new();
    }
    vec![Effect::StartTraining(work)]
}

/// Shows a past run.
pub fn view(app: &mut App, dir: PathBuf) -> Vec<Effect> {
    app.go(Tab::Live);
    app.live.back = 0;
    if app.training.as_ref().is_some_and(|run| run.dir == dir) {
        app.viewed = None;
        return Vec::new();
    }
    let peeked = app.runs.peeked.as_ref().filter(|peeked| peeked.0 == dir);
    let seeds = peeked.map_or(Vec::new(), |peeked| peeked.1.clone());
    let row = app.runs.runs.iter().find(|run| run.dir == dir);
    let experiment = row.map_or(String::new(), |run| run.experiment.clone());
    app.viewed = Some(RunView::past(crate::spec::built_in(&experiment), dir.clone(), seeds));
    vec![Effect::LoadHistory(dir)]
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Tell(command) => return steer::tell(app, command),
        Action::LearningRate => steer::ask_learning_rate(app),
        Action::Length => steer::ask_length(app),
        Action::StopRun => steer::ask_to_stop(app),
        Action::Infer => {
            let Some(run) = app.shown() else { return Vec::new() };
            let source = if run.is_live() {
                infer::ModelSource::Live
            } else {
                infer::ModelSource::Run { name: run.name(), dir: run.dir.clone() }
            };
            return infer::open(app, source);
        }
        Action::Insight => {
            let Some(run) = app.shown() else { return Vec::new() };
            let seed = (run.seeds.len() > 1).then(|| run.seed_at());
            let of = insight::Subject { dir: run.dir.clone(), seed };
            return insight::open(app, of);
        }
        Action::Next => app.live.shows_score = !app.live.shows_score,
        Action::SeedBefore | Action::SeedAfter => {
            let run = app.viewed.as_mut().or(app.training.as_mut());
            if let Some(run) = run {
                let at = run.seed_at();
                let to = if action == Action::SeedBefore { at.saturating_sub(1) } else { at + 1 };
                run.seed = (to + 1 < run.seeds.len()).then_some(to);
            }
        }
        Action::Up => {
            let lines: usize = app.shown().map_or(0, |run| run.history().log.len());
            app.live.back = (app.live.back + 1).min(lines.saturating_sub(1));
        }
        Action::Down => app.live.back = app.live.back.saturating_sub(1),
        Action::Last => app.live.back = 0,
        Action::Chart(key) => app.live.chart.apply(key),
        Action::FullChart => show_full(app, !app.live.is_full),
        Action::Back if app.live.is_full && app.live.chart.back() => {}
        Action::Back if app.live.is_full => show_full(app, false),
        Action::Back => {
            app.viewed = None;
            app.live.back = 0;
            app.go(if app.before == Tab::Compare { Tab::Compare } else { Tab::Runs });
            return vec![Effect::Refresh];
        }
        _ => {}
    }
    Vec::new()
}

/// One chart over the whole screen, or all panes again: with all that there is, as they have no keys to
/// look closer.
fn show_full(app: &mut App, is_full: bool) {
    app.live.is_full = is_full;
    while app.live.chart.back() {}
}

/// Draws the screen.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(run) = app.shown() else {
        draw_nothing(app, area, buffer);
        return;
    };
    let [head, body] = parts(area);
    draw_head(app, run, head, buffer);
    let history = run.history();
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
    if area.width >= WIDE {
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

/// The panes below the charts, side by side. Pinned texts take the place of the scores where there is no room for
/// both: the charts tell the scores.
fn draw_row(app: &App, run: &RunView, area: Rect, buffer: &mut Buffer) {
    let has_probes = area.width >= PROBES && run.history().probes.newest().next().is_some();
    let (scores, probes) = match (has_probes, area.width >= BOTH) {
        (false, _) => (47, 0),
        (true, false) => (0, 47),
        (true, true) => (47, 60),
    };
    let widths = [29, scores, probes].map(Constraint::Length);
    let [step, table, pinned, log] =
        Layout::horizontal(widths.into_iter().chain([Constraint::Fill(1)])).areas(area);
    draw_step(app, run.history(), step, buffer);
    if scores > 0 {
        draw_scores(app, run, table, buffer);
    }
    if probes > 0 {
        draw_probes(app, run.history(), pinned, buffer);
    }
    draw_log(app, run.history(), log, buffer);
}

/// The head and what is below it.
fn parts(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(area)
}

/// Where the curves of the one chart over the whole screen are drawn, whose body is `area`.
pub fn plot(app: &App, area: Rect) -> Option<Rect> {
    let run = app.shown().filter(|_| app.live.is_full)?;
    let [_, body] = parts(area);
    draw_chart(app, run, body, &mut Buffer::empty(body))
}

/// The one chart that is shown; says where its curves are.
fn draw_chart(app: &App, run: &RunView, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    if app.live.shows_score {
        draw_score_pane(app, run, area, buffer)
    } else {
        draw_loss_pane(app, run, area, buffer)
    }
}

/// Says that there is no run to look at.
pub(super) fn draw_nothing(app: &App, area: Rect, buffer: &mut Buffer) {
    let open = app.key(Place::Runs, Action::Enter);
    let lines = [
        "No run to watch.",
        "",
        &format!("Start an experiment on the Runs screen, or look at a past run there: {open}"),
    ];
    for (row, line) in lines.iter().enumerate() {
        let x = area.x + area.width.saturating_sub(text::width(line) as u16) / 2;
        put(buffer, x, area.y + area.height / 3 + row as u16, area.width, line, app.theme.style(Role::Muted));
    }
}

/// The state of a run in a word, and its style.
fn state(app: &App, run: &RunView) -> (String, Role) {
    let word = |word: &str, role| (word.to_string(), role);
    let is_trained = run.is_live() || app.is_trained_elsewhere(run);
    match (&run.history().phase, run.pending_command) {
        (Phase::Ended(Status::Finished, _), _) => word("finished", Role::Best),
        (Phase::Ended(Status::Stopped, _), _) => word("stopped", Role::Warning),
        (Phase::Ended(Status::Failed, _), _) => word("failed", Role::Error),
        (_, Some(Command::Stop)) => word("stopping", Role::Warning),
        (_, Some(Command::Pause)) => word("pausing", Role::Warning),
        (Phase::Paused, _) => word("paused", Role::Warning),
        (_, Some(Command::Eval)) => word("evaluating", Role::Train),
        (_, Some(Command::Save)) => word("saving", Role::Train),
        (_, Some(command)) if command.changes_settings() => word("changing", Role::Train),
        (Phase::Preparing, _) if is_trained => word("preparing", Role::Train),
        (Phase::Training, _) if is_trained => match &run.history().progress {
            Some(progress) => {
                let what = progress.what.split(' ').next().unwrap_or_default();
                let far = progress.total.filter(|total| *total > 0).map(|total| 100 * progress.done / total);
                (far.map_or(what.to_string(), |far| format!("{what} {far:>3} %")), Role::Validation)
            }
            None => word("running", Role::Train),
        },
        _ => word("not running", Role::Muted),
    }
}

/// Seconds that the run has taken so far.
fn seconds_gone(app: &App, run: &RunView) -> f64 {
    let history = run.history();
    match &history.started {
        // A run that this process trains is timed by the clock, so that the time moves between events.
        _ if run.is_live() => {
            let begun = history.started.as_ref().map_or(run.begun, |started| started.time);
            if run.seed_at() == 0 { app.now - run.begun } else { app.now - begun }
        }
        Some(_) => history.work_seconds,
        None => 0.0,
    }
}

/// Seconds until all seeds of a run that this process trains are done, whichever is looked at.
pub fn seconds_left(app: &App, run: &RunView) -> Option<f64> {
    let history = run.newest();
    let left = history.seconds_left()?;
    let begun = history.started.as_ref().map_or(run.begun, |started| started.time);
    let begun = if run.seeds.len() == 1 { run.begun } else { begun };
    let seeds = run.spec.repeats.saturating_sub(run.seeds.len() as u64);
    Some(left + (app.now - begun + left) * seeds as f64)
}

/// Draws what is trained, its state and how far it is, in two lines.
pub(super) fn draw_head(app: &App, run: &RunView, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let history = run.history();
    let (word, role) = state(app, run);
    let gone = seconds_gone(app, run);
    let mut right = vec![format!("{word:>13}"), format!("{:>8} gone", format::duration(gone))];
    if run.is_live() {
        let left = history.seconds_left();
        right.push(format!("{:>8} left", left.map_or("-:--".into(), format::duration)));
        if let (true, Some(whole)) = (run.spec.repeats > 1 && area.width >= WIDE, seconds_left(app, run)) {
            right.push(format!("all seeds {:>8} left", format::duration(whole)));
        }
    }
    let right = right.join("  ");
    let right_width = (text::width(&right) as u16 + 1).min(area.width);
    let x = area.right() - right_width;
    put(buffer, x, area.y, right_width, &right, theme.style(Role::Text));
    put(buffer, x, area.y, 13, &format!("{word:>13}"), theme.style(role));
    let mut name = if run.is_live() { run.spec.experiment.clone() } else { run.name() };
    if run.spec.repeats > 1 {
        let (at, all) = (run.seed_at(), run.spec.repeats);
        let started = history.started.as_ref();
        let seed = started.map_or(run.spec.seed + at as u64, |started| started.spec.seed);
        name = format!("{name}{}seed {seed} ({} of {all})", theme.glyph(Symbol::Dot), at + 1);
    }
    let room = (area.width - right_width).saturating_sub(2) as usize;
    put(buffer, area.x + 1, area.y, area.width, &cut(theme, &name, room), theme.style(Role::Title));
    if area.height > 1 {
        let line = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: 1 };
        draw_progress(app, run, line, buffer);
    }
}

/// What is being done and how far it is: epoch and step, or the work before the first step.
fn draw_progress(app: &App, run: &RunView, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let history = run.history();
    let (before, fraction, after) = match (&history.progress, history.total_steps()) {
        (Some(progress), _) if history.step.is_none() => work(progress),
        (_, 0) => {
            // Of a run that was read there is always something to say.
            let text = match (run.is_live(), history.log.is_empty()) {
                (true, _) => "starting",
                (false, true) => "reading the log",
                (false, false) => "nothing was trained",
            };
            (text.to_string(), 0.0, String::new())
        }
        (_, total) => {
            let (done, all) = history.epochs();
            let epochs = all.ceil().max(1.0);
            let now = (done.floor() + 1.0).min(epochs);
            let width = format::count(total).len();
            let before = format!("epoch {now:>w$} of {epochs}", w = format!("{epochs}").len());
            let done = format::count(history.steps_done());
            let mut after = vec![
                format!("{:>3.0} %", 100.0 * history.fraction()),
                format!("step {done:>width$} / {}", format::count(total)),
            ];
            after
                .extend(history.examples_per_second().map(|rate| format!("{:>5} ex/s", format::short(rate))));
            if area.width >= 76 {
                after.extend(
                    history.tokens_per_second().map(|rate| format!("{:>5} tok/s", format::short(rate))),
                );
            }
            if area.width >= 110 {
                let padding = history.padding();
                after.extend(padding.map(|padding| format!("padding {:>2.0} %", 100.0 * padding)));
            }
            let after = after.join("  ");
            (before, history.fraction(), after)
        }
    };
    let before = cut(theme, &before, area.width as usize / 2);
    let x = put(buffer, area.x, area.y, area.width, &before, theme.style(Role::Text)) + 2;
    let after_width = (text::width(&after) as u16).min(area.right().saturating_sub(x));
    let width = area.right().saturating_sub(x).saturating_sub(after_width + 1);
    if width >= 4 {
        bar(buffer, Rect { x, width, ..area }, fraction, Role::Bar, theme);
    }
    put_right(buffer, area, area.y, &after, theme.style(Role::Text));
}

/// TrainRequest before the first step or between steps: what it is, how far, in its own units.
fn work(progress: &Progress) -> (String, f64, String) {
    let fraction = match progress.total {
        Some(total) if total > 0 => progress.done as f64 / total as f64,
        _ => 0.0,
    };
    let number = |n: u64| match progress.unit {
        Unit::Bytes => format::bytes(n),
        Unit::Rows | Unit::Nothing => format::count(n),
    };
    let unit = if progress.unit == Unit::Rows { " rows" } else { "" };
    let after = match (progress.unit, progress.total) {
        (Unit::Nothing, _) => String::new(),
        (_, Some(total)) => {
            let total = number(total);
            let width = total.len();
            format!("{:>3.0} %  {:>width$} / {total}{unit}", 100.0 * fraction, number(progress.done))
        }
        (_, None) => format!("{}{unit}", number(progress.done)),
    };
    (progress.what.clone(), fraction, after)
}

/// The run being trained in a few words, for the corner of the other screens.
pub fn in_short(app: &App) -> Option<(String, Role)> {
    let run = app.training.as_ref().filter(|run| run.is_live())?;
    let (word, role) = state(app, run);
    let left = run
        .history()
        .seconds_left()
        .map_or(String::new(), |left| format!(" {} left", format::duration(left)));
    let theme: Theme = app.theme;
    let dot = theme.glyph(Symbol::Dot);
    Some((
        format!("{}{dot}{word} {:>3.0} %{left}", run.spec.experiment, 100.0 * run.history().fraction()),
        role,
    ))
}

/// Draws the numbers only.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(run) = app.shown() else {
        put(buffer, area.x, area.y, area.width, "no run to watch", app.theme.style(Role::Muted));
        return;
    };
    let history = run.history();
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
        (format!("{} gone, {left} left", format::duration(seconds_gone(app, run))), Role::Text),
    ];
    if let Some(progress) = &history.progress {
        let (what, _, far) = work(progress);
        rows.push((format!("{what} {far}"), Role::Text));
    }
    if let Some(loss) = history.loss.smoothed(app.live.chart.smoothing() * history.total_steps() as f64) {
        rows.push((format!("train loss {}", format::loss(loss)), Role::Train));
    }
    if let Some(eval) = history.latest.get(&SplitName::Validation) {
        let metric = history.metric();
        let value = eval.scores.get(metric).map_or("-".into(), |value| format::score(metric, value));
        rows.push((
            format!("validation loss {}, {} {value}", format::loss(eval.scores.loss), format::metric(metric)),
            Role::Validation,
        ));
    }
    if let Some(best) = history.best {
        rows.push((
            format!("best {} at step {}", format::score(best.metric, best.value), best.step),
            Role::Best,
        ));
    }
    for (row, (text, role)) in rows.iter().enumerate().take(area.height as usize) {
        put(buffer, area.x, area.y + row as u16, area.width, text, app.theme.style(*role));
    }
}
