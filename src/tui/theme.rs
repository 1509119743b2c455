//! Roles → styles and signs. No other file of the interface names a colour.
//!
//! Three palettes: 256 colours, the terminal's own 16, and none (`NO_COLOR`), where modifiers
//! carry the meaning. A terminal without Unicode gets plain characters.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important than the rest.
    Muted,
    /// Frames around panes.
    Frame,
    /// The frame of the pane that takes the keys.
    Focus,
    /// Titles of panes.
    Title,
    /// A key to press.
    Key,
    /// Anything of the training split.
    Train,
    /// The raw training loss behind the smoothed one.
    TrainRaw,
    /// Anything of the validation split.
    Validation,
    /// Anything of the test split.
    Test,
    /// The best so far, success.
    Best,
    /// Cause for concern.
    Warning,
    /// Something went wrong.
    Error,
    /// The line under the cursor.
    Selected,
    /// The filled part of a bar.
    Bar,
    /// The empty part of a bar.
    Empty,
    /// One of several runs; the number is below [`CURVES`].
    Curve(u8),
}

/// Styles that runs are told apart by.
pub const CURVES: u8 = 10;

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// None: modifiers only.
    None,
    /// The terminal's own 16.
    Basic,
    /// The 256 indexed ones.
    Rich,
}

/// Styles and signs of the whole interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// How many colours there are.
    pub palette: Palette,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

const BASIC_CURVES: [Color; CURVES as usize] = [
    Color::Cyan,
    Color::Yellow,
    Color::Magenta,
    Color::Green,
    Color::Red,
    Color::Blue,
    Color::LightCyan,
    Color::LightYellow,
    Color::LightMagenta,
    Color::LightGreen,
];
/// Far apart in hue, alike in lightness.
const RICH_CURVES: [u8; CURVES as usize] = [74, 214, 176, 114, 203, 80, 222, 141, 209, 151];

impl Theme {
    /// What the terminal can show, from its environment variables.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Theme {
        let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_default();
        let plain_terminal = matches!(term.as_str(), "linux" | "dumb" | "vt100" | "vt220");
        let palette = if set("NO_COLOR") || matches!(term.as_str(), "dumb" | "vt100" | "vt220") {
            Palette::None
        } else if set("COLORTERM")
            || term.contains("256")
            || term.contains("kitty")
            || term.contains("direct")
        {
            Palette::Rich
        } else {
            Palette::Basic
        };
        Theme { palette, ascii: plain_terminal || set("GLUE_TUI_ASCII") }
    }

    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        match self.palette {
            Palette::None => uncoloured(role),
            Palette::Basic => basic(role),
            Palette::Rich => rich(role),
        }
    }

    /// The style of a role for what lies behind: of the same colour, but fainter.
    pub fn faint(self, role: Role) -> Style {
        match role {
            Role::Train => self.style(Role::TrainRaw),
            role => self.style(role).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM),
        }
    }

    /// `fancy`, or `plain` on a terminal without Unicode.
    pub fn sign(self, fancy: &'static str, plain: &'static str) -> &'static str {
        if self.ascii { plain } else { fancy }
    }

    /// The lines of frames.
    pub fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::ROUNDED }
    }
}

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

fn basic(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Text => style,
        Role::Muted | Role::Frame | Role::Empty => style.fg(Color::DarkGray),
        Role::Focus | Role::Train | Role::Bar => style.fg(Color::Cyan),
        Role::Title => style.add_modifier(Modifier::BOLD),
        Role::Key => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::TrainRaw => style.fg(Color::Blue),
        Role::Validation => style.fg(Color::Yellow),
        Role::Test => style.fg(Color::Magenta),
        Role::Best => style.fg(Color::Green).add_modifier(Modifier::BOLD),
        Role::Warning => style.fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Role::Error => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
        Role::Curve(number) => style.fg(BASIC_CURVES[usize::from(number % CURVES)]),
    }
}

fn rich(role: Role) -> Style {
    let style = Style::new();
    let fg = |index| style.fg(Color::Indexed(index));
    match role {
        Role::Text => style,
        Role::Muted => fg(245),
        Role::Frame => fg(240),
        Role::Empty => fg(238),
        Role::Title => style.add_modifier(Modifier::BOLD),
        Role::Key => fg(80).add_modifier(Modifier::BOLD),
        Role::Focus | Role::Train | Role::Bar => fg(74),
        Role::TrainRaw => fg(24),
        Role::Validation => fg(214),
        Role::Test => fg(176),
        Role::Best => fg(114).add_modifier(Modifier::BOLD),
        Role::Warning => fg(220),
        Role::Error => fg(203).add_modifier(Modifier::BOLD),
        Role::Curve(number) => fg(RICH_CURVES[usize::from(number % CURVES)]),
        Role::Selected => style.bg(Color::Indexed(237)).fg(Color::Indexed(255)).add_modifier(Modifier::BOLD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(variables: &[(&str, &str)]) -> Theme {
        Theme::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
        })
    }

    #[test]
    fn the_environment_chooses() {
        assert_eq!(theme(&[("TERM", "xterm-256color")]), Theme { palette: Palette::Rich, ascii: false });
        assert_eq!(theme(&[("TERM", "xterm")]), Theme { palette: Palette::Basic, ascii: false });
        assert_eq!(theme(&[("TERM", "linux")]), Theme { palette: Palette::Basic, ascii: true });
        assert_eq!(theme(&[("TERM", "dumb")]), Theme { palette: Palette::None, ascii: true });
        let no_color = theme(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")]);
        assert_eq!(no_color.palette, Palette::None);
        assert_eq!(theme(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]).palette, Palette::Rich);
        assert!(theme(&[("TERM", "xterm"), ("GLUE_TUI_ASCII", "1")]).ascii);
    }

    #[test]
    fn without_colour_no_style_has_one() {
        let theme = Theme { palette: Palette::None, ascii: false };
        for role in [Role::Train, Role::Validation, Role::Best, Role::Warning, Role::Error, Role::Selected] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert_ne!(theme.style(Role::Warning), theme.style(Role::Text));
    }
}
