//! Every key of an experiment, one line each: changed in place, checked as typed, explained.

mod draw;

pub use draw::{draw, draw_tiny, line_at};

use super::live;
use super::popup::{Choice, Item, Popup, Purpose, Reply, moved};
use crate::catalog::{MODELS, TASKS};
use crate::spec::{Key, KeyValue, ValueKind, ValueOrigin, keys};
use crate::tui::app::{App, ExperimentRow};
use crate::tui::msg::{Action, Effect, TrainRequest};
use crate::tui::widgets::text_field::{Edit, TextField};

/// Values that are being changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The experiment that it was opened for, unless it makes a new one.
    pub of: Option<String>,
    /// The experiment's name.
    pub name: String,
    name_before: String,
    taken: Vec<String>,
    /// One line for each key.
    pub fields: Vec<Field>,
    /// The line under the cursor, among [`Form::lines`].
    pub at: usize,
    /// The text of the line that is being typed.
    pub editing: Option<TextField>,
    before_editing: String,
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
    is_own: bool,
    origin: ValueOrigin,
}

/// A line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
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
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Start, Line::Name];
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
                lines.push(Line::Group(group));
            }
            lines.push(Line::Field(number));
        }
        lines
    }

    fn line(&self) -> Line {
        self.lines().get(self.at).copied().unwrap_or(Line::Start)
    }

    /// What is wrong with a line, if anything.
    pub fn fault(&self, line: Line) -> Option<String> {
        match line {
            Line::Name if self.of.is_none() && self.taken.contains(&self.name) => {
                Some(format!("there is an experiment {} already", self.name))
            }
            Line::Name => {
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
                let good = self.name.chars().all(plain) && self.name.starts_with(char::is_alphanumeric);
                (!good).then(|| "letters, digits, -, _ and . make a name".into())
            }
            Line::Field(number) => {
                let field = &self.fields[number];
                field.key.check(&field.text).err()
            }
            Line::Start | Line::Group(_) => None,
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

    fn text_mut(&mut self, line: Line) -> Option<&mut String> {
        match line {
            Line::Name if self.of.is_none() => Some(&mut self.name),
            Line::Field(number) => Some(&mut self.fields[number].text),
            _ => None,
        }
    }

    /// The lines at fault, each as a sentence.
    fn faults(&self) -> Vec<String> {
        let name = |line: &Line| match line {
            Line::Field(number) => self.fields[*number].key.name,
            _ => "name",
        };
        let lines = self.lines();
        lines.iter().filter_map(|line| Some(format!("{}: {}", name(line), self.fault(*line)?))).collect()
    }

    /// Moves the cursor, passing over headings.
    fn go(&mut self, action: Action) {
        let lines = self.lines();
        let mut at = moved(self.at, lines.len(), action);
        while let Line::Group(_) = lines[at] {
            at = if matches!(action, Action::Up | Action::PageUp) { at - 1 } else { at + 1 };
        }
        self.at = at;
    }
}

/// `base`, or `base-2`, `base-3`, … : the first that no experiment has.
fn free_name(base: &str, all: &[ExperimentRow]) -> String {
    let taken = |name: &str| all.iter().any(|row| row.name == name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_string()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let Some(form) = &mut app.form else { return Vec::new() };
    let line = form.line();
    if form.editing.is_some() {
        match action {
            // What is wrong is not kept: the next key would be a command rather than its correction.
            Action::Enter if form.fault(line).is_some() => {}
            Action::Enter => form.editing = None,
            Action::Back => {
                form.editing = None;
                let before = form.before_editing.clone();
                if let Some(text) = form.text_mut(line) {
                    *text = before;
                }
            }
            Action::Next | Action::Up | Action::Down => {
                form.editing = None;
                form.go(action);
            }
            // Where it is typed is where the cursor is already.
            Action::Point(number) if number != form.at && form.fault(line).is_none() => {
                form.editing = None;
                form.at = number;
            }
            Action::StartForm | Action::SaveForm => {
                form.editing = None;
                return act(app, action);
            }
            _ => {}
        }
        return Vec::new();
    }
    match action {
        Action::Enter if line == Line::Start => return start(app),
        Action::Enter => change(app, line),
        Action::Point(number) if number == form.at => return act(app, Action::Enter),
        Action::Point(number) => form.at = number,
        Action::StartForm => return start(app),
        Action::Enqueue => return work(app).map_or(Vec::new(), |work| vec![Effect::Enqueue(work)]),
        Action::SaveForm => return save(app),
        Action::Reset => {
            if let Line::Field(number) = line {
                form.fields[number].text = form.fields[number].before.clone();
            }
        }
        Action::Back => close(app),
        action => form.go(action),
    }
    Vec::new()
}

/// Types into the line that is being changed.
pub fn type_in(app: &mut App, edit: &Edit) {
    let Some(form) = &mut app.form else { return };
    let line = form.line();
    let Some(field) = &mut form.editing else { return };
    field.edit(edit);
    let typed = field.text().trim().to_string();
    if let Some(text) = form.text_mut(line) {
        *text = typed;
    }
}

/// Takes a value that was chosen from a list.
pub fn choose(app: &mut App, line: usize, value: &str) -> Vec<Effect> {
    if let Some(field) = app.form.as_mut().and_then(|form| form.fields.get_mut(line)) {
        field.text = value.to_string();
    }
    Vec::new()
}

/// Opens the list or the field of a line.
fn change(app: &mut App, line: Line) {
    let Some(form) = &mut app.form else { return };
    let Line::Field(number) = line else {
        if line == Line::Name && form.of.is_none() {
            form.before_editing = form.name.clone();
            form.editing = Some(TextField::new(&form.name));
        }
        return;
    };
    let field = &form.fields[number];
    let items: Vec<Item> = match field.key.kind {
        ValueKind::Model => MODELS
            .iter()
            .map(|model| Item {
                value: model.id.into(),
                note: format!("{}, {:.1} M", model.title, model.millions),
            })
            .collect(),
        ValueKind::Task => {
            TASKS.iter().map(|task| Item { value: task.name.into(), note: task.title.into() }).collect()
        }
        ValueKind::Choice(words) => {
            let absent =
                field.key.is_optional().then(|| Item { value: String::new(), note: field.key.absent.into() });
            let words = words.iter().map(|word| Item { value: (*word).into(), note: String::new() });
            absent.into_iter().chain(words).collect()
        }
        _ => {
            form.before_editing = field.text.clone();
            form.editing = Some(TextField::new(&field.text));
            return;
        }
    };
    let at = items.iter().position(|item| item.value == field.text).unwrap_or(0);
    let free = (field.key.kind == ValueKind::Model).then_some("any hub id, or a folder");
    app.popup = Some(Popup::Choice(Choice {
        title: field.key.name.into(),
        items,
        free,
        typed: TextField::default(),
        at,
        purpose: Purpose::FormLine(number),
    }));
}

/// Complains and is true when a line is at fault.
fn is_at_fault(app: &mut App) -> bool {
    let faults = app.form.as_ref().map_or(Vec::new(), Form::faults);
    if !faults.is_empty() {
        app.complain("Some values are not right yet", faults.join("\n"));
    }
    !faults.is_empty()
}

fn start(app: &mut App) -> Vec<Effect> {
    work(app).map_or(Vec::new(), |work| live::begin(app, work))
}

/// The training that the form describes, unless a line is at fault.
fn work(app: &mut App) -> Option<TrainRequest> {
    if is_at_fault(app) {
        return None;
    }
    let form = app.form.as_ref()?;
    Some(TrainRequest::Changed { name: form.name.clone(), changes: form.changes() })
}

fn save(app: &mut App) -> Vec<Effect> {
    if is_at_fault(app) {
        return Vec::new();
    }
    let Some(form) = &app.form else { return Vec::new() };
    vec![Effect::SaveExperiment { name: form.name.clone(), changes: form.changes() }]
}

fn close(app: &mut App) {
    let Some(form) = &app.form else { return };
    if !form.is_changed() {
        app.form = None;
        return;
    }
    app.popup = Some(Popup::question(
        "The form was changed",
        format!("What you changed in {} is not in the experiments file.", form.name),
        vec![
            ('s', "save it and close", Reply::SaveForm),
            ('d', "close and forget the changes", Reply::DiscardForm),
            ('k', "keep editing", Reply::Nothing),
        ],
    ));
}
