//! Names, scores and styles of runs that several screens show.

use crate::catalog::Metric;
use crate::format;
use crate::run::{Repeats, RunRow, RunStatus};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::truncate;

/// The style of a run with this status.
pub(super) fn status_role(status: RunStatus) -> Role {
    match status {
        RunStatus::Finished => Role::Text,
        RunStatus::Running => Role::Train,
        RunStatus::Stopped | RunStatus::Interrupted => Role::Warning,
        RunStatus::Failed | RunStatus::Unreadable => Role::Error,
    }
}

/// The score of the past runs of an experiment: mean and standard deviation over seeds, or the best score.
pub(super) fn past_score(runs: &[RunRow], experiment: &str, theme: Theme) -> Option<String> {
    let runs = runs.iter().filter(|run| run.experiment == experiment);
    let scored: Vec<&RunRow> = runs.filter(|run| run.best.is_some()).collect();
    if let Some((run, repeats)) = scored.iter().find_map(|run| Some((run, run.repeats?))) {
        let metric = run.best.map_or(Metric::Accuracy, |best| best.0);
        if repeats.count > 1 {
            return Some(seeds_score(repeats, metric, theme));
        }
        return Some(format::score(metric, repeats.mean));
    }
    let (metric, _) = scored.first()?.best?;
    let values = scored.iter().filter_map(|run| run.best).filter(|best| best.0 == metric);
    let best = values.map(|best| best.1).reduce(|a, b| if metric.improves(b, a) { b } else { a })?;
    Some(format::score(metric, best))
}

/// Mean, standard deviation and number of seeds: `84.1 ±0.4 ×8`.
pub(super) fn seeds_score(repeats: Repeats, metric: Metric, theme: Theme) -> String {
    let (mean, sd) = (format::score(metric, repeats.mean), format::score(metric, repeats.sd));
    format!("{mean} {}{sd} {}{}", theme.symbol(Symbol::PlusMinus), theme.symbol(Symbol::Times), repeats.count)
}

/// The name of a run in at most `width` cells; a long name is replaced by the experiment and the start time.
pub(super) fn short_name(run: &RunRow, app: &App, width: usize) -> String {
    if run.name.chars().count() <= width || run.started == 0.0 {
        return run.name.clone();
    }
    let day = &format::date(run.started, app.utc_offset)[5..];
    let available = width.saturating_sub(day.len() + 1);
    format!("{} {day}", truncate(app.theme, &run.experiment, available))
}

/// The name of a run in at most `width` cells, next to its start time; a long name is replaced by the experiment and
/// the last digits of the name. The whole name of a run whose experiment is unknown.
pub(super) fn tagged_name(run: &RunRow, app: &App, width: usize) -> String {
    let is_short = |tag: &&str| tag.len() <= 8 && run.name != run.experiment && !run.experiment.is_empty();
    let tag = run.name.rsplit('-').next().filter(is_short);
    match tag {
        Some(tag) if run.name.chars().count() > width => {
            let available = width.saturating_sub(tag.len() + 1);
            format!("{} {tag}", truncate(app.theme, &run.experiment, available))
        }
        _ => run.name.clone(),
    }
}
