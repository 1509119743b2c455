//! How an answer is drawn: a bar for each label, or one on the scale of a regression.

use crate::predict::ModelOutput;
use crate::text;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{fixed, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Cells of a number at the end of a bar, with the space before.
const NUMBER: u16 = 9;

/// Cells that the name of other weights takes at most.
pub(super) const BESIDE: usize = 16;

/// Lines that an answer takes.
pub(super) fn lines(answer: &ModelOutput) -> u16 {
    answer.probabilities().len().max(1) as u16
}

/// An answer in a few words: its label, if it has one, and its number.
pub(super) fn words(answer: &ModelOutput) -> (&str, String) {
    match answer {
        ModelOutput::Label { label, probability, .. } => (label, format!("{:>5.1} %", 100.0 * probability)),
        ModelOutput::Score { score, .. } => ("", format!("{score:>7.2}")),
    }
}

/// Draws an answer from the first line of `area` on; an old one is muted.
pub(super) fn draw(answer: &ModelOutput, is_old: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let widest =
        answer.probabilities().iter().map(|(label, _)| text::width(label)).max().unwrap_or(0).min(24);
    let muted = |role| if is_old { Role::Muted } else { role };
    match answer {
        ModelOutput::Label { label, probabilities, .. } => {
            for ((other, probability), y) in probabilities.iter().zip(area.y..area.bottom()) {
                let (text, fill) =
                    if other == label { (Role::Best, Role::Best) } else { (Role::Text, Role::Bar) };
                let row = Row { name: fixed(theme, other, widest), share: Some(f64::from(*probability)) };
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

/// Draws what other weights say to the right of where an answer stands: their name, and the number of the same
/// label. Says what is left for the answer itself.
pub(super) fn draw_beside(
    answer: &ModelOutput,
    beside: Option<(&str, &ModelOutput)>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let Some((name, other)) = beside else { return area };
    let name_width = text::width(name).min(BESIDE) as u16;
    let width = name_width + NUMBER + 2;
    if width >= area.width / 2 {
        return area;
    }
    let column = Rect { x: area.right() - width, width, ..area };
    let mut say = |y: u16, number: &str| {
        let name = fixed(theme, name, usize::from(name_width));
        put(buffer, column.x, y, width, &format!("  {name} {number:>8}"), theme.style(Role::Muted));
    };
    match (answer, other) {
        (ModelOutput::Label { probabilities, .. }, ModelOutput::Label { probabilities: others, .. }) => {
            for ((label, _), y) in probabilities.iter().zip(area.y..area.bottom()) {
                let found = others.iter().find(|(other, _)| other == label);
                let number = found.map_or(theme.glyph(Symbol::Dash).to_string(), |(_, probability)| {
                    format!("{:>5.1} %", 100.0 * probability)
                });
                say(y, &number);
            }
        }
        (_, ModelOutput::Score { score, .. }) if !area.is_empty() => say(area.y, &format!("{score:.2}")),
        _ if !area.is_empty() => say(area.y, theme.glyph(Symbol::Dash)),
        _ => {}
    }
    Rect { width: area.width - width, ..area }
}

/// A name, a bar that is so full, and a number.
struct Row {
    name: String,
    /// No bar where nothing says how much would be full.
    share: Option<f64>,
}

impl Row {
    fn draw(&self, number: &str, (text, fill): (Role, Role), theme: Theme, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let name = format!("{}  ", self.name);
        let mut x = put(buffer, area.x, area.y, area.width, &name, theme.style(text));
        if let Some(share) = self.share {
            let width = area.right().saturating_sub(x + NUMBER);
            bar(buffer, Rect { x, y: area.y, width, height: 1 }, share, fill, theme);
            x += width + 2;
        }
        put(buffer, x, area.y, NUMBER - 2, number, theme.style(text));
    }
}
