//! Lists to choose from that have paths: of data, and of models.

use crate::catalog::{FileFormat, MODELS};
use crate::files::collapse_home;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::path_choice::{PathChoice, PathEntry, PathKind, split_path};
use crate::tui::state::popup::{Choice, Item, Popup, Purpose};
use crate::tui::widgets::text_field::TextField;

/// Opens a list with `items` and paths. The cursor is on the item `current`; a path that is no item is typed already.
pub(super) fn ask(
    app: &mut App,
    title: &str,
    kind: PathKind,
    items: Vec<Item>,
    current: &str,
    purpose: Purpose,
) -> Vec<Effect> {
    let selected = items.iter().position(|item| item.value == current);
    let typed = if selected.is_some() { "" } else { current };
    app.popup = Some(Popup::Choice(Choice {
        title: title.into(),
        items,
        free_text: Some(kind.free_text()),
        typed: TextField::new(typed),
        selected: selected.unwrap_or(0),
        purpose,
        paths: Some(PathChoice::new(kind)),
    }));
    let mut effects = vec![Effect::ListSuggestions];
    effects.extend(list(app));
    effects
}

/// Requests the entries of the folder that is typed, unless they are known.
pub(super) fn list(app: &mut App) -> Option<Effect> {
    let Some(Popup::Choice(choice)) = &mut app.popup else { return None };
    let typed = choice.typed.text().to_string();
    let paths = choice.paths.as_mut()?;
    let (folder, _) = split_path(&typed);
    if paths.folder == folder && paths.is_requested {
        return None;
    }
    if paths.folder != folder {
        (paths.folder, paths.entries) = (folder.to_string(), None);
    }
    paths.is_requested = true;
    Some(Effect::ListFolder { folder: folder.to_string(), kind: paths.kind })
}

/// Takes the entries of a folder.
pub(super) fn listed(app: &mut App, folder: &str, entries: Vec<PathEntry>) {
    if let Some(Popup::Choice(Choice { paths: Some(paths), .. })) = &mut app.popup
        && paths.folder == folder
    {
        paths.entries = Some(entries);
    }
}

/// Completes the typed path, and lists the folder that it then ends with.
pub(super) fn complete(app: &mut App) -> Option<Effect> {
    let Some(Popup::Choice(choice)) = &mut app.popup else { return None };
    let selected = choice.visible_items().into_iter().nth(choice.selected).map(|item| item.value);
    let completed = choice.paths.as_ref()?.completed(choice.typed.text(), selected.as_deref())?;
    enter(choice, &completed);
    list(app)
}

/// Types a path in place of the typed text.
pub(super) fn enter(choice: &mut Choice, path: &str) {
    choice.typed = TextField::new(path);
    choice.selected = 0;
}

/// The models to choose from.
pub(super) fn model_items(app: &App) -> Vec<Item> {
    let listed = app.suggestions.models.iter();
    let items: Vec<Item> =
        listed.map(|model| Item { value: model.id.clone(), note: model.note.clone() }).collect();
    if !items.is_empty() {
        return items;
    }
    let known = |model: &crate::catalog::KnownModel| Item {
        value: model.id.into(),
        note: format!("{}, {:.1} M", model.title, model.millions),
    };
    MODELS.iter().map(known).collect()
}

/// Files and folders that were trained on before, as far as they are of a kind.
pub(super) fn data_items(app: &App, kind: PathKind) -> Vec<Item> {
    let item = |path: &std::path::PathBuf| Item {
        value: collapse_home(path),
        note: "used by an earlier run".into(),
    };
    let is_file = |path: &&std::path::PathBuf| FileFormat::of(path).is_some();
    let data = app.suggestions.data.iter().filter(|path| match kind {
        PathKind::DataFile => is_file(path),
        PathKind::DataFolder => !is_file(path),
        PathKind::Data => true,
        PathKind::Model => false,
    });
    data.map(item).collect()
}

/// Takes the models and data to choose from; an open list of them shows them.
pub(super) fn suggested(app: &mut App) {
    let (models, data) = (model_items(app), data_items(app, PathKind::Data));
    let Some(Popup::Choice(choice)) = &mut app.popup else { return };
    let items = match choice.paths.as_ref().map(|paths| paths.kind) {
        Some(PathKind::Model)
            if choice.purpose != Purpose::Model && choice.purpose != Purpose::Comparison =>
        {
            models
        }
        Some(PathKind::Data) => data,
        _ => return,
    };
    let current = choice.visible_items().into_iter().nth(choice.selected).map(|item| item.value);
    choice.items = items;
    let items = choice.visible_items();
    choice.selected = items.iter().position(|item| Some(&item.value) == current.as_ref()).unwrap_or(0);
}
