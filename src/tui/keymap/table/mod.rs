//! The table itself, a file a screen: the action's name, its keys, what it does and what is said of it.
//!
//! Several rows of one place that share a name share their keys: what they do depends on what is under
//! the cursor. Within a place, the first row that fits counts.

mod chart;
mod compare;
mod data;
mod everywhere;
mod form;
mod infer;
mod insight;
mod live;
mod machine;
mod popups;
mod runs;

use super::condition::always;
use super::{KeyChord, Place};
use crate::tui::app::App;
use crate::tui::msg::Action;
use crossterm::event::{KeyCode, KeyModifiers};

/// What keys do somewhere, before the user has changed anything.
#[derive(Debug)]
pub(super) struct Row {
    /// The action's name in `keys.toml`; never changed, for files of users hold it.
    pub(super) name: &'static str,
    pub(super) presses: &'static [KeyChord],
    pub(super) action: Action,
    pub(super) short: &'static str,
    pub(super) sentence: &'static str,
    pub(super) when: fn(&App) -> bool,
}

impl Row {
    const fn when(mut self, when: fn(&App) -> bool) -> Row {
        self.when = when;
        self
    }
}

/// The rows of a place.
pub(super) fn rows(place: Place) -> &'static [Row] {
    match place {
        Place::Everywhere => everywhere::EVERYWHERE,
        Place::Runs => runs::RUNS,
        Place::Filter => runs::FILTER,
        Place::Form => form::FORM,
        Place::FormLine => form::FORM_LINE,
        Place::Live => live::LIVE,
        Place::Infer => infer::INFER,
        Place::Insight => insight::INSIGHT,
        Place::Data => data::DATA,
        Place::Machine => machine::MACHINE,
        Place::Compare => compare::COMPARE,
        Place::Chart => chart::CHART,
        Place::Message => popups::MESSAGE,
        Place::Question => popups::QUESTION,
        Place::Choice => popups::CHOICE,
    }
}

/// A row that always has a meaning. `short` is what it does in a word, for the foot, or empty for one
/// that is only in the help; `sentence` says it there.
const fn bind(
    name: &'static str,
    presses: &'static [KeyChord],
    action: Action,
    short: &'static str,
    sentence: &'static str,
) -> Row {
    Row { name, presses, action, short, sentence, when: always }
}

const fn key(code: KeyCode) -> KeyChord {
    KeyChord(code, KeyModifiers::NONE)
}

const fn char(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn ctrl(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn alt_key(code: KeyCode) -> KeyChord {
    KeyChord(code, KeyModifiers::ALT)
}

const fn alt(c: char) -> KeyChord {
    KeyChord(KeyCode::Char(c), KeyModifiers::ALT)
}

const ENTER: &[KeyChord] = &[key(KeyCode::Enter)];
const ESC: &[KeyChord] = &[key(KeyCode::Esc)];
const TAB: &[KeyChord] = &[key(KeyCode::Tab)];
const UP: &[KeyChord] = &[key(KeyCode::Up), char('k')];
const DOWN: &[KeyChord] = &[key(KeyCode::Down), char('j')];
const ARROW_UP: &[KeyChord] = &[key(KeyCode::Up)];
const ARROW_DOWN: &[KeyChord] = &[key(KeyCode::Down)];
const PAGE_UP: &[KeyChord] = &[key(KeyCode::PageUp)];
const PAGE_DOWN: &[KeyChord] = &[key(KeyCode::PageDown)];
const FIRST: &[KeyChord] = &[key(KeyCode::Home), char('g')];
const LAST: &[KeyChord] = &[key(KeyCode::End), char('G')];
