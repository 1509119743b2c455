//! When a key means something: conditions of the table.

use crate::run::history::Phase;
use crate::tui::app::{App, Tab};
use crate::tui::screens::popup::Popup;
use crate::tui::screens::runs::Line;

pub(super) fn always(_: &App) -> bool {
    true
}

pub(super) fn on_experiment(app: &App) -> bool {
    app.runs.experiment().is_some()
}

pub(super) fn on_run(app: &App) -> bool {
    app.runs.run().is_some()
}

pub(super) fn on_resumable(app: &App) -> bool {
    app.runs.run().is_some_and(crate::tui::screens::runs::can_resume)
}

pub(super) fn on_judge(app: &App) -> bool {
    app.runs.run().is_some_and(|run| run.best.is_some())
}

pub(super) fn on_queued(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(_)))
}

pub(super) fn on_waiting(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(entry)) if !entry.is_started)
}

pub(super) fn on_begun(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(entry)) if entry.is_started)
}

pub(super) fn can_wait(app: &App) -> bool {
    on_experiment(app) || on_resumable(app)
}

pub(super) fn is_held(app: &App) -> bool {
    has_queue(app) && app.runs.queue.list.is_held
}

pub(super) fn is_not_held(app: &App) -> bool {
    has_queue(app) && !app.runs.queue.list.is_held
}

pub(super) fn has_queue(app: &App) -> bool {
    !app.runs.queue.list.entries.is_empty()
}

pub(super) fn is_training(app: &App) -> bool {
    app.steered().is_some()
}

pub(super) fn is_paused(app: &App) -> bool {
    app.steered().is_some_and(|run| run.newest().phase == Phase::Paused)
}

pub(super) fn is_going(app: &App) -> bool {
    is_training(app) && !is_paused(app)
}

pub(super) fn is_viewing(app: &App) -> bool {
    app.viewed.is_some() || app.tab == Tab::Live
}

pub(super) fn has_seeds(app: &App) -> bool {
    app.shown().is_some_and(|run| run.seeds.len() > 1)
}

pub(super) fn has_one_chart(app: &App) -> bool {
    has_run(app) && (app.live.is_full || app.size.0 < crate::tui::screens::live::WIDE)
}

pub(super) fn is_full(app: &App) -> bool {
    app.live.is_full
}

pub(super) fn has_panes(app: &App) -> bool {
    has_run(app) && !app.live.is_full
}

pub(super) fn has_chart(app: &App) -> bool {
    if app.tab == Tab::Compare { has_marks(app) } else { has_run(app) }
}

pub(super) fn has_past_runs(app: &App) -> bool {
    !app.runs.runs.is_empty()
}

pub(super) fn on_compared(app: &App) -> bool {
    app.compare.has_rows(app)
}

pub(super) fn has_marks(app: &App) -> bool {
    !app.compare.marks.is_empty()
}

pub(super) fn has_marked_seeds(app: &App) -> bool {
    app.compare.has_seeds(app)
}

pub(super) fn has_one_pane(app: &App) -> bool {
    app.size.0 < crate::tui::screens::compare::SIDE_BY_SIDE
}

pub(super) fn has_run(app: &App) -> bool {
    app.shown().is_some()
}

pub(super) fn has_judged_rows(app: &App) -> bool {
    app.insight.has_rows()
}

pub(super) fn has_matrix(app: &App) -> bool {
    app.insight.has_matrix()
}

pub(super) fn has_seed_rows(app: &App) -> bool {
    app.insight.has_seeds()
}

pub(super) fn has_text_row(app: &App) -> bool {
    app.insight.is_on_text()
}

pub(super) fn is_pair(app: &App) -> bool {
    app.infer.is_pair()
}

pub(super) fn is_live_model(app: &App) -> bool {
    app.infer.is_live()
}

pub(super) fn in_help(app: &App) -> bool {
    matches!(app.popup, Some(Popup::Help(_)))
}
