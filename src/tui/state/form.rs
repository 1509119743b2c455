//! The form of an experiment: every key on a line, edited in place and checked while it is typed.

use super::experiment::ExperimentRow;
use crate::catalog::RecommendedSetting;
use crate::run::check::ValueCheck;
use crate::spec::{Key, KeyValue, SweptValues, ValueKind, ValueOrigin, built_in, keys, sweep_keys};
use crate::tui::widgets::text_field::TextField;

/// The form of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The experiment that is edited; `None` for a new one.
    pub experiment: Option<String>,
    /// The experiment's name.
    pub name: String,
    pub(in crate::tui) original_name: String,
    pub(in crate::tui) existing_names: Vec<String>,
    /// One line for each key.
    pub fields: Vec<Field>,
    /// The line under the cursor, among [`Form::lines`].
    pub selected: usize,
    /// The text field of the line that is being typed.
    pub editing: Option<TextField>,
    /// Whether settings that nobody has changed follow what is recommended, as in a new experiment.
    pub(in crate::tui) follows_recommendation: bool,
    /// What is known about the files that the values name.
    pub(in crate::tui) checked: FormCheck,
    /// The values that are being checked, or were last.
    pub(in crate::tui) check_requested: FormValues,
    /// The value before it was edited, to restore it.
    pub(in crate::tui) before_editing: String,
}

/// Keys and values as typed.
pub type FormValues = Vec<(&'static str, String)>;

/// The result of a check of values, and the values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormCheck {
    /// The values that were checked.
    pub values: FormValues,
    /// What was found.
    pub check: ValueCheck,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key.
    pub key: &'static Key,
    /// The value as typed.
    pub text: String,
    /// The value when the form was opened.
    pub original: String,
    /// Whether the value is saved even if it was not changed, as in a copy of an experiment.
    pub(in crate::tui) is_explicit: bool,
    pub(in crate::tui) origin: ValueOrigin,
    /// What is recommended for the model, the task and the number of rows.
    pub(in crate::tui) recommended: Option<RecommendedSetting>,
}

/// A line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormLine {
    /// Starts the training.
    Start,
    /// The experiment's name.
    Name,
    /// A heading.
    Group(&'static str),
    /// A key, by its index in [`Form::fields`].
    Field(usize),
}

impl Form {
    /// The form of an experiment that is in the file.
    pub fn edit(row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        Form { experiment: Some(row.name.clone()), ..Form::filled(row.name.clone(), row, all) }
    }

    /// The form of a new experiment with the values of `row`.
    pub fn copy(row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        let mut form = Form::filled(free_name(&row.name, all), row, all);
        for field in &mut form.fields {
            field.is_explicit = field.origin == ValueOrigin::Experiment;
        }
        form
    }

    /// The form of a new experiment.
    pub fn new(all: &[ExperimentRow]) -> Form {
        let values = keys().iter().chain(sweep_keys()).map(|key| {
            // `[defaults]` applies to every experiment alike.
            let defaults = all.iter().flat_map(|row| &row.values);
            let mut defaults =
                defaults.filter(|value| value.key == key && value.origin == ValueOrigin::Defaults);
            let (text, origin) = match defaults.next() {
                Some(value) => (&value.text[..], ValueOrigin::Defaults),
                None => (key.default, ValueOrigin::BuiltIn),
            };
            KeyValue { key, text: text.to_string(), origin }
        });
        let spec = Err(String::new());
        let row = ExperimentRow {
            name: String::new(),
            description: None,
            file: None,
            note: None,
            values: values.collect(),
            spec,
            sweep: None,
        };
        let mut form =
            Form { follows_recommendation: true, ..Form::filled(free_name("mine", all), &row, all) };
        form.recommend();
        form
    }

    /// The form of a new experiment with these keys and values.
    pub fn with_settings(name: &str, settings: &[(&'static str, String)], all: &[ExperimentRow]) -> Form {
        let mut form = Form { follows_recommendation: false, ..Form::new(all) };
        (form.name, form.original_name) = (name.to_string(), name.to_string());
        for (key, value) in settings {
            if let Some(field) = form.fields.iter_mut().find(|field| field.key.name == *key) {
                field.text.clone_from(value);
                field.is_explicit = true;
            }
        }
        form
    }

    fn filled(name: String, row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        let fields = row.values.iter().map(|value| Field {
            key: value.key,
            text: value.text.clone(),
            original: value.text.clone(),
            is_explicit: false,
            origin: value.origin,
            recommended: None,
        });
        Form {
            experiment: None,
            original_name: name.clone(),
            name,
            existing_names: all.iter().map(|row| row.name.clone()).collect(),
            fields: fields.collect(),
            selected: 0,
            editing: None,
            follows_recommendation: false,
            checked: FormCheck::default(),
            check_requested: FormValues::new(),
            before_editing: String::new(),
        }
    }

    /// The lines, headings included.
    pub fn lines(&self) -> Vec<FormLine> {
        let mut lines = vec![FormLine::Start, FormLine::Name];
        let mut group = "";
        let task =
            self.fields.iter().find(|field| field.key.kind == ValueKind::Task).map(|field| &field.text[..]);
        for (number, field) in self.fields.iter().enumerate() {
            // Keys of another task are hidden, unless they are set and must be removed.
            if field.key.task.is_some_and(|owner| Some(owner) != task) && field.text.is_empty() {
                continue;
            }
            if field.key.group != group {
                group = field.key.group;
                lines.push(FormLine::Group(group));
            }
            lines.push(FormLine::Field(number));
        }
        lines
    }

    pub(in crate::tui) fn line(&self) -> FormLine {
        self.lines().get(self.selected).copied().unwrap_or(FormLine::Start)
    }

    /// Takes the settings that are recommended for the model, the task and the number of rows. Those of a new experiment
    /// that nobody has changed follow them.
    pub(in crate::tui) fn recommend(&mut self) {
        let mut spec = built_in("");
        for field in &self.fields {
            field.key.set(&mut spec, &SweptValues::first_of(field.key, &field.text)).ok();
        }
        let settings = spec.recommendation(None, None);
        for field in &mut self.fields {
            let earlier = field.recommended;
            field.recommended = settings.get(field.key.name).copied();
            let is_unchanged = field.text == field.original && field.origin == ValueOrigin::BuiltIn;
            let (Some(setting), true) = (field.recommended, self.follows_recommendation && is_unchanged)
            else {
                continue;
            };
            if earlier != Some(setting) {
                field.text = setting.value.to_string();
                field.original.clone_from(&field.text);
                field.is_explicit = field.text != field.key.default;
            }
        }
    }

    /// Keys and values of all lines.
    pub fn values(&self) -> FormValues {
        self.fields.iter().map(|field| (field.key.name, field.text.clone())).collect()
    }

    /// The columns of the training file, once they are known.
    pub fn columns(&self) -> &[String] {
        &self.checked.check.columns
    }

    /// The field of the line under the cursor.
    pub fn field(&self) -> Option<&Field> {
        match self.line() {
            FormLine::Field(number) => self.fields.get(number),
            _ => None,
        }
    }

    /// The error of a line: its value is invalid, does not fit the other values, or names a file that cannot be used.
    pub fn error(&self, line: FormLine) -> Option<String> {
        self.invalid_value(line).or_else(|| {
            let FormLine::Field(number) = line else { return None };
            let field = self.fields.get(number)?;
            // The check of an earlier value says nothing about this one.
            let is_checked =
                self.checked.values.iter().any(|value| *value == (field.key.name, field.text.clone()));
            let problem = self.checked.check.problems.iter().find(|(key, _)| *key == field.key.name);
            problem.filter(|_| is_checked).map(|(_, problem)| problem.clone())
        })
    }

    /// Why the value of a line is invalid on its own.
    pub(in crate::tui) fn invalid_value(&self, line: FormLine) -> Option<String> {
        match line {
            FormLine::Name if self.experiment.is_none() && self.existing_names.contains(&self.name) => {
                Some(format!("experiment {} already exists", self.name))
            }
            FormLine::Name => {
                let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
                let is_valid =
                    self.name.chars().all(is_allowed) && self.name.starts_with(char::is_alphanumeric);
                (!is_valid)
                    .then(|| "use only letters, digits, -, _ and .; start with a letter or digit".into())
            }
            FormLine::Field(number) => {
                let field = &self.fields[number];
                SweptValues::check(field.key, &field.text).err()
            }
            FormLine::Start | FormLine::Group(_) => None,
        }
    }

    /// Whether anything differs from when the form was opened.
    pub fn is_changed(&self) -> bool {
        self.name != self.original_name || self.fields.iter().any(|field| field.text != field.original)
    }

    /// Keys and values to write to the experiment in the file.
    pub fn changes(&self) -> Vec<(&'static str, String)> {
        let is_written = |field: &&Field| field.is_explicit || field.text != field.original;
        self.fields.iter().filter(is_written).map(|field| (field.key.name, field.text.clone())).collect()
    }

    pub(in crate::tui) fn text_mut(&mut self, line: FormLine) -> Option<&mut String> {
        match line {
            FormLine::Name if self.experiment.is_none() => Some(&mut self.name),
            FormLine::Field(number) => Some(&mut self.fields[number].text),
            _ => None,
        }
    }

    /// The errors of all invalid lines, each with the name of the key.
    pub(in crate::tui) fn errors(&self) -> Vec<String> {
        let name = |line: &FormLine| match line {
            FormLine::Field(number) => self.fields[*number].key.name,
            _ => "name",
        };
        let lines = self.lines();
        lines
            .iter()
            .filter_map(|line| Some(format!("{}: {}", name(line), self.invalid_value(*line)?)))
            .collect()
    }
}

/// The first of `base`, `base-2`, `base-3`, … that no experiment has.
pub(in crate::tui) fn free_name(base: &str, all: &[ExperimentRow]) -> String {
    let exists = |name: &str| all.iter().any(|row| row.name == name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_string()).chain(numbered).find(|name| !exists(name)).unwrap_or_default()
}
