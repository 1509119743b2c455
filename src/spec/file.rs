//! The structure of an experiments file: text → checked values and specifications, and every error with its
//! line and column. An error costs the experiment that it concerns.
//!
//! The same code reads the `spec.toml` of a run directory: the keys of one experiment at the top level, and its
//! name under `experiment`.

use super::key::Key;
use super::keys::{key_named, similar_key, unknown_key};
use super::kind::ValueKind;
use super::rules::violated_rules;
use super::run_spec::{RunSpec, built_in};
use crate::catalog::LabelMap;
use crate::config::{ReadableToml, SYNTAX_ERROR, TomlSource, closest_match, describe_value, sort};
use crate::error::Diagnostic;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The table of default values.
const DEFAULTS: &str = "defaults";
/// The tables of the file.
const TABLES: [&str; 2] = [DEFAULTS, "experiment"];

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
    /// Its specification, with the values of `[defaults]` where it has none of its own. Incomplete if there are errors.
    pub(crate) spec: RunSpec,
    /// The comment lines directly above its table.
    pub(crate) description: Option<String>,
    /// The values in its own table.
    pub(crate) values: TableValues,
    /// The errors in its table, and those in `[defaults]` that concern it, in the order of the lines.
    pub(crate) errors: Vec<Diagnostic>,
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
    /// In the order of the file; each name once.
    pub(crate) experiments: Vec<Experiment>,
    /// The errors outside of experiments, in the order of the lines.
    pub(crate) errors: Vec<Diagnostic>,
}

impl ExperimentsFile {
    /// The experiment of that name.
    pub(crate) fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.name() == name)
    }

    /// Every error in the file, in the order of the lines.
    pub(crate) fn all_errors(&self) -> Vec<Diagnostic> {
        let of_experiments = self.experiments.iter().flat_map(|experiment| &experiment.errors);
        let mut errors = of_experiments.chain(&self.errors).cloned().collect();
        sort(&mut errors);
        errors
    }
}

/// Which values of experiments an error in or around `[defaults]` concerns.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lost {
    /// Those of one key.
    Key(&'static str),
    /// Those of every key.
    All,
}

/// Parses a whole file. An error costs the experiment that it is in; one in `[defaults]` costs the experiments that would
/// have the value at fault.
pub(crate) fn parse(text: &str, path: &Path) -> ExperimentsFile {
    let readable = ReadableToml::new(text);
    let source = TomlSource::new(&readable, path);
    let mut parser = Parser { readable: &readable, source, lost: Vec::new() };
    let root = parser.source.parse();
    let mut file = parser.root(root.get_ref());
    parser.add_damaged(&mut file);
    parser.add_lost_defaults(&mut file);
    parser.check_rules(&mut file);
    file.experiments.sort_by_key(|experiment| experiment.offset);
    for experiment in &mut file.experiments {
        sort(&mut experiment.errors);
    }
    let mut errors = parser.source.finish(()).errors;
    errors.retain(|error| file.experiments.iter().all(|experiment| !experiment.errors.contains(error)));
    file.errors = errors;
    file
}

struct Parser<'a> {
    readable: &'a ReadableToml<'a>,
    source: TomlSource<'a>,
    /// Errors that concern values of `[defaults]`.
    lost: Vec<(Lost, Diagnostic)>,
}

impl Parser<'_> {
    fn root(&mut self, root: &DeTable) -> ExperimentsFile {
        if let Some((_, name)) = root.iter().find(|(key, _)| key.get_ref() == "experiment")
            && let DeValue::String(text) = name.get_ref()
        {
            return self.specification(root, text, name.span().start);
        }
        let mut file = ExperimentsFile::default();
        let mut base = built_in("");
        if let Some((_, defaults)) = root.iter().find(|(key, _)| key.get_ref() == "defaults")
            && let DeValue::Table(table) = defaults.get_ref()
        {
            file.defaults = self.values(table, &[], &mut base);
            self.lose_defaults(table, &file.defaults);
        }
        for (key, value) in root {
            let (name, offset) = (key.get_ref().as_ref(), key.span().start);
            match (name, value.get_ref()) {
                ("defaults", DeValue::Table(_)) => {}
                ("experiment", DeValue::Table(tables)) => {
                    self.experiments(tables, &base, &mut file.experiments);
                }
                ("defaults", _) => {
                    self.lose(Lost::All, offset, "[defaults] must be a table of keys".into());
                }
                ("experiment", _) => {
                    let problem = "an experiment must be a table [experiment.NAME]";
                    self.source.push_error(offset, problem.into());
                }
                (name, value) => match (key_named(name), closest_match(name, TABLES.into_iter())) {
                    (Some(key), _) => self.lose(Lost::Key(key.name), offset, misplaced(name, value)),
                    (None, Some(DEFAULTS)) => self.lose(Lost::All, offset, misplaced(name, value)),
                    _ => self.source.push_error(offset, misplaced(name, value)),
                },
            }
        }
        file
    }

    /// The specification of a run: one experiment, whose keys are at the top level. Every error is one of it.
    fn specification(&mut self, root: &DeTable, name: &str, offset: usize) -> ExperimentsFile {
        self.check_name(name, offset);
        let mut spec = built_in(name);
        let values = self.values(root, &["experiment"], &mut spec);
        let errors = self.source.errors().to_vec();
        let experiment = Experiment { spec, description: None, values, errors, offset };
        ExperimentsFile { experiments: vec![experiment], ..ExperimentsFile::default() }
    }

    fn experiments(&mut self, tables: &DeTable, base: &RunSpec, experiments: &mut Vec<Experiment>) {
        for (key, value) in tables {
            let (name, offset) = (key.get_ref().to_string(), key.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                let problem = match key_named(&name) {
                    Some(_) => format!("`{name}` belongs in a named table: [experiment.NAME]"),
                    None => format!("experiment `{name}` is not a table; write [experiment.{name}]"),
                };
                self.source.push_error(offset, problem);
                continue;
            };
            let before = self.source.errors().len();
            self.check_name(&name, offset);
            let mut spec = RunSpec { experiment: name, ..base.clone() };
            let values = self.values(table, &[], &mut spec);
            let description = description(self.readable.original(), offset);
            let errors = self.source.errors()[before..].to_vec();
            experiments.push(Experiment { spec, description, values, errors, offset });
        }
    }

    fn check_name(&mut self, name: &str, offset: usize) {
        if let Err(problem) = check_name(name) {
            self.source.push_error(offset, problem);
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
                self.source.push_error(key.span().start, unknown_key(name));
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
                Err(problem) => self.source.push_error(offset, format!("`{name}`: {problem}")),
            }
        }
        values
    }

    /// Records an error that costs default values.
    fn lose(&mut self, lost: Lost, offset: usize, problem: String) {
        self.source.push_error(offset, problem);
        let error = self.source.errors().last().cloned();
        self.lost.extend(error.map(|error| (lost, error)));
    }

    /// Records which keys the errors in the values of `[defaults]` concern: those whose value is invalid, and those that an
    /// unknown name is similar to.
    fn lose_defaults(&mut self, table: &DeTable, valid: &TableValues) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let (meant, offset) = match key_named(name) {
                Some(known) if valid.contains_key(known.name) => continue,
                Some(known) => (Some(known.name), value.span().start),
                None => (similar_key(name), key.span().start),
            };
            let place = self.source.line_column(offset);
            let mut errors = self.source.errors().iter();
            let error = errors.find(|error| (error.line, error.column) == place).cloned();
            self.lost.extend(meant.zip(error).map(|(key, error)| (Lost::Key(key), error)));
        }
    }

    /// Attributes each syntax error to its table: an experiment whose table has one is listed with it.
    fn add_damaged(&mut self, file: &mut ExperimentsFile) {
        let readable = self.readable;
        for (range, header) in readable.damaged_tables() {
            let (first, last) =
                (self.source.line_column(range.start).0, self.source.line_column(range.end).0);
            let is_here = |error: &&Diagnostic| {
                (first..=last).contains(&error.line)
                    && error.message.starts_with(SYNTAX_ERROR)
                    && (error.line < last || range.end == readable.original().len())
            };
            let errors: Vec<Diagnostic> = self.source.errors().iter().filter(is_here).cloned().collect();
            match table_of(header) {
                Table::Defaults => self.lose_lines(range.clone(), &errors),
                Table::Experiment(name) => {
                    let known = file.experiments.iter_mut().find(|experiment| experiment.name() == name);
                    if let Some(experiment) = known {
                        experiment.errors.extend(errors);
                    } else {
                        let spec = built_in(&name);
                        let description = description(readable.original(), range.start);
                        let values = TableValues::new();
                        let offset = range.start;
                        file.experiments.push(Experiment { spec, description, values, errors, offset });
                    }
                }
                Table::Other => {}
            }
        }
    }

    /// Records which default values the lost lines of `[defaults]` had.
    fn lose_lines(&mut self, table: Range<usize>, errors: &[Diagnostic]) {
        let Some(error) = errors.first() else { return };
        let lines = self.readable.lost_lines().filter(|(line, _)| table.contains(&line.start));
        for (line, text) in lines {
            let is_header = line.start == table.start;
            let name = text.split('=').next().unwrap_or_default();
            let name = name.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
            let number = self.source.line_column(line.start).0;
            let own = errors.iter().find(|error| error.line == number).unwrap_or(error);
            let lost = match key_named(name) {
                _ if is_header => Some(Lost::All),
                Some(key) => Some(Lost::Key(key.name)),
                None => similar_key(name).map(Lost::Key),
            };
            self.lost.extend(lost.map(|lost| (lost, own.clone())));
        }
    }

    /// Adds the errors in `[defaults]` to the experiments that would have the value at fault.
    fn add_lost_defaults(&mut self, file: &mut ExperimentsFile) {
        for (lost, error) in &self.lost {
            let concerns = |experiment: &&mut Experiment| match lost {
                Lost::Key(key) => !experiment.values.contains_key(key),
                Lost::All => true,
            };
            for experiment in file.experiments.iter_mut().filter(concerns) {
                experiment.errors.push(error.clone());
            }
        }
    }

    /// Checks the rules between keys in every experiment. An invalid value would also violate them: one error for it is
    /// enough.
    fn check_rules(&mut self, file: &mut ExperimentsFile) {
        for experiment in file.experiments.iter_mut().filter(|experiment| experiment.errors.is_empty()) {
            for violation in violated_rules(&experiment.spec) {
                let name = violation.key.name;
                let value = experiment.values.get(name).or_else(|| file.defaults.get(name));
                let offset = value.map_or(experiment.offset, |value| value.offset);
                self.source.push_error(offset, format!("`{name}`: {}", violation.message));
                experiment.errors.extend(self.source.errors().last().cloned());
            }
        }
    }
}

/// A table of the file, by its header.
enum Table {
    Defaults,
    Experiment(String),
    Other,
}

/// The table that a header stands for, even if the header itself is damaged.
fn table_of(header: &str) -> Table {
    let name = header.trim_start_matches('[').trim_start();
    let name = name.split([']', '#']).next().unwrap_or_default().trim();
    match name.strip_prefix("experiment").and_then(|rest| rest.trim_start().strip_prefix('.')) {
        Some(name) => Table::Experiment(name.trim().trim_matches(['"', '\'']).to_owned()),
        None if name == DEFAULTS => Table::Defaults,
        None => Table::Other,
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
    match closest_match(name, TABLES.into_iter()) {
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
        parse(text, Path::new("e.toml")).all_errors().iter().map(ToString::to_string).collect()
    }

    /// The names of the experiments without errors, and of those with errors.
    fn intact_and_broken(text: &str) -> (Vec<String>, Vec<String>) {
        let file = parse(text, Path::new("e.toml"));
        let (intact, broken): (Vec<_>, Vec<_>) =
            file.experiments.into_iter().partition(|experiment| experiment.errors.is_empty());
        let names = |some: Vec<Experiment>| some.iter().map(|one| one.name().to_owned()).collect();
        (names(intact), names(broken))
    }

    #[test]
    fn an_error_costs_its_experiment() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for broken in [
            "learning_rat = 1e-4\n",
            "learning_rate = \"fast\"\n",
            "task = \"sst-2\"\n",
            "warmup_steps = 9\nmax_steps = 3\n",
            "seed = = 1\n",
            "model = \"demo\n",
            "model = \"\"\"demo\n",
            "label_column = [\"a\",\n  \"b\"\n",
            "seed = 1\nseed = 2\n",
            "@\n",
        ] {
            let text = format!(
                "# One.\n[experiment.a]\nseed = 3\n\n# Two.\n[experiment.b]\n{broken}\n[experiment.c]\n"
            );
            assert_eq!(intact_and_broken(&text), (names(&["a", "c"]), names(&["b"])), "{broken}");
            let file = parse(&text, Path::new("e.toml"));
            assert!(file.errors.is_empty(), "{:?}", file.errors);
            assert!(file.experiments[1].errors.iter().all(|error| (7..=9).contains(&error.line)), "{broken}");
            assert_eq!(file.experiments[1].description.as_deref(), Some("Two."));
            assert_eq!(file.experiments[0].spec.seed, 3);
        }
        let headers = "[experiment.a]\n[experiment.b\nseed = 1\n[experiment.c] x\n[experiment.d]\n";
        assert_eq!(intact_and_broken(headers), (names(&["a", "d"]), names(&["b", "c"])));
        let twice = "[experiment.a]\n[experiment.b]\nseed = 1\n[experiment.a]\nseed = 2\n";
        assert_eq!(intact_and_broken(twice), (names(&["b"]), names(&["a"])));
        assert_eq!(intact_and_broken("[experimnt.z]\n[experiment.a]\n").0, ["a"]);
        assert_eq!(intact_and_broken("asdf\n[experiment.a]\n").0, ["a"]);
    }

    #[test]
    fn an_error_in_defaults_costs_the_experiments_that_have_the_value() {
        let text = |defaults: &str| {
            format!("{defaults}\n[experiment.a]\nseed = 3\n[experiment.b]\nlearning_rate = 1e-4\n")
        };
        let intact = |defaults: &str| intact_and_broken(&text(defaults)).0;
        assert_eq!(intact("[defaults]\nseed = 1\n"), ["a", "b"]);
        assert_eq!(intact("[defaults]\nlr = 1e-3\n"), ["b"]);
        assert_eq!(intact("[defaults]\nlearning_rat = 1e-3\n"), ["b"]);
        assert_eq!(intact("[defaults]\nseed = -1\n"), ["a"]);
        assert_eq!(intact("[defaults]\nseed = = 1\n"), ["a"]);
        assert_eq!(intact("[defaults]\nlearning_rate 1e-3\n"), ["b"]);
        assert_eq!(intact("learning_rate = 1e-3\n"), ["b"]);
        assert_eq!(intact("[defaults]\n@@@\n"), ["a", "b"]);
        assert!(intact("[defaults\nseed = 1\n").is_empty());
        assert!(intact("[default]\nseed = 1\n").is_empty());
        assert_eq!(errors(&text("[defaults]\nlr = 1e-3\n")).len(), 1, "each error is reported once");
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
        let file = parse(text, Path::new("e.toml"));
        let descriptions: Vec<_> = file.experiments.iter().map(|one| one.description.as_deref()).collect();
        assert_eq!(descriptions, [Some("First line, second."), None]);
    }

    #[test]
    fn values_keep_their_text() {
        let text = "[experiment.a]\nlearning_rate = 2e-5\nmax_steps = 1_000\nweight_decay = 0\nseed = 0x2a\n";
        let file = parse(text, Path::new("e.toml"));
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
