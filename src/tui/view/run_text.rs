//! Names, scores and styles of runs that several screens show.

use crate::catalog::Metric;
use crate::format;
use crate::run::{Repeats, RunRow, RunStatus};
use crate::stats::ConfidenceInterval;
use crate::text;
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::truncate;
use std::borrow::Cow;

/// The style of a run with this status.
pub(super) fn status_role(status: RunStatus) -> Role {
    match status {
        RunStatus::Finished => Role::Text,
        RunStatus::NotStarted | RunStatus::Pending | RunStatus::Requeued => Role::Muted,
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

/// The score of a run: mean and standard deviation over its seeds, or the best score; a dash without any.
pub(super) fn score_text(run: &RunRow, theme: Theme) -> String {
    match (run.repeats, run.best) {
        (Some(repeats), Some((metric, _))) if repeats.count > 1 => seeds_score(repeats, metric, theme),
        (_, Some((metric, value))) => format::score(metric, value),
        _ => theme.symbol(Symbol::Dash).into(),
    }
}

/// An interval of a score: `95 % CI 83.1 … 85.9`.
pub(super) fn interval_text(metric: Metric, interval: ConfidenceInterval, theme: Theme) -> String {
    let ConfidenceInterval { low, high } = interval;
    in_charset(&format!("95 % CI {}", format::interval(metric, low, high)), theme).into_owned()
}

/// A text with the symbols that the terminal has.
pub(super) fn in_charset(text: &str, theme: Theme) -> Cow<'_, str> {
    if theme.is_ascii() { text::in_ascii(text) } else { Cow::Borrowed(text) }
}

/// How the status of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StatusForm {
    /// `finished`, `stopped 41 %`.
    Progress,
    /// `finished`, `stopped`.
    Word,
    /// A check mark for a finished run, else the word.
    Mark,
}

/// The status of a run.
pub(super) fn status_text(run: &RunRow, form: StatusForm, theme: Theme) -> String {
    let word = run.status.name();
    match (run.status, form) {
        (RunStatus::Finished, StatusForm::Mark) => theme.symbol(Symbol::Check).into(),
        (RunStatus::Finished | RunStatus::Unreadable, _) | (_, StatusForm::Word | StatusForm::Mark) => {
            word.into()
        }
        (RunStatus::NotStarted | RunStatus::Pending, _) => word.into(),
        _ if run.total_steps == 0 => word.into(),
        (_, StatusForm::Progress) => format!("{word} {:.0} %", 100.0 * run.progress),
    }
}

/// The experiment and the last digits in the name of a run, `demo` and `01ab` in `demo-20261123-095711-01ab`, which distinguish it
/// from other runs. None for a run that a person named, and where the name has another form.
pub(super) fn short_name(run: &RunRow) -> Option<(&str, &str)> {
    let has_digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = run.name.rsplitn(4, '-');
    let (tag, time, date, experiment) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_usual = has_digits(date, 8) && has_digits(time, 6) && tag.len() <= 8;
    (is_usual && run.notes.display_name.is_none()).then_some((experiment, tag))
}

/// The name of a run in at most `width` cells; a long name is replaced by the experiment and the last digits of the name.
/// A name that a person gave is cut at its end.
pub(super) fn tagged_name(run: &RunRow, app: &App, width: usize) -> String {
    let name = run.display_name();
    match short_name(run) {
        Some((experiment, tag)) if text::width(name) > width => {
            let available = width.saturating_sub(tag.len() + 1);
            format!("{} {tag}", truncate(app.theme, experiment, available))
        }
        _ => truncate(app.theme, name, width),
    }
}

/// Width of the name of a run in its short form.
pub(super) fn short_name_width(run: &RunRow) -> usize {
    let short = short_name(run).map(|(experiment, tag)| text::width(experiment) + 1 + tag.len());
    short.unwrap_or_else(|| text::width(run.display_name()))
}
