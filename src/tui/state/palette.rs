//! The command palette: everything that can be done, searched by a few letters.

use crate::tui::action::Action;
use crate::tui::keymap::{Condition, KeyChord};
use crate::tui::screen::Context;
use crate::tui::widgets::text_field::{Edit, TextField};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::cmp::Reverse;
use std::path::PathBuf;

/// What an entry does.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The action of a key.
    Binding {
        /// The context of the key.
        context: Context,
        /// The action.
        action: Action,
        /// When it applies.
        condition: Condition,
    },
    /// Opens the form of an experiment at a key of the file.
    Setting {
        /// The name of the experiment.
        experiment: String,
        /// The name of the key.
        key: &'static str,
    },
    /// Starts an experiment.
    Experiment(String),
    /// Opens a run.
    Run(PathBuf),
}

/// An entry of the palette.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What the entry belongs to: a screen, or the kind of thing.
    pub group: &'static str,
    /// What it does.
    pub text: String,
    /// A remark, such as the value of a setting.
    pub note: String,
    /// Other words that find it.
    pub keywords: String,
    /// Its key.
    pub key: Option<KeyChord>,
    /// Why it does not apply, as a sentence.
    pub reason: Option<String>,
    /// What it does when it is chosen.
    pub target: Target,
}

/// An entry that the typed text finds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Its index.
    entry: usize,
    /// The characters of its text that match, by their index.
    letters: Vec<usize>,
}

/// The state of the palette.
#[derive(Debug, Clone, PartialEq)]
pub struct Palette {
    /// The typed text.
    pub(in crate::tui) typed: TextField,
    /// The line under the cursor, among the entries that were found.
    pub selected: usize,
    entries: Vec<Entry>,
    found: Vec<Found>,
}

impl Palette {
    /// A palette of these entries, in this order.
    pub fn new(entries: Vec<Entry>) -> Palette {
        let mut palette = Palette { typed: TextField::default(), selected: 0, entries, found: Vec::new() };
        palette.search();
        palette
    }

    /// The entries that the typed text finds, the best first, with the indices of the characters of their texts
    /// that match.
    pub fn found(&self) -> impl Iterator<Item = (&Entry, &[usize])> {
        self.found.iter().map(|found| (&self.entries[found.entry], found.letters.as_slice()))
    }

    /// The number of entries that the typed text finds.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// The entry under the cursor.
    pub fn selected_entry(&self) -> Option<&Entry> {
        self.found().nth(self.selected).map(|(entry, _)| entry)
    }

    /// Edits the typed text.
    pub(in crate::tui) fn edit(&mut self, edit: &Edit) {
        if self.typed.edit(edit) {
            self.search();
        }
    }

    /// Finds the entries that contain the letters of each typed word in their order: those that have the typed text as
    /// their whole text or as a keyword, then the best match. Without a text, all entries are in their own order.
    fn search(&mut self) {
        self.selected = 0;
        let typed = self.typed.text().trim().to_lowercase();
        let pattern = Pattern::new(&typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut chars = Vec::new();
        let mut scored = Vec::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let searched = format!("{} {} {}", entry.text, entry.group, entry.keywords);
            let mut indices = Vec::new();
            let haystack = Utf32Str::new(&searched, &mut chars);
            if let Some(score) = pattern.indices(haystack, &mut matcher, &mut indices) {
                let length = entry.text.chars().count();
                let mut letters: Vec<usize> = indices.into_iter().map(|index| index as usize).collect();
                letters.retain(|index| *index < length);
                letters.sort_unstable();
                letters.dedup();
                let is_named = entry.text == typed || entry.keywords.split(' ').any(|word| word == typed);
                let has_reason = entry.reason.is_some();
                let rank = (Reverse(is_named && !has_reason), Reverse(score), has_reason);
                scored.push((rank, Found { entry: number, letters }));
            }
        }
        if !pattern.atoms.is_empty() {
            scored.sort_by_key(|(rank, _)| *rank);
        }
        self.found = scored.into_iter().map(|(_, found)| found).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str, reason: Option<&str>) -> Entry {
        Entry {
            group: "Run",
            text: text.into(),
            note: String::new(),
            keywords: String::new(),
            key: None,
            reason: reason.map(str::to_owned),
            target: Target::Run(text.into()),
        }
    }

    fn found(entries: &[Entry], typed: &str) -> Vec<String> {
        let mut palette = Palette::new(entries.to_vec());
        palette.edit(&Edit::Insert(typed.into()));
        palette.found().map(|(entry, _)| entry.text.clone()).collect()
    }

    #[test]
    fn letters_are_found_in_their_order() {
        let entries = [entry("delete the run", None), entry("edit", None), entry("übung", None)];
        assert_eq!(found(&entries, ""), ["delete the run", "edit", "übung"]);
        assert_eq!(found(&entries, "dltrun"), ["delete the run"]);
        assert_eq!(found(&entries, "run delete"), ["delete the run"], "words in any order");
        assert_eq!(found(&entries, "EDIT"), ["edit"]);
        assert_eq!(found(&entries, "ubung"), ["übung"]);
        assert!(found(&entries, "zzz").is_empty());
    }

    #[test]
    fn a_keyword_takes_precedence_over_letters_in_a_sentence() {
        let setting = Entry { keywords: "lr".into(), ..entry("learning_rate", None) };
        assert_eq!(found(&[entry("filter: lr>=1e-5", None), setting], "lr")[0], "learning_rate");
    }

    #[test]
    fn entries_that_apply_come_first() {
        let entries = [entry("open a", Some("It is broken.")), entry("open a", None)];
        let mut palette = Palette::new(entries.to_vec());
        palette.edit(&Edit::Insert("open".into()));
        let letters: Vec<_> = palette.found().map(|(_, letters)| letters.to_vec()).collect();
        assert_eq!(letters, [[0, 1, 2, 3], [0, 1, 2, 3]]);
        assert_eq!(palette.selected_entry().and_then(|entry| entry.reason.clone()), None);
    }
}
