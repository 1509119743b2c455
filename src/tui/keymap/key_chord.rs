//! A key with its modifiers: matching, label, and its notation in `keys.toml`.

use crate::config::closest_match;
use crate::tui::theme::{Symbol, Theme};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChord(pub(super) KeyCode, pub(super) KeyModifiers);

/// Names of keys. The first name of a key is written to files; the others are also parsed.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("return", KeyCode::Enter),
    ("escape", KeyCode::Esc),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("bksp", KeyCode::Backspace),
    ("del", KeyCode::Delete),
    ("ins", KeyCode::Insert),
];
/// The number of the last function key.
const LAST_FUNCTION_KEY: u8 = 12;
/// The valid keys, for error messages.
pub(super) const KEYS: &str = "a character, or enter esc tab shift-tab space up down left right home end \
                               pgup pgdn backspace delete insert f1 … f12; also after ctrl- or alt-";

impl KeyChord {
    /// The label on keyboards.
    pub fn label(self, theme: Theme) -> String {
        let alt = String::from(if self.1.contains(KeyModifiers::ALT) { "alt-" } else { "" });
        let is_control = self.1.contains(KeyModifiers::CONTROL);
        let key = match self.0 {
            KeyCode::Char(c) if is_control && c != ' ' => {
                return alt + &format!("^{}", c.to_ascii_uppercase());
            }
            KeyCode::Enter => theme.symbol(Symbol::Enter).into(),
            KeyCode::Up => theme.symbol(Symbol::Up).into(),
            KeyCode::Down => theme.symbol(Symbol::Down).into(),
            KeyCode::Left => theme.symbol(Symbol::Left).into(),
            KeyCode::Right => theme.symbol(Symbol::Right).into(),
            KeyCode::Backspace => theme.symbol(Symbol::Backspace).into(),
            KeyCode::Delete => "del".into(),
            KeyCode::Insert => "ins".into(),
            KeyCode::F(number) => format!("F{number}"),
            code => name(code),
        };
        if is_control { format!("{alt}ctrl-{key}") } else { alt + &key }
    }

    /// The notation in a file, which [`KeyChord::parse`] reads.
    pub(super) fn text(self) -> String {
        let ctrl = if self.1.contains(KeyModifiers::CONTROL) { "ctrl-" } else { "" };
        let alt = if self.1.contains(KeyModifiers::ALT) { "alt-" } else { "" };
        format!("{ctrl}{alt}{}", name(self.0))
    }

    /// Parses a key; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<KeyChord, String> {
        let mut rest = text.trim();
        let (mut modifiers, mut is_shifted) = (KeyModifiers::NONE, false);
        loop {
            if let Some(key) = strip_modifier(rest, "ctrl") {
                modifiers |= KeyModifiers::CONTROL;
                rest = key;
            } else if let Some(key) = strip_modifier(rest, "alt") {
                modifiers |= KeyModifiers::ALT;
                rest = key;
            } else if let Some(key) = strip_modifier(rest, "shift") {
                is_shifted = true;
                rest = key;
            } else {
                break;
            }
        }
        let code = code(rest).ok_or_else(|| unknown(text, rest))?;
        let code = if is_shifted { shifted(code, text)? } else { code };
        if modifiers.contains(KeyModifiers::CONTROL) {
            return Ok(KeyChord(with_control(code, text)?, modifiers));
        }
        Ok(KeyChord(code, modifiers))
    }

    /// Whether it is text where text is typed.
    pub(super) fn is_text(self) -> bool {
        matches!(self.0, KeyCode::Char(_)) && self.1.is_empty()
    }

    /// Whether `key` is this key.
    pub(super) fn matches(self, key: &KeyEvent) -> bool {
        // Shift is part of a letter; only some terminals also report it.
        let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
        self.0 == key.code && self.1 == modifiers
    }
}

/// The rest after `modifier-` or `modifier+`, if it is not empty.
fn strip_modifier<'a>(text: &'a str, modifier: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(modifier.len())?;
    let rest = rest.strip_prefix(['-', '+'])?;
    (head.eq_ignore_ascii_case(modifier) && !rest.is_empty()).then_some(rest)
}

fn name(code: KeyCode) -> String {
    match (code, NAMED.iter().find(|(_, named)| *named == code)) {
        (_, Some((name, _))) => (*name).into(),
        (KeyCode::Char(c), None) => c.to_string(),
        (KeyCode::F(number), None) => format!("f{number}"),
        (other, None) => format!("{other:?}").to_lowercase(),
    }
}

fn code(text: &str) -> Option<KeyCode> {
    let mut letters = text.chars();
    if let (Some(c), None) = (letters.next(), letters.next()) {
        return (!c.is_control()).then_some(KeyCode::Char(c));
    }
    let lower = text.to_ascii_lowercase();
    let named = NAMED.iter().find(|(name, _)| *name == lower).map(|(_, code)| *code);
    let function = || lower.strip_prefix('f')?.parse().ok().filter(|n| (1..=LAST_FUNCTION_KEY).contains(n));
    named.or_else(|| function().map(KeyCode::F))
}

fn unknown(text: &str, rest: &str) -> String {
    let prefix = &text.trim()[..text.trim().len() - rest.len()];
    let modifiers = ["ctrl-", "alt-"];
    let names = NAMED.iter().map(|(name, _)| *name);
    let correction = rest.split_once(['-', '+']).and_then(|(head, key)| {
        let modifier = closest_match(head, modifiers.into_iter())?;
        code(key).map(|_| format!("{modifier}{key}"))
    });
    match correction.or_else(|| closest_match(rest, names).map(str::to_owned)) {
        Some(key) => format!("`{text}` is not a key; did you mean `{prefix}{key}`?"),
        None => format!("`{text}` is not a key; a key is {KEYS}"),
    }
}

/// Applies shift to a letter or tab. Terminals do not report shift for other keys.
fn shifted(code: KeyCode, text: &str) -> Result<KeyCode, String> {
    match code {
        KeyCode::Tab => Ok(KeyCode::BackTab),
        KeyCode::Char(c) if c.is_lowercase() && c.to_uppercase().count() == 1 => {
            Ok(KeyCode::Char(c.to_uppercase().next().unwrap_or(c)))
        }
        KeyCode::Char(c) if c.is_uppercase() => Ok(code),
        _ => Err(format!("not every terminal reports `{text}`; use shift with a letter or tab")),
    }
}

/// Applies ctrl to a key; an error if terminals report another key, or none.
fn with_control(code: KeyCode, text: &str) -> Result<KeyCode, String> {
    let code = if let KeyCode::Char(c) = code { KeyCode::Char(c.to_ascii_lowercase()) } else { code };
    let same = match code {
        KeyCode::Char('i') => "tab",
        KeyCode::Char('m') => "enter",
        KeyCode::Char('[') => "esc",
        KeyCode::Char('a'..='z' | ' ') => return Ok(code),
        KeyCode::Char(_)
        | KeyCode::Enter
        | KeyCode::Esc
        | KeyCode::Tab
        | KeyCode::BackTab
        | KeyCode::Backspace => {
            return Err(format!(
                "not every terminal reports `{text}`; use ctrl with a letter, space or an arrow"
            ));
        }
        _ => return Ok(code),
    };
    Err(format!("terminals report `{text}` as `{same}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal_caps::Charset;
    use crate::tui::theme::ColorDepth;

    fn label(text: &str) -> String {
        KeyChord::parse(text).unwrap().label(Theme::new(ColorDepth::None, Charset::Unicode))
    }

    #[test]
    fn parse_accepts_common_notations() {
        for (text, expected) in [
            ("q", "q"),
            ("Q", "Q"),
            ("shift-q", "Q"),
            ("Ctrl-Q", "ctrl-q"),
            ("ctrl+q", "ctrl-q"),
            ("alt-ctrl-x", "ctrl-alt-x"),
            ("-", "-"),
            ("ctrl--", ""),
            ("alt--", "alt--"),
            ("alt-+", "alt-+"),
            ("+", "+"),
            ("Return", "enter"),
            ("shift-tab", "shift-tab"),
            ("PgDn", "pgdn"),
            ("pagedown", "pgdn"),
            ("ctrl-left", "ctrl-left"),
            ("F12", "f12"),
            ("ü", "ü"),
            (" space ", "space"),
            ("f", "f"),
        ] {
            let read = KeyChord::parse(text).map_or(String::new(), KeyChord::text);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn parse_error_suggests_the_closest_key() {
        for (text, expected) in [
            ("spcae", "`spcae` is not a key; did you mean `space`?"),
            ("ctl-q", "did you mean `ctrl-q`?"),
            ("alt-entr", "did you mean `alt-enter`?"),
            ("f13", "`f13` is not a key; a key is a character"),
            ("", "`` is not a key"),
            ("ctrl-", "`ctrl-` is not a key"),
            ("ctrl-i", "terminals report `ctrl-i` as `tab`"),
            ("ctrl-M", "as `enter`"),
            ("ctrl-[", "as `esc`"),
            ("ctrl-1", "not every terminal reports"),
            ("shift-up", "use shift with a letter or tab"),
            ("super-x", "is not a key"),
        ] {
            let problem = KeyChord::parse(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn labels_match_keyboards() {
        let labels =
            ["ctrl-q", "alt-1", "enter", "pgup", "f5", "space", "ctrl-space", "ctrl-up", "shift-tab"]
                .map(label);
        assert_eq!(labels, ["^Q", "alt-1", "⏎", "pgup", "F5", "space", "ctrl-space", "ctrl-↑", "shift-tab"]);
    }
}
