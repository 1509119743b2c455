//! Actions of the command palette.

use super::list::moved;
use crate::tui::action::ListAction;
use crate::tui::state::App;
use crate::tui::state::palette::{Palette, Target};
use crate::tui::state::popup::Popup;

/// Opens the palette in place of the help or a message, or closes it. A question or a list has to be answered first.
pub(super) fn toggle(app: &mut App) {
    match &app.popup {
        None | Some(Popup::Message { .. } | Popup::Help(_)) => {
            app.popup = Some(Popup::Palette(Palette::of(app)));
        }
        Some(Popup::Palette(_)) => app.popup = None,
        Some(Popup::Question(_) | Popup::Choice(_)) => {
            app.notice = Some("Answer the question first.".into());
        }
    }
}

/// Moves the cursor.
pub(super) fn move_cursor(palette: &mut Palette, action: ListAction) {
    palette.selected = moved(palette.selected, palette.count(), action);
}

/// The target of the entry under the cursor, and closes the palette; shows the reason if the entry does not apply.
pub(super) fn accept(app: &mut App) -> Option<Target> {
    let Some(Popup::Palette(palette)) = &app.popup else { return None };
    let entry = palette.selected_entry()?;
    if let Some(reason) = &entry.reason {
        app.notice = Some(reason.clone());
        return None;
    }
    let target = entry.target.clone();
    app.popup = None;
    Some(target)
}
