//! The form of an experiment: every key on a line, edited in place and checked while it is typed.

use super::experiment::ExperimentRow;
use crate::spec::{Key, KeyValue, ValueKind, ValueOrigin, keys};
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
    /// The value before it was edited, to restore it.
    pub(in crate::tui) before_editing: String,
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
        let values = keys().iter().map(|key| {
            // `[defaults]` applies to every experiment alike.
            let defaults = all.iter().flat_map(|row| &row.values);
            let mut defaults =
                defaults.filter(|value| value.key == key && value.origin == ValueOrigin::Defaults);
            let text = defaults.next().map_or(key.default, |value| &value.text);
            KeyValue { key, text: text.to_string(), origin: ValueOrigin::BuiltIn }
        });
        let spec = Err(String::new());
        let row = ExperimentRow { name: String::new(), description: None, values: values.collect(), spec };
        Form::filled(free_name("mine", all), &row, all)
    }

    fn filled(name: String, row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        let fields = row.values.iter().map(|value| Field {
            key: value.key,
            text: value.text.clone(),
            original: value.text.clone(),
            is_explicit: false,
            origin: value.origin,
        });
        Form {
            experiment: None,
            original_name: name.clone(),
            name,
            existing_names: all.iter().map(|row| row.name.clone()).collect(),
            fields: fields.collect(),
            selected: 0,
            editing: None,
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

    /// The field of the line under the cursor.
    pub fn field(&self) -> Option<&Field> {
        match self.line() {
            FormLine::Field(number) => self.fields.get(number),
            _ => None,
        }
    }

    /// The error of a line, if its value is invalid.
    pub fn error(&self, line: FormLine) -> Option<String> {
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
                field.key.check(&field.text).err()
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
        lines.iter().filter_map(|line| Some(format!("{}: {}", name(line), self.error(*line)?))).collect()
    }
}

/// The first of `base`, `base-2`, `base-3`, … that no experiment has.
fn free_name(base: &str, all: &[ExperimentRow]) -> String {
    let exists = |name: &str| all.iter().any(|row| row.name == name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_string()).chain(numbered).find(|name| !exists(name)).unwrap_or_default()
}
