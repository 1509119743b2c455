//! The form of an experiment: every key on a line, edited in place and checked while it is typed.

use super::experiment::ExperimentRow;
use crate::spec::{Key, KeyValue, ValueKind, ValueOrigin, keys};
use crate::tui::widgets::text_field::TextField;

/// Values that are being changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The experiment that it was opened for, unless it makes a new one.
    pub of: Option<String>,
    /// The experiment's name.
    pub name: String,
    pub(in crate::tui) name_before: String,
    pub(in crate::tui) taken: Vec<String>,
    /// One line for each key.
    pub fields: Vec<Field>,
    /// The line under the cursor, among [`Form::lines`].
    pub at: usize,
    /// The text of the line that is being typed.
    pub editing: Option<TextField>,
    pub(in crate::tui) before_editing: String,
    /// Start what was just saved, once it is in the file.
    pub is_saved: bool,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key.
    pub key: &'static Key,
    /// The value as typed.
    pub text: String,
    /// What it was when the form was opened.
    pub before: String,
    /// Whether the value must be written, changed or not, for the experiment to have it.
    pub(in crate::tui) is_own: bool,
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
    /// A key, by its place.
    Field(usize),
}

impl Form {
    /// The form of an experiment that is in the file.
    pub fn edit(row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        Form { of: Some(row.name.clone()), ..Form::filled(row.name.clone(), row, all) }
    }

    /// The form of a new experiment with the values of `row`.
    pub fn copy(row: &ExperimentRow, all: &[ExperimentRow]) -> Form {
        let mut form = Form::filled(free_name(&row.name, all), row, all);
        for field in &mut form.fields {
            field.is_own = field.origin == ValueOrigin::Experiment;
        }
        form
    }

    /// The form of a new experiment.
    pub fn new(all: &[ExperimentRow]) -> Form {
        let values = keys().iter().map(|key| {
            // What `[defaults]` says is the same for every experiment.
            let set = all.iter().flat_map(|row| &row.values);
            let mut set = set.filter(|value| value.key == key && value.origin == ValueOrigin::Defaults);
            let text = set.next().map_or(key.default, |value| &value.text);
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
            before: value.text.clone(),
            is_own: false,
            origin: value.origin,
        });
        Form {
            of: None,
            name_before: name.clone(),
            name,
            taken: all.iter().map(|row| row.name.clone()).collect(),
            fields: fields.collect(),
            at: 0,
            editing: None,
            before_editing: String::new(),
            is_saved: false,
        }
    }

    /// The lines, headings included.
    pub fn lines(&self) -> Vec<FormLine> {
        let mut lines = vec![FormLine::Start, FormLine::Name];
        let mut group = "";
        let task =
            self.fields.iter().find(|field| field.key.kind == ValueKind::Task).map(|field| &field.text[..]);
        for (number, field) in self.fields.iter().enumerate() {
            // What another task alone looks at is not shown, unless it is set and so has to be taken out.
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
        self.lines().get(self.at).copied().unwrap_or(FormLine::Start)
    }

    /// What is wrong with a line, if anything.
    pub fn fault(&self, line: FormLine) -> Option<String> {
        match line {
            FormLine::Name if self.of.is_none() && self.taken.contains(&self.name) => {
                Some(format!("there is an experiment {} already", self.name))
            }
            FormLine::Name => {
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
                let good = self.name.chars().all(plain) && self.name.starts_with(char::is_alphanumeric);
                (!good).then(|| "letters, digits, -, _ and . make a name".into())
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
        self.name != self.name_before || self.fields.iter().any(|field| field.text != field.before)
    }

    /// Keys and values to be laid over the experiment in the file.
    pub fn changes(&self) -> Vec<(&'static str, String)> {
        let differs = |field: &&Field| field.is_own || field.text != field.before;
        self.fields.iter().filter(differs).map(|field| (field.key.name, field.text.clone())).collect()
    }

    pub(in crate::tui) fn text_mut(&mut self, line: FormLine) -> Option<&mut String> {
        match line {
            FormLine::Name if self.of.is_none() => Some(&mut self.name),
            FormLine::Field(number) => Some(&mut self.fields[number].text),
            _ => None,
        }
    }

    /// The lines at fault, each as a sentence.
    pub(in crate::tui) fn faults(&self) -> Vec<String> {
        let name = |line: &FormLine| match line {
            FormLine::Field(number) => self.fields[*number].key.name,
            _ => "name",
        };
        let lines = self.lines();
        lines.iter().filter_map(|line| Some(format!("{}: {}", name(line), self.fault(*line)?))).collect()
    }
}

/// `base`, or `base-2`, `base-3`, … : the first that no experiment has.
fn free_name(base: &str, all: &[ExperimentRow]) -> String {
    let taken = |name: &str| all.iter().any(|row| row.name == name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_string()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}
