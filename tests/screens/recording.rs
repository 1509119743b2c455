//! The compact text form of a screen in the snapshots. It covers Unicode, ASCII, and terminals without colors.
//!
//! A recording has three sections: the text of the screen in Unicode; under `roles` the roles of its cells; under
//! `ascii` the lines of the ASCII screen that are not a symbol-by-symbol replacement of the Unicode lines. The screens with
//! more, fewer and no colors are not recorded: they must have the same text and the styles of the same roles.
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
    for (number, color_depth) in OTHER_DEPTHS.into_iter().enumerate() {
        let other = draw(&mut app, Theme { color_depth, ..THEME });
        check_color_depth(name, &unicode, (number, &other), &mut letters);
    }
    let ascii = draw(&mut app, Theme { charset: Charset::AsciiSymbols, ..THEME });
    check_ascii(name, &ascii);
    let mut out = text_of(&unicode);
    out += "roles\n";
    out += &line_ranges((0..unicode.area.height).map(|y| roles(&unicode, y, &mut letters)));
    out += "ascii\n";
    for y in 0..ascii.area.height {
        if !is_line_in_ascii(&unicode, &ascii, y) {
            out += &format!("{}: {}\n", y + 1, line(&ascii, y));
        }
    }
    out
}

/// Numbered lines, each with what describes it; equal neighbors share a line, and empty descriptions are left out.
pub(crate) fn line_ranges(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    let (mut out, mut first) = (String::new(), 1);
    for same in lines.chunk_by(|a, b| a == b) {
        let last = first + same.len() - 1;
        let numbers = if first == last { first.to_string() } else { format!("{first}-{last}") };
        if !same[0].is_empty() {
            out += &format!("{numbers}: {}\n", same[0]);
        }
        first = last + 1;
    }
    out
}

/// `3a 2.` for three cells with letter a and two plain ones; plain cells at the end are left out.
pub(crate) fn run_lengths(letters: impl Iterator<Item = String>) -> String {
    let letters: Vec<String> = letters.collect();
    let mut runs: Vec<String> =
        letters.chunk_by(|a, b| a == b).map(|run| format!("{}{}", run.len(), run[0])).collect();
    if runs.last().is_some_and(|run| run.ends_with('.')) {
        runs.pop();
    }
    runs.join(" ")
}

/// The roles of the cells of a line.
fn roles(buffer: &Buffer, y: u16, letters: &mut StyleLetters) -> String {
    run_lengths((0..buffer.area.width).map(|x| letters.letters(cell_style(&buffer[(x, y)]))))
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

/// The terminals with another number of colors than [`THEME`].
const OTHER_DEPTHS: [ColorDepth; 3] = [ColorDepth::TrueColor, ColorDepth::Ansi16, ColorDepth::None];

/// All styles of cells: roles, dimmed roles, and roles drawn over another.
struct Styles {
    /// Letters, the style of [`THEME`], and those of [`OTHER_DEPTHS`].
    all: Vec<(String, CellStyle, [CellStyle; 3])>,
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
        let themes = OTHER_DEPTHS.map(|color_depth| Theme { color_depth, ..THEME });
        let dim = |style: Style| style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM);
        let named = |role: Role| (THEME.style(role), themes.map(|theme| theme.style(role)));
        let one: Vec<(String, (Style, [Style; 3]))> =
            letters().map(|(role, letter)| (letter.to_string(), named(role))).collect();
        let dimmed = one
            .iter()
            .map(|(letter, (style, others))| (format!("{letter}'"), (dim(*style), others.map(dim))));
        let one: Vec<_> = one.iter().cloned().chain(dimmed).collect();
        let overlaid = one.iter().flat_map(|(lower, (style, others))| {
            one.iter().map(move |(upper, (upper_style, upper_others))| {
                let others = std::array::from_fn(|depth| others[depth].patch(upper_others[depth]));
                (format!("{upper}/{lower}"), (style.patch(*upper_style), others))
            })
        });
        let all = one.iter().cloned().chain(overlaid);
        Styles {
            all: all
                .map(|(letters, (style, others))| (letters, style_of(style), others.map(style_of)))
                .collect(),
        }
    }
}

/// Maps styles of cells to letters, with a cache.
struct StyleLetters {
    styles: Styles,
    letters: HashMap<CellStyle, String>,
    pairs: HashSet<(CellStyle, usize, CellStyle)>,
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

    /// Whether a style of [`THEME`] and one with another number of colors are of the same role.
    fn is_same_role(&mut self, style: CellStyle, depth: usize, other: CellStyle) -> bool {
        if self.pairs.contains(&(style, depth, other)) {
            return true;
        }
        let is_found = self.styles.all.iter().any(|(_, a, b)| (*a, b[depth]) == (style, other));
        is_found && self.pairs.insert((style, depth, other))
    }
}

/// Whether a symbol is a piece of a curve.
fn is_dots(symbol: &str) -> bool {
    !symbol.is_empty() && symbol.chars().all(|c| ('\u{2800}'..='\u{28ff}').contains(&c))
}

/// Whether a symbol marks a point of a curve.
fn is_marker(symbol: &str) -> bool {
    (0..60).any(|number| Symbol::Run(number).text(false) == symbol)
}

/// Checks that with the number of colors of [`OTHER_DEPTHS`] at `depth` the symbols are the same and the styles are those of
/// the same role.
#[track_caller]
fn check_color_depth(
    name: &str,
    unicode: &Buffer,
    (depth, other): (usize, &Buffer),
    letters: &mut StyleLetters,
) {
    let has_colors = OTHER_DEPTHS[depth] != ColorDepth::None;
    let is_patterned = OTHER_DEPTHS[depth] != ColorDepth::TrueColor;
    let what = format!("{name} with {:?}", OTHER_DEPTHS[depth]);
    for (cell, other) in unicode.content.iter().zip(&other.content) {
        assert!(has_colors || (other.fg, other.bg) == (Color::Reset, Color::Reset), "{what}: {other:?}");
        // Curves have other patterns where colors do not distinguish all of them.
        if is_patterned && [cell, other].into_iter().any(|cell| is_dots(cell.symbol())) {
            continue;
        }
        assert_eq!(cell.symbol(), other.symbol(), "{what}");
        // The marker of a curve has the style of the pattern that is drawn over it.
        if is_patterned && is_marker(cell.symbol()) {
            continue;
        }
        let is_same = letters.is_same_role(cell_style(cell), depth, cell_style(other));
        assert!(is_same, "{what}: {cell:?} is {other:?}");
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
