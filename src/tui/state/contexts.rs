//! Which contexts a key is looked up in. Derived from the rest of the state.

use super::app::App;
use super::popup::Popup;
use crate::tui::screen::{Context, Screen};

impl App {
    /// The context that has the keyboard focus.
    pub fn context(&self) -> Context {
        self.contexts()[0]
    }

    /// The contexts that a key is looked up in, in order; never empty.
    pub fn contexts(&self) -> &'static [Context] {
        match &self.popup {
            Some(Popup::Help(help)) if help.is_searching => &[Context::Filter],
            Some(Popup::Message { .. } | Popup::Help(_)) => &[Context::Message],
            Some(Popup::Question(_)) => &[Context::Question],
            Some(Popup::Choice(_)) => &[Context::Choice],
            Some(Popup::Palette(_)) => &[Context::Palette],
            None => self.contexts_behind_popup(),
        }
    }

    /// The contexts without the popup.
    pub fn contexts_behind_popup(&self) -> &'static [Context] {
        match (self.screen, &self.form) {
            (Screen::Runs, Some(form)) if form.editing.is_some() => &[Context::FormValue],
            (Screen::Runs, Some(_)) => &[Context::Form],
            (Screen::Runs, None) if self.runs.filter.is_editing => &[Context::Filter],
            (Screen::Runs, None) => &[Context::Screen(Screen::Runs)],
            (Screen::Live, _) if self.live.is_full => &[Context::Chart, Context::Screen(Screen::Live)],
            (Screen::Live, _) => &[Context::Screen(Screen::Live), Context::Chart],
            (Screen::Infer, _) => &[Context::Screen(Screen::Infer)],
            (Screen::Insight, _) => &[Context::Screen(Screen::Insight)],
            (Screen::Data, _) => &[Context::Screen(Screen::Data)],
            (Screen::Open, _) => &[Context::Screen(Screen::Open)],
            (Screen::Sweep, _) => &[Context::Screen(Screen::Sweep)],
            (Screen::Machine, _) => &[Context::Screen(Screen::Machine)],
            (Screen::Compare, _) if self.compare.filter.is_editing => &[Context::Filter],
            (Screen::Compare, _) => &[Context::Screen(Screen::Compare), Context::Chart],
        }
    }
}
