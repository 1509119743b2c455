//! The list of probes: their predictions over the evaluations of a run, and the steps at which labels flipped.

use crate::event::ProbePrediction;
use crate::format;
use crate::probes::Probe;
use crate::run::history::History;
use crate::run::probes::ProbeSeries;
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::sparkline_in;
use crate::tui::widgets::{draw_text, fit_width, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Width of the number after the sparkline.
const NUMBER: u16 = 8;
/// Width of `  flipped at step 12,345`.
const FLIPPED: u16 = 24;
/// Maximum width of the sparkline.
const BARS: u16 = 24;
/// Width of the note on a probe without predictions.
const NOTE: u16 = 23;
/// Maximum width of a label.
const LABEL: usize = 12;

/// A line of the list.
pub(super) struct ProbeLine<'a> {
    /// The probe.
    pub probe: &'a Probe,
    /// Its predictions in the selected run, if there are any.
    pub series: Option<&'a ProbeSeries>,
    /// A prediction outside of the evaluations as text, if there is one.
    pub classified: Option<String>,
    /// Whether it is selected.
    pub is_selected: bool,
}

/// Widths of the columns; the text has the remaining width.
struct Columns {
    text: u16,
    bars: u16,
    label: u16,
    flipped: u16,
}

impl Columns {
    fn of(lines: &[ProbeLine<'_>], width: u16) -> Self {
        let all_series = || lines.iter().filter_map(|line| line.series);
        let label =
            all_series().filter_map(label).map(|label| text::width(&label)).max().unwrap_or(0).min(LABEL)
                as u16;
        let fixed_part = NUMBER + if label > 0 { label + 1 } else { 0 };
        let flipped = if width >= 2 * fixed_part + BARS + FLIPPED { FLIPPED } else { 0 };
        let rest = width.saturating_sub(fixed_part + flipped + 1);
        let cells =
            |series: &ProbeSeries| series.values().iter().map(|(_, flipped)| 1 + u16::from(*flipped)).sum();
        let needed: u16 = all_series().map(cells).max().unwrap_or(0);
        let note_width = if all_series().count() < lines.len() { NOTE } else { 0 };
        // A multiple of 8, so that the texts do not move at each evaluation.
        let bars =
            needed.next_multiple_of(8).max(note_width.saturating_sub(fixed_part)).min(rest / 2).min(BARS);
        Columns { text: rest - bars, bars, label, flipped }
    }
}

/// Draws a line for each probe: the text, a sparkline, the latest number and label and, if there is enough space, the
/// step of the last flip. `unscored` is the note on a probe without predictions.
pub(super) fn draw(
    lines: &[ProbeLine<'_>],
    history: Option<&History>,
    unscored: Option<&str>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let columns = Columns::of(lines, area.width);
    let scale = history.and_then(|history| history.started.as_ref()?.labels().scale());
    let ends = scale.map_or((0.0, 1.0), |(low, high)| (f64::from(low), f64::from(high)));
    let is_running = history.is_some_and(|history| !history.is_over());
    let note = if is_running { "waiting for evaluation" } else { "added after the run" };
    let note = unscored.unwrap_or(note);
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        let role = if line.is_selected { Role::Selected } else { Role::Text };
        let text = fit_width(theme, &line.probe.line(), usize::from(columns.text));
        let x = draw_text(buffer, area.x, y, columns.text, &text, theme.style(role)) + 1;
        let row = Rect { x, y, width: area.right().saturating_sub(x), height: 1 };
        if let Some(series) = line.series {
            draw_series(series, ends, &columns, theme, row, buffer);
        } else if let Some(text) = &line.classified {
            let text = truncate(theme, text, usize::from(row.width));
            draw_text(buffer, x, y, row.width, &text, theme.style(Role::Text));
        } else {
            let text = truncate(theme, note, usize::from(row.width));
            draw_text(buffer, x, y, row.width, &text, theme.style(Role::Muted));
        }
    }
}

/// Draws the predictions for a probe in one line.
fn draw_series(
    series: &ProbeSeries,
    ends: (f64, f64),
    columns: &Columns,
    theme: Theme,
    row: Rect,
    buffer: &mut Buffer,
) {
    let (mut x, y) = (row.x, row.y);
    let mut draw = |text: &str, role| {
        x = draw_text(buffer, x, y, row.right().saturating_sub(x), text, theme.style(role));
    };
    for (cell, role) in sparkline(series, ends, usize::from(columns.bars), theme) {
        draw(&cell, role);
    }
    let number = series.values().last().map_or(f64::NAN, |(value, _)| *value);
    match series.last() {
        ProbePrediction::Score { .. } => draw(&format!("{number:>8.2}"), Role::Text),
        other => {
            draw(&format!("{:>6.1} %", 100.0 * number), Role::Text);
            let label = other.label().unwrap_or_default();
            draw(&format!(" {}", fit_width(theme, &label, usize::from(columns.label))), Role::Muted);
        }
    }
    if let Some(step) = series.flipped_at().filter(|_| columns.flipped > 0) {
        draw(&format!("  flipped at step {}", format::count(step)), Role::Warning);
    }
}

/// The latest label of a probe.
fn label(series: &ProbeSeries) -> Option<String> {
    series.last().label()
}

/// A sparkline of the newest evaluations between `ends`, exactly `width` cells wide, with a mark before each evaluation
/// at which the label flipped.
fn sparkline(series: &ProbeSeries, ends: (f64, f64), width: usize, theme: Theme) -> Vec<(String, Role)> {
    let mut sparkline = Vec::new();
    for (value, is_flipped) in series.values() {
        if is_flipped {
            sparkline.push((theme.symbol(Symbol::Flip).to_string(), Role::Warning));
        }
        sparkline.push((sparkline_in(ends, [value].into_iter(), 1, theme), Role::Validation));
    }
    sparkline.drain(..sparkline.len().saturating_sub(width));
    let padding = " ".repeat(width - sparkline.len());
    std::iter::once((padding, Role::Text)).chain(sparkline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};

    fn prediction(positive: f32) -> ProbePrediction {
        let label = if positive > 0.5 { "positive" } else { "negative" };
        ProbePrediction::Label {
            label: label.into(),
            flipped_from: None,
            probabilities: vec![1.0 - positive, positive],
        }
    }

    #[test]
    fn flips_are_marked_between_the_bars() {
        let points = [0.0, 0.25, 0.75, 1.0].iter().zip(0..).map(|(p, step)| (step, prediction(*p))).collect();
        let series = ProbeSeries { probe: Probe { text: "a".into(), text_pair: None }, points };
        let drawn = |width, charset| {
            let theme = Theme::new(ColorDepth::None, charset);
            sparkline(&series, (0.0, 1.0), width, theme).into_iter().map(|cell| cell.0).collect::<String>()
        };
        assert_eq!(drawn(7, Charset::Unicode), "  ▁▃╎▆▇");
        assert_eq!(drawn(3, Charset::AsciiSymbols), "|+#");
        assert_eq!(drawn(0, Charset::AsciiSymbols), "");
    }
}
