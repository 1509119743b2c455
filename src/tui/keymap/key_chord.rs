//! A key with its modifiers: whether it was pressed, how keyboards label it, how a file writes it.

use crate::config::closest_match;
use crate::tui::theme::{Symbol, Theme};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChord(pub(super) KeyCode, pub(super) KeyModifiers);

/// Keys with names: the first name of a key is the one that is written, the others are understood too.
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
/// F1 to this one.
const LAST_FUNCTION_KEY: u8 = 12;
/// What a key can be, for whoever wrote something else.
pub(super) const KEYS: &str = "a letter, a digit, a sign, or enter esc tab shift-tab space up down left right home end \
                               pgup pgdn backspace delete insert f1 … f12; also after ctrl- or alt-";

impl KeyChord {
    /// As it is written on keyboards.
    pub(super) fn label(self, theme: Theme) -> String {
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

    /// As a file writes it; [`KeyChord::parse`] reads it again.
    pub(super) fn text(self) -> String {
        let ctrl = if self.1.contains(KeyModifiers::CONTROL) { "ctrl-" } else { "" };
        let alt = if self.1.contains(KeyModifiers::ALT) { "alt-" } else { "" };
        format!("{ctrl}{alt}{}", name(self.0))
    }

    /// The key that `text` writes, or what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<KeyChord, String> {
        let mut rest = text.trim();
        let (mut modifiers, mut is_shifted) = (KeyModifiers::NONE, false);
        loop {
            if let Some(after) = after(rest, "ctrl") {
                modifiers |= KeyModifiers::CONTROL;
                rest = after;
            } else if let Some(after) = after(rest, "alt") {
                modifiers |= KeyModifiers::ALT;
                rest = after;
            } else if let Some(after) = after(rest, "shift") {
                is_shifted = true;
                rest = after;
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

    /// Whether it is a letter or a sign where one types.
    pub(super) fn is_text(self) -> bool {
        matches!(self.0, KeyCode::Char(_)) && self.1.is_empty()
    }

    /// Whether it was pressed.
    pub(super) fn fits(self, key: &KeyEvent) -> bool {
        // Shift is part of a letter; terminals differ in whether they also tell it.
        let told = key.modifiers.difference(KeyModifiers::SHIFT);
        self.0 == key.code && self.1 == told
    }
}

/// What comes after `modifier-` or `modifier+`, when something does.
fn after<'a>(text: &'a str, modifier: &str) -> Option<&'a str> {
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
    let front = &text.trim()[..text.trim().len() - rest.len()];
    let modifiers = ["ctrl-", "alt-"];
    let names = NAMED.iter().map(|(name, _)| *name);
    let slip = rest.split_once(['-', '+']).and_then(|(head, key)| {
        let modifier = closest_match(head, modifiers.into_iter())?;
        code(key).map(|_| format!("{modifier}{key}"))
    });
    match slip.or_else(|| closest_match(rest, names).map(str::to_owned)) {
        Some(key) => format!("`{text}` is no key; did you mean `{front}{key}`?"),
        None => format!("`{text}` is no key; a key is {KEYS}"),
    }
}

/// Terminals tell shift beside a key only for a tab; in a letter it shows.
fn shifted(code: KeyCode, text: &str) -> Result<KeyCode, String> {
    match code {
        KeyCode::Tab => Ok(KeyCode::BackTab),
        KeyCode::Char(c) if c.is_lowercase() && c.to_uppercase().count() == 1 => {
            Ok(KeyCode::Char(c.to_uppercase().next().unwrap_or(c)))
        }
        KeyCode::Char(c) if c.is_uppercase() => Ok(code),
        _ => Err(format!("`{text}` is not told by every terminal; shift goes with a letter or tab")),
    }
}

/// What control turns into another key, or into nothing, is no key of its own.
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
            let goes = "ctrl goes with a letter, space or an arrow";
            return Err(format!("`{text}` is not told by every terminal; {goes}"));
        }
        _ => return Ok(code),
    };
    Err(format!("terminals cannot tell `{text}` from `{same}`"))
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
    fn keys_are_read_as_people_write_them() {
        for (text, written) in [
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
            assert_eq!(read, written, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_told_with_the_likely_one() {
        for (text, told) in [
            ("spcae", "`spcae` is no key; did you mean `space`?"),
            ("ctl-q", "did you mean `ctrl-q`?"),
            ("alt-entr", "did you mean `alt-enter`?"),
            ("f13", "`f13` is no key; a key is a letter"),
            ("", "`` is no key"),
            ("ctrl-", "`ctrl-` is no key"),
            ("ctrl-i", "terminals cannot tell `ctrl-i` from `tab`"),
            ("ctrl-M", "from `enter`"),
            ("ctrl-[", "from `esc`"),
            ("ctrl-1", "not told by every terminal"),
            ("shift-up", "shift goes with a letter or tab"),
            ("super-x", "is no key"),
        ] {
            let problem = KeyChord::parse(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn labels_are_those_of_keyboards() {
        let labels =
            ["ctrl-q", "alt-1", "enter", "pgup", "f5", "space", "ctrl-space", "ctrl-up", "shift-tab"]
                .map(label);
        assert_eq!(labels, ["^Q", "alt-1", "⏎", "pgup", "F5", "space", "ctrl-space", "ctrl-↑", "shift-tab"]);
    }
}
