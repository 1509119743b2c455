//! The background of the terminal, for the default theme: a query (OSC 11) whose reply arrives among the keys.
//!
//! The reply is recognized in the events that the thread of the keys reads, so the query delays nothing and takes no key
//! that was typed meanwhile. A terminal that does not know the query ignores it.

use crate::terminal_caps::Background;
use crossterm::event::{Event, KeyCode, KeyModifiers};
use std::time::{Duration, Instant};
use terminal_colorsaurus::Color;

/// Asks for the background color.
pub(super) const QUERY: &str = "\x1b]11;?\x07";
/// How long a reply is expected, over a slow connection too.
const TIMEOUT: Duration = Duration::from_secs(3);
/// What comes before the channels of the color in a reply.
const PREFIX: &str = "11;rgb:";
/// Longest reply: three channels of four digits.
const MAX_LENGTH: usize = PREFIX.len() + 14;

/// Separates the reply from the keys.
pub(super) struct ReplyReader {
    /// When no reply is expected any more; `None` if none is expected at all.
    deadline: Option<Instant>,
    /// The events of the reply so far, which are keys if it turns out to be none.
    held: Vec<Event>,
    /// Their text after the start of the reply.
    text: String,
}

/// What an event turns out to be.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReadEvent {
    /// Events of the user.
    pub(super) events: Vec<Event>,
    /// The background, at the end of a reply.
    pub(super) background: Option<Background>,
}

impl ReplyReader {
    /// A reader that expects a reply to a query that was sent just now, if `is_expected`.
    pub(super) fn new(is_expected: bool) -> ReplyReader {
        let deadline = is_expected.then(|| Instant::now() + TIMEOUT);
        ReplyReader { deadline, held: Vec::new(), text: String::new() }
    }

    /// Takes an event of the terminal.
    pub(super) fn take(&mut self, event: Event) -> ReadEvent {
        if self.deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return self.release(event);
        }
        let Event::Key(key) = &event else { return self.release(event) };
        let (code, modifiers) = (key.code, key.modifiers);
        if self.held.is_empty() {
            // ESC ] starts a reply; the parser of keys reads it as a key with the Alt modifier.
            let is_start = code == KeyCode::Char(']') && modifiers == KeyModifiers::ALT;
            if is_start {
                self.held.push(event);
                return ReadEvent::default();
            }
            return self.release(event);
        }
        let is_bell = code == KeyCode::Char('g') && modifiers == KeyModifiers::CONTROL;
        let is_terminator = code == KeyCode::Char('\\') && modifiers == KeyModifiers::ALT;
        if is_bell || is_terminator {
            let Some(background) = background(&self.text) else { return self.release(event) };
            self.deadline = None;
            self.held.clear();
            return ReadEvent { events: Vec::new(), background: Some(background) };
        }
        match code {
            KeyCode::Char(c) if modifiers.difference(KeyModifiers::SHIFT).is_empty() && self.continues(c) => {
                self.text.push(c);
                self.held.push(event);
                ReadEvent::default()
            }
            _ => self.release(event),
        }
    }

    /// Whether the text and `c` are the beginning of a reply.
    fn continues(&self, c: char) -> bool {
        match PREFIX.chars().nth(self.text.len()) {
            Some(expected) => c == expected,
            None => self.text.len() < MAX_LENGTH && (c == '/' || c.is_ascii_hexdigit()),
        }
    }

    /// The held events and `event`: they are keys.
    fn release(&mut self, event: Event) -> ReadEvent {
        self.text.clear();
        let mut events = std::mem::take(&mut self.held);
        events.push(event);
        ReadEvent { events, background: None }
    }
}

/// The background in the text of a reply: `11;rgb:ffff/ffff/ffff` with one to four digits for each channel.
fn background(text: &str) -> Option<Background> {
    let channel = |digits: &str| {
        let value = u32::from_str_radix(digits, 16).ok()?;
        let max = 16_u32.checked_pow(digits.len() as u32)? - 1;
        u16::try_from(value * 0xffff / max).ok()
    };
    let channels: Vec<u16> = text.strip_prefix(PREFIX)?.split('/').map(channel).collect::<Option<_>>()?;
    let [red, green, blue] = channels[..] else { return None };
    let is_light = Color::rgb(red, green, blue).perceived_lightness() > 0.5;
    Some(if is_light { Background::Light } else { Background::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    fn key(c: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
    }

    /// The events of a text, in which `^` stands for the start of a reply and `$` for its end.
    fn events(text: &str) -> Vec<Event> {
        let event = |c| match c {
            '^' => key(']', KeyModifiers::ALT),
            '$' => key('g', KeyModifiers::CONTROL),
            '%' => key('\\', KeyModifiers::ALT),
            c => key(c, KeyModifiers::NONE),
        };
        text.chars().map(event).collect()
    }

    /// The events of the user in `text`, and the background.
    fn read(reader: &mut ReplyReader, text: &str) -> (Vec<Event>, Option<Background>) {
        let mut found = (Vec::new(), None);
        for event in events(text) {
            let read = reader.take(event);
            found.0.extend(read.events);
            found.1 = found.1.or(read.background);
        }
        found
    }

    #[test]
    fn reply_is_separated_from_the_keys() {
        for (text, keys, background) in [
            ("jj^11;rgb:ffff/ffff/ffff$q", "jjq", Background::Light),
            ("^11;rgb:1e1e/1e1e/2e2e%j", "j", Background::Dark),
            ("^11;rgb:f/f/e$", "", Background::Light),
            ("^11;rgb:00/2b/36$", "", Background::Dark),
        ] {
            let found = read(&mut ReplyReader::new(true), text);
            assert_eq!(found, (events(keys), Some(background)), "{text}");
        }
    }

    #[test]
    fn what_is_no_reply_is_passed_on() {
        for text in [
            "^j",
            "^11x",
            "^11;rgb:zz",
            "^11;rgb:ffff/ffff$j",
            "^^11",
            "$%",
            "^11;rgb:ffffffffffffffffffffff",
        ] {
            let mut reader = ReplyReader::new(true);
            let (mut found, background) = read(&mut reader, text);
            found.extend(reader.release(key('!', KeyModifiers::NONE)).events);
            found.pop();
            assert_eq!((found, background), (events(text), None), "{text}");
        }
    }

    #[test]
    fn reply_is_recognized_only_while_it_is_expected() {
        let text = "^11;rgb:ffff/ffff/ffff$";
        assert_eq!(read(&mut ReplyReader::new(false), text), (events(text), None));
        let mut reader = ReplyReader::new(true);
        assert_eq!(read(&mut reader, text), (Vec::new(), Some(Background::Light)));
        assert_eq!(read(&mut reader, text), (events(text), None), "there is one reply");
    }
}
