//! The scores of a run as a small table: splits down, before and best and latest across.

use crate::catalog::Metric;
use crate::catalog::SplitRole;
use crate::event::{Scores, SplitName, Status};
use crate::format;
use crate::run::history::{History, Phase};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The splits in the order of the table: those of evaluations first.
fn splits() -> impl Iterator<Item = SplitName> {
    let (train, evaluated) =
        SplitName::ALL.iter().partition::<Vec<_>, _>(|split| split.role() == SplitRole::Train);
    evaluated.into_iter().chain(train)
}

/// The style of a split.
pub(super) fn split_role(split: SplitName) -> Role {
    match split.role() {
        SplitRole::Train => Role::Train,
        SplitRole::Validation | SplitRole::ExtraValidation => Role::Validation,
        SplitRole::Test => Role::Test,
    }
}

/// Draws the seeds of a run into the top of `area`, one a line: the best score and where it was, the last one,
/// its loss. Returns the lines they took. The best one stands out, and one that collapsed is named so: it
/// spoils the mean.
pub(super) fn draw_seeds(histories: &[History], theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let metric = histories.first().map_or(Metric::Accuracy, History::metric);
    let bests = histories.iter().filter_map(|history| history.best.map(|best| best.value));
    let best = bests.reduce(|one, other| if metric.improves(other, one) { other } else { one });
    let head = format!("{:<5}{:>8}{:>7}{:>6}{:>7}", "seed", format::metric(metric), "step", "last", "loss");
    put(buffer, area.x, area.y, area.width, &head, theme.style(Role::Muted));
    let mut y = area.y + 1;
    for history in histories {
        let Some(started) = history.started.as_ref().filter(|_| y < area.bottom()) else { continue };
        let validation = history.latest.get(&SplitName::Validation);
        let (word, role) = match &history.phase {
            _ if validation.is_some_and(|eval| eval.step > 0 && eval.scores.is_collapsed()) => {
                ("collapsed", Role::Error)
            }
            Phase::Ended(Status::Finished, _) => ("", Role::Text),
            Phase::Ended(status, _) => (status.name(), Role::Warning),
            _ => ("not finished", Role::Muted),
        };
        let is_best = history.best.is_some_and(|own| Some(own.value) == best);
        let last = validation.and_then(|eval| eval.scores.get(metric));
        let dash = || "-".to_string();
        let text = format!(
            "{:<5}{:>8}{:>7}{:>6}{:>7} ",
            started.spec.seed,
            history.best.map_or_else(dash, |best| format::score(metric, best.value)),
            history.best.map_or_else(dash, |best| format::count(best.step)),
            last.map_or_else(dash, |value| format::score(metric, value)),
            validation.map_or_else(dash, |eval| format::loss(eval.scores.loss)),
        );
        let style = theme.style(if is_best { Role::Best } else { Role::Text });
        let x = put(buffer, area.x, y, area.width, &text, style);
        put(buffer, x, y, area.right().saturating_sub(x), word, theme.style(role));
        y += 1;
    }
    y - area.y
}

/// Draws the table into the top of `area`; returns the lines it took.
pub(super) fn draw(history: &History, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    if history.latest.is_empty() {
        let text = "Not scored yet.";
        put(buffer, area.x, area.y, area.width, text, theme.style(Role::Muted));
        return 1;
    }
    let metric = history.metric();
    let name = format::metric(metric);
    let muted = theme.style(Role::Muted);
    let head = format!("{:<11}{:>8}{:>8}{:>8}{:>8}", name, "before", "latest", "best", "loss");
    put(buffer, area.x, area.y, area.width, &head, muted);
    let mut y = area.y + 1;
    for split in splits() {
        let Some(latest) = history.latest.get(&split) else { continue };
        if y >= area.bottom() {
            break;
        }
        let role = theme.style(split_role(split));
        let x = put(buffer, area.x, y, area.width, &format!("{:<11}", split.short_name()), role);
        let cell = |scores: Option<&Scores>| {
            scores
                .and_then(|scores| scores.get(metric))
                .map_or("-".into(), |value| format::score(metric, value))
        };
        let best = match split {
            SplitName::Validation => {
                history.best.map_or("-".into(), |best| format::score(metric, best.value))
            }
            _ => String::new(),
        };
        let text = format!("{:>8}{:>8}", cell(history.before.get(&split)), cell(Some(&latest.scores)));
        let x = put(buffer, x, y, area.right().saturating_sub(x), &text, theme.style(Role::Text));
        let x =
            put(buffer, x, y, area.right().saturating_sub(x), &format!("{best:>8}"), theme.style(Role::Best));
        let loss = latest.scores.get(Metric::Loss).map_or("-".into(), format::loss);
        put(buffer, x, y, area.right().saturating_sub(x), &format!("{loss:>8}"), theme.style(Role::Text));
        y += 1;
    }
    y - area.y
}
