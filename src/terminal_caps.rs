//! Capabilities of the terminal: color depth, character set and background, derived from environment variables.
//! The terminal itself is not queried.

/// The number of colors that the terminal supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    /// No colors, only modifiers such as bold.
    None,
    /// The 16 colors of the terminal's own scheme.
    Ansi16,
    /// The 256 indexed colors.
    Ansi256,
    /// 24-bit RGB colors.
    TrueColor,
}

impl ColorDepth {
    /// The number of colors.
    pub fn colors(self) -> u32 {
        match self {
            ColorDepth::None => 0,
            ColorDepth::Ansi16 => 16,
            ColorDepth::Ansi256 => 256,
            ColorDepth::TrueColor => 1 << 24,
        }
    }
}

/// The characters that the terminal displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// All of Unicode.
    Unicode,
    /// All of Unicode for text, but only ASCII for the symbols of the interface.
    AsciiSymbols,
    /// ASCII only: a question mark replaces each cell of any other character.
    Ascii,
}

/// The background of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Dark, with light text.
    Dark,
    /// Light, with dark text.
    Light,
}

/// How a program copies text to the clipboard of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clipboard {
    /// The terminal takes OSC 52.
    Osc52,
    /// The program runs in tmux, which passes text on to the terminal.
    Tmux,
    /// The terminal takes no text, or it is unknown whether it does.
    None,
}

/// The capabilities of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalCaps {
    /// The color depth.
    pub color_depth: ColorDepth,
    /// The character set.
    pub charset: Charset,
    /// The background; `None` if unknown.
    pub background: Option<Background>,
    /// How text is copied.
    pub clipboard: Clipboard,
    /// Whether the terminal ignores queries that it does not know, and does not print them.
    pub accepts_queries: bool,
}

impl TerminalCaps {
    /// The capabilities according to environment variables; `get` returns the value of one.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> TerminalCaps {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = get("TERM");
        let charset = match term.as_deref() {
            _ if !is_utf8(&get) => Charset::Ascii,
            Some("linux" | "dumb" | "vt100" | "vt220") => Charset::AsciiSymbols,
            _ if get("GLUE_TUI_ASCII").is_some() => Charset::AsciiSymbols,
            _ => Charset::Unicode,
        };
        let color_depth = if get("NO_COLOR").is_some() {
            ColorDepth::None
        } else {
            color_depth(term.as_deref(), get("COLORTERM").as_deref(), get("TMUX").is_some())
        };
        TerminalCaps {
            color_depth,
            charset,
            background: get("COLORFGBG").and_then(|value| background(&value)),
            clipboard: clipboard(term.as_deref(), &get),
            accepts_queries: !matches!(term.as_deref(), None | Some("linux" | "dumb" | "vt100" | "vt220")),
        }
    }

    /// The capabilities of the terminal of this process.
    pub fn detect() -> TerminalCaps {
        TerminalCaps::from_environment(|name| std::env::var(name).ok())
    }
}

/// Whether the locale uses UTF-8. True if no locale is set, because most such terminals support UTF-8.
fn is_utf8(get: &impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get);
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

fn color_depth(term: Option<&str>, color_term: Option<&str>, is_in_tmux: bool) -> ColorDepth {
    match (term, color_term) {
        (None, _) if cfg!(windows) => ColorDepth::TrueColor,
        (None | Some("dumb" | "vt100" | "vt220"), _) => ColorDepth::None,
        // GNU screen passes COLORTERM on, but not the colors.
        (Some(term), _) if term.starts_with("screen") && !is_in_tmux => {
            if term.contains("256") {
                ColorDepth::Ansi256
            } else {
                ColorDepth::Ansi16
            }
        }
        (_, Some("truecolor" | "24bit")) => ColorDepth::TrueColor,
        (Some(term), _) if term.contains("direct") || term.contains("kitty") => ColorDepth::TrueColor,
        (Some(term), _) if term.contains("256") => ColorDepth::Ansi256,
        (_, Some(_)) => ColorDepth::Ansi256,
        _ => ColorDepth::Ansi16,
    }
}

/// Terminals that take OSC 52 are known by `TERM` or by a variable of their own. Those of VTE and that of macOS, which
/// call themselves xterm, ignore it.
fn clipboard(term: Option<&str>, get: &impl Fn(&str) -> Option<String>) -> Clipboard {
    const KNOWN: [&str; 10] =
        ["xterm", "alacritty", "foot", "kitty", "wezterm", "ghostty", "rio", "contour", "st-", "rxvt"];
    let term = term.unwrap_or_default();
    let program = get("TERM_PROGRAM").unwrap_or_default();
    if get("TMUX").is_some() {
        return Clipboard::Tmux;
    }
    if get("VTE_VERSION").is_some() || program == "Apple_Terminal" || get("STY").is_some() {
        return Clipboard::None;
    }
    let is_known = KNOWN.iter().any(|known| term.contains(known)) || get("WT_SESSION").is_some();
    if is_known { Clipboard::Osc52 } else { Clipboard::None }
}

/// The background according to `COLORFGBG` (`15;0`, `0;default;15`), whose last part is one of the 16 colors.
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

    fn caps(variables: &[(&str, &str)]) -> TerminalCaps {
        TerminalCaps::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
        })
    }

    #[test]
    fn color_depth_follows_the_environment() {
        let of = |variables: &[(&str, &str)]| caps(variables).color_depth;
        assert_eq!(of(&[("TERM", "xterm-256color")]), ColorDepth::Ansi256);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), ColorDepth::TrueColor);
        assert_eq!(of(&[("TERM", "xterm-direct")]), ColorDepth::TrueColor);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), ColorDepth::TrueColor);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "1")]), ColorDepth::Ansi256);
        assert_eq!(of(&[("TERM", "xterm")]), ColorDepth::Ansi16);
        assert_eq!(of(&[("TERM", "linux")]), ColorDepth::Ansi16);
        assert_eq!(of(&[("TERM", "screen"), ("COLORTERM", "truecolor")]), ColorDepth::Ansi16);
        assert_eq!(
            of(&[("TERM", "screen-256color"), ("COLORTERM", "truecolor"), ("TMUX", "x")]),
            ColorDepth::TrueColor
        );
        assert_eq!(of(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), ColorDepth::None);
        let no_color = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")];
        assert_eq!(of(&no_color), ColorDepth::None);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), ColorDepth::Ansi256);
    }

    #[test]
    fn charset_follows_the_locale_and_the_terminal() {
        let of = |variables: &[(&str, &str)]| caps(variables).charset;
        assert_eq!(of(&[("TERM", "xterm")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "C")]), Charset::Ascii);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "de_DE.utf8"), ("LC_ALL", "POSIX")]), Charset::Ascii);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "")]), Charset::Unicode);
        assert_eq!(of(&[("TERM", "linux"), ("LANG", "C.UTF-8")]), Charset::AsciiSymbols);
        assert_eq!(of(&[("TERM", "dumb")]), Charset::AsciiSymbols);
        assert_eq!(of(&[("TERM", "xterm"), ("GLUE_TUI_ASCII", "1")]), Charset::AsciiSymbols);
    }

    #[test]
    fn clipboard_follows_the_terminal() {
        let of = |variables: &[(&str, &str)]| caps(variables).clipboard;
        assert_eq!(of(&[("TERM", "xterm-256color")]), Clipboard::Osc52);
        assert_eq!(of(&[("TERM", "foot")]), Clipboard::Osc52);
        assert_eq!(of(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x,1,0")]), Clipboard::Tmux);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")]), Clipboard::None);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")]), Clipboard::None);
        assert_eq!([of(&[("TERM", "linux")]), of(&[("TERM", "dumb")]), of(&[])], [Clipboard::None; 3]);
        assert_eq!(of(&[("TERM", "screen"), ("STY", "1.pts")]), Clipboard::None);
    }

    #[test]
    fn background_is_the_last_part_of_colorfgbg() {
        let of = |value: &str| caps(&[("COLORFGBG", value)]).background;
        assert_eq!([of("15;0"), of("0;15")], [Some(Background::Dark), Some(Background::Light)]);
        assert_eq!([of("0;default;7"), of("12;8")], [Some(Background::Light), Some(Background::Dark)]);
        assert_eq!([of("default"), of("")], [None, None]);
        assert!(caps(&[("TERM", "xterm"), ("LANG", "C")]).accepts_queries);
        assert!(!caps(&[("TERM", "linux")]).accepts_queries && !caps(&[]).accepts_queries);
    }
}
