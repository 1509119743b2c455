//! What every key does, as one [table]. It drives dispatch, the line at the foot and the help, so that
//! they cannot disagree.

mod table;
mod when;

pub use table::BINDINGS;

use super::app::App;
use super::msg::Action;
use super::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Whatever has no meaning of its own for the key.
    Everywhere,
    /// The list of experiments and runs.
    Runs,
    /// Its filter, being typed.
    Filter,
    /// The form.
    Form,
    /// A line of the form, being typed.
    FormLine,
    /// The curves.
    Live,
    /// The sentences.
    Infer,
    /// The rows that a run gets right and wrong.
    Insight,
    /// The table of runs to compare.
    Compare,
    /// A chart that one can look closer at.
    Chart,
    /// A message.
    Message,
    /// A question.
    Question,
    /// A list to choose from.
    Choice,
}

impl Place {
    /// Every place, in the order of the help.
    pub const ALL: [Place; 13] = [
        Place::Runs,
        Place::Filter,
        Place::Form,
        Place::FormLine,
        Place::Live,
        Place::Infer,
        Place::Insight,
        Place::Compare,
        Place::Chart,
        Place::Message,
        Place::Question,
        Place::Choice,
        Place::Everywhere,
    ];

    /// Its name in the help.
    pub fn heading(self) -> &'static str {
        match self {
            Place::Everywhere => "Everywhere",
            Place::Runs => "Runs",
            Place::Filter => "Filter",
            Place::Form => "Form",
            Place::FormLine => "A value of the form",
            Place::Live => "Live",
            Place::Infer => "Infer",
            Place::Insight => "Insight",
            Place::Compare => "Compare",
            Place::Chart => "Chart",
            Place::Message => "Message",
            Place::Question => "Question",
            Place::Choice => "List to choose from",
        }
    }

    /// Whether letters are text here.
    pub fn takes_text(self) -> bool {
        matches!(self, Place::Filter | Place::FormLine | Place::Infer | Place::Choice)
    }
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press(KeyCode, KeyModifiers);

/// What keys do somewhere.
pub struct Binding {
    /// Where.
    pub place: Place,
    presses: &'static [Press],
    /// What it does.
    pub action: Action,
    /// What it does in a word, for the foot; empty for one that is only in the help.
    pub short: &'static str,
    /// What it does, for the help.
    pub sentence: &'static str,
    when: fn(&App) -> bool,
}

impl Binding {
    /// Its keys, as they are written on keyboards.
    pub fn keys(&self, theme: Theme) -> String {
        let names: Vec<String> = self.presses.iter().map(|press| press.name(theme)).collect();
        names.join(" ")
    }

    /// The first of its keys.
    pub fn key(&self, theme: Theme) -> String {
        self.presses[0].name(theme)
    }

    /// Whether one of its keys was pressed.
    pub fn fits(&self, key: &KeyEvent) -> bool {
        self.presses.iter().any(|press| press.fits(key))
    }

    /// Whether it has a meaning now.
    pub fn is_on(&self, app: &App) -> bool {
        (self.when)(app)
    }
}

impl Press {
    fn name(self, theme: Theme) -> String {
        let key = match self.0 {
            KeyCode::Enter => theme.sign("⏎", "enter").into(),
            KeyCode::Esc => "esc".into(),
            KeyCode::Tab => "tab".into(),
            KeyCode::Up => theme.sign("↑", "up").into(),
            KeyCode::Down => theme.sign("↓", "down").into(),
            KeyCode::Left => theme.sign("←", "left").into(),
            KeyCode::Right => theme.sign("→", "right").into(),
            KeyCode::PageUp => "pgup".into(),
            KeyCode::PageDown => "pgdn".into(),
            KeyCode::Home => "home".into(),
            KeyCode::End => "end".into(),
            KeyCode::Backspace => theme.sign("⌫", "bksp").into(),
            KeyCode::Delete => "del".into(),
            KeyCode::F(number) => format!("F{number}"),
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(c) if self.1 == KeyModifiers::CONTROL => format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            other => format!("{other:?}").to_lowercase(),
        };
        if self.1 == KeyModifiers::ALT { format!("alt-{key}") } else { key }
    }

    fn fits(self, key: &KeyEvent) -> bool {
        // Shift is part of a letter; terminals differ in whether they also tell it.
        let told = key.modifiers.difference(KeyModifiers::SHIFT);
        self.0 == key.code && self.1 == told
    }
}
