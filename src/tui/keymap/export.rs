//! The keys written out: as a file to change, and as data.

use super::bindings::{Binding, Keymap};
use super::file::FILE;
use super::key_chord::KEYS;
use crate::config;
use crate::error::Result;
use crate::tui::screen::Context;
use crate::tui::widgets::wrap;
use serde::Serialize;

/// Column of the sentences in the file.
const SENTENCES: usize = 34;
/// Columns of its comments.
const WIDTH: usize = 100;

/// The keys that hold: as a file that means them and explains all of them, and as data.
///
/// # Errors
/// [`crate::error::Error::Config`] with every mistake in the file that says them now.
pub fn written() -> Result<(String, serde_json::Value)> {
    let keymap = Keymap::open()?;
    let data = serde_json::to_value(keymap.actions()).expect("plain values become JSON");
    Ok((keymap.document(), data))
}

/// The keys of an action, as data.
#[derive(Debug, Serialize)]
pub struct ActionKeys {
    /// The screen's name in `keys.toml`, `everywhere` for what stands above its tables.
    screen: &'static str,
    /// The action's name there.
    action: &'static str,
    /// Its keys as they are written there.
    keys: Vec<String>,
    /// The keys that it has when nothing is said.
    built_in: Vec<String>,
    /// What it does, depending on what is under the cursor.
    about: Vec<&'static str>,
}

impl Keymap {
    /// Every action with its keys, in the order of the help.
    pub fn actions(&self) -> Vec<ActionKeys> {
        let built_in = Keymap::default();
        let mut actions: Vec<ActionKeys> = Vec::new();
        for context in Keymap::written() {
            for (binding, before) in self.of(context).zip(built_in.of(context)) {
                let known =
                    actions.iter_mut().find(|one| (one.screen, one.action) == (context.name(), binding.name));
                match known {
                    Some(known) if known.about.contains(&binding.sentence) => {}
                    Some(known) => known.about.push(binding.sentence),
                    None => actions.push(ActionKeys {
                        screen: context.name(),
                        action: binding.name,
                        keys: texts(binding),
                        built_in: texts(before),
                        about: vec![binding.sentence],
                    }),
                }
            }
        }
        actions
    }

    /// The text of a `keys.toml` that means these keys and explains all of them: what is built in stands
    /// behind a `#`.
    pub fn document(&self) -> String {
        let mut text = head();
        let mut screen = "";
        for action in self.actions() {
            if action.screen != screen {
                screen = action.screen;
                text += &heading(screen);
            }
            text += &action.lines();
        }
        text
    }

    /// Contexts in the order of the file, which begins with what holds on every screen.
    fn written() -> impl Iterator<Item = Context> {
        let others = Context::ALL.into_iter().filter(|context| *context != Context::Global);
        std::iter::once(Context::Global).chain(others)
    }
}

impl ActionKeys {
    fn lines(&self) -> String {
        let is_changed = self.keys != self.built_in;
        let sign = if is_changed { "" } else { "#" };
        let mut left = format!("{sign}{} = {}", self.action, value(&self.keys));
        let mut text = String::new();
        for sentence in &self.about {
            text += &format!("{left:<SENTENCES$} # {sentence}\n");
            left = String::new();
        }
        if is_changed {
            text += &format!("{left:<SENTENCES$} # built in: {}\n", value(&self.built_in));
        }
        text
    }
}

fn texts(binding: &Binding) -> Vec<String> {
    binding.keys.iter().map(|press| press.text()).collect()
}

/// A key, or a list of them, in TOML.
fn value(keys: &[String]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| toml::Value::from(key.as_str()).to_string()).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn heading(screen: &str) -> String {
    if screen == Context::Global.name() { "\n# On every screen\n".into() } else { format!("\n[{screen}]\n") }
}

/// What the file is, as comments of at most [`WIDTH`] characters.
fn head() -> String {
    let typing = Context::ALL
        .into_iter()
        .filter(|context| context.takes_text())
        .map(|context| format!("[{}]", context.name()));
    let typing: Vec<String> = typing.collect();
    let folder =
        config::folder().map_or("the folder of settings".into(), |folder| folder.display().to_string());
    let paragraphs = [
        format!("Keys of glue-tui. In {folder}/{FILE} they can be changed: take the # before an action away."),
        String::new(),
        "    action = \"key\"".into(),
        "    action = [\"key\", \"another\"]".into(),
        "    action = []                 no key at all".into(),
        String::new(),
        format!("A key is {KEYS}."),
        "Above the first [table] an action's keys hold on every screen that has the action, in a [table] on that \
         screen alone."
            .into(),
        format!("Where one types, in {}, a letter alone is text and no key.", typing.join(" ")),
    ];
    let lines = paragraphs.iter().flat_map(|text| {
        let lines = wrap(text, WIDTH - 2);
        if lines.is_empty() { vec![String::new()] } else { lines }
    });
    lines.map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Keymap {
        Keymap::read(text, Path::new("keys.toml")).unwrap_or_else(|found| panic!("{found:?}\n{text}"))
    }

    fn data(keymap: &Keymap) -> String {
        serde_json::to_string(&keymap.actions()).unwrap()
    }

    #[test]
    fn the_document_means_what_it_was_made_of() {
        let built_in = Keymap::default();
        assert_eq!(data(&read(&built_in.document())), data(&built_in));
        let own = read("quit = \"ctrl-q\"\n[live]\npause = [\"space\", \"p\"]\n[compare]\nmark_all = []\n");
        assert_ne!(data(&own), data(&built_in));
        assert_eq!(data(&read(&own.document())), data(&own));
        let changed: Vec<String> = own
            .document()
            .lines()
            .filter(|line| !line.starts_with(['#', ' ', '[']) && !line.is_empty())
            .map(str::to_owned)
            .collect();
        assert_eq!(changed.len(), 3, "{changed:#?}");
    }

    #[test]
    fn every_line_that_is_taken_over_is_right() {
        let built_in = Keymap::default();
        let document = built_in.document();
        let taken = document.lines().map(|line| {
            let action = line.strip_prefix('#').filter(|line| !line.starts_with(' ') && line.contains(" = "));
            action.unwrap_or(line)
        });
        let taken = taken.collect::<Vec<_>>().join("\n");
        assert!(taken.lines().filter(|line| line.contains(" = \"") || line.contains(" = [")).count() > 80);
        assert_eq!(data(&read(&taken)), data(&built_in));
    }

    #[test]
    fn lines_are_not_too_wide() {
        for line in Keymap::default().document().lines() {
            assert!(line.chars().count() <= 130, "{line}");
        }
    }
}
