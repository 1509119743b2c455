//! The scores of a run as tables: before training, latest and best for each split, and the best for each seed.

use super::run_text::interval_text;
use crate::catalog::{Metric, SplitRole};
use crate::event::{AverageEval, Averaging, Scores, SplitName, Status};
use crate::format;
use crate::run::Repeats;
use crate::run::history::{History, Phase};
use crate::stats::ConfidenceInterval;
use crate::text::width;
use crate::train::score_interval;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The splits in the order of the table: evaluated splits first.
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
        SplitRole::Test | SplitRole::ExtraTest => Role::Test,
    }
}

/// Draws a table of the seeds of a run at the top of `area`: the best score and its step, the last score and its loss.
/// Highlights the best seed, and marks seeds that predict a single class, which distort the mean. Returns the number
/// of lines used.
pub(super) fn draw_seeds(histories: &[History], theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let metric = histories.first().map_or(Metric::Accuracy, History::metric);
    let bests = histories.iter().filter_map(|history| history.best.map(|best| best.value));
    let best = bests.reduce(|one, other| if metric.improves(other, one) { other } else { one });
    let is_by_fold = folds(histories).is_some();
    let unit = if is_by_fold { "fold" } else { "seed" };
    let header = format!("{unit:<5}{:>8}{:>7}{:>6}{:>7}", format::metric(metric), "step", "last", "loss");
    draw_text(buffer, area.x, area.y, area.width, &header, theme.style(Role::Muted));
    let dash = || theme.symbol(Symbol::Dash).to_string();
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
        let text = format!(
            "{:<5}{:>8}{:>7}{:>6}{:>7} ",
            started.spec.fold.filter(|_| is_by_fold).unwrap_or(started.spec.seed),
            history.best.map_or_else(dash, |best| format::score(metric, best.value)),
            history.best.map_or_else(dash, |best| format::count(best.step)),
            last.map_or_else(dash, |value| format::score(metric, value)),
            validation.map_or_else(dash, |eval| format::loss(eval.scores.loss)),
        );
        let style = theme.style(if is_best { Role::Best } else { Role::Text });
        let x = draw_text(buffer, area.x, y, area.width, &text, style);
        draw_text(buffer, x, y, area.right().saturating_sub(x), word, theme.style(role));
        y += 1;
    }
    if let Some(interval) = seeds_interval(histories).filter(|_| y < area.bottom()) {
        let text = format!("mean {}", interval_text(metric, interval, theme));
        draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Muted));
        y += 1;
    }
    y - area.y
}

/// The number of folds, if the trainings are those of a cross-validation.
fn folds(histories: &[History]) -> Option<u64> {
    let mut specs = histories.iter().filter_map(|history| Some(&history.started.as_ref()?.spec));
    let first = specs.next()?;
    first.folds.filter(|_| specs.any(|spec| spec.fold != first.fold))
}

/// The interval of the mean of the best scores of several seeds.
fn seeds_interval(histories: &[History]) -> Option<ConfidenceInterval> {
    let repeats = Repeats::of(histories.iter().filter_map(|history| Some(history.best?.value)))?;
    let (best, eval) =
        histories.iter().rev().find_map(|history| Some((history.best?, history.best_eval.as_ref()?)))?;
    repeats.confidence_interval(best.metric, &eval.scores, folds(histories))
}

/// Draws the table at the top of `area`; returns the number of lines used.
pub(super) fn draw(history: &History, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    if history.latest.is_empty() {
        let text = "Not evaluated yet.";
        draw_text(buffer, area.x, area.y, area.width, text, theme.style(Role::Muted));
        return 1;
    }
    let metric = history.metric();
    let name = format::metric(metric);
    let muted = theme.style(Role::Muted);
    let header = format!("{:<11}{:>8}{:>8}{:>8}{:>8}", name, "before", "latest", "best", "loss");
    draw_text(buffer, area.x, area.y, area.width, &header, muted);
    let dash = || theme.symbol(Symbol::Dash).to_string();
    let mut y = area.y + 1;
    for split in splits() {
        let Some(latest) = history.latest.get(&split) else { continue };
        if y >= area.bottom() {
            break;
        }
        let role = theme.style(split_role(split));
        let x = draw_text(buffer, area.x, y, area.width, &format!("{:<11}", split.short_name()), role);
        let cell = |scores: Option<&Scores>| {
            scores
                .and_then(|scores| scores.get(metric))
                .map_or_else(dash, |value| format::score(metric, value))
        };
        let best = match split {
            SplitName::Validation => history.best.map_or_else(dash, |best| format::score(metric, best.value)),
            _ => String::new(),
        };
        let text = format!("{:>8}{:>8}", cell(history.before.get(&split)), cell(Some(&latest.scores)));
        let x = draw_text(buffer, x, y, area.right().saturating_sub(x), &text, theme.style(Role::Text));
        let x = draw_text(
            buffer,
            x,
            y,
            area.right().saturating_sub(x),
            &format!("{best:>8}"),
            theme.style(Role::Best),
        );
        let loss = latest.scores.get(Metric::Loss).map_or_else(dash, format::loss);
        draw_text(
            buffer,
            x,
            y,
            area.right().saturating_sub(x),
            &format!("{loss:>8}"),
            theme.style(Role::Text),
        );
        y += 1;
    }
    for line in note_lines(history, usize::from(area.width), theme) {
        if y < area.bottom() {
            draw_text(buffer, area.x, y, area.width, &line, muted);
            y += 1;
        }
    }
    y - area.y
}

/// What the scores of the table are, on one line if it fits: the interval of the best one, the score of averaged weights, and
/// the mean over the epoch.
fn note_lines(history: &History, available: usize, theme: Theme) -> Vec<String> {
    let metric = history.metric();
    let interval = history.best_eval.as_ref().and_then(|eval| score_interval(&eval.scores, metric));
    let averaging = history.best.and_then(|best| best.averaging);
    let best = match (interval, averaging) {
        (Some(interval), _) => {
            let interval = interval_text(metric, interval, theme);
            Some(format!("best {interval}{}", Averaging::suffix(averaging)))
        }
        (None, averaging) => averaging.map(|averaging| format!("best: {}", averaging.phrase())),
    };
    let average = history.average.as_ref().map(|AverageEval { averaging, eval }| {
        let value = eval.scores.get(metric).map_or_else(String::new, |value| format::score(metric, value));
        format!("latest {}: {value}", averaging.phrase())
    });
    let mean = history.has_running_scores().then(|| "train: running mean over the epoch".to_owned());
    let notes: Vec<String> = best.into_iter().chain(average).chain(mean).collect();
    let line = notes.join("; ");
    if notes.len() > 1 && width(&line) <= available { vec![line] } else { notes }
}
