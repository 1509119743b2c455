//! Reads `keys.toml`, the user's key bindings. Every error is reported with line and column, and costs its entry.
//!
//! A binding above the first table applies to every screen that has the action; a binding in the table of a screen
//! applies to that screen only, and takes precedence.

use super::bindings::{Binding, Keymap};
use super::key_chord::KeyChord;
use crate::config::{Parsed, ReadableToml, TomlSource, closest_match, describe_value, ranked_by_similarity};
use crate::error::Result;
use crate::tui::screen::{Context, Screen};
use std::borrow::Cow;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name in the configuration folder.
pub(super) const FILE: &str = "keys.toml";

impl Keymap {
    /// The bindings of the user's file, or the default ones if it does not exist.
    ///
    /// # Errors
    /// [`Error::Usage`] or [`Error::Config`](crate::error::Error::Config) if the file cannot be read.
    ///
    /// [`Error::Usage`]: crate::error::Error::Usage
    pub fn open() -> Result<Parsed<Keymap>> {
        Ok(crate::config::read(FILE)?.map_or(Parsed::default(), |(path, text)| Keymap::read(&text, &path)))
    }

    /// Parses the text of a file. An action whose value has an error keeps its default keys.
    pub fn read(text: &str, path: &Path) -> Parsed<Keymap> {
        let readable = ReadableToml::new(text);
        let source = TomlSource::new(&readable, path);
        let mut reader = Reader { source, keymap: Keymap::default(), assignments: Vec::new() };
        let root = reader.source.parse();
        let (tables, actions): (Vec<_>, Vec<_>) =
            root.get_ref().iter().partition(|(_, value)| value.get_ref().is_table());
        // Bindings of every screen come first, so that the table of a screen takes precedence.
        for (name, value) in actions {
            reader.action(None, name, value);
        }
        for (name, value) in tables {
            if let DeValue::Table(table) = value.get_ref() {
                reader.table(name, table);
            }
        }
        reader.drop_conflicts();
        reader.source.finish(reader.keymap)
    }
}

struct Reader<'a> {
    source: TomlSource<'a>,
    keymap: Keymap,
    /// The keys that the file assigns and that are not overridden.
    assignments: Vec<Assignment>,
}

/// A key that the file assigns to an action.
#[derive(Clone, Copy)]
struct Assignment {
    context: Context,
    name: &'static str,
    key: KeyChord,
    /// Byte offset of the key.
    offset: usize,
}

impl Reader<'_> {
    fn table(&mut self, name: &Spanned<Cow<'_, str>>, table: &DeTable) {
        let screens = || Context::ALL.into_iter().filter(|context| *context != Context::Global);
        let Some(context) = screens().find(|context| context.name() == name.get_ref()) else {
            let problem = match closest_match(name.get_ref(), screens().map(Context::name)) {
                _ if name.get_ref() == Context::Global.name() => {
                    "keys of every screen belong above the first table, not in a table".into()
                }
                Some(screen) => format!("unknown screen `{}`; did you mean [{screen}]?", name.get_ref()),
                None => {
                    let names: Vec<_> = screens().map(Context::name).collect();
                    format!("unknown screen `{}`; the screens are {}", name.get_ref(), names.join(", "))
                }
            };
            self.source.push_error(name.span().start, problem);
            return;
        };
        for (name, value) in table {
            self.action(Some(context), name, value);
        }
    }

    /// Assigns the keys of `value` to the action `name` of one context, or of every context that has it.
    fn action(&mut self, context: Option<Context>, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue>) {
        let binding =
            |context: Context| self.keymap.of(context).find(|binding| binding.name == name.get_ref());
        let contexts = Context::ALL.into_iter().filter(|here| context.is_none_or(|context| context == *here));
        let found: Vec<(Context, &'static str)> =
            contexts.filter_map(|context| Some((context, binding(context)?.name))).collect();
        if found.is_empty() {
            let problem = unknown(&self.keymap, context, name.get_ref());
            self.source.push_error(name.span().start, problem);
            return;
        }
        let Some(keys) = self.keys(value) else { return };
        for (target, name) in found {
            self.assign(target, name, &keys, value.span().start, context.is_some());
        }
    }

    /// Parses the keys of a value, each with its byte offset; `None` if there is an error.
    fn keys(&mut self, value: &Spanned<DeValue>) -> Option<Vec<(KeyChord, usize)>> {
        let one = std::slice::from_ref(value);
        let items = if let DeValue::Array(list) = value.get_ref() { list.as_ref() } else { one };
        let mut keys: Vec<(KeyChord, usize)> = Vec::new();
        let mut is_valid = true;
        for item in items {
            let offset = item.span().start;
            let parsed = match item.get_ref() {
                DeValue::String(text) => KeyChord::parse(text),
                other => {
                    Err(format!("expected a key or a list of keys in quotes, not {}", describe_value(other)))
                }
            };
            let problem = match parsed {
                Ok(key) if keys.iter().any(|(other, _)| *other == key) => {
                    format!("duplicate key `{}`", key.text())
                }
                Ok(key) => {
                    keys.push((key, offset));
                    continue;
                }
                Err(problem) => problem,
            };
            is_valid = false;
            self.source.push_error(offset, problem);
        }
        is_valid.then_some(keys)
    }

    /// Assigns keys, each with its byte offset, to an action of a context. `offset` is that of the value; `is_explicit`
    /// is true if the value is in the table of this context.
    fn assign(
        &mut self,
        context: Context,
        name: &'static str,
        keys: &[(KeyChord, usize)],
        offset: usize,
        is_explicit: bool,
    ) {
        let is_this = |one: &&mut Binding| one.context == context && one.name == name;
        let mut bindings = self.keymap.bindings.iter_mut().filter(is_this);
        let requires_key = bindings.any(|one| one.action.requires_key());
        if keys.is_empty() && requires_key {
            self.source.push_error(offset, format!("`{name}` needs at least one key"));
            return;
        }
        let is_key = |key: KeyChord| !(context.takes_text() && key.is_text());
        let usable: Vec<(KeyChord, usize)> = keys.iter().copied().filter(|(key, _)| is_key(*key)).collect();
        if usable.len() < keys.len() {
            if let (true, Some((key, offset))) = (is_explicit, keys.iter().find(|(key, _)| !is_key(*key))) {
                let (key, context) = (key.text(), context.name());
                let problem = format!("`{key}` is text in [{context}]; add ctrl- or alt-");
                self.source.push_error(*offset, problem);
                return;
            }
            // The value is for other screens, where letters are keys.
            if usable.is_empty() {
                return;
            }
        }
        for binding in self.keymap.bindings.iter_mut().filter(is_this) {
            binding.keys = usable.iter().map(|(key, _)| *key).collect();
        }
        self.assignments.retain(|other| (other.context, other.name) != (context, name));
        self.assignments.extend(usable.into_iter().map(|(key, offset)| Assignment {
            context,
            name,
            key,
            offset,
        }));
    }

    /// Reports keys that two actions of the same screen share, since only one of the actions would be triggered. The
    /// action of which the error is reported gets its default keys back.
    fn drop_conflicts(&mut self) {
        let built_in = Keymap::default();
        let mut reported: Vec<usize> = Vec::new();
        // Of two keys in the file the later one is reported; a key for several screens is reported once.
        let is_first = |assignment: &Assignment, offset: Option<usize>| {
            offset.is_none_or(|offset| offset <= assignment.offset)
        };
        loop {
            let conflict = |assignment: &Assignment| {
                let (other, offset) = self.conflict(&built_in, *assignment)?;
                is_first(assignment, offset).then_some((*assignment, other, offset))
            };
            let Some((assignment, other, offset)) = self.assignments.iter().find_map(conflict) else {
                return;
            };
            if !reported.contains(&assignment.offset) {
                reported.push(assignment.offset);
                self.report_conflict(assignment, other, offset);
            }
            let Assignment { context, name, .. } = assignment;
            for binding in &mut self.keymap.bindings {
                if (binding.context, binding.name) == (context, name)
                    && let Some(original) = built_in.of(context).find(|one| one.name == name)
                {
                    binding.keys.clone_from(&original.keys);
                }
            }
            self.assignments.retain(|one| (one.context, one.name) != (context, name));
        }
    }

    /// Reports a key that `other` has already; `offset` is the byte offset of that if it is in the file.
    fn report_conflict(
        &mut self,
        assignment: Assignment,
        (context, name): (Context, &'static str),
        offset: Option<usize>,
    ) {
        let context = if context == Context::Global {
            "on every screen".into()
        } else {
            format!("in [{}]", context.name())
        };
        let line =
            offset.map_or(String::new(), |offset| format!(", line {}", self.source.line_column(offset).0));
        let key = assignment.key.text();
        let problem = format!(
            "`{key}` is already the key of `{name}` {context}{line}; use another key for one of them"
        );
        self.source.push_error(assignment.offset, problem);
    }

    /// Another action with the same key in an overlapping context, and its byte offset if the file assigns it. Actions
    /// that share the key by default are no conflict.
    fn conflict(
        &self,
        built_in: &Keymap,
        assignment: Assignment,
    ) -> Option<((Context, &'static str), Option<usize>)> {
        let has = |context: Context, name: &str| {
            built_in.of(context).any(|one| one.name == name && one.keys.contains(&assignment.key))
        };
        let conflict = self.keymap.bindings.iter().find(|other| {
            (other.context, other.name) != (assignment.context, assignment.name)
                && other.keys.contains(&assignment.key)
                && overlaps(assignment.context, other.context)
                && !(has(assignment.context, assignment.name) && has(other.context, other.name))
        })?;
        let found = (conflict.context, conflict.name);
        let mut assigned = self
            .assignments
            .iter()
            .filter(|other| (other.context, other.name) == found && other.key == assignment.key);
        Some((found, assigned.next().map(|other| other.offset)))
    }
}

/// Whether keys of the two contexts are active at the same time.
fn overlaps(a: Context, b: Context) -> bool {
    let together =
        [(Context::Chart, Context::Screen(Screen::Live)), (Context::Screen(Screen::Compare), Context::Chart)];
    let is_pair = |x: Context, y: Context| x == Context::Global || together.contains(&(x, y));
    a == b || is_pair(a, b) || is_pair(b, a)
}

/// The error for a name that is not an action of the context (or of any), with the closest name.
fn unknown(keymap: &Keymap, context: Option<Context>, name: &str) -> String {
    let here =
        || keymap.bindings.iter().filter(move |one| context.is_none_or(|context| one.context == context));
    let elsewhere = keymap.bindings.iter().find(|one| one.name == name).map(|one| one.context);
    let near = ranked_by_similarity(&name.replace('-', "_").to_lowercase(), here().map(|one| one.name))
        .first()
        .copied();
    match (context, elsewhere, near) {
        (Some(context), Some(Context::Global), _) => {
            format!(
                "`{name}` applies to every screen; it belongs above the first table, not in [{}]",
                context.name()
            )
        }
        (Some(context), Some(other), _) => {
            format!("`{name}` is an action of [{1}], not of [{0}]", context.name(), other.name())
        }
        (_, None, Some(near)) => format!("unknown action `{name}`; did you mean `{near}`?"),
        _ => format!("unknown action `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Binding;

    fn read(text: &str) -> Keymap {
        Keymap::read(text, Path::new("k.toml")).complete().unwrap()
    }

    fn errors(text: &str) -> Vec<String> {
        Keymap::read(text, Path::new("k.toml")).errors.iter().map(ToString::to_string).collect()
    }

    fn keys(keymap: &Keymap, context: Context, name: &str) -> Vec<String> {
        let binding: &Binding = keymap.of(context).find(|one| one.name == name).unwrap();
        binding.keys.iter().map(|key| key.text()).collect()
    }

    #[test]
    fn empty_file_keeps_the_default_keys() {
        let keymap = read("# empty\n");
        assert_eq!(keys(&keymap, Context::Global, "quit"), ["q", "ctrl-c"]);
    }

    #[test]
    fn screen_table_overrides_keys_of_every_screen() {
        let keymap = read(
            "up = [\"up\", \"z\"]\n[compare]\nup = \"ctrl-p\"\n[live]\npause = [\"space\", \"x\"]\nstop = \"X\"\n",
        );
        assert_eq!(keys(&keymap, Context::Screen(Screen::Runs), "up"), ["up", "z"]);
        assert_eq!(keys(&keymap, Context::Screen(Screen::Compare), "up"), ["ctrl-p"]);
        assert_eq!(keys(&keymap, Context::Screen(Screen::Infer), "up"), ["up"], "a letter is text there");
        assert_eq!(keys(&keymap, Context::Screen(Screen::Live), "pause"), ["space", "x"]);
        let pauses = keymap.of(Context::Screen(Screen::Live)).filter(|one| one.name == "pause");
        assert!(pauses.map(|one| one.keys.len()).eq([2, 2]), "pause and resume share one key");
        let keymap = read("[live]\nstop = []\n");
        assert_eq!(keys(&keymap, Context::Screen(Screen::Live), "stop"), [""; 0]);
    }

    #[test]
    fn every_error_is_reported_with_its_position() {
        let text = "puase = \"p\"\nquit = []\nredraw = 5\n\n[live]\nsave = [\"z\", \"ctl-s\"]\nsearch = \"f\"\n\
                    quit = \"Q\"\nstop = [\"X\", \"X\"]\n[infer]\nweights = \"w\"\n[lvie]\n[everywhere]\n";
        let found = errors(text);
        let expected = [
            "k.toml:1:1: unknown action `puase`; did you mean `pause`?",
            "k.toml:2:8: `quit` needs at least one key",
            "k.toml:3:10: expected a key or a list of keys in quotes, not `5`",
            "k.toml:6:14: `ctl-s` is not a key; did you mean `ctrl-s`?",
            "k.toml:7:1: `search` is an action of [runs], not of [live]",
            "k.toml:8:1: `quit` applies to every screen; it belongs above the first table, not in [live]",
            "k.toml:9:14: duplicate key `X`",
            "k.toml:11:11: `w` is text in [infer]; add ctrl- or alt-",
            "k.toml:12:2: unknown screen `lvie`; did you mean [live]?",
            "k.toml:13:2: keys of every screen belong above the first table, not in a table",
        ];
        assert_eq!(found, expected, "{found:#?}");
    }

    #[test]
    fn an_error_costs_its_action() {
        let text = "quit = \"ctrl-q\"\nhelp = \n[live]\npause = \"p\"\nstop = \"p\"\nsave = \"ctl-s\"\n";
        let parsed = Keymap::read(text, Path::new("k.toml"));
        assert_eq!(parsed.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 5, 6]);
        let live = |name| keys(&parsed.value, Context::Screen(Screen::Live), name);
        assert_eq!(
            (live("pause"), live("stop"), live("save")),
            (vec!["p".into()], vec!["x".into()], vec!["s".into()])
        );
        assert_eq!(keys(&parsed.value, Context::Global, "quit"), ["ctrl-q"]);
        assert_eq!(keys(&parsed.value, Context::Global, "help"), ["?", "f1"]);
    }

    #[test]
    fn same_key_for_two_actions_of_a_screen_is_an_error() {
        let check = |text: &str, expected: &[&str]| {
            let found = errors(text);
            assert_eq!(found, expected, "{text}\n{found:#?}");
        };
        check(
            "[live]\nsave = \"x\"\n",
            &["k.toml:2:8: `x` is already the key of `stop` in [live]; use another key for one of them"],
        );
        check(
            "[runs]\nnew = \"Z\"\nedit = \"Z\"\n",
            &[
                "k.toml:3:8: `Z` is already the key of `new` in [runs], line 2; use another key for one of them",
            ],
        );
        check(
            "[chart]\nlog = \"s\"\n",
            &["k.toml:2:7: `s` is already the key of `save` in [live]; use another key for one of them"],
        );
        check(
            "refresh = \"q\"\n",
            &[
                "k.toml:1:11: `q` is already the key of `quit` on every screen; use another key for one of them",
            ],
        );
        // Swapped keys do not conflict.
        read("[live]\nsave = \"x\"\nstop = \"s\"\n");
    }

    #[test]
    fn toml_syntax_error_is_reported_once() {
        let found = errors("quit = \npuase = \"p\"\n");
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].starts_with("k.toml:1:") && found[0].contains("not TOML"), "{found:#?}");
    }

    #[test]
    fn default_bindings_are_consistent() {
        let keymap = Keymap::default();
        for context in Context::ALL {
            for binding in keymap.of(context) {
                let same = keymap.of(context).filter(|one| one.name == binding.name);
                let (mut keys, default_keys) = (same.map(|one| one.keys.clone()), &binding.keys);
                assert!(
                    keys.all(|other| other == *default_keys),
                    "{} of [{}] has other keys in one row",
                    binding.name,
                    context.name()
                );
                assert!(
                    !default_keys.is_empty()
                        && default_keys.iter().all(|key| KeyChord::parse(&key.text()) == Ok(*key))
                );
                assert!(
                    binding.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                    "{}",
                    binding.name
                );
                assert!(
                    Context::ALL.iter().all(|context| context.name() != binding.name),
                    "a table and an action are both {}",
                    binding.name
                );
            }
        }
    }
}
