//! The active bindings: which keys of a context trigger which action.

use super::condition::Condition;
use super::key_chord::KeyChord;
use super::table;
use crate::tui::action::Action;
use crate::tui::screen::Context;
use crate::tui::theme::Theme;
use crossterm::event::KeyEvent;

/// An action of a context and its keys.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The context.
    pub context: Context,
    /// The action's name in `keys.toml`.
    pub name: &'static str,
    pub(super) keys: Vec<KeyChord>,
    /// The action.
    pub action: Action,
    /// A short label for the footer; empty if the action is listed only in the help.
    pub label: &'static str,
    /// A description for the help.
    pub description: &'static str,
    /// When the binding is active.
    pub condition: Condition,
    /// Whether the footer keeps it when not all bindings fit.
    pub is_primary: bool,
}

impl Binding {
    /// The labels of all keys, separated by spaces.
    pub fn keys(&self, theme: Theme) -> String {
        let labels: Vec<String> = self.keys.iter().map(|key| key.label(theme)).collect();
        labels.join(" ")
    }

    /// The label of the first key, or with `takes_text` of the first key that is not text; empty without one.
    pub fn key(&self, theme: Theme, takes_text: bool) -> String {
        self.first_key(takes_text).map_or(String::new(), |key| key.label(theme))
    }

    /// The first key, or with `takes_text` the first key that is not text.
    pub fn first_key(&self, takes_text: bool) -> Option<KeyChord> {
        self.keys.iter().find(|key| !(takes_text && key.is_text())).copied()
    }

    /// Whether `key` is one of the keys.
    pub fn matches(&self, key: &KeyEvent) -> bool {
        self.keys.iter().any(|chord| chord.matches(key))
    }
}

/// All bindings.
#[derive(Debug, Clone)]
pub struct Keymap {
    pub(super) bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = Context::ALL.into_iter().flat_map(|context| {
            table::rows(context).map(move |row| Binding {
                context,
                name: row.name,
                keys: row.keys.to_vec(),
                action: row.action,
                label: row.label,
                description: row.description,
                condition: row.condition,
                is_primary: row.is_primary,
            })
        });
        Keymap { bindings: bindings.collect() }
    }
}

impl Keymap {
    /// The bindings of a context, in the order of footer and help; the first that matches a key wins.
    pub fn of(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.context == context)
    }

    /// The label of the key of an action in a context; empty without one.
    pub fn key(&self, context: Context, action: Action, theme: Theme) -> String {
        let mut found = self.of(context).filter(|binding| binding.action == action);
        found.next().map_or(String::new(), |binding| binding.key(theme, context.takes_text()))
    }
}
