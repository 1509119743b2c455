//! Roles → styles and signs. No other room of the interface names a colour or draws a sign of its own.
//!
//! A [`Scheme`] says the colours of the roles; the [`Theme`] fits them to what the terminal can show: any
//! colour, 256, its own 16, or none (`NO_COLOR`), where modifiers carry the meaning. A terminal without
//! Unicode gets plain characters.

mod built_in;
mod quantize;
mod role;
mod scheme;
mod symbols;
mod user;

pub use crate::terminal_caps::{Charset, Palette};
pub use built_in::{BUILT_IN, DARK, LIGHT};
pub use role::{CURVES, Role};
pub use scheme::{Paint, Scheme};
pub use symbols::{EIGHTHS, FILLS, QUARTERS, Symbol};

use crate::terminal_caps::{Background, TerminalCaps};
use ratatui::buffer::Buffer;
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;

/// How curves and bars are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charts {
    /// In braille, two by four dots a cell.
    #[default]
    Braille,
    /// In quarters of a cell, for fonts without braille.
    Blocks,
    /// In ASCII.
    Ascii,
}

/// Styles and signs of the whole interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The colours of the roles.
    pub scheme: &'static Scheme,
    /// How many colours there are.
    pub palette: Palette,
    /// Which characters reach the screen.
    pub letters: Charset,
    /// How curves are drawn.
    pub charts: Charts,
}

impl Theme {
    /// The dark theme on such a terminal.
    pub const fn new(palette: Palette, letters: Charset) -> Theme {
        Theme { scheme: &DARK, palette, letters, charts: Charts::Braille }
    }

    /// The theme that suits a terminal when nobody has chosen one.
    pub fn of(abilities: TerminalCaps) -> Theme {
        let scheme = match abilities.background {
            Some(Background::Light) => &LIGHT,
            _ => &DARK,
        };
        Theme { scheme, ..Theme::new(abilities.palette, abilities.letters) }
    }

    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        match self.palette {
            Palette::None => uncoloured(role),
            palette => self.scheme.paint(role).style(palette),
        }
    }

    /// The style of a role for what lies behind: of the same colour, but fainter.
    pub fn faint(self, role: Role) -> Style {
        match role {
            Role::Train => self.style(Role::TrainRaw),
            role => self.style(role).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM),
        }
    }

    /// Whether the signs are ASCII.
    pub fn is_ascii(self) -> bool {
        self.letters != Charset::Unicode
    }

    /// How curves are drawn on this terminal.
    pub fn charts(self) -> Charts {
        if self.is_ascii() { Charts::Ascii } else { self.charts }
    }

    /// A sign.
    pub fn glyph(self, glyph: Symbol) -> &'static str {
        glyph.text(self.is_ascii())
    }

    /// Little bars from the lowest to the highest.
    pub fn heights(self) -> [char; 8] {
        symbols::heights(self.is_ascii())
    }

    /// The lines of frames.
    pub fn border(self) -> border::Set<'static> {
        symbols::frame(self.is_ascii())
    }

    /// The last thing done to a frame: takes out what the terminal has no characters for. Hostile
    /// characters of text from outside were replaced by signs of Unicode where they were drawn.
    pub fn finish(self, buffer: &mut Buffer) {
        if self.letters == Charset::Unicode {
            return;
        }
        for cell in &mut buffer.content {
            let is_strange = |c: char| match self.letters {
                Charset::Ascii => !c.is_ascii(),
                _ => matches!(c, '\u{2400}'..='\u{2421}' | '\u{fffd}'),
            };
            if cell.symbol().contains(is_strange) {
                cell.set_symbol("?");
            }
        }
    }
}

/// Styles without colour: modifiers tell roles apart.
fn uncoloured(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Text | Role::Frame | Role::Train | Role::Test | Role::Bar | Role::Curve(_) => style,
        Role::Muted | Role::TrainRaw | Role::Empty => style.add_modifier(Modifier::DIM),
        Role::Focus | Role::Title | Role::Key | Role::Validation | Role::Best => {
            style.add_modifier(Modifier::BOLD)
        }
        Role::Warning => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Error => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn without_colour_no_style_has_one() {
        let theme = Theme::new(Palette::None, Charset::Unicode);
        for role in Role::all() {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert_ne!(theme.style(Role::Warning), theme.style(Role::Text));
    }

    #[test]
    fn a_light_terminal_gets_the_light_theme() {
        let abilities = TerminalCaps {
            palette: Palette::Rich,
            letters: Charset::Unicode,
            background: Some(Background::Light),
        };
        assert_eq!(Theme::of(abilities).scheme.name, "light");
        assert_eq!(Theme::of(TerminalCaps { background: None, ..abilities }).scheme.name, "dark");
    }

    #[test]
    fn what_a_terminal_has_no_characters_for_becomes_question_marks() {
        let area = Rect::new(0, 0, 6, 1);
        let drawn = |letters| {
            let mut buffer = Buffer::empty(area);
            buffer.set_string(0, 0, "a日é␛b", Style::new());
            Theme::new(Palette::None, letters).finish(&mut buffer);
            (0..6).map(|x| buffer[(x, 0)].symbol().to_string()).collect::<String>()
        };
        assert_eq!(drawn(Charset::Unicode), "a日 é␛b");
        assert_eq!(drawn(Charset::Plain), "a日 é?b");
        assert_eq!(drawn(Charset::Ascii), "a? ??b");
    }
}
