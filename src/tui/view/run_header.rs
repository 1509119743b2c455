//! The header of a run: name, state and progress, on the Live and Machine screens and in the corner of the others.

use super::placeholder;
use crate::event::{Command, Progress, Status, Unit};
use crate::format;
use crate::run::history::Phase;
use crate::text;
use crate::tui::action::{Action, RunsAction};
use crate::tui::layout::{LIVE_WIDE, SMALL};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::estimates::seconds_left;
use crate::tui::state::run::RunState;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{draw_text, draw_text_right, draw_title, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws a hint if no run is selected.
pub(super) fn draw_no_run(app: &App, area: Rect, buffer: &mut Buffer) {
    let open = app.key(Context::Screen(Screen::Runs), Action::Runs(RunsAction::Open));
    let hint = format!("Start an experiment on the Runs screen, or open a past run there: {open}");
    placeholder::draw(app, &format!("No run selected.\n\n{hint}"), Role::Muted, area, buffer);
}

/// The state of a run in one word, and its style.
pub(super) fn state(app: &App, run: &RunState) -> (String, Role) {
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
                let task = progress.what.split(' ').next().unwrap_or_default();
                let percent =
                    progress.total.filter(|total| *total > 0).map(|total| 100 * progress.done / total);
                (
                    percent.map_or(task.to_string(), |percent| format!("{task} {percent:>3} %")),
                    Role::Validation,
                )
            }
            None => word("running", Role::Train),
        },
        _ => word("not running", Role::Muted),
    }
}

/// Seconds that the run has taken so far, without pauses if it is read from its log.
pub(super) fn elapsed_seconds(app: &App, run: &RunState) -> f64 {
    let history = run.history();
    match &history.started {
        // A run that this process trains is timed by the clock, so that the time moves between events.
        _ if run.is_live() => {
            let started_at = history.started.as_ref().map_or(run.started_at, |started| started.time);
            if run.seed_index() == 0 { app.now - run.started_at } else { app.now - started_at }
        }
        Some(_) => history.work_seconds,
        None => 0.0,
    }
}

/// Draws name, state and progress of a run in two lines.
pub(super) fn draw_header(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let history = run.history();
    let (word, role) = state(app, run);
    let elapsed = elapsed_seconds(app, run);
    let mut right = vec![format!("{word:>13}")];
    if area.width >= SMALL.0 {
        right.push(format!("{:>8} elapsed", format::duration(elapsed)));
    }
    if run.is_live() {
        let left = history.seconds_left();
        right.push(format!("{:>8} left", left.map_or("-:--".into(), format::duration)));
        if let (true, Some(whole)) =
            (run.spec.seed_count() > 1 && area.width >= LIVE_WIDE, seconds_left(app, run))
        {
            right.push(format!("all {}s {:>8} left", run.spec.seed_unit(), format::duration(whole)));
        }
    }
    let right = right.join("  ");
    let right_width = (text::width(&right) as u16 + 1).min(area.width);
    let x = area.right() - right_width;
    draw_text(buffer, x, area.y, right_width, &right, theme.style(Role::Text));
    draw_text(buffer, x, area.y, 13, &format!("{word:>13}"), theme.style(role));
    let mut name = if run.is_live() { run.spec.experiment.clone() } else { run.name() };
    if run.spec.seed_count() > 1 {
        let (at, all) = (run.seed_index(), run.spec.seed_count());
        let started = history.started.as_ref();
        let spec = started.map_or_else(|| run.spec.of_seed(at as u64), |started| started.spec.clone());
        let fold = spec.fold.map(|fold| format!("fold {fold}, ")).unwrap_or_default();
        name = format!("{name}{}{fold}seed {} ({} of {all})", theme.symbol(Symbol::Dot), spec.seed, at + 1);
    }
    draw_title(theme, buffer, area, &name, usize::from(right_width));
    if area.height > 1 {
        let line = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: 1 };
        draw_progress(app, run, line, buffer);
    }
}

/// Draws the progress: epoch and step, or the preparation before the first step.
fn draw_progress(app: &App, run: &RunState, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let history = run.history();
    let (before, fraction, after) = match (&history.progress, history.total_steps()) {
        (Some(progress), _) if history.step.is_none() => progress_parts(progress),
        (_, 0) => {
            // The log of a run that was read is never empty.
            let text = match (run.is_live(), history.log.is_empty()) {
                (true, _) => "starting",
                (false, true) => "reading the log",
                (false, false) => "not trained",
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
            if area.width >= SMALL.0 - 2 {
                after.extend(
                    history.examples_per_second().map(|rate| format!("{:>5} ex/s", format::short(rate))),
                );
            }
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
    let before = truncate(theme, &before, area.width as usize / 2);
    let x = draw_text(buffer, area.x, area.y, area.width, &before, theme.style(Role::Text)) + 2;
    let after_width = (text::width(&after) as u16).min(area.right().saturating_sub(x));
    let width = area.right().saturating_sub(x).saturating_sub(after_width + 1);
    if width >= 4 {
        bar(buffer, Rect { x, width, ..area }, fraction, Role::Bar, theme);
    }
    draw_text_right(buffer, area, area.y, &after, theme.style(Role::Text));
}

/// The description, fraction and amount, with unit, of preparation or evaluation.
pub(super) fn progress_parts(progress: &Progress) -> (String, f64, String) {
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

/// A short description of the run being trained, for the corner of the other screens.
pub(super) fn summary(app: &App) -> Option<(String, Role)> {
    let run = app.training.as_ref().filter(|run| run.is_live())?;
    let (word, role) = state(app, run);
    let left = run
        .history()
        .seconds_left()
        .map_or(String::new(), |left| format!(" {} left", format::duration(left)));
    let theme: Theme = app.theme;
    let dot = theme.symbol(Symbol::Dot);
    Some((
        format!("{}{dot}{word} {:>3.0} %{left}", run.spec.experiment, 100.0 * run.history().fraction()),
        role,
    ))
}
