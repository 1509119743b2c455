//! The theme: styles of roles, and symbols. No other module of the interface names a color or draws its own symbols.
//!
//! A [`Scheme`] has the colors of the roles. The [`Theme`] adapts them to the terminal: true color, 256 colors,
//! the basic 16, or none (`NO_COLOR`), where modifiers distinguish the roles. Without Unicode, symbols are ASCII.

mod built_in;
mod quantize;
mod role;
mod scheme;
mod symbols;
mod user;

pub use crate::terminal_caps::{Charset, ColorDepth};
pub use built_in::{BUILT_IN, DARK, LIGHT};
pub use role::{CURVES, Role};
pub use scheme::{Paint, Scheme};
pub use symbols::{EIGHTHS, FILLS, QUARTERS, Symbol};

use crate::terminal_caps::{Background, TerminalCaps};
use ratatui::buffer::Buffer;
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;

/// How charts are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charts {
    /// Braille, with two by four dots per cell.
    #[default]
    Braille,
    /// Quarters of a cell, for fonts without braille.
    Blocks,
    /// ASCII.
    Ascii,
}

/// Styles and symbols of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The colors of the roles.
    pub scheme: &'static Scheme,
    /// The colors that the terminal supports.
    pub color_depth: ColorDepth,
    /// The characters that the terminal supports.
    pub charset: Charset,
    /// How charts are drawn with Unicode.
    pub charts: Charts,
}

impl Theme {
    /// The dark theme for a terminal.
    pub const fn new(color_depth: ColorDepth, charset: Charset) -> Theme {
        Theme { scheme: &DARK, color_depth, charset, charts: Charts::Braille }
    }

    /// The default theme for a terminal.
    pub fn of(caps: TerminalCaps) -> Theme {
        let theme = Theme::new(caps.color_depth, caps.charset);
        theme.on(caps.background.unwrap_or(Background::Dark))
    }

    /// The default colors for a background.
    pub fn on(self, background: Background) -> Theme {
        let scheme = match background {
            Background::Light => &LIGHT,
            Background::Dark => &DARK,
        };
        Theme { scheme, ..self }
    }

    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        match self.color_depth {
            ColorDepth::None => uncolored(role),
            color_depth => self.scheme.paint(role).style(color_depth),
        }
    }

    /// The color of a role as in CSS, for a file: `#rrggbb`. Roles without a color have that of text.
    pub fn css(self, role: Role) -> String {
        let color = self.scheme.paint(role).fg.and_then(quantize::rgb);
        let default = if self.scheme.is_light() { [0x1f, 0x23, 0x28] } else { [0xd5, 0xd9, 0xe0] };
        css(color.unwrap_or(default))
    }

    /// The background of a file with the colors of this theme, as in CSS.
    pub fn css_background(self) -> String {
        css(if self.scheme.is_light() { [0xff; 3] } else { [0x14, 0x17, 0x1c] })
    }

    /// A fainter style of a role, for the background of a chart.
    pub fn faint(self, role: Role) -> Style {
        match role {
            Role::Train => self.style(Role::TrainRaw),
            role => self.style(role).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM),
        }
    }

    /// Whether symbols are ASCII.
    pub fn is_ascii(self) -> bool {
        self.charset != Charset::Unicode
    }

    /// How charts are drawn on this terminal.
    pub fn charts(self) -> Charts {
        if self.is_ascii() { Charts::Ascii } else { self.charts }
    }

    /// The text of a symbol.
    pub fn symbol(self, symbol: Symbol) -> &'static str {
        symbol.text(self.is_ascii())
    }

    /// The bars of sparklines, from the lowest to the highest.
    pub fn heights(self) -> [char; 7] {
        symbols::heights(self.is_ascii())
    }

    /// The border of panes.
    pub fn border(self) -> border::Set<'static> {
        symbols::frame(self.is_ascii())
    }

    /// Replaces characters that the terminal does not support by `?`; the last step of drawing a frame. Control
    /// characters of external text have been replaced by Unicode symbols before.
    pub fn finish(self, buffer: &mut Buffer) {
        if self.charset == Charset::Unicode {
            return;
        }
        for cell in &mut buffer.content {
            let is_unsupported = |c: char| match self.charset {
                Charset::Ascii => !c.is_ascii(),
                _ => matches!(c, '\u{2400}'..='\u{2421}' | '\u{fffd}'),
            };
            if cell.symbol().contains(is_unsupported) {
                cell.set_symbol("?");
            }
        }
    }
}

fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Styles without colors, where modifiers distinguish the roles.
fn uncolored(role: Role) -> Style {
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
    fn styles_without_colors_use_modifiers() {
        let theme = Theme::new(ColorDepth::None, Charset::Unicode);
        for role in Role::all() {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert_ne!(theme.style(Role::Warning), theme.style(Role::Text));
    }

    #[test]
    fn colors_of_a_file_are_those_of_the_scheme() {
        let dark = Theme::new(ColorDepth::None, Charset::Ascii);
        let light = Theme { scheme: &LIGHT, ..dark };
        assert_eq!([dark.css(Role::Train), light.css(Role::Train)], ["#5fafd7", "#005faf"]);
        assert_eq!([dark.css_background(), light.css_background()], ["#14171c", "#ffffff"]);
        assert_eq!(BUILT_IN.map(Scheme::is_light), [false, true, false, true]);
    }

    #[test]
    fn light_background_selects_light_theme() {
        let caps = TerminalCaps {
            color_depth: ColorDepth::Ansi256,
            charset: Charset::Unicode,
            background: Some(Background::Light),
            clipboard: crate::terminal_caps::Clipboard::None,
            accepts_queries: true,
        };
        assert_eq!(Theme::of(caps).scheme.name, "light");
        assert_eq!(Theme::of(TerminalCaps { background: None, ..caps }).scheme.name, "dark");
    }

    #[test]
    fn unsupported_characters_become_question_marks() {
        let area = Rect::new(0, 0, 6, 1);
        let drawn = |charset| {
            let mut buffer = Buffer::empty(area);
            buffer.set_string(0, 0, "a日é␛b", Style::new());
            Theme::new(ColorDepth::None, charset).finish(&mut buffer);
            (0..6).map(|x| buffer[(x, 0)].symbol().to_string()).collect::<String>()
        };
        assert_eq!(drawn(Charset::Unicode), "a日 é␛b");
        assert_eq!(drawn(Charset::AsciiSymbols), "a日 é?b");
        assert_eq!(drawn(Charset::Ascii), "a? ??b");
    }
}
