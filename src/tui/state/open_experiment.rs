//! The experiment on the data of the Open screen.

use super::app::App;
use super::data::profile_key;
use super::form::free_name;
use super::open::ColumnUse;
use crate::run::draft::{DraftSetting, draft, draft_name};
use crate::run::profile::DataProfile;
use crate::run::suggestions::suggested_model;
use crate::spec::{RunSpec, built_in};
use crate::tui::action::{Action, OpenAction};
use crate::tui::screen::{Context, Screen};

impl App {
    /// What keeps the data on the Open screen from being trained on, and what to do.
    pub fn open_missing(&self) -> Option<String> {
        let (what, action) = match self.open.missing()? {
            ColumnUse::Label => ("label", OpenAction::Label),
            ColumnUse::Text | ColumnUse::TextPair => ("text", OpenAction::Text),
        };
        let key = |action| self.key(Context::Screen(Screen::Open), Action::Open(action));
        let [left, right, key] = [OpenAction::Left, OpenAction::Right, action].map(key);
        Some(format!("No column is the {what}. Move to it with {left} and {right}, then press {key}."))
    }

    /// The model of the experiment on the Open screen.
    pub fn open_model(&self) -> &str {
        self.open.model.as_deref().unwrap_or_else(|| suggested_model(&self.suggestions.models))
    }

    /// The name of the experiment on the Open screen, which no other experiment has.
    pub fn open_name(&self) -> String {
        free_name(&draft_name(&self.open.path), &self.runs.experiments)
    }

    /// The specification that the data on the Open screen are profiled with: its settings do not matter.
    pub fn open_profile_spec(&self) -> Option<RunSpec> {
        let preview = self.open.preview().filter(|_| self.open.missing().is_none())?;
        let spec = preview.apply(&self.open.roles, built_in(""));
        Some(profile_key(&RunSpec { model: self.open_model().to_string(), ..spec }))
    }

    /// The profile of the data on the Open screen, once it is known; or the error.
    pub fn open_profile(&self) -> Option<&Result<DataProfile, String>> {
        let key = self.open_profile_spec()?;
        self.data.profiles.iter().find(|(of, _)| *of == key).map(|(_, result)| result)
    }

    /// The settings of the experiment on the Open screen.
    pub fn open_settings(&self) -> Vec<DraftSetting> {
        let Some(preview) = self.open.preview() else { return Vec::new() };
        let profile = self.open_profile().and_then(|profile| profile.as_ref().ok());
        draft(preview, &self.open.roles, self.open_model(), profile)
    }
}
