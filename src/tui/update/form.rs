//! Actions of the form.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use super::path_choice;
use crate::catalog::trainable_tasks;
use crate::files::collapse_home;
use crate::spec::{Key, SaveTarget, ValueKind};
use crate::tui::action::{FormAction, ListAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::form::{Form, FormCheck, FormLine};
use crate::tui::state::path_choice::PathKind;
use crate::tui::state::popup::{Choice, Item, Popup, Purpose, Reply};
use crate::tui::state::train_request::TrainRequest;
use crate::tui::widgets::text_field::{Edit, TextField};
use std::path::Path;

/// Applies an action.
pub(super) fn act(app: &mut App, action: FormAction) -> Vec<Step> {
    let Some(form) = &mut app.form else { return Vec::new() };
    let line = form.line();
    match action {
        FormAction::Open => return open(app, line),
        FormAction::Select(number) => return select(app, number),
        FormAction::Start => {
            form.editing = None;
            return start(app);
        }
        FormAction::Enqueue => {
            let request = train_request(app);
            return effects(request.map(Effect::Enqueue));
        }
        FormAction::Save => return effects(save(app)),
        FormAction::Reset => {
            if let FormLine::Field(number) = line {
                form.fields[number].text = form.fields[number].original.clone();
            }
        }
        FormAction::Close => close(app),
        // Editing continues while the value is invalid; else the next key would be a command instead of a correction.
        FormAction::Accept => {
            if form.invalid_value(line).is_none() {
                form.editing = None;
            }
        }
        FormAction::Discard => {
            form.editing = None;
            let before = form.before_editing.clone();
            if let Some(text) = form.text_mut(line) {
                *text = before;
            }
        }
        FormAction::AcceptAndNext => return effects(move_cursor(app, ListAction::Down)),
    }
    effects(check(app))
}

/// Opens the form of the experiment `name` with the cursor on a key; in an open form, moves the cursor there.
pub(super) fn open_at(app: &mut App, name: &str, key: &str) {
    if app.form.is_none() {
        let row = app.runs.experiments.iter().find(|row| row.name == name);
        app.form = row.map(|row| Form::edit(row, &app.runs.experiments));
    }
    app.go_to(Screen::Runs);
    let Some(form) = &mut app.form else { return };
    form.editing = None;
    let is_key =
        |line: &FormLine| matches!(line, FormLine::Field(number) if form.fields[*number].key.name == key);
    if let Some(at) = form.lines().iter().position(is_key) {
        form.selected = at;
    }
}

/// Edits the value of a line, or starts.
fn open(app: &mut App, line: FormLine) -> Vec<Step> {
    if line == FormLine::Start {
        return start(app);
    }
    effects(edit(app, line))
}

/// Moves the cursor to a line; opens the line under the cursor.
fn select(app: &mut App, number: usize) -> Vec<Step> {
    let Some(form) = &mut app.form else { return Vec::new() };
    let line = form.line();
    match (form.editing.is_some(), number == form.selected) {
        (false, true) => return open(app, line),
        (false, false) => form.selected = number,
        (true, false) if form.invalid_value(line).is_none() => {
            form.editing = None;
            form.selected = number;
        }
        // The line is being edited already.
        (true, _) => {}
    }
    effects(check(app))
}

/// Moves the cursor, skipping headings; keeps a value that is being typed.
pub(super) fn move_cursor(app: &mut App, action: ListAction) -> Vec<Effect> {
    let Some(form) = &mut app.form else { return Vec::new() };
    form.editing = None;
    let lines = form.lines();
    let mut at = moved(form.selected, lines.len(), action);
    while let FormLine::Group(_) = lines[at] {
        at = if matches!(action, ListAction::Up | ListAction::PageUp) { at - 1 } else { at + 1 };
    }
    form.selected = at;
    check(app)
}

/// Opens the form, and checks its values.
pub(super) fn open_form(app: &mut App, form: Form) -> Vec<Effect> {
    app.form = Some(form);
    check(app)
}

/// Checks the values with the files that they name, unless they are checked. A value that is typed is checked when it
/// is left.
fn check(app: &mut App) -> Vec<Effect> {
    let Some(form) = app.form.as_mut().filter(|form| form.editing.is_none()) else { return Vec::new() };
    form.recommend();
    let values = form.values();
    if form.check_requested == values {
        return Vec::new();
    }
    form.check_requested.clone_from(&values);
    vec![Effect::CheckForm(values)]
}

/// Takes the result of a check.
pub(super) fn checked(app: &mut App, checked: FormCheck) {
    if let Some(form) = &mut app.form {
        form.checked = checked;
    }
}

/// Types into the line that is being edited.
pub(super) fn type_in(app: &mut App, edit: &Edit) {
    let Some(form) = &mut app.form else { return };
    let line = form.line();
    let Some(field) = &mut form.editing else { return };
    field.edit(edit);
    let typed = field.text().trim().to_string();
    if let Some(text) = form.text_mut(line) {
        *text = typed;
    }
}

/// Takes the value chosen from a list.
pub(super) fn choose(app: &mut App, line: usize, value: String) -> Vec<Effect> {
    if let Some(field) = app.form.as_mut().and_then(|form| form.fields.get_mut(line)) {
        field.text = value;
    }
    check(app)
}

/// Opens the list or the field of a line.
fn edit(app: &mut App, line: FormLine) -> Vec<Effect> {
    let Some(form) = &mut app.form else { return Vec::new() };
    let FormLine::Field(number) = line else {
        if line == FormLine::Name && form.experiment.is_none() {
            form.before_editing = form.name.clone();
            form.editing = Some(TextField::new(&form.name));
        }
        return Vec::new();
    };
    let Some(field) = form.fields.get(number) else { return Vec::new() };
    let (key, text, purpose) = (field.key, field.text.clone(), Purpose::FormField(number));
    if let Some(kind) = path_kind(key) {
        let items = if kind == PathKind::Model {
            path_choice::model_items(app)
        } else {
            absent_item(key).into_iter().chain(path_choice::data_items(app, kind)).collect()
        };
        return path_choice::ask(app, key.name, kind, items, &text, purpose);
    }
    let (items, free_text) = match (key.kind, key.choices()) {
        (ValueKind::Task, _) => {
            let item =
                |task: &crate::catalog::Task| Item { value: task.name.into(), note: task.title.into() };
            (trainable_tasks().map(item).collect(), None)
        }
        (_, Some(words)) => {
            let words = words.into_iter().map(|word| Item { value: word.into(), note: String::new() });
            (absent_item(key).into_iter().chain(words).collect(), None)
        }
        _ if names_column(key) && !form.columns().is_empty() => {
            let columns =
                form.columns().iter().map(|name| Item { value: name.clone(), note: "column".into() });
            let items: Vec<Item> = absent_item(key).into_iter().chain(columns).collect();
            let free_text =
                if key.kind == ValueKind::Columns { "column, or a list as [\"a\", \"b\"]" } else { "column" };
            (items, Some(free_text))
        }
        _ => {
            form.before_editing.clone_from(&text);
            form.editing = Some(TextField::new(&text));
            return Vec::new();
        }
    };
    ask(app, key.name, items, free_text, &text, purpose);
    Vec::new()
}

/// Opens a list with the cursor on the current value.
fn ask(
    app: &mut App,
    title: &str,
    items: Vec<Item>,
    free_text: Option<&'static str>,
    current: &str,
    purpose: Purpose,
) {
    let selected = items.iter().position(|item| item.value == current);
    // A value that is no item is there to be changed.
    let typed = if selected.is_none() && free_text.is_some() { current } else { "" };
    app.popup = Some(Popup::Choice(Choice {
        title: title.into(),
        items,
        free_text,
        typed: TextField::new(typed),
        selected: selected.unwrap_or(0),
        purpose,
        paths: None,
    }));
}

/// What the paths are of that a key may have.
fn path_kind(key: &Key) -> Option<PathKind> {
    match key.kind {
        ValueKind::Model => Some(PathKind::Model),
        ValueKind::Path if key.name == "data_dir" => Some(PathKind::DataFolder),
        ValueKind::Path => Some(PathKind::DataFile),
        _ => None,
    }
}

/// Whether a key names columns of the training file.
fn names_column(key: &Key) -> bool {
    key.name.ends_with("_column")
}

/// The item that removes the value of a key.
fn absent_item(key: &Key) -> Option<Item> {
    key.is_optional().then(|| Item { value: String::new(), note: key.absent.into() })
}

/// Whether a line is invalid; shows the errors if so.
fn has_errors(app: &mut App) -> bool {
    let errors = app.form.as_ref().map_or(Vec::new(), Form::errors);
    if !errors.is_empty() {
        app.show_error("Some values are invalid", errors.join("\n"));
    }
    !errors.is_empty()
}

fn start(app: &mut App) -> Vec<Step> {
    train_request(app).map(|request| Navigate::Train(request).into()).into_iter().collect()
}

/// The run that the form describes, unless a line is invalid.
fn train_request(app: &mut App) -> Option<TrainRequest> {
    if has_errors(app) {
        return None;
    }
    let form = app.form.as_ref()?;
    Some(TrainRequest::Changed { name: form.name.clone(), changes: form.changes() })
}

/// Writes the form to the experiments file, unless a line is invalid.
pub(super) fn save(app: &mut App) -> Vec<Effect> {
    if let Some(form) = &mut app.form {
        form.editing = None;
    }
    if has_errors(app) {
        return Vec::new();
    }
    let Some(form) = &app.form else { return Vec::new() };
    let mut rows = app.runs.experiments.iter();
    let is_in_file = rows.any(|row| form.experiment.as_ref() == Some(&row.name) && row.file.is_some());
    if is_in_file || app.runs.save_targets.len() < 2 {
        return save_to(app, SaveTarget::Local);
    }
    let path = |wanted: SaveTarget| {
        let mut targets = app.runs.save_targets.iter().filter(|(target, _)| *target == wanted);
        targets.next().map_or(String::new(), |(_, path)| path.display().to_string())
    };
    let (local, user) = (path(SaveTarget::Local), path(SaveTarget::User));
    app.popup = Some(Popup::question(
        "Save the experiment",
        format!(
            "{} can be saved to {local} in this folder, or to {user}, which every folder uses.",
            form.name
        ),
        vec![
            ('s', "save in this folder", Reply::SaveFormTo(SaveTarget::Local)),
            ('c', "save in the configuration folder", Reply::SaveFormTo(SaveTarget::User)),
            ('k', "keep editing", Reply::Nothing),
        ],
    ));
    Vec::new()
}

/// Writes the form to the file of the experiment, or to `target` if the experiment is in none.
pub(super) fn save_to(app: &App, target: SaveTarget) -> Vec<Effect> {
    let Some(form) = &app.form else { return Vec::new() };
    vec![Effect::SaveExperiment { name: form.name.clone(), changes: form.changes(), target }]
}

fn close(app: &mut App) {
    let Some(form) = &app.form else { return };
    if !form.is_changed() {
        app.form = None;
        return;
    }
    app.popup = Some(Popup::question(
        "Unsaved changes",
        format!("The changes to {} are not saved to the experiments file.", form.name),
        vec![
            ('s', "save and close", Reply::SaveForm),
            ('d', "discard the changes and close", Reply::DiscardForm),
            ('k', "keep editing", Reply::Nothing),
        ],
    ));
}

/// Closes the form of an experiment that was written to the file `path`.
pub(super) fn saved(app: &mut App, name: &str, path: &Path) -> Vec<Effect> {
    app.form = None;
    if app.screen == Screen::Open {
        app.go_to(Screen::Runs);
    }
    app.runs.select(name);
    app.notice = Some(format!("{name} is saved in {}", collapse_home(path)));
    Vec::new()
}
