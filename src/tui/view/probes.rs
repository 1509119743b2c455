//! Pinned texts: over the evaluations of a run, what was said of each, and where its label flipped.

use crate::event::ProbePrediction;
use crate::format;
use crate::probes::Probe;
use crate::run::history::History;
use crate::run::probes::ProbeSeries;
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::spark_between;
use crate::tui::widgets::{cut, fixed, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Cells of the number behind the little bars.
const NUMBER: u16 = 8;
/// Cells of `  flipped at step 12,345`.
const FLIPPED: u16 = 24;
/// The most cells that little bars take.
const BARS: u16 = 24;
/// Cells of what is said of a text that was not scored.
const UNSCORED: u16 = 23;
/// The most cells that a label takes.
const LABEL: usize = 12;

/// A line of a list of pinned texts.
pub(super) struct ProbeLine<'a> {
    /// The text.
    pub pin: &'a Probe,
    /// What was said of it in the run that is looked at, if it was.
    pub course: Option<&'a ProbeSeries>,
    /// Whether it is the one under the cursor.
    pub is_at: bool,
}

/// Cells of the columns of a list; the text has what the others leave.
struct Columns {
    text: u16,
    bars: u16,
    label: u16,
    flipped: u16,
}

impl Columns {
    fn of(lines: &[ProbeLine<'_>], width: u16) -> Self {
        let courses = || lines.iter().filter_map(|line| line.course);
        let label = courses().filter_map(label).map(text::width).max().unwrap_or(0).min(LABEL) as u16;
        let told = NUMBER + if label > 0 { label + 1 } else { 0 };
        let flipped = if width >= 2 * told + BARS + FLIPPED { FLIPPED } else { 0 };
        let rest = width.saturating_sub(told + flipped + 1);
        let signs =
            |course: &ProbeSeries| course.values().iter().map(|(_, flipped)| 1 + u16::from(*flipped)).sum();
        let needed: u16 = courses().map(signs).max().unwrap_or(0);
        let waits = if courses().count() < lines.len() { UNSCORED } else { 0 };
        // In steps, so that the texts do not move with each evaluation.
        let bars = needed.next_multiple_of(8).max(waits.saturating_sub(told)).min(rest / 2).min(BARS);
        Columns { text: rest - bars, bars, label, flipped }
    }
}

/// Draws texts, a line each: the text, its little bars, the number and the label that it has now and, where there
/// is room, when that became so.
pub(super) fn draw(
    lines: &[ProbeLine<'_>],
    history: Option<&History>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let columns = Columns::of(lines, area.width);
    let scale = history.and_then(|history| history.started.as_ref()?.spec.task().labels.scale());
    let ends = scale.map_or((0.0, 1.0), |(low, high)| (f64::from(low), f64::from(high)));
    let goes_on = history.is_some_and(|history| !history.is_over());
    let unscored = if goes_on { "waits for an evaluation" } else { "not scored in this run" };
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        let role = if line.is_at { Role::Selected } else { Role::Text };
        let words = fixed(theme, &line.pin.line(), usize::from(columns.text));
        let x = put(buffer, area.x, y, columns.text, &words, theme.style(role)) + 1;
        let row = Rect { x, y, width: area.right().saturating_sub(x), height: 1 };
        if let Some(course) = line.course {
            draw_course(course, ends, &columns, theme, row, buffer);
        } else {
            let text = cut(theme, unscored, usize::from(row.width));
            put(buffer, x, y, row.width, &text, theme.style(Role::Muted));
        }
    }
}

/// Draws what was said of a text in one line.
fn draw_course(
    course: &ProbeSeries,
    ends: (f64, f64),
    columns: &Columns,
    theme: Theme,
    row: Rect,
    buffer: &mut Buffer,
) {
    let (mut x, y) = (row.x, row.y);
    let mut say = |text: &str, role| {
        x = put(buffer, x, y, row.right().saturating_sub(x), text, theme.style(role));
    };
    for (sign, role) in signs(course, ends, usize::from(columns.bars), theme) {
        say(&sign, role);
    }
    let number = course.values().last().map_or(f64::NAN, |(value, _)| *value);
    match course.last() {
        ProbePrediction::Label { label, .. } => {
            say(&format!("{:>6.1} %", 100.0 * number), Role::Text);
            say(&format!(" {}", fixed(theme, label, usize::from(columns.label))), Role::Muted);
        }
        ProbePrediction::Score { .. } => say(&format!("{number:>8.2}"), Role::Text),
    }
    if let Some(step) = course.flipped_at().filter(|_| columns.flipped > 0) {
        say(&format!("  flipped at step {}", format::count(step)), Role::Warning);
    }
}

/// The label that a text has now.
fn label(course: &ProbeSeries) -> Option<&str> {
    match course.last() {
        ProbePrediction::Label { label, .. } => Some(label),
        ProbePrediction::Score { .. } => None,
    }
}

/// The newest evaluations as little bars between `ends`, with a mark before each at which the label flipped;
/// exactly `width` cells.
fn signs(course: &ProbeSeries, ends: (f64, f64), width: usize, theme: Theme) -> Vec<(String, Role)> {
    let mut signs = Vec::new();
    for (value, is_flipped) in course.values() {
        if is_flipped {
            signs.push((theme.glyph(Symbol::Flip).to_string(), Role::Warning));
        }
        signs.push((spark_between(ends, [value].into_iter(), 1, theme), Role::Validation));
    }
    signs.drain(..signs.len().saturating_sub(width));
    let air = " ".repeat(width - signs.len());
    std::iter::once((air, Role::Text)).chain(signs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};

    fn told(positive: f32) -> ProbePrediction {
        let label = if positive > 0.5 { "positive" } else { "negative" };
        ProbePrediction::Label {
            label: label.into(),
            flipped_from: None,
            probabilities: vec![1.0 - positive, positive],
        }
    }

    #[test]
    fn flips_are_marked_between_the_bars() {
        let points = [0.0, 0.25, 0.75, 1.0].iter().zip(0..).map(|(p, step)| (step, told(*p))).collect();
        let course = ProbeSeries { probe: Probe { text: "a".into(), text_pair: None }, points };
        let drawn = |width, letters| {
            let theme = Theme::new(ColorDepth::None, letters);
            signs(&course, (0.0, 1.0), width, theme).into_iter().map(|sign| sign.0).collect::<String>()
        };
        assert_eq!(drawn(7, Charset::Unicode), "  ▁▃╎▆█");
        assert_eq!(drawn(3, Charset::AsciiSymbols), "|+#");
        assert_eq!(drawn(0, Charset::AsciiSymbols), "");
    }
}
