//! All symbols that the interface draws, in Unicode and in ASCII.
//!
//! Apart from text that comes from outside, screens draw only ASCII and these symbols; a test checks every screen.

use ratatui::symbols::border;

/// A symbol of the interface.
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
    /// Marks the selected line; includes the space after it.
    Cursor,
    /// A missing value.
    Dash,
    /// A range of numbers, without spaces.
    Range,
    /// A range of numbers, with spaces around.
    To,
    /// Separator, including the spaces around it.
    Dot,
    /// Between a mean and its standard deviation.
    PlusMinus,
    /// Multiplication sign.
    Times,
    /// Success.
    Check,
    /// Truncated text.
    Ellipsis,
    /// Loading.
    Waiting,
    /// Sorted in descending order.
    Falling,
    /// Sorted in ascending order.
    Rising,
    /// Degrees.
    Celsius,
    /// Between the old and the new value of a setting.
    Arrow,
    /// A marker on a bar.
    Mark,
    /// A horizontal line.
    Rule,
    /// A full cell of a bar.
    Full,
    /// An empty cell of a bar.
    Empty,
    /// The line of a reference value.
    Reference,
    /// The band of a reference value's standard deviation.
    Spread,
    /// The value axis of a chart.
    Axis,
    /// A tick of the value axis.
    AxisTick,
    /// A change during the run, on the horizontal axis of a chart.
    Change,
    /// A piece of a dashed line, in a legend.
    DashedRule,
    /// Where the axes meet.
    Corner,
    /// A tick of the horizontal axis.
    PositionTick,
    /// The cursor of a chart.
    Reading,
    /// Between two different predictions.
    Flip,
    /// A value above the chart.
    Above,
    /// A point of the validation split, or a run.
    Disc,
    /// A point of the training split, or a run.
    Ring,
    /// A point of the test split, or a run.
    Diamond,
    /// A digit.
    Digit(u8),
    /// The fill of a segment of a stacked bar, by its number.
    Fill(u8),
    /// The marker of a run in a comparison, by its number: shapes first, then letters.
    Run(u8),
}

/// Fills of the segments of a stacked bar, distinguishable without color.
pub const FILLS: [(&str, &str); 8] =
    [("╌", "~"), ("█", "#"), ("▓", "="), ("▒", "-"), ("╳", "x"), ("┄", ":"), ("░", "."), ("▚", "%")];
/// Markers of the first runs; the others have letters.
const SHAPES: [&str; 12] = ["●", "▲", "■", "◆", "★", "▼", "○", "△", "□", "◇", "☆", "▽"];
const DIGITS: &str = "0123456789";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Symbol {
    /// All symbols without a number.
    pub const ALL: [Symbol; 38] = [
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
        Symbol::Arrow,
        Symbol::Mark,
        Symbol::Rule,
        Symbol::Full,
        Symbol::Empty,
        Symbol::Reference,
        Symbol::Spread,
        Symbol::Axis,
        Symbol::AxisTick,
        Symbol::Change,
        Symbol::DashedRule,
        Symbol::Corner,
        Symbol::PositionTick,
        Symbol::Reading,
        Symbol::Flip,
        Symbol::Above,
        Symbol::Disc,
        Symbol::Ring,
        Symbol::Diamond,
    ];

    /// The symbol in Unicode and in ASCII.
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
            Symbol::Rising | Symbol::Change => ("▴", "^"),
            Symbol::Celsius => ("°C", "C"),
            Symbol::Mark => ("┃", "|"),
            Symbol::Rule => ("─", "-"),
            Symbol::Full => ("█", "#"),
            Symbol::Empty => ("·", "-"),
            Symbol::Reference | Symbol::DashedRule => ("╌", "-"),
            Symbol::Spread => ("·", "."),
            Symbol::Axis => ("│", "|"),
            Symbol::AxisTick => ("┤", "+"),
            Symbol::Arrow => ("→", "->"),
            Symbol::Corner => ("└", "+"),
            Symbol::PositionTick => ("┬", "+"),
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

    /// The symbol in Unicode or ASCII.
    pub fn text(self, is_ascii: bool) -> &'static str {
        let (unicode, ascii) = self.forms();
        if is_ascii { ascii } else { unicode }
    }
}

fn letter(number: usize) -> &'static str {
    let at = number % LETTERS.len();
    &LETTERS[at..=at]
}

/// Bars of 0 to 7 eighths of a cell, filled from the left.
pub const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Quarters of a cell: bit 0 is the upper left one, 1 the upper right, 2 the lower left, 3 the lower right.
pub const QUARTERS: [char; 16] =
    [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];

/// The bars of sparklines, from the lowest to the highest.
pub(super) fn heights(is_ascii: bool) -> [char; 7] {
    if is_ascii {
        ['_', '.', ':', '-', '=', '+', '#']
    } else {
        // A full cell would merge with the line above.
        ['▁', '▂', '▃', '▄', '▅', '▆', '▇']
    }
}

/// The border of panes.
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
    fn every_symbol_has_an_ascii_form() {
        for symbol in Symbol::ALL.into_iter().chain((0..70).map(Symbol::Run)) {
            let (unicode, ascii) = (symbol.text(false), symbol.text(true));
            assert!(ascii.is_ascii() && !ascii.is_empty(), "{symbol:?}");
            assert!(width(unicode) >= 1, "{symbol:?}");
        }
        assert!(heights(true).iter().all(char::is_ascii));
    }

    #[test]
    fn runs_have_distinct_symbols() {
        for is_ascii in [false, true] {
            let mut symbols: Vec<_> = (0..52).map(|number| Symbol::Run(number).text(is_ascii)).collect();
            symbols.sort_unstable();
            symbols.dedup();
            assert_eq!(symbols.len(), 52);
        }
    }

    /// Symbols of charts and bars must be one cell wide on every terminal, even on those that draw ambiguous
    /// characters wide.
    #[test]
    fn symbols_of_charts_and_bars_are_one_cell_wide() {
        let from = Symbol::ALL.iter().position(|symbol| *symbol == Symbol::Mark).unwrap();
        for symbol in
            Symbol::ALL.into_iter().skip(from).chain((0..60).map(Symbol::Run)).chain((0..8).map(Symbol::Fill))
        {
            assert_eq!((width(symbol.text(false)), symbol.text(true).len()), (1, 1), "{symbol:?}");
        }
    }
}
