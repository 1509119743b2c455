//! The table of the labels of a multi-label classification: how often each applies and is predicted, and its scores.

use crate::event::ClassScores;
use crate::format;
use crate::text::{self, plural};
use crate::tui::state::App;
use crate::tui::state::insight::LoadedReport;
use crate::tui::theme::Role;
use crate::tui::widgets::{draw_text, fit_width, fitting, padded_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// Maximum width of a name.
const NAME: usize = 24;
/// Height of the borders of the pane.
const BORDERS: u16 = 2;

/// Height of the pane with every label.
pub(super) fn height(loaded: &LoadedReport) -> u16 {
    let labels = u16::try_from(loaded.predictions().classes()).unwrap_or(u16::MAX);
    labels.saturating_add(BORDERS + 1)
}

/// The labels in their order with their scores.
fn lines(loaded: &LoadedReport) -> impl Iterator<Item = (&str, &ClassScores)> {
    let names = loaded.report.labels.classes().iter().map(AsRef::as_ref);
    names.zip(&loaded.analysis.scores.per_class)
}

/// Number of rows with the label, and of those that it is predicted for.
fn counts(scores: &ClassScores) -> [String; 2] {
    [scores.support, scores.predicted].map(|count| format::count(count.unwrap_or_default()))
}

/// Precision, recall, F1 and average precision in percent.
fn percentages(scores: &ClassScores) -> [f64; 4] {
    let ClassScores { precision, recall, f1, average_precision, .. } = *scores;
    [precision, recall, f1, average_precision.unwrap_or(f64::NAN)].map(|share| 100.0 * share)
}

/// The labels as text: `toxic: 120 rows, 95 predicted, precision 80.1, recall 63.4, F1 70.8, AP 77.0`.
pub(super) fn texts(loaded: &LoadedReport) -> Vec<String> {
    let text = |(name, scores): (&str, &ClassScores)| {
        let [precision, recall, f1, ap] = percentages(scores);
        let [rows, predicted] = counts(scores);
        format!(
            "{name}: {rows} rows, {predicted} predicted, precision {precision:.1}, recall {recall:.1}, F1 {f1:.1}, \
             AP {ap:.1}"
        )
    };
    lines(loaded).map(text).collect()
}

/// Draws the table.
pub(super) fn draw(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Labels: each is predicted above a probability of 50 %", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let names = loaded.report.labels.classes().iter();
    let width = names.map(|name| text::width(name)).max().unwrap_or(0).clamp(5, NAME);
    let header = format!(
        "{:width$}{:>9}{:>11}{:>11}{:>8}{:>7}{:>7}",
        "label", "rows", "predicted", "precision", "recall", "F1", "AP"
    );
    draw_text(buffer, inner.x, inner.y, inner.width, &header, theme.style(Role::Muted));
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let (visible, hidden) = fitting(loaded.predictions().classes(), rows.height.into());
    if hidden > 0 && !rows.is_empty() {
        let text = format!("{} more; a larger terminal shows them", plural(hidden, "label"));
        draw_text(buffer, rows.x, rows.bottom() - 1, rows.width, &text, theme.style(Role::Muted));
    }
    for ((name, scores), y) in lines(loaded).take(visible).zip(rows.y..rows.bottom()) {
        let [precision, recall, f1, ap] = percentages(scores);
        let [rows, predicted] = counts(scores);
        let numbers = format!("{rows:>9}{predicted:>11}{precision:>11.1}{recall:>8.1}{f1:>7.1}{ap:>7.1}");
        let name = fit_width(theme, name, width);
        let x = draw_text(buffer, inner.x, y, inner.width, &name, theme.style(Role::Text));
        draw_text(buffer, x, y, inner.right().saturating_sub(x), &numbers, theme.style(Role::Text));
    }
}
