//! What every key does, as one [`Keymap`]. It drives dispatch, the line at the foot, the help and what
//! screens say of keys, so that they cannot disagree.

mod condition;
mod export;
mod file;
mod key_chord;
mod table;

pub use export::{ActionKeys, written};
pub use key_chord::KeyChord;

use super::app::App;
use super::msg::Action;
use super::theme::Theme;
use crossterm::event::KeyEvent;

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
    /// The rows that an experiment would be trained on.
    Data,
    /// What the machine does.
    Machine,
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
    pub const ALL: [Place; 15] = [
        Place::Runs,
        Place::Filter,
        Place::Form,
        Place::FormLine,
        Place::Live,
        Place::Infer,
        Place::Insight,
        Place::Data,
        Place::Machine,
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
            Place::Data => "Data",
            Place::Machine => "Machine",
            Place::Compare => "Compare",
            Place::Chart => "Chart",
            Place::Message => "Message",
            Place::Question => "Question",
            Place::Choice => "List to choose from",
        }
    }

    /// Its name in a file of keys.
    pub fn name(self) -> &'static str {
        match self {
            Place::Everywhere => "everywhere",
            Place::Runs => "runs",
            Place::Filter => "filter",
            Place::Form => "form",
            Place::FormLine => "form_value",
            Place::Live => "live",
            Place::Infer => "infer",
            Place::Insight => "insight",
            Place::Data => "data",
            Place::Machine => "machine",
            Place::Compare => "compare",
            Place::Chart => "chart",
            Place::Message => "message",
            Place::Question => "question",
            Place::Choice => "choice",
        }
    }

    /// Whether letters are text here.
    pub fn takes_text(self) -> bool {
        matches!(self, Place::Filter | Place::FormLine | Place::Infer | Place::Choice)
    }
}

/// What keys do somewhere.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Where.
    pub place: Place,
    /// The action's name in a file of keys.
    pub name: &'static str,
    presses: Vec<KeyChord>,
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
        let names: Vec<String> = self.presses.iter().map(|press| press.label(theme)).collect();
        names.join(" ")
    }

    /// The first of its keys, or among letters that are text the first that is none; empty without any.
    pub fn key(&self, theme: Theme, letters_are_text: bool) -> String {
        let mut usable = self.presses.iter().filter(|press| !(letters_are_text && press.is_text()));
        usable.next().map_or(String::new(), |press| press.label(theme))
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

/// The keys that hold.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = Place::ALL.into_iter().flat_map(|place| {
            table::rows(place).iter().map(move |row| Binding {
                place,
                name: row.name,
                presses: row.presses.to_vec(),
                action: row.action,
                short: row.short,
                sentence: row.sentence,
                when: row.when,
            })
        });
        Keymap { bindings: bindings.collect() }
    }
}

impl Keymap {
    /// What keys do in a place, in the order of the foot and the help; the first that fits counts.
    pub fn of(&self, place: Place) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.place == place)
    }

    /// The key for an action in a place, as it is written on keyboards; empty when it has none.
    pub fn key(&self, place: Place, action: Action, theme: Theme) -> String {
        let mut fitting = self.of(place).filter(|binding| binding.action == action);
        fitting.next().map_or(String::new(), |binding| binding.key(theme, place.takes_text()))
    }
}
