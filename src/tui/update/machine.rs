//! Actions of the Machine screen.

use crate::tui::action::MachineAction;
use crate::tui::screen::Screen;
use crate::tui::state::App;

/// Applies an action.
pub(super) fn act(app: &mut App, action: MachineAction) {
    match action {
        MachineAction::Back => {
            if !app.gauges.back() {
                app.go_to(Screen::Live);
            }
        }
    }
}
