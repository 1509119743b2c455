//! Snapshots of the main screens and dialogs on terminals of each kind: the colors and modifiers of every cell, and the text
//! where it may differ from that of [`super::recording`].
//!
//! Under `styles`, `3-5: 1a 20. 4b` means that lines 3 to 5 start with 1 cell of style a, 20 of the terminal's own and 4 of
//! style b, which are listed at the end.

use super::recording::{draw, line_ranges, run_lengths, text_of};
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// The names of the snapshots.
pub(crate) const SCREENS: [&str; 20] = [
    "choice",
    "compare",
    "data",
    "error",
    "form",
    "help",
    "infer",
    "insight",
    "live",
    "live-diagnosis",
    "live-probes",
    "live-seeds",
    "machine-gpus",
    "open",
    "palette",
    "queue",
    "quit",
    "runs",
    "runs-failed",
    "value",
];
const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// A kind of terminal: its name, its theme, and whether its text differs from that with 256 colors.
const TERMINALS: [(&str, Theme, bool); 4] = [
    ("true color", Theme::new(ColorDepth::TrueColor, Charset::Unicode), false),
    ("16 colors", Theme::new(ColorDepth::Ansi16, Charset::Unicode), true),
    ("no colors", Theme::new(ColorDepth::None, Charset::Unicode), true),
    ("ASCII", Theme::new(ColorDepth::Ansi16, Charset::Ascii), true),
];

/// The name of the snapshot of a screen on all terminals.
pub(crate) fn snapshot_name(screen: &str) -> String {
    format!("{screen}-on-terminals")
}

/// The recording of a screen on all terminals.
pub(crate) fn recording(build: impl Fn(u16, u16) -> App) -> String {
    let mut out = String::new();
    let mut styles = Vec::new();
    for (terminal, theme, has_own_text) in TERMINALS {
        for (width, height) in SIZES {
            let buffer = draw(&mut build(width, height), theme);
            out += &format!("{terminal} {width}x{height}\n");
            if has_own_text {
                out += &text_of(&buffer);
            }
            out += "styles\n";
            out += &line_ranges((0..height).map(|y| styles_of_line(&buffer, y, &mut styles)));
        }
    }
    for (letter, style) in styles.iter().enumerate() {
        out += &format!("{}: {style}\n", letters(letter));
    }
    out
}

fn styles_of_line(buffer: &Buffer, y: u16, styles: &mut Vec<String>) -> String {
    run_lengths((0..buffer.area.width).map(|x| {
        let style = describe(&buffer[(x, y)]);
        if style.is_empty() {
            return ".".to_string();
        }
        let known = styles.iter().position(|known| *known == style).unwrap_or_else(|| {
            styles.push(style);
            styles.len() - 1
        });
        letters(known)
    }))
}

/// The number as letters: a to z, then ba, bb, ….
fn letters(number: usize) -> String {
    let digit = |value: usize| char::from(b'a' + (value % 26) as u8);
    if number < 26 { digit(number).to_string() } else { letters(number / 26) + &digit(number).to_string() }
}

/// The colors and modifiers of a cell; empty for those of the terminal.
fn describe(cell: &Cell) -> String {
    let mut parts = Vec::new();
    if cell.fg != Color::Reset {
        parts.push(cell.fg.to_string());
    }
    if cell.bg != Color::Reset {
        parts.push(format!("on {}", cell.bg));
    }
    if cell.modifier != Modifier::empty() {
        parts.push(format!("{:?}", cell.modifier));
    }
    parts.join(", ")
}
