//! The structure of an experiments file: text → checked values and specifications, and every error with its
//! line and column. An error costs the experiment that it concerns.
//!
//! The same code reads the `spec.toml` of a run directory: the keys of one experiment at the top level, and its
//! name under `experiment`.

mod content;

pub(crate) use content::{Experiment, ExperimentsFile, TableValue, TableValues};

use super::key::Key;
use super::keys::{key_named, similar_key, unknown_key};
use super::rules::violated_rules;
use super::run_spec::{RunSpec, built_in};
use super::slurm::{NOT_A_TABLE, SLURM_TABLE, SlurmSettings};
use super::sweep::{Axis, SEARCH, Search, Sweep, SweepProblem, SweepSettings, SweptValues, sweep_key_named};
use super::toml_value::value_text;
use crate::config::{ReadableToml, SYNTAX_ERROR, TomlSource, closest_match, sort};
use crate::error::Diagnostic;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The table of default values.
const DEFAULTS: &str = "defaults";
/// The tables of the file.
const TABLES: [&str; 3] = [DEFAULTS, "experiment", SLURM_TABLE];

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
            file.defaults = self.defaults(table, &mut base);
            self.lose_defaults(table, &file.defaults);
        }
        for (key, value) in root {
            let (name, offset) = (key.get_ref().as_ref(), key.span().start);
            match (name, value.get_ref()) {
                ("defaults", DeValue::Table(_)) => {}
                ("experiment", DeValue::Table(tables)) => {
                    self.experiments(tables, &base, &mut file.experiments);
                }
                (SLURM_TABLE, DeValue::Table(table)) => {
                    let before = self.source.errors().len();
                    file.slurm = SlurmSettings::take(&mut self.source, table);
                    file.slurm_errors.extend_from_slice(&self.source.errors()[before..]);
                }
                (SLURM_TABLE, _) => {
                    self.source.push_error(offset, NOT_A_TABLE.into());
                    file.slurm_errors.extend(self.source.errors().last().cloned());
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
        let mut experiment = Experiment::new(built_in(name), offset);
        self.values(root, &["experiment"], &mut experiment);
        experiment.errors = self.source.errors().to_vec();
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
            let mut experiment = Experiment::new(RunSpec { experiment: name, ..base.clone() }, offset);
            self.values(table, &[], &mut experiment);
            experiment.description = description(self.readable.original(), offset);
            experiment.errors = self.source.errors()[before..].to_vec();
            experiments.push(experiment);
        }
    }

    fn check_name(&mut self, name: &str, offset: usize) {
        if let Err(problem) = check_name(name) {
            self.source.push_error(offset, problem);
        }
    }

    /// Parses the values of a table, except for the keys in `skip`, into `experiment`.
    fn values(&mut self, table: &DeTable, skip: &[&str], experiment: &mut Experiment) {
        let search = search_of(table);
        for (key, value) in table {
            let (name, offset) = (key.get_ref().as_ref(), value.span().start);
            if skip.contains(&name) {
                continue;
            }
            if let Some(known) = sweep_key_named(name) {
                let text = value_text(known, value).and_then(|text| known.check(&text).map(|()| text));
                if let Some(text) = self.or_error(name, offset, text) {
                    experiment.values.insert(known.name, TableValue { text, offset });
                }
                continue;
            }
            let Some(known) = key_named(name) else {
                self.source.push_error(key.span().start, unknown_key(name));
                continue;
            };
            let text = match SweptValues::from_toml(known, value, search) {
                None => self.single_value(known, value, &mut experiment.spec),
                Some(Ok(values)) => {
                    let text = values.toml(known);
                    experiment.swept.insert(known.name, Axis { key: known, values });
                    Some(text)
                }
                Some(Err(problems)) => {
                    for (offset, problem) in problems {
                        self.source.push_error(offset, format!("`{name}`: {problem}"));
                    }
                    None
                }
            };
            if let Some(text) = text {
                experiment.values.insert(known.name, TableValue { text, offset });
            }
        }
    }

    /// Parses the values of `[defaults]` into `spec`.
    fn defaults(&mut self, table: &DeTable, spec: &mut RunSpec) -> TableValues {
        let mut experiment = Experiment::new(spec.clone(), 0);
        self.values(table, &[], &mut experiment);
        *spec = experiment.spec;
        let mut values = experiment.values;
        let is_of_sweep = |name: &str| experiment.swept.contains_key(name) || sweep_key_named(name).is_some();
        for (name, value) in &values {
            if is_of_sweep(name) {
                let problem = format!("`{name}`: a sweep belongs in [experiment.NAME], not in [defaults]");
                self.source.push_error(value.offset, problem);
            }
        }
        values.retain(|name, _| !is_of_sweep(name));
        values
    }

    /// Sets a key to a single value, whose text is returned.
    fn single_value(
        &mut self,
        key: &'static Key,
        value: &Spanned<DeValue>,
        spec: &mut RunSpec,
    ) -> Option<String> {
        let text = value_text(key, value).and_then(|text| key.set(spec, &text).map(|()| text));
        self.or_error(key.name, value.span().start, text)
    }

    /// The text of a value; an error is recorded.
    fn or_error(&mut self, name: &str, offset: usize, text: Result<String, String>) -> Option<String> {
        text.inspect_err(|problem| self.source.push_error(offset, format!("`{name}`: {problem}"))).ok()
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
                        let offset = range.start;
                        let description = description(readable.original(), offset);
                        let experiment = Experiment::new(built_in(&name), offset);
                        file.experiments.push(Experiment { description, errors, ..experiment });
                    }
                }
                Table::Slurm => file.slurm_errors.extend(errors),
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

    /// Checks the rules between keys in every experiment, of a sweep for every trial. An invalid value would also violate
    /// them: one error for it is enough.
    fn check_rules(&mut self, file: &mut ExperimentsFile) {
        for experiment in file.experiments.iter_mut().filter(|experiment| experiment.errors.is_empty()) {
            for SweepProblem { key, message } in complete(experiment) {
                let value =
                    key.and_then(|name| experiment.values.get(name).or_else(|| file.defaults.get(name)));
                let offset = value.map_or(experiment.offset, |value| value.offset);
                let message = match key {
                    Some(name) => format!("`{name}`: {message}"),
                    None => message,
                };
                self.source.push_error(offset, message);
                experiment.errors.extend(self.source.errors().last().cloned());
            }
        }
    }
}

/// How the table of an experiment says that the values of swept keys are chosen. An invalid value is reported elsewhere.
fn search_of(table: &DeTable) -> Search {
    let mut settings = SweepSettings::default();
    for (key, value) in table {
        if let (SEARCH, DeValue::String(text)) = (key.get_ref().as_ref(), value.get_ref()) {
            settings.set(SEARCH, text).ok();
        }
    }
    settings.search()
}

/// Completes an experiment whose values are valid with its sweep, and returns what does not fit together.
fn complete(experiment: &mut Experiment) -> Vec<SweepProblem> {
    let settings = experiment.sweep_settings();
    if !experiment.swept.is_empty() {
        let axes = experiment.swept.values().cloned().collect();
        return match Sweep::new(experiment.spec.clone(), axes, &settings) {
            Ok(sweep) => {
                experiment.spec = sweep.base.clone();
                experiment.sweep = Some(Box::new(sweep));
                Vec::new()
            }
            Err(problems) => problems,
        };
    }
    let unused = settings.first().map(SweepProblem::without_swept_key);
    let violations = violated_rules(&experiment.spec).into_iter();
    let violations = violations.map(|violation| SweepProblem::at(violation.key.name, violation.message));
    unused.into_iter().chain(violations).collect()
}

/// A table of the file, by its header.
enum Table {
    Defaults,
    Experiment(String),
    Slurm,
    Other,
}

/// The table that a header names, even if the header itself is damaged.
fn table_of(header: &str) -> Table {
    let name = header.trim_start_matches('[').trim_start();
    let name = name.split([']', '#']).next().unwrap_or_default().trim();
    match name.strip_prefix("experiment").and_then(|rest| rest.trim_start().strip_prefix('.')) {
        Some(name) => Table::Experiment(name.trim().trim_matches(['"', '\'']).to_owned()),
        None if name == DEFAULTS => Table::Defaults,
        None if name == SLURM_TABLE => Table::Slurm,
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
mod tests;
