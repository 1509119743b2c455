//! A screen as it is recorded, in all the ways that a terminal may show it, in a form that stays small.
//!
//! A recording is the text of the screen in Unicode, then under `roles` what its cells mean, then under
//! `ascii` the lines of the same screen in ASCII, but only those that are more than the lines above with
//! each sign in its other form. Without colours the screen is not recorded: it must have the same text, no
//! colour, and the modifiers of the same roles.
//!
//! `3-5: 1f 20. 4s` says that the third to fifth lines begin with one cell of a frame, then 20 of plain
//! text and 4 of the line under the cursor; the rest of a line is plain. The letters are those of
//! [`letters`], with `'` for a fainter one and `k/s` for one upon another.

use super::stage::THEME;
use glue_tui::text;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, EIGHTHS, QUARTERS, Role, Symbol, Theme};
use glue_tui::tui::view;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::collections::{HashMap, HashSet};

/// What is not ASCII in the texts that the tests type and name things by is Japanese, or an e with an acute:
/// it is shown as it is everywhere.
fn is_from_outside(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{301}' | 'é' | '。')
}

/// The frame of the app, drawn in a theme.
pub(crate) fn drawn(app: &mut App, theme: Theme) -> Buffer {
    let before = std::mem::replace(&mut app.theme, theme);
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buffer = Buffer::empty(area);
    view::draw_on(app, area, &mut buffer);
    app.theme = before;
    buffer
}

/// The symbols of a line; the second cell of a wide one is none.
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
    let mut known = Known::new();
    let fancy = drawn(&mut app, THEME);
    let bare = drawn(&mut app, Theme { palette: ColorDepth::None, ..THEME });
    check_without_colour(name, &fancy, &bare, &mut known);
    let plain = drawn(&mut app, Theme { letters: Charset::AsciiSymbols, ..THEME });
    check_ascii(name, &plain);
    let mut out = text_of(&fancy);
    out += "roles\n";
    let mut first = 0;
    let rows: Vec<String> = (0..fancy.area.height).map(|y| roles(&fancy, y, &mut known)).collect();
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
    for y in 0..plain.area.height {
        if !is_line_in_ascii(&fancy, &plain, y) {
            out += &format!("{}: {}\n", y + 1, line(&plain, y));
        }
    }
    out
}

/// What the cells of a line mean.
fn roles(buffer: &Buffer, y: u16, known: &mut Known) -> String {
    let letters: Vec<String> =
        (0..buffer.area.width).map(|x| known.letters(painted(&buffer[(x, y)]))).collect();
    let mut runs: Vec<String> =
        letters.chunk_by(|a, b| a == b).map(|run| format!("{}{}", run.len(), run[0])).collect();
    if runs.last().is_some_and(|run| run.ends_with('.')) {
        runs.pop();
    }
    runs.join(" ")
}

/// How a cell is painted.
type Painted = (Color, Color, Modifier);

fn painted(cell: &Cell) -> Painted {
    (cell.fg, cell.bg, cell.modifier)
}

fn painted_as(style: Style) -> Painted {
    let plain = |colour: Option<Color>| colour.unwrap_or(Color::Reset);
    (plain(style.fg), plain(style.bg), style.add_modifier)
}

/// The ways that a cell may be painted: as a role, as a fainter one, or as a role upon another.
struct Ways {
    /// The letters of each, the style with colours and the one without.
    all: Vec<(String, Painted, Painted)>,
}

/// The letter of each role; roles that look alike have one.
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

impl Ways {
    fn new() -> Ways {
        let bare = Theme { palette: ColorDepth::None, ..THEME };
        let faint = |style: Style| style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM);
        let one: Vec<(String, Style, Style)> = letters()
            .map(|(role, letter)| (letter.to_string(), THEME.style(role), bare.style(role)))
            .collect();
        let fainter =
            one.iter().map(|(letter, rich, none)| (format!("{letter}'"), faint(*rich), faint(*none)));
        let one: Vec<_> = one.iter().cloned().chain(fainter).collect();
        let upon = one.iter().flat_map(|(lower, rich, none)| {
            one.iter().map(move |(upper, over, over_none)| {
                (format!("{upper}/{lower}"), rich.patch(*over), none.patch(*over_none))
            })
        });
        let all = one.iter().cloned().chain(upon);
        Ways { all: all.map(|(letters, rich, none)| (letters, painted_as(rich), painted_as(none))).collect() }
    }
}

/// What is known of how cells are painted.
struct Known {
    ways: Ways,
    letters: HashMap<Painted, String>,
    pairs: HashSet<(Painted, Painted)>,
}

impl Known {
    fn new() -> Known {
        Known { ways: Ways::new(), letters: HashMap::new(), pairs: HashSet::new() }
    }

    /// The letters of what a cell is painted as.
    #[track_caller]
    fn letters(&mut self, cell: Painted) -> String {
        let ways = &self.ways;
        let found = self.letters.entry(cell).or_insert_with(|| {
            let way = ways.all.iter().find(|(_, rich, _)| *rich == cell);
            way.unwrap_or_else(|| panic!("{cell:?} is painted as no role")).0.clone()
        });
        found.clone()
    }

    /// Whether both mean the same, the one with colours and the other without.
    fn are_alike(&mut self, rich: Painted, none: Painted) -> bool {
        if self.pairs.contains(&(rich, none)) {
            return true;
        }
        let is_found = self.ways.all.iter().any(|(_, a, b)| (*a, *b) == (rich, none));
        is_found && self.pairs.insert((rich, none))
    }
}

/// Without colours there are the same signs, and the modifiers of what the cell is painted as.
#[track_caller]
fn check_without_colour(name: &str, fancy: &Buffer, bare: &Buffer, known: &mut Known) {
    for (cell, bare) in fancy.content.iter().zip(&bare.content) {
        assert_eq!(cell.symbol(), bare.symbol(), "{name} without colours");
        assert_eq!((bare.fg, bare.bg), (Color::Reset, Color::Reset), "{name} without colours: {bare:?}");
        let is_alike = known.are_alike(painted(cell), painted(bare));
        assert!(is_alike, "{name}: {cell:?} is {bare:?} without colours");
    }
}

/// In ASCII there is nothing else, but for what comes from outside.
#[track_caller]
fn check_ascii(name: &str, plain: &Buffer) {
    let text = text_of(plain);
    let strange: String = text.chars().filter(|c| !c.is_ascii() && !is_from_outside(*c)).collect();
    assert!(strange.is_empty(), "{name} in ASCII has {strange:?}:\n{text}");
}

/// Whether a line in ASCII is the one in Unicode, each sign in its other form and painted alike.
fn is_line_in_ascii(fancy: &Buffer, plain: &Buffer, y: u16) -> bool {
    (0..fancy.area.width).all(|x| {
        let (cell, other) = (&fancy[(x, y)], &plain[(x, y)]);
        let is_alike = (cell.fg, cell.bg, cell.modifier) == (other.fg, other.bg, other.modifier);
        is_alike && is_other_form(cell.symbol(), other.symbol())
    })
}

fn is_other_form(fancy: &str, plain: &str) -> bool {
    let Some(c) = fancy.chars().next().filter(|c| !c.is_ascii()) else { return fancy == plain };
    if is_from_outside(c) {
        return fancy == plain;
    }
    let heights = |theme: Theme| theme.heights();
    let height = heights(THEME).iter().position(|height| *height == c);
    let frames = [THEME.border(), Theme { letters: Charset::AsciiSymbols, ..THEME }.border()].map(|set| {
        [
            set.top_left,
            set.top_right,
            set.bottom_left,
            set.bottom_right,
            set.vertical_left,
            set.horizontal_top,
        ]
    });
    let is_frame = frames[0].iter().zip(frames[1]).any(|(a, b)| (*a, b) == (fancy, plain));
    let is_dots = ('\u{2800}'..='\u{28ff}').contains(&c) || QUARTERS.contains(&c);
    let is_part = EIGHTHS.contains(&fancy);
    let numbered = (0..60).map(Symbol::Run).chain((0..8).map(Symbol::Fill));
    let glyphs = Symbol::ALL.into_iter().chain(numbered);
    let mut is_glyph = glyphs.map(|glyph| (glyph.text(false), glyph.text(true)));
    (is_dots && plain.is_ascii() && plain != " ")
        || (is_part && ["#", "-"].contains(&plain))
        || is_frame
        || height.is_some_and(|at| {
            plain == heights(Theme { letters: Charset::AsciiSymbols, ..THEME })[at].to_string()
        })
        || is_glyph.any(|pair| pair == (fancy, plain))
}
