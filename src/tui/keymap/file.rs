//! `keys.toml`: which keys a person wants for which action, or every mistake in it with its place.
//!
//! A name at the top of the file holds on every screen that has the action; in a table of a screen it holds
//! there alone, and wins.

use super::bindings::{Binding, Keymap};
use super::key_chord::KeyChord;
use crate::config::{TomlSource, closest_match, describe_value, ranked_by_similarity};
use crate::error::{Diagnostic, Error, Result};
use crate::tui::screen::{Context, Screen};
use std::borrow::Cow;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name in the folder of settings.
pub(super) const FILE: &str = "keys.toml";

impl Keymap {
    /// The keys of the person's own file, or the built-in ones without it.
    ///
    /// # Errors
    /// [`Error::Config`] with every mistake in the file.
    pub fn open() -> Result<Keymap> {
        match crate::config::read(FILE)? {
            Some((path, text)) => Keymap::read(&text, &path).map_err(Error::Config),
            None => Ok(Keymap::default()),
        }
    }

    /// The keys that the text of a file asks for; the error is every mistake in it, in the order of the lines.
    pub fn read(text: &str, path: &Path) -> Result<Keymap, Vec<Diagnostic>> {
        let source = TomlSource::new(text, path);
        let mut reader = Reader { source, keymap: Keymap::default(), given: Vec::new() };
        let root = reader.source.parse();
        let (tables, actions): (Vec<_>, Vec<_>) =
            root.get_ref().iter().partition(|(_, value)| value.get_ref().is_table());
        // What holds on every screen comes first, so that a screen's own table wins.
        for (name, value) in actions {
            reader.action(None, name, value);
        }
        for (name, value) in tables {
            if let DeValue::Table(table) = value.get_ref() {
                reader.table(name, table);
            }
        }
        if reader.source.is_ok() {
            reader.clashes();
        }
        reader.source.finish(reader.keymap)
    }
}

struct Reader<'a> {
    source: TomlSource<'a>,
    keymap: Keymap,
    /// Every key that the file gives and that holds.
    given: Vec<Given>,
}

/// A key that the file gives to an action.
#[derive(Clone, Copy)]
struct Given {
    context: Context,
    name: &'static str,
    press: KeyChord,
    /// Byte offset of the key.
    at: usize,
}

impl Reader<'_> {
    fn table(&mut self, name: &Spanned<Cow<'_, str>>, table: &DeTable) {
        let screens = || Context::ALL.into_iter().filter(|context| *context != Context::Global);
        let Some(context) = screens().find(|context| context.name() == name.get_ref()) else {
            let problem = match closest_match(name.get_ref(), screens().map(Context::name)) {
                _ if name.get_ref() == Context::Global.name() => {
                    "what holds on every screen stands above the first table, without one of its own".into()
                }
                Some(screen) => format!("unknown screen `{}`; did you mean [{screen}]?", name.get_ref()),
                None => {
                    let names: Vec<_> = screens().map(Context::name).collect();
                    format!("unknown screen `{}`; there are {}", name.get_ref(), names.join(", "))
                }
            };
            self.source.push_error_unless_syntax_error(name.span().start, problem);
            return;
        };
        for (name, value) in table {
            self.action(Some(context), name, value);
        }
    }

    /// Gives the keys of `value` to the action `name` of one context, or of every context that has it.
    fn action(&mut self, context: Option<Context>, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue>) {
        let has = |wanted: Context| self.keymap.of(wanted).find(|binding| binding.name == name.get_ref());
        let contexts = Context::ALL.into_iter().filter(|here| context.is_none_or(|context| context == *here));
        let found: Vec<(Context, &'static str)> =
            contexts.filter_map(|context| Some((context, has(context)?.name))).collect();
        if found.is_empty() {
            let problem = unknown(&self.keymap, context, name.get_ref());
            self.source.push_error_unless_syntax_error(name.span().start, problem);
            return;
        }
        let Some(keys) = self.keys(value) else { return };
        for (at, name) in found {
            self.give(at, name, &keys, value.span().start, context.is_some());
        }
    }

    /// The keys that are written in a value, each with its byte offset; `None` when something is wrong.
    fn keys(&mut self, value: &Spanned<DeValue>) -> Option<Vec<(KeyChord, usize)>> {
        let one = std::slice::from_ref(value);
        let written = if let DeValue::Array(list) = value.get_ref() { list.as_ref() } else { one };
        let mut keys: Vec<(KeyChord, usize)> = Vec::new();
        let mut is_right = true;
        for key in written {
            let at = key.span().start;
            let read = match key.get_ref() {
                DeValue::String(text) => KeyChord::parse(text),
                other => Err(format!(
                    "a key, or a list of keys, in quotes is expected, not {}",
                    describe_value(other)
                )),
            };
            let problem = match read {
                Ok(press) if keys.iter().any(|(known, _)| *known == press) => {
                    format!("`{}` stands here twice", press.text())
                }
                Ok(press) => {
                    keys.push((press, at));
                    continue;
                }
                Err(problem) => problem,
            };
            is_right = false;
            self.source.push_error_unless_syntax_error(at, problem);
        }
        is_right.then_some(keys)
    }

    /// Gives keys, each with its byte offset, to an action of a context. `at` is where the value is; `is_own` says
    /// that it is meant for this context alone.
    fn give(
        &mut self,
        context: Context,
        name: &'static str,
        keys: &[(KeyChord, usize)],
        at: usize,
        is_own: bool,
    ) {
        let is_this = |one: &&mut Binding| one.context == context && one.name == name;
        let mut bindings = self.keymap.bindings.iter_mut().filter(is_this);
        let is_way_out = bindings.any(|one| one.action.requires_key());
        if keys.is_empty() && is_way_out {
            self.source.push_error_unless_syntax_error(at, format!("`{name}` is a way out and needs a key"));
            return;
        }
        let is_key = |press: KeyChord| !(context.takes_text() && press.is_text());
        let usable: Vec<(KeyChord, usize)> =
            keys.iter().copied().filter(|(press, _)| is_key(*press)).collect();
        if usable.len() < keys.len() {
            if let (true, Some((press, at))) = (is_own, keys.iter().find(|(press, _)| !is_key(*press))) {
                let (key, context) = (press.text(), context.name());
                let problem =
                    format!("`{key}` is text in [{context}]; with ctrl- or alt- before it, it is a key");
                self.source.push_error_unless_syntax_error(*at, problem);
                return;
            }
            // Meant for other screens, where letters are keys.
            if usable.is_empty() {
                return;
            }
        }
        for binding in self.keymap.bindings.iter_mut().filter(is_this) {
            binding.keys = usable.iter().map(|(press, _)| *press).collect();
        }
        self.given.retain(|given| (given.context, given.name) != (context, name));
        self.given.extend(usable.into_iter().map(|(press, at)| Given { context, name, press, at }));
    }

    /// A key of the file that another action of the same screen has too would do only one of the two.
    fn clashes(&mut self) {
        let built_in = Keymap::default();
        let mut told: Vec<usize> = Vec::new();
        for given in self.given.clone() {
            let Some((rival, at)) = self.rival(&built_in, given) else { continue };
            // Of two that are in the file the later one is told, and one that holds on several screens once.
            if at.is_some_and(|at| at > given.at) || told.contains(&given.at) {
                continue;
            }
            told.push(given.at);
            let (context, name) = rival;
            let context = if context == Context::Global {
                "on every screen".into()
            } else {
                format!("in [{}]", context.name())
            };
            let line = at.map_or(String::new(), |at| format!(", line {}", self.source.line_column(at).0));
            let key = given.press.text();
            let problem =
                format!("`{key}` is already the key of `{name}` {context}{line}; one of them needs another");
            self.source.push_error(given.at, problem);
        }
    }

    /// Another action that has the same key at the same time, and where the file gives it; that two have it
    /// from the start is meant so.
    fn rival(&self, built_in: &Keymap, given: Given) -> Option<((Context, &'static str), Option<usize>)> {
        let has = |context: Context, name: &str| {
            built_in.of(context).any(|one| one.name == name && one.keys.contains(&given.press))
        };
        let rival = self.keymap.bindings.iter().find(|other| {
            (other.context, other.name) != (given.context, given.name)
                && other.keys.contains(&given.press)
                && meet(given.context, other.context)
                && !(has(given.context, given.name) && has(other.context, other.name))
        })?;
        let found = (rival.context, rival.name);
        let mut all =
            self.given.iter().filter(|one| (one.context, one.name) == found && one.press == given.press);
        Some((found, all.next().map(|one| one.at)))
    }
}

/// Whether keys of the two contexts are taken at the same time.
fn meet(a: Context, b: Context) -> bool {
    let together =
        [(Context::Chart, Context::Screen(Screen::Live)), (Context::Screen(Screen::Compare), Context::Chart)];
    let is_pair = |x: Context, y: Context| x == Context::Global || together.contains(&(x, y));
    a == b || is_pair(a, b) || is_pair(b, a)
}

/// Why `name` is no action of the context, or of any, and what was probably meant.
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
                "`{name}` holds on every screen; it belongs above the first table, not in [{}]",
                context.name()
            )
        }
        (Some(context), Some(other), _) => {
            format!("`{name}` is no action of [{}], but of [{}]", context.name(), other.name())
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
        Keymap::read(text, Path::new("k.toml")).unwrap_or_else(|found| panic!("{found:?}"))
    }

    fn mistakes(text: &str) -> Vec<String> {
        let found = Keymap::read(text, Path::new("k.toml")).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    fn keys(keymap: &Keymap, context: Context, name: &str) -> Vec<String> {
        let binding: &Binding = keymap.of(context).find(|one| one.name == name).unwrap();
        binding.keys.iter().map(|press| press.text()).collect()
    }

    #[test]
    fn nothing_in_the_file_changes_nothing() {
        let keymap = read("# nothing\n");
        assert_eq!(keys(&keymap, Context::Global, "quit"), ["q", "ctrl-c"]);
    }

    #[test]
    fn a_name_holds_on_every_screen_and_a_table_of_one_screen_wins() {
        let keymap = read(
            "up = [\"up\", \"z\"]\n[compare]\nup = \"ctrl-p\"\n[live]\npause = [\"space\", \"x\"]\nstop = \"X\"\n",
        );
        assert_eq!(keys(&keymap, Context::Screen(Screen::Runs), "up"), ["up", "z"]);
        assert_eq!(keys(&keymap, Context::Screen(Screen::Compare), "up"), ["ctrl-p"]);
        assert_eq!(keys(&keymap, Context::Screen(Screen::Infer), "up"), ["up"], "a letter is text there");
        assert_eq!(keys(&keymap, Context::Screen(Screen::Live), "pause"), ["space", "x"]);
        let pauses = keymap.of(Context::Screen(Screen::Live)).filter(|one| one.name == "pause");
        assert!(pauses.map(|one| one.keys.len()).eq([2, 2]), "to pause and to go on is one key");
        let keymap = read("[live]\nstop = []\n");
        assert_eq!(keys(&keymap, Context::Screen(Screen::Live), "stop"), [""; 0]);
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        let text = "puase = \"p\"\nquit = []\nredraw = 5\n\n[live]\nsave = [\"z\", \"ctl-s\"]\nsearch = \"f\"\n\
                    quit = \"Q\"\nstop = [\"X\", \"X\"]\n[infer]\nweights = \"w\"\n[lvie]\n[everywhere]\n";
        let found = mistakes(text);
        let wanted = [
            "k.toml:1:1: unknown action `puase`; did you mean `pause`?",
            "k.toml:2:8: `quit` is a way out and needs a key",
            "k.toml:3:10: a key, or a list of keys, in quotes is expected, not `5`",
            "k.toml:6:14: `ctl-s` is no key; did you mean `ctrl-s`?",
            "k.toml:7:1: `search` is no action of [live], but of [runs]",
            "k.toml:8:1: `quit` holds on every screen; it belongs above the first table, not in [live]",
            "k.toml:9:14: `X` stands here twice",
            "k.toml:11:11: `w` is text in [infer]; with ctrl- or alt- before it, it is a key",
            "k.toml:12:2: unknown screen `lvie`; did you mean [live]?",
            "k.toml:13:2: what holds on every screen stands above the first table, without one of its own",
        ];
        assert_eq!(found, wanted, "{found:#?}");
    }

    #[test]
    fn one_key_for_two_actions_of_a_screen_is_a_mistake() {
        let clash = |text: &str, wanted: &[&str]| {
            let found = mistakes(text);
            assert_eq!(found, wanted, "{text}\n{found:#?}");
        };
        clash(
            "[live]\nsave = \"x\"\n",
            &["k.toml:2:8: `x` is already the key of `stop` in [live]; one of them needs another"],
        );
        clash(
            "[runs]\nnew = \"N\"\nedit = \"N\"\n",
            &["k.toml:3:8: `N` is already the key of `new` in [runs], line 2; one of them needs another"],
        );
        clash(
            "[chart]\nlog = \"s\"\n",
            &["k.toml:2:7: `s` is already the key of `save` in [live]; one of them needs another"],
        );
        clash(
            "refresh = \"q\"\n",
            &["k.toml:1:11: `q` is already the key of `quit` on every screen; one of them needs another"],
        );
        // Moved out of the way.
        read("[live]\nsave = \"x\"\nstop = \"s\"\n");
    }

    #[test]
    fn what_is_not_toml_is_told_once() {
        let found = mistakes("quit = \npuase = \"p\"\n");
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].starts_with("k.toml:1:") && found[0].contains("not TOML"), "{found:#?}");
    }

    #[test]
    fn names_are_sound() {
        let keymap = Keymap::default();
        for context in Context::ALL {
            for binding in keymap.of(context) {
                let same = keymap.of(context).filter(|one| one.name == binding.name);
                let (mut keys, presses) = (same.map(|one| one.keys.clone()), &binding.keys);
                assert!(
                    keys.all(|other| other == *presses),
                    "{} of [{}] has other keys in one row",
                    binding.name,
                    context.name()
                );
                assert!(
                    !presses.is_empty()
                        && presses.iter().all(|press| KeyChord::parse(&press.text()) == Ok(*press))
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
