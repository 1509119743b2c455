//! Actions of the Data screen.

use crate::spec::RunSpec;
use crate::tui::action::DataAction;
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::data::{DataState, rows_of};

/// Opens the screen on a specification.
pub(super) fn open(app: &mut App, spec: RunSpec) -> Vec<Effect> {
    app.go_to(Screen::Data);
    app.data.spec = Some(spec);
    app.data.split = 0;
    profile(&app.data)
}

/// Profiles the data, unless the profile is known.
fn profile(data: &DataState) -> Vec<Effect> {
    let spec = data.spec.as_ref().filter(|_| data.profile().is_none());
    spec.map_or(Vec::new(), |spec| vec![Effect::ProfileData(Box::new(rows_of(spec)))])
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: DataAction) -> Vec<Effect> {
    let data = &mut app.data;
    match action {
        DataAction::NextSplit => {
            let splits = data.profile().and_then(|profile| profile.as_ref().ok());
            let count = splits.map_or(1, |profile| profile.splits.len()).max(1);
            data.split = (data.split + 1) % count;
        }
        DataAction::Refresh => {
            if let Some(rows) = data.spec.as_ref().map(rows_of) {
                data.profiles.retain(|(spec, _)| *spec != rows);
            }
            return profile(data);
        }
        DataAction::Back => app.go_to(Screen::Runs),
    }
    Vec::new()
}
