//! Every key of an experiment, one line each: changed in place, checked as typed, explained.

use super::live;
use super::popup::{Choice, Item, Popup, Purpose, Reply, moved};
use crate::catalog::{MODELS, TASKS};
use crate::spec::{Key, Kind, Origin, check_value, keys};
use crate::tui::app::{App, ExperimentRow};
use crate::tui::msg::{Action, Effect};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::{airy_pane, cut, fixed, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;

/// Cells of the names of keys.
const LABEL: usize = 28;

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
    origin: Origin,
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
            field.is_own = field.origin == Origin::Experiment;
        }
        form
    }

    /// The form of a new experiment.
    pub fn new(all: &[ExperimentRow]) -> Form {
        let values = keys().iter().map(|key| {
            // What `[defaults]` says is the same for every experiment.
            let set = all.iter().flat_map(|row| &row.values);
            let mut set = set.filter(|value| value.key == key && value.origin == Origin::Defaults);
            let text = set.next().map_or(key.default, |value| &value.text);
            crate::spec::Value { key, text: text.to_string(), origin: Origin::BuiltIn }
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
        for (number, field) in self.fields.iter().enumerate() {
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
                check_value(field.key, &field.text).err()
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
        Action::StartForm => return start(app),
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
        Kind::Model => MODELS
            .iter()
            .map(|model| Item {
                value: model.id.into(),
                note: format!("{}, {:.1} M", model.title, model.millions),
            })
            .collect(),
        Kind::Task => {
            TASKS.iter().map(|task| Item { value: task.name.into(), note: task.title.into() }).collect()
        }
        Kind::Choice(words) => {
            let absent =
                field.key.optional().then(|| Item { value: String::new(), note: field.key.absent.into() });
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
    let free = (field.key.kind == Kind::Model).then_some("any hub id, or a folder");
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
    if is_at_fault(app) {
        return Vec::new();
    }
    let Some(form) = &app.form else { return Vec::new() };
    let effect = Effect::StartChanged { name: form.name.clone(), changes: form.changes() };
    live::begin(app, effect)
}

fn save(app: &mut App) -> Vec<Effect> {
    if is_at_fault(app) {
        return Vec::new();
    }
    let Some(form) = &app.form else { return Vec::new() };
    vec![Effect::Save { name: form.name.clone(), changes: form.changes() }]
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

/// Draws the form; returns where the terminal's cursor belongs while a line is typed.
pub fn draw(app: &App, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = app.theme;
    let what = if form.of.is_some() { "Edit" } else { "New" };
    let changed = if form.is_changed() { " (not saved)" } else { "" };
    let title =
        cut(theme, &format!("{what} {}{changed}", form.name), (area.width as usize).saturating_sub(6));
    let block = airy_pane(theme, &title, true);
    let inner = block.inner(area);
    block.render(area, buffer);
    let explained = 4.min(inner.height / 2);
    let list = Rect { height: inner.height - explained, ..inner };
    let lines = form.lines();
    let height = list.height as usize;
    let first = (form.at + 3).saturating_sub(height).min(lines.len().saturating_sub(height));
    let mut cursor = None;
    for (number, line) in lines.iter().enumerate().skip(first).take(height) {
        let row = Rect { y: list.y + (number - first) as u16, height: 1, ..list };
        let at = draw_line(form, *line, number == form.at, theme, row, buffer);
        cursor = cursor.or(at);
    }
    let rest = Rect { y: list.bottom(), height: explained, ..inner };
    draw_explanation(form, theme, rest, buffer);
    cursor
}

fn draw_line(
    form: &Form,
    line: Line,
    is_at: bool,
    theme: Theme,
    row: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let fault = form.fault(line);
    let (label, value) = match line {
        Line::Start => ("start training".to_string(), String::new()),
        Line::Name => ("name".into(), form.name.clone()),
        Line::Group(group) => {
            put(buffer, row.x, row.y, row.width, group, theme.style(Role::Title));
            return None;
        }
        Line::Field(number) => {
            let field = &form.fields[number];
            (field.key.name.into(), field.text.clone())
        }
    };
    let style = theme.style(match (is_at, fault.is_some()) {
        (_, true) => Role::Warning,
        (true, _) => Role::Selected,
        (false, _) => Role::Text,
    });
    let sign = if is_at { theme.sign("▸ ", "> ") } else { "  " };
    if is_at {
        put(buffer, row.x, row.y, row.width, &fixed(theme, "", row.width as usize), style);
    }
    let x = put(buffer, row.x, row.y, row.width, sign, style);
    let rest = row.right().saturating_sub(x);
    let label_style = if line == Line::Start && !is_at { theme.style(Role::Key) } else { style };
    let width = LABEL.min(rest as usize / 2);
    let x = put(buffer, x, row.y, rest, &(fixed(theme, &label, width) + " "), label_style);
    let place = Rect { x, width: row.right().saturating_sub(x), ..row };
    if let (true, Some(editing)) = (is_at, &form.editing) {
        let cursor = editing.draw_line(buffer, place, style);
        if let Some(fault) = fault {
            let from = place.x + editing.text().chars().count() as u16 + 2;
            let room = row.right().saturating_sub(from);
            put(buffer, from, row.y, room, &cut(theme, &fault, room as usize), style);
        }
        return Some(cursor);
    }
    draw_value(form, line, is_at, &value, fault, theme, place, buffer);
    None
}

#[expect(clippy::too_many_arguments, reason = "the pieces of one line")]
fn draw_value(
    form: &Form,
    line: Line,
    is_at: bool,
    value: &str,
    fault: Option<String>,
    theme: Theme,
    place: Rect,
    buffer: &mut Buffer,
) {
    let Line::Field(number) = line else {
        let role = match (is_at, fault.is_some()) {
            (_, true) => Role::Warning,
            (true, _) => Role::Selected,
            _ => Role::Text,
        };
        let x = put(buffer, place.x, place.y, place.width, value, theme.style(role));
        if let Some(fault) = fault {
            put(buffer, x + 2, place.y, place.right().saturating_sub(x + 2), &fault, theme.style(role));
        }
        return;
    };
    let field = &form.fields[number];
    let (shown, role) = match (field.text.is_empty(), fault.is_some(), is_at) {
        (_, true, _) => (value, Role::Warning),
        (true, ..) => (field.key.absent, if is_at { Role::Selected } else { Role::Muted }),
        (_, _, true) => (value, Role::Selected),
        _ if field.text != field.before => (value, Role::Best),
        _ if field.origin == Origin::BuiltIn => (value, Role::Muted),
        _ => (value, Role::Text),
    };
    let x = put(
        buffer,
        place.x,
        place.y,
        place.width,
        &cut(theme, shown, place.width as usize),
        theme.style(role),
    );
    let note = match fault {
        Some(fault) => fault,
        None if field.text != field.before => {
            let before = if field.before.is_empty() { field.key.absent } else { &field.before };
            format!("was {before}")
        }
        None => return,
    };
    let role = if is_at { role } else { Role::Muted };
    let from = x + 2;
    let room = place.right().saturating_sub(from);
    put(buffer, from, place.y, room, &cut(theme, &note, room as usize), theme.style(role));
}

/// The sentence that explains the line under the cursor, and what is wrong with it.
fn draw_explanation(form: &Form, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let rule = theme.sign("─", "-").repeat(area.width as usize);
    put(buffer, area.x, area.y, area.width, &rule, theme.style(Role::Frame));
    let line = form.line();
    let help = match line {
        Line::Start => "Starts with the values below, without writing them to the experiments file.".into(),
        Line::Name if form.of.is_some() => {
            "The experiment's name. A copy (c on the Runs screen) can have another one.".into()
        }
        Line::Name => {
            "What the experiment is called, in the file, on the command line and in its runs.".into()
        }
        Line::Group(_) => String::new(),
        Line::Field(number) => {
            let key = form.fields[number].key;
            let default = if key.optional() { key.absent } else { key.default };
            format!("{} Built in: {default}.", key.help)
        }
    };
    let mut y = area.y + 1;
    if let Some(fault) = form.fault(line) {
        for text in wrap(&fault, area.width as usize) {
            if y < area.bottom() {
                put(buffer, area.x, y, area.width, &text, theme.style(Role::Warning));
            }
            y += 1;
        }
    }
    for text in wrap(&help, area.width as usize) {
        if y < area.bottom() {
            put(buffer, area.x, y, area.width, &text, theme.style(Role::Muted));
        }
        y += 1;
    }
}

/// Draws what fits into a few lines without frames.
pub fn draw_tiny(app: &App, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let lines = form.lines();
    let height = area.height as usize;
    let first = (form.at + 1).saturating_sub(height);
    let mut cursor = None;
    for (number, line) in lines.iter().enumerate().skip(first).take(height) {
        let row = Rect { y: area.y + (number - first) as u16, height: 1, ..area };
        cursor = cursor.or(draw_line(form, *line, number == form.at, app.theme, row, buffer));
    }
    cursor
}
