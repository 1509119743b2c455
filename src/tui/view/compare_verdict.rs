//! The verdict on two marked runs: their scores with intervals, and the difference in words.

use super::run_text::{in_charset, interval_text};
use super::setting_lines::next_line;
use crate::format;
use crate::run::comparison::{Comparison, MetricComparison, Side, SideScore};
use crate::text::plural;
use crate::tui::action::{Action, CompareAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::compare::Mark;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, padded_pane, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use std::path::Path;

/// Columns of the symbol of a mark, with the space after it.
const INDENT: usize = 2;

/// A line, and the mark whose symbol is before it.
struct Line<'a> {
    mark: Option<&'a Mark>,
    text: String,
    role: Role,
}

/// The height of the pane with its frame; 0 unless two runs are marked.
pub(super) fn height(app: &App, width: u16) -> u16 {
    match lines(app, usize::from(width.saturating_sub(4))).len() {
        0 => 0,
        lines => lines as u16 + 2,
    }
}

/// Draws the pane.
pub(super) fn draw(app: &App, symbol: impl Fn(&Mark) -> Symbol, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Verdict", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut y = inner.y;
    for Line { mark, text, role } in lines(app, usize::from(inner.width)) {
        if y >= inner.bottom() {
            return;
        }
        let Some(mark) = mark else {
            y = next_line(buffer, inner, y, &text, theme.style(role));
            continue;
        };
        draw_text(buffer, inner.x, y, 1, theme.symbol(symbol(mark)), theme.style(Role::Curve(mark.color)));
        let indent = INDENT as u16;
        let rest = Rect { x: inner.x + indent, width: inner.width.saturating_sub(indent), ..inner };
        y = next_line(buffer, rest, y, &text, theme.style(role));
    }
}

fn lines(app: &App, width: usize) -> Vec<Line<'_>> {
    let compare = &app.compare;
    let Some(verdict) = &compare.verdict else { return Vec::new() };
    let plain = |text: String, role| Line { mark: None, text, role };
    let wrapped = |text: &str, role| -> Vec<Line<'_>> {
        wrap(&in_charset(text, app.theme), width).into_iter().map(|line| plain(line, role)).collect()
    };
    let comparison = match &verdict.result {
        None => return wrapped("comparing the predictions", Role::Muted),
        Some(Err(error)) => return wrapped(&format!("No verdict: {error}."), Role::Muted),
        Some(Ok(comparison)) => comparison,
    };
    let mark = |dir: &Path| compare.marks.iter().find(|mark| mark.dir == dir);
    let mut lines: Vec<Line<'_>> = Vec::new();
    if let Some(main) = comparison.main() {
        let sides =
            [("A", &comparison.a, &main.a, &verdict.pair.a), ("B", &comparison.b, &main.b, &verdict.pair.b)];
        for (letter, side, score, dir) in sides {
            let text = side_text(main, letter, (side, score), app.theme);
            let mut mark = mark(dir);
            for line in wrap(&text, width.saturating_sub(INDENT)) {
                let text = if mark.is_some() { line } else { format!("{:INDENT$}{line}", "") };
                lines.push(Line { mark: mark.take(), text, role: Role::Text });
            }
        }
        let is_decided =
            comparison.plan.as_ref().map_or(main.difference.is_significant, |plan| plan.decision.is_final());
        let role = if is_decided { Role::Best } else { Role::Text };
        lines.extend(wrapped(&sentence(comparison), role));
    }
    if let Some((_, further)) = compare.undecided_pair(&app.runs.queue.list) {
        let key = app.key(Context::Screen(Screen::Compare), Action::Compare(CompareAction::AddSeeds));
        let seeds = if further == 1 { "1 more seed".to_owned() } else { format!("{further} more seeds") };
        lines.extend(wrapped(
            &format!("{key} queues {seeds} each, and removes the rest once the comparison is decided"),
            Role::Muted,
        ));
    }
    lines
}

/// `A accuracy 91.2 ± 0.4, 95 % CI 88.0 … 93.5, 3 seeds`.
fn side_text(
    main: &MetricComparison,
    letter: &str,
    (side, score): (&Side, &SideScore),
    theme: Theme,
) -> String {
    let metric = main.metric;
    let mean = format::score(metric, score.mean);
    let pm = theme.symbol(Symbol::PlusMinus);
    let sd = score.sd.map_or(String::new(), |sd| format!(" {pm} {}", format::score(metric, sd)));
    format!(
        "{letter} {} {mean}{sd}, {}, {}",
        format::metric(metric),
        interval_text(metric, score.confidence_interval, theme),
        plural(side.seeds.len(), "seed")
    )
}

/// The verdict as a sentence, with the number of rows.
fn sentence(comparison: &Comparison) -> String {
    let mut chars = comparison.verdict.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}. Compared on {}.", chars.as_str(), plural(comparison.rows, "row"))
}
