//! Actions of the form.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use crate::catalog::{MODELS, TASKS};
use crate::spec::{SaveTarget, ValueKind};
use crate::tui::action::{FormAction, ListAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::form::{Form, FormLine};
use crate::tui::state::popup::{Choice, Item, Popup, Purpose, Reply};
use crate::tui::state::train_request::TrainRequest;
use crate::tui::widgets::text_field::{Edit, TextField};

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
            if form.error(line).is_none() {
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
        FormAction::AcceptAndNext => move_cursor(app, ListAction::Down),
    }
    Vec::new()
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
    edit(app, line);
    Vec::new()
}

/// Moves the cursor to a line; opens the line under the cursor.
fn select(app: &mut App, number: usize) -> Vec<Step> {
    let Some(form) = &mut app.form else { return Vec::new() };
    let line = form.line();
    match (form.editing.is_some(), number == form.selected) {
        (false, true) => return open(app, line),
        (false, false) => form.selected = number,
        (true, false) if form.error(line).is_none() => {
            form.editing = None;
            form.selected = number;
        }
        // The line is being edited already.
        (true, _) => {}
    }
    Vec::new()
}

/// Moves the cursor, skipping headings; keeps a value that is being typed.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    let Some(form) = &mut app.form else { return };
    form.editing = None;
    let lines = form.lines();
    let mut at = moved(form.selected, lines.len(), action);
    while let FormLine::Group(_) = lines[at] {
        at = if matches!(action, ListAction::Up | ListAction::PageUp) { at - 1 } else { at + 1 };
    }
    form.selected = at;
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
pub(super) fn choose(app: &mut App, line: usize, value: String) {
    if let Some(field) = app.form.as_mut().and_then(|form| form.fields.get_mut(line)) {
        field.text = value;
    }
}

/// Opens the list or the field of a line.
fn edit(app: &mut App, line: FormLine) {
    let Some(form) = &mut app.form else { return };
    let FormLine::Field(number) = line else {
        if line == FormLine::Name && form.experiment.is_none() {
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
        ValueKind::Choice(_) | ValueKind::Boolean => {
            let words = field.key.choices().unwrap_or_default();
            let absent =
                field.key.is_optional().then(|| Item { value: String::new(), note: field.key.absent.into() });
            let words = words.into_iter().map(|word| Item { value: word.into(), note: String::new() });
            absent.into_iter().chain(words).collect()
        }
        _ => {
            form.before_editing = field.text.clone();
            form.editing = Some(TextField::new(&field.text));
            return;
        }
    };
    let selected = items.iter().position(|item| item.value == field.text).unwrap_or(0);
    let free_text = (field.key.kind == ValueKind::Model).then_some("hub id or folder");
    app.popup = Some(Popup::Choice(Choice {
        title: field.key.name.into(),
        items,
        free_text,
        typed: TextField::default(),
        selected,
        purpose: Purpose::FormField(number),
    }));
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
