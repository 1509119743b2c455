//! The attribution of a prediction to words, below the prediction.

use crate::predict::{Attributions, WordAttribution};
use crate::text::{self, sanitize};
use crate::tui::state::infer::{Attribution, ComputedAttribution, Texts};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, draw_text_right, truncate, wrap, wrap_ranges};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::ops::Range;

/// Attributions relative to the strongest one from which a word is marked once, or twice.
const MARKED: f32 = 0.25;
const STRONG: f32 = 0.6;
/// Width of the title.
const LABEL: u16 = 5;

/// Draws the attribution, muted if it belongs to other texts than `texts`.
pub(super) fn draw(attribution: &Attribution, texts: &Texts, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(found) = attribution.computed.as_ref().filter(|_| area.height > 1) else { return };
    draw_text(buffer, area.x, area.y, LABEL, "why", theme.style(Role::Muted));
    let area = Rect { x: area.x + LABEL, width: area.width.saturating_sub(LABEL), ..area };
    let explanation = match &found.result {
        Ok(explanation) => explanation,
        Err(error) => {
            let lines = wrap(error, area.width as usize);
            for (y, line) in (area.y..area.bottom()).zip(lines) {
                draw_text(buffer, area.x, y, area.width, &line, theme.style(Role::Muted));
            }
            return;
        }
    };
    let is_old = found.texts != *texts;
    let available = Rect { height: area.height - 1, ..area };
    let used = draw_words(&MarkedText::new(found, explanation), is_old, theme, available, buffer);
    let duration = format!("in {:.0} ms", 1000.0 * found.seconds);
    let label = sanitize(&explanation.label);
    let legend = format!("[supports {label}]  <opposes it>  doubled: strongest");
    let y = area.y + used;
    let width = area.width.saturating_sub(duration.len() as u16 + 2);
    draw_text(buffer, area.x, y, width, &truncate(theme, &legend, width as usize), theme.style(Role::Muted));
    draw_text_right(buffer, area, y, &duration, theme.style(Role::Muted));
}

/// The texts with marks around important words.
struct MarkedText {
    /// Pieces of the text; marked ones have a style.
    pieces: Vec<(String, Option<Role>)>,
}

impl MarkedText {
    fn new(found: &ComputedAttribution, explanation: &Attributions) -> Self {
        let max_value =
            explanation.words.iter().fold(0f32, |max_value, word| max_value.max(word.value.abs()));
        let (first, second) = (&found.texts.0, found.texts.1.as_ref());
        let mut marked = MarkedText { pieces: Vec::new() };
        for (sequence, text) in std::iter::once(first).chain(second).enumerate() {
            if sequence > 0 {
                marked.pieces.push(("  |  ".into(), None));
            }
            // `sanitize` keeps the number of characters.
            let characters: Vec<char> = sanitize(text).chars().collect();
            let words = explanation.words.iter().filter(|word| word.sequence == sequence);
            marked.add(&characters, words, max_value);
        }
        marked
    }

    fn add<'w>(
        &mut self,
        characters: &[char],
        words: impl Iterator<Item = &'w WordAttribution>,
        max_value: f32,
    ) {
        let part = |range: Range<usize>| characters.get(range).unwrap_or_default().iter().collect::<String>();
        let mut plain = 0;
        for word in words.filter(|word| word.value.abs() >= MARKED * max_value && word.value != 0.0) {
            let (before, after, role) =
                if word.value > 0.0 { ("[", "]", Role::Best) } else { ("<", ">", Role::Error) };
            let count = if word.value.abs() >= STRONG * max_value { 2 } else { 1 };
            let (before, after) = (before.repeat(count), after.repeat(count));
            self.pieces.push((part(plain..word.start), None));
            self.pieces.push((before + &part(word.start..word.end) + &after, Some(role)));
            plain = word.end;
        }
        self.pieces.push((part(plain..characters.len()), None));
    }

    fn text(&self) -> String {
        self.pieces.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// Omits the middle of unmarked pieces.
    fn shortened(&self, theme: Theme) -> MarkedText {
        let shorten = |text: &str| {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            let [first, .., last] = words[..] else { return text.to_string() };
            if words.len() < 4 {
                return text.to_string();
            }
            let space = |is_present: bool| if is_present { " " } else { "" };
            let (before, after) = (space(text.starts_with(' ')), space(text.ends_with(' ')));
            format!("{before}{first} {} {last}{after}", theme.symbol(Symbol::Waiting))
        };
        let piece = |(text, role): &(String, Option<Role>)| match role {
            Some(_) => (text.clone(), *role),
            None => (shorten(text), None),
        };
        MarkedText { pieces: self.pieces.iter().map(piece).collect() }
    }
}

/// Draws the texts into `area`, with unmarked pieces shortened if they do not fit; returns the number of lines used.
fn draw_words(marked: &MarkedText, is_old: bool, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let width = (area.width as usize).max(1);
    let shorter;
    let marked = if text::width(&marked.text()) > width * area.height as usize {
        shorter = marked.shortened(theme);
        &shorter
    } else {
        marked
    };
    let text = marked.text();
    let lines = wrap_ranges(&text, width);
    for (row, line) in lines.iter().enumerate().take(area.height as usize) {
        let (mut x, mut first) = (area.x, 0);
        for (piece, role) in &marked.pieces {
            let range = line.start.max(first)..line.end.min(first + piece.len());
            first += piece.len();
            if range.start >= range.end {
                continue;
            }
            let style = theme.style(if is_old { Role::Muted } else { role.unwrap_or(Role::Text) });
            x = draw_text(
                buffer,
                x,
                area.y + row as u16,
                area.right().saturating_sub(x),
                &text[range],
                style,
            );
        }
    }
    let used = lines.len().min(area.height as usize) as u16;
    if lines.len() > used as usize && area.width > 0 {
        let ellipsis = theme.symbol(Symbol::Ellipsis);
        draw_text(buffer, area.right() - 1, area.y + used - 1, 1, ellipsis, theme.style(Role::Muted));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};

    const THEME: Theme = Theme::new(ColorDepth::None, Charset::Unicode);

    fn attribution(start: usize, end: usize, value: f32) -> WordAttribution {
        WordAttribution { text: String::new(), start, end, value, sequence: 0 }
    }

    fn marked(text: &str, words: Vec<WordAttribution>) -> MarkedText {
        let explanation = Attributions { label: "positive".into(), words };
        let found = ComputedAttribution {
            texts: (text.into(), None),
            seconds: 0.1,
            computed_at: 0.0,
            result: Ok(explanation.clone()),
        };
        MarkedText::new(&found, &explanation)
    }

    #[test]
    fn words_are_marked_by_strength_and_direction() {
        let words = vec![
            attribution(0, 3, 0.1),
            attribution(4, 8, -0.4),
            attribution(8, 9, 0.3),
            attribution(10, 15, 1.0),
        ];
        assert_eq!(marked("the plöt, bored", words).text(), "the <plöt>[,] [[bored]]");
        assert_eq!(marked("flat", vec![attribution(0, 4, 0.0)]).text(), "flat");
        assert_eq!(marked("", Vec::new()).text(), "");
    }

    #[test]
    fn unmarked_pieces_are_shortened() {
        let text = "one two three four five six seven eight nine";
        let all = marked(text, vec![attribution(8, 13, 1.0), attribution(40, 44, -0.9)]);
        assert_eq!(all.shortened(THEME).text(), "one two [[three]] four … eight <<nine>>");
    }
}
