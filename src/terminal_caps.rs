//! What the terminal can show, as its environment says: how many colours, which characters, and whether
//! its background is light. Nothing is asked of the terminal itself.

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Palette {
    /// None: modifiers only.
    None,
    /// The terminal's own 16.
    Basic,
    /// The 256 indexed ones.
    Rich,
    /// Any, by red, green and blue.
    True,
}

impl Palette {
    /// How many that are.
    pub fn colours(self) -> u32 {
        match self {
            Palette::None => 0,
            Palette::Basic => 16,
            Palette::Rich => 256,
            Palette::True => 1 << 24,
        }
    }
}

/// Which characters reach the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// All.
    Unicode,
    /// The signs of the interface are ASCII; what comes from outside is shown as it is.
    Plain,
    /// Only ASCII: a question mark stands for each cell of anything else.
    Ascii,
}

/// What lies behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Dark, with light text on it.
    Dark,
    /// Light, with dark text on it.
    Light,
}

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalCaps {
    /// How many colours.
    pub palette: Palette,
    /// Which characters.
    pub letters: Charset,
    /// What lies behind the text; `None` when nothing tells.
    pub background: Option<Background>,
}

impl TerminalCaps {
    /// What the variables of the environment say; `get` reads one.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> TerminalCaps {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = get("TERM");
        let letters = match term.as_deref() {
            _ if !is_utf8(&get) => Charset::Ascii,
            Some("linux" | "dumb" | "vt100" | "vt220") => Charset::Plain,
            _ if get("GLUE_TUI_ASCII").is_some() => Charset::Plain,
            _ => Charset::Unicode,
        };
        let palette = if get("NO_COLOR").is_some() {
            Palette::None
        } else {
            palette(term.as_deref(), get("COLORTERM").as_deref(), get("TMUX").is_some())
        };
        TerminalCaps { palette, letters, background: get("COLORFGBG").and_then(|value| background(&value)) }
    }

    /// What this process's terminal can show.
    pub fn here() -> TerminalCaps {
        TerminalCaps::from_environment(|name| std::env::var(name).ok())
    }
}

/// Whether the locale's characters are UTF-8. One that is not set says nothing: most such terminals do
/// show it.
fn is_utf8(get: &impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get);
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

fn palette(term: Option<&str>, color_term: Option<&str>, is_in_tmux: bool) -> Palette {
    match (term, color_term) {
        (None, _) if cfg!(windows) => Palette::True,
        (None | Some("dumb" | "vt100" | "vt220"), _) => Palette::None,
        // GNU screen passes the variable on, but not the colours.
        (Some(term), _) if term.starts_with("screen") && !is_in_tmux => {
            if term.contains("256") {
                Palette::Rich
            } else {
                Palette::Basic
            }
        }
        (_, Some("truecolor" | "24bit")) => Palette::True,
        (Some(term), _) if term.contains("direct") || term.contains("kitty") => Palette::True,
        (Some(term), _) if term.contains("256") => Palette::Rich,
        (_, Some(_)) => Palette::Rich,
        _ => Palette::Basic,
    }
}

/// The background in `COLORFGBG` (`15;0`, `0;default;15`): its last part is one of the 16 colours.
fn background(value: &str) -> Option<Background> {
    let number: u8 = value.rsplit(';').next()?.parse().ok()?;
    match number {
        0..=6 | 8 => Some(Background::Dark),
        7 | 9..=15 => Some(Background::Light),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(variables: &[(&str, &str)]) -> TerminalCaps {
        TerminalCaps::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
        })
    }

    #[test]
    fn colours_follow_the_environment() {
        let of = |variables: &[(&str, &str)]| abilities(variables).palette;
        assert_eq!(of(&[("TERM", "xterm-256color")]), Palette::Rich);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Palette::True);
        assert_eq!(of(&[("TERM", "xterm-direct")]), Palette::True);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Palette::True);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "1")]), Palette::Rich);
        assert_eq!(of(&[("TERM", "xterm")]), Palette::Basic);
        assert_eq!(of(&[("TERM", "linux")]), Palette::Basic);
        assert_eq!(of(&[("TERM", "screen"), ("COLORTERM", "truecolor")]), Palette::Basic);
        assert_eq!(
            of(&[("TERM", "screen-256color"), ("COLORTERM", "truecolor"), ("TMUX", "x")]),
            Palette::True
        );
        assert_eq!(of(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Palette::None);
        let refused = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")];
        assert_eq!(of(&refused), Palette::None);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Palette::Rich);
    }

    #[test]
    fn characters_follow_the_environment() {
        let of = |variables: &[(&str, &str)]| abilities(variables).letters;
        assert_eq!(of(&[("TERM", "xterm")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "C")]), Charset::Ascii);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "de_DE.utf8"), ("LC_ALL", "POSIX")]), Charset::Ascii);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "linux"), ("LANG", "C.UTF-8")]), Charset::Plain);
        assert_eq!(of(&[("TERM", "dumb")]), Charset::Plain);
        assert_eq!(of(&[("TERM", "xterm"), ("GLUE_TUI_ASCII", "1")]), Charset::Plain);
    }

    #[test]
    fn the_background_is_the_last_colour() {
        let of = |value: &str| abilities(&[("COLORFGBG", value)]).background;
        assert_eq!([of("15;0"), of("0;15")], [Some(Background::Dark), Some(Background::Light)]);
        assert_eq!([of("0;default;7"), of("12;8")], [Some(Background::Light), Some(Background::Dark)]);
        assert_eq!([of("default"), of("")], [None, None]);
    }
}
