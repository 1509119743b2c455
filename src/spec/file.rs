//! The structure of an experiments file: text → checked values and specifications, or every error with its
//! line and column.
//!
//! The same code reads the `spec.toml` of a run directory: the keys of one experiment at the top level, and its
//! name under `experiment`.

use super::key::Key;
use super::keys::{key_named, unknown_key};
use super::kind::ValueKind;
use super::rules::violated_rules;
use super::run_spec::{RunSpec, built_in};
use crate::catalog::LabelMap;
use crate::config::{TomlSource, closest_match, describe_value};
use crate::error::Diagnostic;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The valid values of one table, by the name of the key.
pub(crate) type TableValues = BTreeMap<&'static str, TableValue>;

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableValue {
    /// As typed, without quotes.
    pub(crate) text: String,
    /// Byte offset of the value.
    offset: usize,
}

/// One experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Experiment {
    /// Its specification, with the values of `[defaults]` where it has none of its own.
    pub(crate) spec: RunSpec,
    /// The comment lines directly above its table.
    pub(crate) description: Option<String>,
    /// The values in its own table.
    pub(crate) values: TableValues,
    /// Byte offset of its name.
    offset: usize,
}

impl Experiment {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.experiment
    }
}

/// The content of an experiments file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExperimentsFile {
    pub(crate) defaults: TableValues,
    /// In the order of the file.
    pub(crate) experiments: Vec<Experiment>,
}

impl ExperimentsFile {
    /// The experiment of that name.
    pub(crate) fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.name() == name)
    }
}

/// Parses a whole file. The error has every mistake, in the order of the lines.
pub(crate) fn parse(text: &str, path: &Path) -> Result<ExperimentsFile, Vec<Diagnostic>> {
    let mut parser = Parser { text, source: TomlSource::new(text, path) };
    let root = parser.source.parse();
    let file = parser.root(root.get_ref());
    // An invalid value would also violate rules between values: one error for it is enough.
    if parser.source.is_ok() {
        parser.check_rules(&file);
    }
    parser.source.finish(file)
}

struct Parser<'a> {
    text: &'a str,
    source: TomlSource<'a>,
}

impl Parser<'_> {
    fn root(&mut self, root: &DeTable) -> ExperimentsFile {
        if let Some((_, name)) = root.iter().find(|(key, _)| key.get_ref() == "experiment")
            && let DeValue::String(text) = name.get_ref()
        {
            let offset = name.span().start;
            self.check_name(text, offset);
            let mut spec = built_in(text);
            let values = self.values(root, &["experiment"], &mut spec);
            let experiment = Experiment { spec, description: None, values, offset };
            return ExperimentsFile { defaults: TableValues::new(), experiments: vec![experiment] };
        }
        let mut file = ExperimentsFile::default();
        let mut base = built_in("");
        if let Some((_, defaults)) = root.iter().find(|(key, _)| key.get_ref() == "defaults")
            && let DeValue::Table(table) = defaults.get_ref()
        {
            file.defaults = self.values(table, &[], &mut base);
        }
        for (key, value) in root {
            let (name, offset) = (key.get_ref().as_ref(), key.span().start);
            match (name, value.get_ref()) {
                ("defaults", DeValue::Table(_)) => {}
                ("experiment", DeValue::Table(tables)) => {
                    self.experiments(tables, &base, &mut file.experiments);
                }
                ("defaults", _) => {
                    self.source
                        .push_error_unless_syntax_error(offset, "[defaults] must be a table of keys".into());
                }
                ("experiment", _) => {
                    let problem = "an experiment must be a table [experiment.NAME]";
                    self.source.push_error_unless_syntax_error(offset, problem.into());
                }
                _ => self.source.push_error_unless_syntax_error(offset, misplaced(name, value.get_ref())),
            }
        }
        file.experiments.sort_by_key(|experiment| experiment.offset);
        file
    }

    fn experiments(&mut self, tables: &DeTable, base: &RunSpec, experiments: &mut Vec<Experiment>) {
        for (key, value) in tables {
            let (name, offset) = (key.get_ref().to_string(), key.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                let problem = match key_named(&name) {
                    Some(_) => format!("`{name}` belongs in a named table: [experiment.NAME]"),
                    None => format!("experiment `{name}` is not a table; write [experiment.{name}]"),
                };
                self.source.push_error_unless_syntax_error(offset, problem);
                continue;
            };
            self.check_name(&name, offset);
            let mut spec = RunSpec { experiment: name, ..base.clone() };
            let values = self.values(table, &[], &mut spec);
            let description = description(self.text, offset);
            experiments.push(Experiment { spec, description, values, offset });
        }
    }

    fn check_name(&mut self, name: &str, offset: usize) {
        if let Err(problem) = check_name(name) {
            self.source.push_error_unless_syntax_error(offset, problem);
        }
    }

    /// Parses the values of a table, except for the keys in `skip`, into `spec`.
    fn values(&mut self, table: &DeTable, skip: &[&str], spec: &mut RunSpec) -> TableValues {
        let mut values = TableValues::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if skip.contains(&name) {
                continue;
            }
            let Some(known) = key_named(name) else {
                self.source.push_error_unless_syntax_error(key.span().start, unknown_key(name));
                continue;
            };
            let offset = value.span().start;
            let set = value_text(known, value).and_then(|text| {
                known.set(spec, &text)?;
                Ok(text)
            });
            match set {
                Ok(text) => {
                    values.insert(known.name, TableValue { text, offset });
                }
                Err(problem) => {
                    self.source.push_error_unless_syntax_error(offset, format!("`{name}`: {problem}"));
                }
            }
        }
        values
    }

    /// Checks the rules between keys in every experiment.
    fn check_rules(&mut self, file: &ExperimentsFile) {
        for experiment in &file.experiments {
            for violation in violated_rules(&experiment.spec) {
                let name = violation.key.name;
                let value = experiment.values.get(name).or_else(|| file.defaults.get(name));
                let offset = value.map_or(experiment.offset, |value| value.offset);
                self.source.push_error(offset, format!("`{name}`: {}", violation.message));
            }
        }
    }
}

/// Checks the name of an experiment. It is part of the name of the run directory, so it consists of characters
/// that are valid in file names everywhere.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_plain && name.starts_with(char::is_alphanumeric) && name.len() <= 100 {
        Ok(())
    } else {
        Err(format!(
            "`{name}` is not a valid experiment name; use only letters, digits, `-`, `_`, `.`, starting with a \
             letter or digit"
        ))
    }
}

fn misplaced(name: &str, value: &DeValue) -> String {
    if key_named(name).is_some() {
        return format!("`{name}` belongs in [defaults] or [experiment.NAME]");
    }
    let tables = ["defaults", "experiment"];
    match closest_match(name, tables.into_iter()) {
        Some(table) => format!("unknown table `{name}`; did you mean `{table}`?"),
        None if value.is_table() => {
            format!("unknown table `{name}`; write [defaults] or [experiment.{name}]")
        }
        None => unknown_key(name),
    }
}

/// The text of a TOML value, whose TOML type must fit the key.
fn value_text(key: &Key, value: &Spanned<DeValue>) -> Result<String, String> {
    let (expected, is_number) = (key.kind.expected(), key.kind.is_number());
    match value.get_ref() {
        DeValue::String(text) => {
            let is_quoted_number =
                is_number && !text.is_empty() && text != "epoch" && key.check(text).is_ok();
            if is_quoted_number {
                return Err(format!("write a number without quotes: {} = {text}", key.name));
            }
            Ok(text.to_string())
        }
        DeValue::Table(table) if key.kind == ValueKind::LabelMap => label_map_text(table),
        DeValue::Integer(number) if is_number => {
            match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Ok(number.as_str().to_owned()),
            }
        }
        DeValue::Float(number) if matches!(key.kind, ValueKind::Real { .. }) => {
            Ok(number.as_str().to_owned())
        }
        DeValue::Array(list) if key.kind.accepts_list() => Ok(list_text(list)),
        DeValue::Boolean(value) if key.kind == ValueKind::Boolean => Ok(value.to_string()),
        other
            if is_number
                || key.kind.accepts_list()
                || matches!(key.kind, ValueKind::Boolean | ValueKind::LabelMap) =>
        {
            Err(format!("expected {expected}, found {}", describe_value(other)))
        }
        other => Err(format!("expected {expected} in quotes, found {}", describe_value(other))),
    }
}

/// A list of texts and numbers as TOML.
fn list_text(list: &DeArray) -> String {
    let item = |item: &Spanned<DeValue>| match item.get_ref() {
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::String(text) => toml_edit::Value::from(text.as_ref()).to_string(),
        other => describe_value(other),
    };
    format!("[{}]", list.iter().map(item).collect::<Vec<_>>().join(", "))
}

/// A table of label names as text.
fn label_map_text(table: &DeTable) -> Result<String, String> {
    let pair = |(from, to): (&Spanned<_>, &Spanned<DeValue>)| match to.get_ref() {
        DeValue::String(to) => Ok((AsRef::<str>::as_ref(from.get_ref()).to_owned(), to.to_string())),
        other => Err(format!("expected a label name in quotes, found {}", describe_value(other))),
    };
    let pairs = table.iter().map(pair).collect::<Result<Vec<_>, String>>()?;
    if pairs.is_empty() { Ok(String::new()) } else { LabelMap::new(pairs).map(|map| map.to_string()) }
}

/// The comment lines directly above the line of the byte `offset`, joined.
fn description(text: &str, offset: usize) -> Option<String> {
    let above = &text[..text[..text.floor_char_boundary(offset)].rfind('\n')?];
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

    fn errors(text: &str) -> Vec<String> {
        let found = parse(text, Path::new("e.toml")).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_key_has_its_position_and_the_nearest_key() {
        assert_eq!(
            errors("[experiment.a]\n  learning_rat = 1e-4\n"),
            ["e.toml:2:3: unknown key `learning_rat`; did you mean `learning_rate`?"]
        );
    }

    #[test]
    fn all_errors_are_reported_in_the_order_of_the_lines() {
        let text = "lr = 1\n[defaults]\nseed = -1\nmax_steps = \"10\"\n\
                    [experiment.b]\ntask = \"sst-2\"\nseed = 1.5\n[experiment.a]\nmodel = 3\nrepeats = true\n";
        let found = errors(text);
        let positions: Vec<_> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            positions,
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
        assert!(
            found[1].ends_with("`seed`: expected a whole number of at least 0, found `-1`"),
            "{}",
            found[1]
        );
        assert!(found[2].ends_with("write a number without quotes: max_steps = 10"), "{}", found[2]);
        assert!(found[5].ends_with("in quotes, found `3`"), "{}", found[5]);
    }

    #[test]
    fn every_syntax_error_is_reported_with_the_other_errors() {
        let found = errors("[defaults]\nseed = \nrepeats = = 2\nlearning_rat = 1\n");
        assert!(found.iter().any(|line| line.starts_with("e.toml:2:")), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("e.toml:3:")), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("e.toml:4:1: unknown key")), "{found:#?}");
        assert!(found.iter().all(|line| !line.contains('\n')));
    }

    #[test]
    fn columns_count_characters() {
        let found = errors("[experiment.a]\nmodel = \"ünïcödé\" ; \n");
        assert!(found[0].starts_with("e.toml:2:19: not TOML"), "{found:?}");
    }

    #[test]
    fn misplaced_keys_and_tables_have_a_hint() {
        assert!(errors("seed = 1\n")[0].ends_with("`seed` belongs in [defaults] or [experiment.NAME]"));
        assert!(errors("[experiments.a]\n")[0].ends_with("did you mean `experiment`?"));
        assert!(
            errors("[experiment]\nseed = 1\n")[0].ends_with("belongs in a named table: [experiment.NAME]")
        );
        assert!(errors("[experiment.\"a b\"]\n")[0].contains("is not a valid experiment name"));
        assert!(errors("[[experiment.a]]\n")[0].contains("is not a table"));
        assert!(errors("train_file = \"x\"\n")[0].contains("belongs in [defaults] or [experiment.NAME]"));
    }

    #[test]
    fn violated_rules_are_reported_at_the_value() {
        let text = "[defaults]\nwarmup_steps = 100\n[experiment.a]\nmax_steps = 50\n[experiment.b]\n";
        let found = errors(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("e.toml:2:16: `warmup_steps`: 100 warm-up steps"), "{found:?}");
    }

    #[test]
    fn comment_above_a_table_is_the_description() {
        let text = "# The file.\n\n# First line,\n# second.\n[experiment.a]\n\n[experiment.b]\n";
        let file = parse(text, Path::new("e.toml")).unwrap();
        let descriptions: Vec<_> = file.experiments.iter().map(|one| one.description.as_deref()).collect();
        assert_eq!(descriptions, [Some("First line, second."), None]);
    }

    #[test]
    fn values_keep_their_text() {
        let text = "[experiment.a]\nlearning_rate = 2e-5\nmax_steps = 1_000\nweight_decay = 0\nseed = 0x2a\n";
        let file = parse(text, Path::new("e.toml")).unwrap();
        let values = &file.experiments[0].values;
        let texts =
            ["learning_rate", "max_steps", "weight_decay", "seed"].map(|key| values[key].text.as_str());
        assert_eq!(texts, ["2e-5", "1000", "0", "42"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = parse(&text, Path::new("e.toml"));
        }

        #[test]
        fn no_nearly_valid_file_panics(
            lines in prop::collection::vec(
                (
                    prop::sample::select(vec!["[defaults]", "[experiment.é]", "experiment", "learning_rate", "task", "[[experiment]]", "#"]),
                    prop::sample::select(vec!["", " = ", " = \"", " = 2e", " = [1", " = {a", ".b = 1e-5", " = \"sst\"", " = 0xfff_f"]),
                ),
                0..12,
            )
        ) {
            let text = lines.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join("\n");
            let _ = parse(&text, Path::new("e.toml"));
        }
    }
}
