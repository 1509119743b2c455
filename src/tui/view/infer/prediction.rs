//! Predictions: a bar for each label, or a bar on the scale of a regression.

use crate::catalog::{joined, output_of};
use crate::predict::ModelOutput;
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{draw_text, fit_width, fitting};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Width of the number after a bar, with the space before it.
const NUMBER: u16 = 9;

/// Maximum width of the name of the comparison model.
pub(super) const MAX_NAME: usize = 16;

/// Height of a prediction in lines.
pub(super) fn height(output: &ModelOutput) -> u16 {
    u16::try_from(output.probabilities().len().max(1)).unwrap_or(u16::MAX)
}

/// The labels of a prediction in a list, and its number: the probability of the class, or the score. A set of labels has
/// no single number.
pub(super) fn label_and_number(output: &ModelOutput) -> (String, String) {
    match output {
        ModelOutput::Label { label, probability, .. } => {
            (label.clone(), format!("{:>5.1} %", 100.0 * probability))
        }
        ModelOutput::NoLabel { .. } => ("no label".into(), String::new()),
        ModelOutput::Labels { labels, .. } => (joined(labels), String::new()),
        ModelOutput::Score { score, .. } => (String::new(), format!("{score:>7.2}")),
    }
}

/// The probabilities that are drawn in `height` lines, and the number of the others: all of them in the order of the
/// model if they fit, else the largest.
fn visible(output: &ModelOutput, height: u16) -> (Vec<&(String, f32)>, usize) {
    let mut all: Vec<&(String, f32)> = output.probabilities().iter().collect();
    let (visible, hidden) = fitting(all.len(), height.into());
    if hidden > 0 {
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(visible);
    }
    (all, hidden)
}

/// Draws a prediction at the top of `area`; an outdated one is muted.
pub(super) fn draw(output: &ModelOutput, is_old: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let widest =
        output.probabilities().iter().map(|(label, _)| text::width(label)).max().unwrap_or(0).min(24);
    let muted = |role| if is_old { Role::Muted } else { role };
    match output {
        ModelOutput::Label { .. } | ModelOutput::NoLabel { .. } | ModelOutput::Labels { .. } => {
            let (probabilities, hidden) = visible(output, area.height);
            for ((other, probability), y) in probabilities.into_iter().zip(area.y..area.bottom()) {
                let (text, fill) =
                    if output.predicts(other) { (Role::Best, Role::Best) } else { (Role::Text, Role::Bar) };
                let row = Row { name: fit_width(theme, other, widest), share: Some(f64::from(*probability)) };
                let number = format!("{:>5.1} %", 100.0 * probability);
                row.draw(&number, (muted(text), muted(fill)), theme, Rect { y, height: 1, ..area }, buffer);
            }
            if hidden > 0 && !area.is_empty() {
                let text = format!("{hidden} less probable");
                draw_text(buffer, area.x, area.bottom() - 1, area.width, &text, theme.style(Role::Muted));
            }
        }
        ModelOutput::Score { score, scale } => {
            let share = scale.map(|(low, high)| f64::from((score - low) / (high - low)));
            let (row, role) = (Row { name: "score".into(), share }, muted(Role::Best));
            row.draw(&format!("{score:>5.2}"), (role, role), theme, area, buffer);
        }
    }
}

/// Draws the prediction of the comparison model at the right of `area`: its name, and its number for each label. Returns
/// the remaining area.
pub(super) fn draw_comparison(
    output: &ModelOutput,
    comparison: Option<(&str, &ModelOutput)>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let Some((name, other)) = comparison else { return area };
    let name_width = text::width(name).min(MAX_NAME) as u16;
    let width = name_width + NUMBER + 2;
    if width >= area.width / 2 {
        return area;
    }
    let column = Rect { x: area.right() - width, width, ..area };
    let mut draw = |y: u16, number: &str| {
        let name = fit_width(theme, name, usize::from(name_width));
        draw_text(buffer, column.x, y, width, &format!("  {name} {number:>8}"), theme.style(Role::Muted));
    };
    let names: Vec<&str> = other.probabilities().iter().map(|(name, _)| name.as_str()).collect();
    match (output.probabilities(), other) {
        ([_, ..], ModelOutput::Label { .. } | ModelOutput::NoLabel { .. } | ModelOutput::Labels { .. }) => {
            for ((label, _), y) in visible(output, area.height).0.into_iter().zip(area.y..area.bottom()) {
                let found = output_of(&names, label).and_then(|output| other.probabilities().get(output));
                let number = found.map_or(theme.symbol(Symbol::Dash).to_string(), |(_, probability)| {
                    format!("{:>5.1} %", 100.0 * probability)
                });
                draw(y, &number);
            }
        }
        (_, ModelOutput::Score { score, .. }) if !area.is_empty() => draw(area.y, &format!("{score:.2}")),
        _ if !area.is_empty() => draw(area.y, theme.symbol(Symbol::Dash)),
        _ => {}
    }
    Rect { width: area.width - width, ..area }
}

/// A name, a bar and a number.
struct Row {
    name: String,
    /// The filled fraction of the bar; `None` for a score without a scale, which has no bar.
    share: Option<f64>,
}

impl Row {
    fn draw(&self, number: &str, (text, fill): (Role, Role), theme: Theme, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let name = format!("{}  ", self.name);
        let mut x = draw_text(buffer, area.x, area.y, area.width, &name, theme.style(text));
        if let Some(share) = self.share {
            let width = area.right().saturating_sub(x + NUMBER);
            bar(buffer, Rect { x, y: area.y, width, height: 1 }, share, fill, theme);
            x += width + 2;
        }
        draw_text(buffer, x, area.y, NUMBER - 2, number, theme.style(text));
    }
}
