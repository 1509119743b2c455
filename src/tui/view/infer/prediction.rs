//! Predictions: a bar for each label, or a bar on the scale of a regression.

use crate::catalog::output_of;
use crate::predict::ModelOutput;
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{draw_text, fit_width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Width of the number after a bar, with the space before it.
const NUMBER: u16 = 9;

/// Maximum width of the name of the comparison model.
pub(super) const MAX_NAME: usize = 16;

/// Height of a prediction in lines.
pub(super) fn height(output: &ModelOutput) -> u16 {
    output.probabilities().len().max(1) as u16
}

/// The label, if there is one, and the number of a prediction.
pub(super) fn label_and_number(output: &ModelOutput) -> (&str, String) {
    match (output, output.most_probable()) {
        (_, Some((label, probability))) => (label, format!("{:>5.1} %", 100.0 * probability)),
        (ModelOutput::Score { score, .. }, _) => ("", format!("{score:>7.2}")),
        _ => ("", String::new()),
    }
}

/// Draws a prediction at the top of `area`; an outdated one is muted.
pub(super) fn draw(output: &ModelOutput, is_old: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let widest =
        output.probabilities().iter().map(|(label, _)| text::width(label)).max().unwrap_or(0).min(24);
    let muted = |role| if is_old { Role::Muted } else { role };
    match output {
        ModelOutput::Label { probabilities, .. } | ModelOutput::Labels { probabilities, .. } => {
            for ((other, probability), y) in probabilities.iter().zip(area.y..area.bottom()) {
                let (text, fill) =
                    if output.predicts(other) { (Role::Best, Role::Best) } else { (Role::Text, Role::Bar) };
                let row = Row { name: fit_width(theme, other, widest), share: Some(f64::from(*probability)) };
                let number = format!("{:>5.1} %", 100.0 * probability);
                row.draw(&number, (muted(text), muted(fill)), theme, Rect { y, height: 1, ..area }, buffer);
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
        (probabilities @ [_, ..], ModelOutput::Label { .. } | ModelOutput::Labels { .. }) => {
            for ((label, _), y) in probabilities.iter().zip(area.y..area.bottom()) {
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
