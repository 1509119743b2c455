//! Texts of the queue: its lines in the list, its heading, and the summary in the corner of every screen.

use crate::run::RunStatus;
use crate::run::queue::QueueEntry;
use crate::run::sweep::SweepRow;
use crate::text::plural;
use crate::tui::state::App;
use crate::tui::state::estimates::{estimate_entry, estimate_queue};
use crate::tui::state::queue::belongs_to;
use crate::tui::theme::{Role, Symbol};

/// The text at the end of the line of an entry, and its style.
pub(super) fn state(app: &App, entry: &QueueEntry) -> (String, Role) {
    if let Some(sweep) = &entry.sweep {
        let row = app.runs.sweeps.iter().find(|row| row.name == sweep.name);
        let ended = row.map_or(0, SweepRow::ended);
        return (format!("{ended} of {}", plural(sweep.trials, "trial")), Role::Text);
    }
    let left = estimate_entry(app, entry).text(app.theme);
    if let Some(run) = app.training.as_ref().filter(|run| run.is_live() && belongs_to(run, entry)) {
        return (format!("{:>3.0} %{left:>8}", 100.0 * run.newest().fraction()), Role::Train);
    }
    let row = entry.run.as_ref().and_then(|dir| app.runs.runs.iter().find(|row| row.dir == *dir));
    match row {
        Some(row) if row.status == RunStatus::Running => ("running".into(), Role::Train),
        _ if app.runs.queue.list.is_held => (left, Role::Muted),
        _ => (left, Role::Text),
    }
}

/// A short description of the queue, for the corner of every screen.
pub(super) fn summary(app: &App) -> Option<(String, Role)> {
    let queue = &app.runs.queue;
    if queue.error.is_some() {
        return Some(("cannot read the queue".into(), Role::Error));
    }
    let waiting = queue.waiting(app.training.as_ref());
    match (waiting, queue.list.is_held) {
        (0, _) => None,
        (waiting, true) => Some((format!("queue held, {waiting} waiting"), Role::Warning)),
        (waiting, false) => Some((
            format!("{waiting} waiting, {} in total", estimate_queue(app).text(app.theme)),
            Role::Muted,
        )),
    }
}

/// The heading of the entries in the list.
pub(super) fn heading(app: &App) -> (String, Role) {
    let queue = &app.runs.queue;
    let runs = |entry: &QueueEntry| entry.sweep.as_ref().map_or(1, |sweep| app.runs.trials_left(sweep));
    let all: u64 = queue.list.entries.iter().map(runs).sum();
    let dot = app.theme.symbol(Symbol::Dot);
    let text = format!("{}{dot}{} left", plural(all, "run"), estimate_queue(app).text(app.theme));
    if queue.list.is_held { (format!("held{dot}{text}"), Role::Warning) } else { (text, Role::Muted) }
}
