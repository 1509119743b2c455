//! Every sign that the interface draws, with what stands for it where there is only ASCII.
//!
//! What a screen writes by itself is ASCII or one of these; a test draws every screen to hold it.

use ratatui::symbols::border;

/// A sign of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// The enter key.
    Enter,
    /// The backspace key.
    Backspace,
    /// The key with the arrow up.
    Up,
    /// The key with the arrow down.
    Down,
    /// The key with the arrow to the left.
    Left,
    /// The key with the arrow to the right.
    Right,
    /// Before the line under the cursor, with the space after it.
    Cursor,
    /// There is no value.
    Dash,
    /// From one number to another, close together.
    Range,
    /// From one number to another, with spaces around.
    To,
    /// Between parts of a sentence, with the spaces around it.
    Dot,
    /// Mean and deviation.
    PlusMinus,
    /// So many times.
    Times,
    /// Done, and well.
    Check,
    /// What was left out.
    Ellipsis,
    /// Something is being read.
    Waiting,
    /// Sorted, the highest first.
    Falling,
    /// Sorted, the lowest first.
    Rising,
    /// Degrees.
    Celsius,
    /// A place on a bar.
    Mark,
    /// A line across.
    Rule,
    /// A full cell of a bar.
    Full,
    /// An empty cell of a bar.
    Empty,
    /// A value to compare with.
    Reference,
    /// How far such a value strays.
    Spread,
    /// The value axis of a chart.
    Axis,
    /// A value at it.
    AxisTick,
    /// Where the axes meet.
    Corner,
    /// A place below a chart.
    PlaceTick,
    /// The place that is read.
    Reading,
    /// Between two answers that differ.
    Flip,
    /// More lies above the chart.
    Above,
    /// A point of the validation split, or a run.
    Disc,
    /// A point of the training split, or a run.
    Ring,
    /// A point of the test split, or a run.
    Diamond,
    /// A number of one digit.
    Digit(u8),
    /// The number of a part of a stacked bar.
    Fill(u8),
    /// The number of a run among those compared: shapes first, then letters.
    Run(u8),
}

/// Signs of the parts of a stacked bar, so that they differ without colour too.
pub const FILLS: [(&str, &str); 8] =
    [("╌", "~"), ("█", "#"), ("▓", "="), ("▒", "-"), ("╳", "x"), ("┄", ":"), ("░", "."), ("▚", "%")];
/// Shapes that runs are told apart by; then letters come.
const SHAPES: [&str; 12] = ["●", "▲", "■", "◆", "★", "▼", "○", "△", "□", "◇", "☆", "▽"];
const DIGITS: &str = "0123456789";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Symbol {
    /// Every sign but the numbered ones.
    pub const ALL: [Symbol; 35] = [
        Symbol::Enter,
        Symbol::Backspace,
        Symbol::Up,
        Symbol::Down,
        Symbol::Left,
        Symbol::Right,
        Symbol::Cursor,
        Symbol::Dash,
        Symbol::Range,
        Symbol::To,
        Symbol::Dot,
        Symbol::PlusMinus,
        Symbol::Times,
        Symbol::Check,
        Symbol::Ellipsis,
        Symbol::Waiting,
        Symbol::Falling,
        Symbol::Rising,
        Symbol::Celsius,
        Symbol::Mark,
        Symbol::Rule,
        Symbol::Full,
        Symbol::Empty,
        Symbol::Reference,
        Symbol::Spread,
        Symbol::Axis,
        Symbol::AxisTick,
        Symbol::Corner,
        Symbol::PlaceTick,
        Symbol::Reading,
        Symbol::Flip,
        Symbol::Above,
        Symbol::Disc,
        Symbol::Ring,
        Symbol::Diamond,
    ];

    /// The sign, in Unicode and in ASCII.
    fn forms(self) -> (&'static str, &'static str) {
        match self {
            Symbol::Enter => ("⏎", "enter"),
            Symbol::Backspace => ("⌫", "bksp"),
            Symbol::Up => ("↑", "up"),
            Symbol::Down => ("↓", "down"),
            Symbol::Left => ("←", "left"),
            Symbol::Right => ("→", "right"),
            Symbol::Cursor => ("▸ ", "> "),
            Symbol::Dash => ("—", "-"),
            Symbol::Range => ("–", "-"),
            Symbol::To => ("…", "to"),
            Symbol::Dot => (" · ", ", "),
            Symbol::PlusMinus => ("±", "+-"),
            Symbol::Times => ("×", "x"),
            Symbol::Check => ("✓", "ok"),
            Symbol::Ellipsis => ("…", "~"),
            Symbol::Waiting => ("…", "..."),
            Symbol::Falling => ("▾", "v"),
            Symbol::Rising => ("▴", "^"),
            Symbol::Celsius => ("°C", "C"),
            Symbol::Mark => ("┃", "|"),
            Symbol::Rule => ("─", "-"),
            Symbol::Full => ("█", "#"),
            Symbol::Empty => ("·", "-"),
            Symbol::Reference => ("╌", "-"),
            Symbol::Spread => ("·", "."),
            Symbol::Axis => ("│", "|"),
            Symbol::AxisTick => ("┤", "+"),
            Symbol::Corner => ("└", "+"),
            Symbol::PlaceTick => ("┬", "+"),
            Symbol::Reading => ("┊", ":"),
            Symbol::Flip => ("╎", "|"),
            Symbol::Above => ("▲", "^"),
            Symbol::Disc => ("●", "o"),
            Symbol::Ring => ("○", "."),
            Symbol::Diamond => ("◆", "x"),
            Symbol::Digit(number) => {
                let at = usize::from(number % 10);
                (&DIGITS[at..=at], &DIGITS[at..=at])
            }
            Symbol::Fill(number) => FILLS[usize::from(number) % FILLS.len()],
            Symbol::Run(number) => {
                let number = usize::from(number);
                match number.checked_sub(SHAPES.len()) {
                    None => (SHAPES[number], letter(number)),
                    Some(after) => (letter(after), letter(number)),
                }
            }
        }
    }

    /// The sign.
    pub fn text(self, is_ascii: bool) -> &'static str {
        let (fancy, plain) = self.forms();
        if is_ascii { plain } else { fancy }
    }
}

fn letter(number: usize) -> &'static str {
    let at = number % LETTERS.len();
    &LETTERS[at..=at]
}

/// Bars of an eighth to seven eighths of a cell, from the left; nothing first.
pub const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Quarters of a cell: bit 0 is above to the left, 1 above to the right, 2 and 3 below.
pub const QUARTERS: [char; 16] =
    [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];

/// Little bars from the lowest to the highest.
pub(super) fn heights(is_ascii: bool) -> [char; 8] {
    if is_ascii {
        ['_', '.', ':', '-', '=', '+', '*', '#']
    } else {
        ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    }
}

/// The lines of frames.
pub(super) fn frame(is_ascii: bool) -> border::Set<'static> {
    if !is_ascii {
        return border::ROUNDED;
    }
    border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    #[test]
    fn every_sign_has_a_form_in_ascii() {
        for glyph in Symbol::ALL.into_iter().chain((0..70).map(Symbol::Run)) {
            let (fancy, plain) = (glyph.text(false), glyph.text(true));
            assert!(plain.is_ascii() && !plain.is_empty(), "{glyph:?}");
            assert!(width(fancy) >= 1, "{glyph:?}");
        }
        assert!(heights(true).iter().all(char::is_ascii));
    }

    #[test]
    fn runs_are_told_apart() {
        for is_ascii in [false, true] {
            let mut signs: Vec<_> = (0..52).map(|number| Symbol::Run(number).text(is_ascii)).collect();
            signs.sort_unstable();
            signs.dedup();
            assert_eq!(signs.len(), 52);
        }
    }

    /// What is drawn on one cell must take one cell on every terminal, the ones that think of some signs
    /// as wide among them.
    #[test]
    fn signs_of_charts_and_bars_take_one_cell() {
        let from = Symbol::ALL.iter().position(|glyph| *glyph == Symbol::Mark).unwrap();
        for glyph in
            Symbol::ALL.into_iter().skip(from).chain((0..60).map(Symbol::Run)).chain((0..8).map(Symbol::Fill))
        {
            assert_eq!((width(glyph.text(false)), glyph.text(true).len()), (1, 1), "{glyph:?}");
        }
    }
}
