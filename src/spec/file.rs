//! The shape of an experiments file: text → layers of checked values, or every mistake with its place.
//!
//! A `spec.toml` of a run directory is read by the same code: the keys of one experiment at the top,
//! with its name under `experiment`.

use super::check::{broken_rules, check_value, unknown_key};
use super::key_named;
use super::keys::{Key, Kind};
use super::resolve::fill;
use crate::config::{Source, kind_of, meant};
use crate::error::Diagnostic;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Checked values by key name, as typed.
pub(crate) type Layer = BTreeMap<&'static str, Entry>;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// As typed, without quotes.
    pub(crate) text: String,
    /// Byte offset of the value.
    at: usize,
}

/// One named experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    /// The comment lines directly above its table.
    pub(crate) description: Option<String>,
    pub(crate) layer: Layer,
    /// Byte offset of its name.
    at: usize,
}

/// All that a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct File {
    pub(crate) defaults: Layer,
    /// In the order of the file.
    pub(crate) experiments: Vec<Experiment>,
}

/// Reads a whole file; the error is every mistake in it, in the order of the lines.
pub(crate) fn read(text: &str, path: &Path) -> Result<File, Vec<Diagnostic>> {
    let mut reader = Reader { text, source: Source::new(text, path) };
    let root = reader.source.tables();
    let file = reader.root(root.get_ref());
    // A value that is wrong by itself would be told a second time by the rules between values.
    if reader.source.is_right() {
        reader.rules(&file);
    }
    reader.source.finish(file)
}

struct Reader<'a> {
    text: &'a str,
    source: Source<'a>,
}

impl Reader<'_> {
    fn root(&mut self, root: &DeTable) -> File {
        if let Some((_, name)) = root.iter().find(|(key, _)| key.get_ref() == "experiment")
            && let DeValue::String(text) = name.get_ref()
        {
            let at = name.span().start;
            self.name(text, at);
            let layer = self.layer(root, &["experiment"]);
            let experiment = Experiment { name: text.to_string(), description: None, layer, at };
            return File { defaults: Layer::new(), experiments: vec![experiment] };
        }
        let mut file = File::default();
        for (key, value) in root {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            match (name, value.get_ref()) {
                ("defaults", DeValue::Table(table)) => file.defaults = self.layer(table, &[]),
                ("experiment", DeValue::Table(tables)) => self.experiments(tables, &mut file.experiments),
                ("defaults", _) => self.source.say_unless_broken(at, "[defaults] is a table of keys".into()),
                ("experiment", _) => {
                    self.source.say_unless_broken(at, "each experiment is a table [experiment.NAME]".into());
                }
                _ => self.source.say_unless_broken(at, misplaced(name, value.get_ref())),
            }
        }
        file.experiments.sort_by_key(|experiment| experiment.at);
        file
    }

    fn experiments(&mut self, tables: &DeTable, experiments: &mut Vec<Experiment>) {
        for (key, value) in tables {
            let (name, at) = (key.get_ref().to_string(), key.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                let problem = match key_named(&name) {
                    Some(_) => format!("`{name}` belongs under a name: [experiment.NAME]"),
                    None => format!("experiment `{name}` is not a table; write [experiment.{name}]"),
                };
                self.source.say_unless_broken(at, problem);
                continue;
            };
            self.name(&name, at);
            let layer = self.layer(table, &[]);
            let description = description(self.text, at);
            experiments.push(Experiment { name, description, layer, at });
        }
    }

    /// A name is part of the run directory's, so it is made of what any file system takes.
    fn name(&mut self, name: &str, at: usize) {
        if let Err(problem) = check_name(name) {
            self.source.say_unless_broken(at, problem);
        }
    }

    fn layer(&mut self, table: &DeTable, skip: &[&str]) -> Layer {
        let mut layer = Layer::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if skip.contains(&name) {
                continue;
            }
            let Some(known) = key_named(name) else {
                self.source.say_unless_broken(key.span().start, unknown_key(name));
                continue;
            };
            match value_text(known, value) {
                Ok(text) => {
                    layer.insert(known.name, Entry { text, at: value.span().start });
                }
                Err(problem) => {
                    self.source.say_unless_broken(value.span().start, format!("`{name}`: {problem}"));
                }
            }
        }
        layer
    }

    /// Rules between keys, once all layers are merged.
    fn rules(&mut self, file: &File) {
        for experiment in &file.experiments {
            let layers = [&file.defaults, &experiment.layer];
            match fill(&experiment.name, |key| text_in(&layers, key)) {
                Err(problem) => self.source.say(experiment.at, problem),
                Ok(spec) => {
                    for rule in broken_rules(&spec) {
                        let entry = layers.iter().rev().find_map(|layer| layer.get(rule.key.name));
                        let at = entry.map_or(experiment.at, |entry| entry.at);
                        self.source.say(at, format!("`{}`: {}", rule.key.name, rule.message));
                    }
                }
            }
        }
    }
}

/// The value of `key` in the last layer that has it, or the built-in one.
pub(crate) fn text_in<'a>(layers: &[&'a Layer], key: &Key) -> &'a str {
    let entry = layers.iter().rev().find_map(|layer| layer.get(key.name));
    entry.map_or(key.default, |entry| entry.text.as_str())
}

/// Whether `name` can be an experiment's.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain && name.starts_with(char::is_alphanumeric) && name.len() <= 100 {
        Ok(())
    } else {
        Err(format!("`{name}` is no name for an experiment; letters, digits, `-`, `_` and `.` make one"))
    }
}

fn misplaced(name: &str, value: &DeValue) -> String {
    if key_named(name).is_some() {
        return format!("`{name}` belongs under [defaults] or [experiment.NAME]");
    }
    let tables = ["defaults", "experiment"];
    match meant(name, tables.into_iter()) {
        Some(table) => format!("unknown table `{name}`; did you mean `{table}`?"),
        None if value.is_table() => {
            format!("unknown table `{name}`; write [defaults] or [experiment.{name}]")
        }
        None => unknown_key(name),
    }
}

/// The text of a TOML value, checked against the key's kind.
fn value_text(key: &Key, value: &Spanned<DeValue>) -> Result<String, String> {
    let text = match (value.get_ref(), key.kind) {
        (DeValue::String(text), Kind::Integer { .. } | Kind::Real { .. } | Kind::Interval) => {
            if check_value(key, text).is_ok() && !text.is_empty() && text != "epoch" {
                return Err(format!("a number is written without quotes: {} = {text}", key.name));
            }
            text.to_string()
        }
        (DeValue::String(text), _) => text.to_string(),
        (DeValue::Integer(number), Kind::Integer { .. } | Kind::Real { .. } | Kind::Interval) => {
            match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => number.as_str().to_owned(),
            }
        }
        (DeValue::Float(number), Kind::Real { .. }) => number.as_str().to_owned(),
        (other, Kind::Integer { .. } | Kind::Real { .. } | Kind::Interval) => {
            return Err(format!("{} is expected, not {}", key.kind.expected(), kind_of(other)));
        }
        (other, _) => {
            return Err(format!("{}, in quotes, is expected, not {}", key.kind.expected(), kind_of(other)));
        }
    };
    check_value(key, &text).map(|()| text)
}

/// The comment lines directly above the line of byte `at`, joined.
fn description(text: &str, at: usize) -> Option<String> {
    let above = &text[..text[..text.floor_char_boundary(at)].rfind('\n')?];
    let mut lines: Vec<&str> = above
        .lines()
        .rev()
        .map_while(|line| line.trim_start().strip_prefix('#'))
        .map(|line| line.trim_matches('#').trim())
        .collect();
    lines.reverse();
    let joined = lines.join(" ").trim().to_owned();
    (!joined.is_empty()).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mistakes(text: &str) -> Vec<String> {
        let found = read(text, Path::new("e.toml")).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_has_its_place_and_the_nearest() {
        assert_eq!(
            mistakes("[experiment.a]\n  learning_rat = 1e-4\n"),
            ["e.toml:2:3: unknown key `learning_rat`; did you mean `learning_rate`?"]
        );
    }

    #[test]
    fn all_mistakes_are_told_in_the_order_of_the_lines() {
        let text = "lr = 1\n[defaults]\nseed = -1\nmax_steps = \"10\"\n\
                    [experiment.b]\ntask = \"sst-2\"\nseed = 1.5\n[experiment.a]\nmodel = 3\nrepeats = true\n";
        let found = mistakes(text);
        let places: Vec<_> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "e.toml:1:1",
                "e.toml:3:8",
                "e.toml:4:13",
                "e.toml:6:8",
                "e.toml:7:8",
                "e.toml:9:9",
                "e.toml:10:11"
            ],
            "{found:#?}"
        );
        assert!(found[1].ends_with("`seed`: a whole number from 0 is expected, not `-1`"), "{}", found[1]);
        assert!(found[2].ends_with("a number is written without quotes: max_steps = 10"), "{}", found[2]);
        assert!(found[5].ends_with("in quotes, is expected, not `3`"), "{}", found[5]);
    }

    #[test]
    fn every_syntax_error_is_told_beside_the_other_mistakes() {
        let found = mistakes("[defaults]\nseed = \nrepeats = = 2\nlearning_rat = 1\n");
        assert!(found.iter().any(|line| line.starts_with("e.toml:2:")), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("e.toml:3:")), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("e.toml:4:1: unknown key")), "{found:#?}");
        assert!(found.iter().all(|line| !line.contains('\n')));
    }

    #[test]
    fn columns_are_characters() {
        let found = mistakes("[experiment.a]\nmodel = \"ünïcödé\" ; \n");
        assert!(found[0].starts_with("e.toml:2:19: not TOML"), "{found:?}");
    }

    #[test]
    fn misplaced_keys_and_tables_are_told_where_they_belong() {
        assert!(mistakes("seed = 1\n")[0].ends_with("`seed` belongs under [defaults] or [experiment.NAME]"));
        assert!(mistakes("[experiments.a]\n")[0].ends_with("did you mean `experiment`?"));
        assert!(mistakes("[experiment]\nseed = 1\n")[0].ends_with("belongs under a name: [experiment.NAME]"));
        assert!(mistakes("[experiment.\"a b\"]\n")[0].contains("is no name for an experiment"));
        assert!(mistakes("[[experiment.a]]\n")[0].contains("is not a table"));
        assert!(
            mistakes("train_file = \"x\"\n")[0].contains("belongs under [defaults] or [experiment.NAME]")
        );
    }

    #[test]
    fn rules_between_keys_point_at_the_key_that_is_wrong() {
        let text = "[defaults]\nwarmup_steps = 100\n[experiment.a]\nmax_steps = 50\n[experiment.b]\n";
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("e.toml:2:16: `warmup_steps`: a warm-up of 100 steps"), "{found:?}");
    }

    #[test]
    fn comments_above_a_table_describe_it() {
        let text = "# The file.\n\n# First line,\n# second.\n[experiment.a]\n\n[experiment.b]\n";
        let file = read(text, Path::new("e.toml")).unwrap();
        let said: Vec<_> = file.experiments.iter().map(|one| one.description.as_deref()).collect();
        assert_eq!(said, [Some("First line, second."), None]);
    }

    #[test]
    fn values_stay_as_typed() {
        let text = "[experiment.a]\nlearning_rate = 2e-5\nmax_steps = 1_000\nweight_decay = 0\nseed = 0x2a\n";
        let file = read(text, Path::new("e.toml")).unwrap();
        let layer = &file.experiments[0].layer;
        let texts =
            ["learning_rate", "max_steps", "weight_decay", "seed"].map(|key| layer[key].text.as_str());
        assert_eq!(texts, ["2e-5", "1000", "0", "42"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = read(&text, Path::new("e.toml"));
        }

        #[test]
        fn no_almost_right_file_panics(
            lines in prop::collection::vec(
                (
                    prop::sample::select(vec!["[defaults]", "[experiment.é]", "experiment", "learning_rate", "task", "[[experiment]]", "#"]),
                    prop::sample::select(vec!["", " = ", " = \"", " = 2e", " = [1", " = {a", ".b = 1e-5", " = \"sst\"", " = 0xfff_f"]),
                ),
                0..12,
            )
        ) {
            let text = lines.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join("\n");
            let _ = read(&text, Path::new("e.toml"));
        }
    }
}
