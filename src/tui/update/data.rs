//! Actions of the Data screen.

use super::list::moved;
use crate::spec::RunSpec;
use crate::tui::action::{DataAction, ListAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::data::{DataState, profile_key};

/// Opens the screen on a specification.
pub(super) fn open(app: &mut App, spec: RunSpec) -> Vec<Effect> {
    app.go_to(Screen::Data);
    app.data.spec = Some(spec);
    (app.data.split, app.data.first_row) = (0, 0);
    profile(&app.data)
}

/// Requests a profile of the data, unless it is cached.
fn profile(data: &DataState) -> Vec<Effect> {
    let spec = data.spec.as_ref().filter(|_| data.profile().is_none());
    spec.map_or(Vec::new(), |spec| vec![Effect::ProfileData(Box::new(profile_key(spec)))])
}

/// Moves the first row that is shown.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    app.data.first_row = moved(app.data.first_row, app.data.rows().len(), action);
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: DataAction) -> Vec<Effect> {
    let data = &mut app.data;
    match action {
        DataAction::NextSplit => {
            let splits = data.profile().and_then(|profile| profile.as_ref().ok());
            let count = splits.map_or(1, |profile| profile.splits.len()).max(1);
            (data.split, data.first_row) = ((data.split + 1) % count, 0);
        }
        DataAction::ToggleRows => data.shows_rows = !data.shows_rows,
        DataAction::Refresh => {
            if let Some(key) = data.spec.as_ref().map(profile_key) {
                data.profiles.retain(|(of, _)| *of != key);
            }
            return profile(data);
        }
        DataAction::Back => app.go_to(Screen::Runs),
    }
    Vec::new()
}
