//! Actions of the Open screen.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use super::path_choice;
use crate::data::Preview;
use crate::run::suggestions::Suggestions;
use crate::spec::SaveTarget;
use crate::tui::action::{ListAction, OpenAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::form::Form;
use crate::tui::state::open::OpenState;
use crate::tui::state::path_choice::PathKind;
use crate::tui::state::popup::Purpose;
use crate::tui::state::train_request::TrainRequest;
use std::path::{Path, PathBuf};

/// Opens the screen on a file or folder.
pub(super) fn open(app: &mut App, path: PathBuf) -> Vec<Effect> {
    app.go_to(Screen::Open);
    app.open = OpenState::new(path.clone());
    vec![Effect::ListSuggestions, Effect::Preview(path)]
}

/// Asks for a file or folder.
pub(super) fn ask_path(app: &mut App) -> Vec<Effect> {
    let items = path_choice::data_items(app, PathKind::Data);
    path_choice::ask(app, "Open a file or folder with data", PathKind::Data, items, "", Purpose::OpenPath)
}

/// Takes the first rows.
pub(super) fn previewed(app: &mut App, path: &Path, result: Result<Preview, String>) -> Vec<Effect> {
    if app.open.path != path {
        return Vec::new();
    }
    if let Ok(preview) = &result {
        app.open.roles = preview.guess.clone();
        let text =
            preview.columns.iter().position(|column| Some(&column.name) == preview.guess.text.as_ref());
        app.open.column = text.unwrap_or(0);
    }
    app.open.result = Some(result);
    profile(app)
}

/// Takes the models and data that can be chosen.
pub(super) fn suggested(app: &mut App, suggestions: Suggestions) -> Vec<Effect> {
    app.suggestions = suggestions;
    path_choice::suggested(app);
    profile(app)
}

/// Requests a profile of the data, unless it is known.
pub(super) fn profile(app: &App) -> Vec<Effect> {
    let spec = app.open_profile_spec().filter(|_| app.screen == Screen::Open && app.open_profile().is_none());
    spec.map_or(Vec::new(), |spec| vec![Effect::ProfileData(Box::new(spec))])
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: OpenAction) -> Vec<Step> {
    let open = &mut app.open;
    match action {
        OpenAction::Train => return train(app),
        OpenAction::Save => return save(app),
        OpenAction::Edit => return edit(app),
        OpenAction::Text => open.set_text(),
        OpenAction::TextPair => open.toggle_text_pair(),
        OpenAction::Label => open.toggle_label(),
        OpenAction::ProblemType => open.next_problem_type(),
        OpenAction::ChooseModel => {
            let model = app.open_model().to_string();
            let items = path_choice::model_items(app);
            return effects(path_choice::ask(
                app,
                "Model",
                PathKind::Model,
                items,
                &model,
                Purpose::OpenModel,
            ));
        }
        OpenAction::ChooseFile => return effects(ask_path(app)),
        OpenAction::Left => open.column = open.column.saturating_sub(1),
        OpenAction::Right => {
            let columns = open.preview().map_or(0, |preview| preview.columns.len());
            open.column = (open.column + 1).min(columns.saturating_sub(1));
        }
        OpenAction::Select(column) => open.column = column,
        OpenAction::Refresh => {
            if let Some(key) = app.open_profile_spec() {
                app.data.profiles.retain(|(of, _)| *of != key);
            }
            let path = app.open.path.clone();
            return effects(open_again(app, path));
        }
        OpenAction::Back => app.go_to(Screen::Runs),
    }
    effects(profile(app))
}

/// Reads the data again; the chosen model stays.
fn open_again(app: &mut App, path: PathBuf) -> Vec<Effect> {
    let model = app.open.model.take();
    let effects = open(app, path);
    app.open.model = model;
    effects
}

/// Takes a model from the list.
pub(super) fn choose_model(app: &mut App, model: String) -> Vec<Effect> {
    app.open.model = Some(model);
    profile(app)
}

/// Moves the first row that is shown.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    let rows = app.open.preview().map_or(0, |preview| preview.rows.len());
    app.open.first_row = moved(app.open.first_row, rows, action);
}

/// Name and settings of the experiment, unless something is missing, which is shown.
fn experiment(app: &mut App) -> Option<(String, Vec<(&'static str, String)>)> {
    app.open.preview()?;
    if let Some(missing) = app.open_missing() {
        app.show_error("Cannot train on these data yet", missing);
        return None;
    }
    let settings = app.open_settings().into_iter().map(|setting| (setting.key, setting.value));
    Some((app.open_name(), settings.collect()))
}

fn train(app: &mut App) -> Vec<Step> {
    if let Some(Err(error)) = app.open_profile() {
        let error = error.clone();
        app.show_error("Cannot train on these data", error);
        return Vec::new();
    }
    let request = experiment(app).map(|(name, changes)| TrainRequest::Changed { name, changes });
    request.map(|request| Navigate::Train(request).into()).into_iter().collect()
}

fn save(app: &mut App) -> Vec<Step> {
    effects(experiment(app).map(|(name, changes)| Effect::SaveExperiment {
        name,
        changes,
        target: SaveTarget::Local,
    }))
}

/// Opens the form of a new experiment with the settings.
fn edit(app: &mut App) -> Vec<Step> {
    let Some((name, settings)) = experiment(app) else { return Vec::new() };
    vec![Navigate::Form(Box::new(Form::with_settings(&name, &settings, &app.runs.experiments))).into()]
}
