//! Export of the key bindings: as a commented `keys.toml`, and as data.

use super::bindings::{Binding, Keymap};
use super::file::FILE;
use super::key_chord::KEYS;
use crate::config;
use crate::error::Result;
use crate::tui::screen::Context;
use crate::tui::widgets::wrap;
use serde::Serialize;

/// Column of the descriptions in the file.
const DESCRIPTION_COLUMN: usize = 34;
/// Width of the comments at the top of the file, in characters.
const WIDTH: usize = 100;

/// The active key bindings: as a commented `keys.toml` that reproduces them, and as JSON.
///
/// # Errors
/// [`crate::error::Error::Config`] with every error in the current `keys.toml`.
pub fn export() -> Result<(String, serde_json::Value)> {
    let keymap = Keymap::open()?.complete()?;
    let data = serde_json::to_value(keymap.actions()).expect("plain values become JSON");
    Ok((keymap.document(), data))
}

/// The keys of an action, as data.
#[derive(Debug, Serialize)]
pub struct ActionKeys {
    /// The screen's table in `keys.toml`; `everywhere` for keys above the first table.
    screen: &'static str,
    /// The action's name in the file.
    action: &'static str,
    /// Its keys, as written in the file.
    keys: Vec<String>,
    /// Its default keys.
    built_in: Vec<String>,
    /// Descriptions of the action; several if it depends on the item under the cursor.
    about: Vec<&'static str>,
}

impl Keymap {
    /// Every action with its keys, in the order of the help.
    pub fn actions(&self) -> Vec<ActionKeys> {
        let built_in = Keymap::default();
        let mut actions: Vec<ActionKeys> = Vec::new();
        for context in Keymap::file_order() {
            for (binding, before) in self.of(context).zip(built_in.of(context)) {
                let known =
                    actions.iter_mut().find(|one| (one.screen, one.action) == (context.name(), binding.name));
                match known {
                    Some(known) if known.about.contains(&binding.description) => {}
                    Some(known) => known.about.push(binding.description),
                    None => actions.push(ActionKeys {
                        screen: context.name(),
                        action: binding.name,
                        keys: texts(binding),
                        built_in: texts(before),
                        about: vec![binding.description],
                    }),
                }
            }
        }
        actions
    }

    /// A `keys.toml` that reproduces these bindings and describes every action. Default bindings are commented out.
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

    /// Contexts in the order of the file: first the actions of every screen.
    fn file_order() -> impl Iterator<Item = Context> {
        let others = Context::ALL.into_iter().filter(|context| *context != Context::Global);
        std::iter::once(Context::Global).chain(others)
    }
}

impl ActionKeys {
    fn lines(&self) -> String {
        let is_changed = self.keys != self.built_in;
        let comment = if is_changed { "" } else { "#" };
        let mut left = format!("{comment}{} = {}", self.action, value(&self.keys));
        let mut text = String::new();
        for description in &self.about {
            text += &format!("{left:<DESCRIPTION_COLUMN$} # {description}\n");
            left = String::new();
        }
        if is_changed {
            text += &format!("{left:<DESCRIPTION_COLUMN$} # default: {}\n", value(&self.built_in));
        }
        text
    }
}

fn texts(binding: &Binding) -> Vec<String> {
    binding.keys.iter().map(|key| key.text()).collect()
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

/// The comments at the top of the file, in lines of at most [`WIDTH`] characters.
fn head() -> String {
    let text_contexts = Context::ALL
        .into_iter()
        .filter(|context| context.takes_text())
        .map(|context| format!("[{}]", context.name()));
    let text_contexts: Vec<String> = text_contexts.collect();
    let folder =
        config::folder().map_or("the configuration folder".into(), |folder| folder.display().to_string());
    let paragraphs = [
        format!("Key bindings of glue-tui. To change them, edit {folder}/{FILE}: remove the # before an action."),
        String::new(),
        "    action = \"key\"".into(),
        "    action = [\"key\", \"another\"]".into(),
        "    action = []                 no key".into(),
        String::new(),
        format!("A key is {KEYS}."),
        "Keys above the first [table] apply to every screen that has the action; keys in a [table] apply to that \
         screen only."
            .into(),
        format!("In {}, where text is typed, a plain letter cannot be a key.", text_contexts.join(" ")),
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
        Keymap::read(text, Path::new("keys.toml"))
            .complete()
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    fn data(keymap: &Keymap) -> String {
        serde_json::to_string(&keymap.actions()).unwrap()
    }

    #[test]
    fn document_reproduces_the_keymap() {
        let built_in = Keymap::default();
        assert_eq!(data(&read(&built_in.document())), data(&built_in));
        let custom =
            read("quit = \"ctrl-q\"\n[live]\npause = [\"space\", \"p\"]\n[compare]\nmark_all = []\n");
        assert_ne!(data(&custom), data(&built_in));
        assert_eq!(data(&read(&custom.document())), data(&custom));
        let changed: Vec<String> = custom
            .document()
            .lines()
            .filter(|line| !line.starts_with(['#', ' ', '[']) && !line.is_empty())
            .map(str::to_owned)
            .collect();
        assert_eq!(changed.len(), 3, "{changed:#?}");
    }

    #[test]
    fn uncommented_document_is_the_default_keymap() {
        let built_in = Keymap::default();
        let document = built_in.document();
        let uncommented = document.lines().map(|line| {
            let action = line.strip_prefix('#').filter(|line| !line.starts_with(' ') && line.contains(" = "));
            action.unwrap_or(line)
        });
        let uncommented = uncommented.collect::<Vec<_>>().join("\n");
        assert!(
            uncommented.lines().filter(|line| line.contains(" = \"") || line.contains(" = [")).count() > 80
        );
        assert_eq!(data(&read(&uncommented)), data(&built_in));
    }

    #[test]
    fn document_lines_have_at_most_130_characters() {
        for line in Keymap::default().document().lines() {
            assert!(line.chars().count() <= 130, "{line}");
        }
    }
}
