//! The compact text form of a screen in the snapshots. It covers Unicode, ASCII, and terminals without colors.
//!
//! A recording has three sections: the text of the screen in Unicode; under `roles` the roles of its cells; under
//! `ascii` the lines of the ASCII screen that are not a symbol-by-symbol replacement of the Unicode lines. The screen
//! without colors is not recorded: it must have the same text, no color, and the modifiers of the same roles.
//!
//! `3-5: 1f 20. 4s` means that lines 3 to 5 start with 1 cell of a frame, 20 of plain text and 4 of the selected line;
//! the rest of each line is plain. The letters are those of [`letters`], with `'` for a dimmed role and `k/s` for role
//! `k` drawn over role `s`.

use super::fixtures::THEME;
use glue_tui::text;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, EIGHTHS, QUARTERS, Role, Symbol, Theme};
use glue_tui::tui::view;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::collections::{HashMap, HashSet};

/// Whether a character comes from the test data (Japanese, or e with acute) and is drawn unchanged in ASCII too.
fn is_external(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{301}' | 'é' | '。')
}

/// Draws a frame of the app with a theme.
pub(crate) fn draw(app: &mut App, theme: Theme) -> Buffer {
    let before = std::mem::replace(&mut app.theme, theme);
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buffer = Buffer::empty(area);
    view::draw_on(app, area, &mut buffer);
    app.theme = before;
    buffer
}

/// The symbols of a line, without the second cell of wide characters.
fn symbols(buffer: &Buffer, y: u16) -> Vec<&str> {
    let mut symbols = Vec::new();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, y)].symbol();
        symbols.push(symbol);
        x += text::width(symbol).max(1) as u16;
    }
    symbols
}

fn line(buffer: &Buffer, y: u16) -> String {
    symbols(buffer, y).concat().trim_end().to_string()
}

/// The text of a frame.
pub(crate) fn text_of(buffer: &Buffer) -> String {
    (0..buffer.area.height).map(|y| line(buffer, y) + "\n").collect()
}

/// The recording of a screen.
#[track_caller]
pub(crate) fn recording(name: &str, mut app: App) -> String {
    let mut letters = StyleLetters::new();
    let unicode = draw(&mut app, THEME);
    let colorless = draw(&mut app, Theme { color_depth: ColorDepth::None, ..THEME });
    check_without_color(name, &unicode, &colorless, &mut letters);
    let ascii = draw(&mut app, Theme { charset: Charset::AsciiSymbols, ..THEME });
    check_ascii(name, &ascii);
    let mut out = text_of(&unicode);
    out += "roles\n";
    let mut first = 0;
    let rows: Vec<String> = (0..unicode.area.height).map(|y| roles(&unicode, y, &mut letters)).collect();
    for y in 0..rows.len() {
        if rows.get(y + 1) == Some(&rows[y]) {
            continue;
        }
        let lines = if first == y { format!("{}", y + 1) } else { format!("{}-{}", first + 1, y + 1) };
        if !rows[y].is_empty() {
            out += &format!("{lines}: {}\n", rows[y]);
        }
        first = y + 1;
    }
    out += "ascii\n";
    for y in 0..ascii.area.height {
        if !is_line_in_ascii(&unicode, &ascii, y) {
            out += &format!("{}: {}\n", y + 1, line(&ascii, y));
        }
    }
    out
}

/// The roles of the cells of a line.
fn roles(buffer: &Buffer, y: u16, letters: &mut StyleLetters) -> String {
    let letters: Vec<String> =
        (0..buffer.area.width).map(|x| letters.letters(cell_style(&buffer[(x, y)]))).collect();
    let mut runs: Vec<String> =
        letters.chunk_by(|a, b| a == b).map(|run| format!("{}{}", run.len(), run[0])).collect();
    if runs.last().is_some_and(|run| run.ends_with('.')) {
        runs.pop();
    }
    runs.join(" ")
}

/// Colors and modifiers of a cell.
type CellStyle = (Color, Color, Modifier);

fn cell_style(cell: &Cell) -> CellStyle {
    (cell.fg, cell.bg, cell.modifier)
}

fn style_of(style: Style) -> CellStyle {
    let or_reset = |color: Option<Color>| color.unwrap_or(Color::Reset);
    (or_reset(style.fg), or_reset(style.bg), style.add_modifier)
}

/// All styles of cells: roles, dimmed roles, and roles drawn over another.
struct Styles {
    /// Letters, style with colors, and style without colors.
    all: Vec<(String, CellStyle, CellStyle)>,
}

/// The letter of each role; roles with the same style share a letter.
fn letters() -> impl Iterator<Item = (Role, char)> {
    const NAMED: [(Role, char); 16] = [
        (Role::Text, '.'),
        (Role::Muted, 'm'),
        (Role::Frame, 'f'),
        (Role::Focus, 'a'),
        (Role::Title, 't'),
        (Role::Key, 'k'),
        (Role::Train, 'a'),
        (Role::TrainRaw, 'r'),
        (Role::Validation, 'v'),
        (Role::Test, 'e'),
        (Role::Best, 'b'),
        (Role::Warning, 'w'),
        (Role::Error, 'x'),
        (Role::Selected, 's'),
        (Role::Bar, 'a'),
        (Role::Empty, '_'),
    ];
    let curves = ('A'..='J').enumerate().map(|(number, letter)| (Role::Curve(number as u8), letter));
    NAMED.into_iter().chain(curves)
}

impl Styles {
    fn new() -> Styles {
        let colorless = Theme { color_depth: ColorDepth::None, ..THEME };
        let dim = |style: Style| style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM);
        let one: Vec<(String, Style, Style)> = letters()
            .map(|(role, letter)| (letter.to_string(), THEME.style(role), colorless.style(role)))
            .collect();
        let dimmed = one
            .iter()
            .map(|(letter, colored, uncolored)| (format!("{letter}'"), dim(*colored), dim(*uncolored)));
        let one: Vec<_> = one.iter().cloned().chain(dimmed).collect();
        let overlaid = one.iter().flat_map(|(lower, colored, uncolored)| {
            one.iter().map(move |(upper, upper_colored, upper_uncolored)| {
                (format!("{upper}/{lower}"), colored.patch(*upper_colored), uncolored.patch(*upper_uncolored))
            })
        });
        let all = one.iter().cloned().chain(overlaid);
        Styles {
            all: all
                .map(|(letters, colored, uncolored)| (letters, style_of(colored), style_of(uncolored)))
                .collect(),
        }
    }
}

/// Maps styles of cells to letters, with a cache.
struct StyleLetters {
    styles: Styles,
    letters: HashMap<CellStyle, String>,
    pairs: HashSet<(CellStyle, CellStyle)>,
}

impl StyleLetters {
    fn new() -> StyleLetters {
        StyleLetters { styles: Styles::new(), letters: HashMap::new(), pairs: HashSet::new() }
    }

    /// The letters of the style of a cell.
    #[track_caller]
    fn letters(&mut self, cell: CellStyle) -> String {
        let styles = &self.styles;
        let found = self.letters.entry(cell).or_insert_with(|| {
            let found = styles.all.iter().find(|(_, colored, _)| *colored == cell);
            found.unwrap_or_else(|| panic!("{cell:?} has the style of no role")).0.clone()
        });
        found.clone()
    }

    /// Whether a style with colors and one without are of the same role.
    fn is_same_role(&mut self, colored: CellStyle, uncolored: CellStyle) -> bool {
        if self.pairs.contains(&(colored, uncolored)) {
            return true;
        }
        let is_found = self.styles.all.iter().any(|(_, a, b)| (*a, *b) == (colored, uncolored));
        is_found && self.pairs.insert((colored, uncolored))
    }
}

/// Whether a symbol is a piece of a curve.
fn is_dots(symbol: &str) -> bool {
    !symbol.is_empty() && symbol.chars().all(|c| ('\u{2800}'..='\u{28ff}').contains(&c))
}

/// Checks that without colors the symbols are the same and the modifiers are those of the role.
#[track_caller]
fn check_without_color(name: &str, unicode: &Buffer, colorless: &Buffer, letters: &mut StyleLetters) {
    for (cell, colorless) in unicode.content.iter().zip(&colorless.content) {
        // Lines of charts have other patterns where colors do not distinguish them.
        if [cell, colorless].into_iter().any(|cell| is_dots(cell.symbol())) {
            assert_eq!((colorless.fg, colorless.bg), (Color::Reset, Color::Reset), "{name} without colors");
            continue;
        }
        assert_eq!(cell.symbol(), colorless.symbol(), "{name} without colors");
        assert_eq!(
            (colorless.fg, colorless.bg),
            (Color::Reset, Color::Reset),
            "{name} without colors: {colorless:?}"
        );
        let is_same = letters.is_same_role(cell_style(cell), cell_style(colorless));
        assert!(is_same, "{name}: {cell:?} is {colorless:?} without colors");
    }
}

/// Checks that the ASCII screen contains only ASCII, except for test data.
#[track_caller]
fn check_ascii(name: &str, ascii: &Buffer) {
    let text = text_of(ascii);
    let unexpected: String = text.chars().filter(|c| !c.is_ascii() && !is_external(*c)).collect();
    assert!(unexpected.is_empty(), "{name} in ASCII has {unexpected:?}:\n{text}");
}

/// Whether an ASCII line is the Unicode line with each symbol replaced by its ASCII form, in the same style.
fn is_line_in_ascii(unicode: &Buffer, ascii: &Buffer, y: u16) -> bool {
    (0..unicode.area.width).all(|x| {
        let (cell, other) = (&unicode[(x, y)], &ascii[(x, y)]);
        let is_same = (cell.fg, cell.bg, cell.modifier) == (other.fg, other.bg, other.modifier);
        is_same && is_ascii_form(cell.symbol(), other.symbol())
    })
}

fn is_ascii_form(unicode: &str, ascii: &str) -> bool {
    let Some(c) = unicode.chars().next().filter(|c| !c.is_ascii()) else { return unicode == ascii };
    if is_external(c) {
        return unicode == ascii;
    }
    let heights = |theme: Theme| theme.heights();
    let height = heights(THEME).iter().position(|height| *height == c);
    let frames = [THEME.border(), Theme { charset: Charset::AsciiSymbols, ..THEME }.border()].map(|set| {
        [
            set.top_left,
            set.top_right,
            set.bottom_left,
            set.bottom_right,
            set.vertical_left,
            set.horizontal_top,
        ]
    });
    let is_frame = frames[0].iter().zip(frames[1]).any(|(a, b)| (*a, b) == (unicode, ascii));
    let is_dots = ('\u{2800}'..='\u{28ff}').contains(&c) || QUARTERS.contains(&c);
    let is_part = EIGHTHS.contains(&unicode);
    let numbered = (0..60).map(Symbol::Run).chain((0..8).map(Symbol::Fill));
    let glyphs = Symbol::ALL.into_iter().chain(numbered);
    let mut is_glyph = glyphs.map(|glyph| (glyph.text(false), glyph.text(true)));
    (is_dots && ascii.is_ascii() && ascii != " ")
        || (is_part && ["#", "-"].contains(&ascii))
        || is_frame
        || height.is_some_and(|at| {
            ascii == heights(Theme { charset: Charset::AsciiSymbols, ..THEME })[at].to_string()
        })
        || is_glyph.any(|pair| pair == (unicode, ascii))
}
