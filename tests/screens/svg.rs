//! Renders a terminal buffer as an SVG that looks the same in browsers and in librsvg: every character has
//! its own x position, so the font does not matter, and borders, bars and curves are paths, so that they join.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

/// Width and height of a cell in pixels.
const CELL: (f64, f64) = (8.4, 17.0);
/// Font size in pixels.
const FONT: f64 = 14.0;
/// Distance from the top of a cell to the text baseline.
const BASE: f64 = 12.8;
/// Margin around the screen.
const MARGIN: f64 = 12.0;
/// Stroke width of borders.
const LINE: f64 = 1.1;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d5d9e0";
/// The 16 ANSI colors, whose values the terminal chooses.
const BASIC: [&str; 16] = [
    "#1d2026", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4", "#5c6370",
    "#ff7b86", "#b5e08d", "#ffd68a", "#7cc4ff", "#dc8cf0", "#6fd3de", "#ffffff",
];

/// Foreground style of a cell.
#[derive(PartialEq, Clone)]
struct Ink {
    color: String,
    is_bold: bool,
    is_dim: bool,
}

/// Renders `buffer`, one line of SVG for each row, so that a diff shows which rows changed.
pub(crate) fn svg(buffer: &Buffer, title: &str) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" font-size=\"{FONT}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        number(width),
        number(height),
        escaped(title),
    );
    for y in 0..rows {
        let top = MARGIN + f64::from(y) * CELL.1;
        let row = Row::of(buffer, y);
        let drawn = row.draw();
        if !drawn.is_empty() {
            writeln!(out, "<g transform=\"translate({} {})\">{drawn}</g>", number(MARGIN), number(top))
                .unwrap();
        }
    }
    out + "</svg>\n"
}

/// The cells of a row: column, symbol, ink, background.
struct Row {
    cells: Vec<(u16, String, Ink, Option<String>)>,
}

impl Row {
    fn of(buffer: &Buffer, y: u16) -> Row {
        let mut cells = Vec::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let cell = &buffer[(x, y)];
            skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            let (ink, background) = inks(cell);
            cells.push((x, cell.symbol().to_string(), ink, background));
        }
        Row { cells }
    }

    /// Draws backgrounds first, then paths, then text; cells of one ink share an element.
    fn draw(&self) -> String {
        let mut out = String::new();
        for group in self.cells.chunk_by(|a, b| a.3 == b.3) {
            if let Some(background) = &group[0].3 {
                let (x, end) = (left(group[0].0), left(group[group.len() - 1].0 + 1));
                let (x, width, height) = (number(x), number(end - x), number(CELL.1));
                write!(out, "<rect x=\"{x}\" width=\"{width}\" height=\"{height}\" fill=\"{background}\"/>")
                    .unwrap();
            }
        }
        let mut inks: Vec<&Ink> = Vec::new();
        for (_, symbol, ink, _) in &self.cells {
            if symbol != " " && !inks.contains(&ink) {
                inks.push(ink);
            }
        }
        for ink in inks {
            let (mut strokes, mut dots, mut fills) = (String::new(), String::new(), String::new());
            let mut text = Vec::new();
            let mut bar: Option<(u16, u16)> = None;
            for (x, symbol, _, _) in self.cells.iter().filter(|cell| cell.2 == *ink && cell.1 != " ") {
                let c = symbol.chars().next().unwrap_or(' ');
                // Adjacent horizontal segments become one stroke.
                if c == '─' {
                    bar = match bar {
                        Some((from, to)) if to == *x => Some((from, x + 1)),
                        other => {
                            flush(&mut strokes, other);
                            Some((*x, x + 1))
                        }
                    };
                } else if let Some(path) = frame(c, left(*x)) {
                    strokes += &path;
                } else if let Some(path) = braille(c, left(*x)) {
                    dots += &path;
                } else if let Some(path) = block(c, left(*x)) {
                    fills += &path;
                } else {
                    text.push((*x, symbol.as_str()));
                }
            }
            flush(&mut strokes, bar);
            let shade = if ink.is_dim { " opacity=\".6\"" } else { "" };
            let color = &ink.color;
            if !strokes.is_empty() {
                write!(
                    out,
                    "<path d=\"{strokes}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{LINE}\"{shade}/>"
                )
                .unwrap();
            }
            if !dots.is_empty() {
                write!(out, "<path d=\"{dots}\" stroke=\"{color}\" stroke-width=\"2.3\" stroke-linecap=\"round\"{shade}/>").unwrap();
            }
            if !fills.is_empty() {
                write!(out, "<path d=\"{fills}\" fill=\"{color}\"{shade}/>").unwrap();
            }
            let weight = if ink.is_bold { " font-weight=\"700\"" } else { "" };
            for (xs, characters) in segments(&text) {
                let (xs, characters) = (xs.join(" "), escaped(&characters));
                write!(
                    out,
                    "<text y=\"{BASE}\" x=\"{xs}\" fill=\"{color}\"{weight}{shade}>{characters}</text>"
                )
                .unwrap();
            }
        }
        out
    }
}

/// Splits the characters of a row into segments without wide gaps, and returns the x position of each character
/// with the text. A single blank between words is a character with a position of its own: librsvg uses only
/// the first position of an element and would join the words otherwise.
fn segments(cells: &[(u16, &str)]) -> Vec<(Vec<String>, String)> {
    let mut segments: Vec<(Vec<String>, String)> = Vec::new();
    let mut end = None;
    for (x, symbol) in cells {
        let gap = end.map_or(u16::MAX, |end| x - end);
        end = Some(x + unicode_width::UnicodeWidthStr::width(*symbol).max(1) as u16);
        match segments.last_mut() {
            Some((xs, text)) if gap <= 1 => {
                if gap == 1 {
                    xs.push(number(left(x - 1)));
                    text.push(' ');
                }
                xs.push(number(left(*x)));
                *text += symbol;
            }
            _ => segments.push((vec![number(left(*x))], (*symbol).to_owned())),
        }
    }
    segments
}

#[test]
fn blanks_between_words_are_characters() {
    let cells = [(0, "a"), (1, "b"), (3, "c"), (6, "d")];
    let texts: Vec<String> = segments(&cells).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["ab c", "d"]);
    for (xs, text) in segments(&cells) {
        assert_eq!(xs.len(), text.chars().count(), "{text}");
    }
}

fn flush(strokes: &mut String, bar: Option<(u16, u16)>) {
    if let Some((from, to)) = bar {
        write!(strokes, "M{} {}H{}", number(left(from)), number(CELL.1 / 2.0), number(left(to))).unwrap();
    }
}

fn left(x: u16) -> f64 {
    f64::from(x) * CELL.0
}

/// At most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The ink of a cell, and its background where that differs from the default.
fn inks(cell: &Cell) -> (Ink, Option<String>) {
    let has = |modifier| cell.modifier.contains(modifier);
    let mut color = color(cell.fg);
    let mut background = background_color(cell);
    if has(Modifier::REVERSED) {
        let before = background.replace(color.clone().unwrap_or_else(|| FOREGROUND.into()));
        color = Some(before.unwrap_or_else(|| BACKGROUND.into()));
    }
    let ink = Ink {
        color: color.unwrap_or_else(|| FOREGROUND.into()),
        is_bold: has(Modifier::BOLD),
        is_dim: has(Modifier::DIM),
    };
    (ink, background)
}

fn background_color(cell: &Cell) -> Option<String> {
    color(cell.bg)
}

/// `None` for the default color of the terminal.
fn color(color: Color) -> Option<String> {
    let index = match color {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Indexed(index) => usize::from(index),
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    Some(match index {
        0..16 => BASIC[index].into(),
        16..232 => {
            let level = |n: usize| if n == 0 { 0 } else { 55 + 40 * n };
            let cube = index - 16;
            format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        _ => {
            let gray = 8 + 10 * (index - 232);
            format!("#{gray:02x}{gray:02x}{gray:02x}")
        }
    })
}

/// The strokes of a box-drawing character.
fn frame(c: char, x: f64) -> Option<String> {
    let (w, h) = CELL;
    let (cx, cy, right) = (x + w / 2.0, h / 2.0, x + w);
    let n = number;
    let (to_left, to_right) =
        (format!("M{} {}H{}", n(cx), n(cy), n(x)), format!("M{} {}H{}", n(cx), n(cy), n(right)));
    let (up, down) = (format!("M{} {}V0", n(cx), n(cy)), format!("M{} {}V{}", n(cx), n(cy), n(h)));
    let across = format!("M{} {}H{}", n(x), n(cy), n(right));
    let along = format!("M{} 0V{}", n(cx), n(h));
    // A rounded corner between the middles of two sides.
    let corner =
        |side: f64, end: f64| format!("M{} {}Q{} {} {} {}", n(side), n(cy), n(cx), n(cy), n(cx), n(end));
    Some(match c {
        '━' => across,
        '│' | '┃' => along,
        '┊' => [0.06, 0.39, 0.72].map(|from| format!("M{} {}v{}", n(cx), n(from * h), n(0.2 * h))).concat(),
        '╭' => corner(right, h),
        '╮' => corner(x, h),
        '╰' => corner(right, 0.0),
        '╯' => corner(x, 0.0),
        '┌' => to_right + &down,
        '┐' => to_left + &down,
        '└' => to_right + &up,
        '┘' => to_left + &up,
        '├' => along + &to_right,
        '┤' => along + &to_left,
        '┬' => across + &down,
        '┴' => across + &up,
        '┼' => across + &along,
        '╌' => {
            let dash = |from: f64, to: f64| format!("M{} {}H{}", n(x + from * w), n(cy), n(x + to * w));
            dash(0.1, 0.4) + &dash(0.6, 0.9)
        }
        _ => return None,
    })
}

/// The dots of a braille character: four rows of two.
fn braille(c: char, x: f64) -> Option<String> {
    let bits = (c as u32).checked_sub(0x2800).filter(|bits| *bits < 256)?;
    let (w, h) = CELL;
    let mut out = String::new();
    for (bit, (column, row)) in
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)].into_iter().enumerate()
    {
        if bits >> bit & 1 == 1 {
            let dot = (x + w * (0.25 + 0.5 * f64::from(column)), h * (0.125 + 0.25 * f64::from(row)));
            write!(out, "M{} {}h0", number(dot.0), number(dot.1)).unwrap();
        }
    }
    Some(out)
}

/// The filled part of a block element.
fn block(c: char, x: f64) -> Option<String> {
    let (w, h) = CELL;
    let part = |x: f64, y: f64, w: f64, h: f64| {
        format!("M{} {}h{}v{}h{}z", number(x), number(y), number(w), number(h), number(-w))
    };
    Some(match c {
        '█' => part(x, 0.0, w, h),
        '▁'..='▇' => {
            let eighths = f64::from(c as u32 - '▁' as u32 + 1) / 8.0;
            part(x, h * (1.0 - eighths), w, h * eighths)
        }
        '▉'..='▏' => part(x, 0.0, w * f64::from('▏' as u32 - c as u32 + 1) / 8.0, h),
        '▔' => part(x, 0.0, w, h / 8.0),
        _ => return None,
    })
}
