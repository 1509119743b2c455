//! The box of a popup.

use crate::tui::state::App;
use crate::tui::widgets::{airy_pane, centred};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// An empty framed box in the middle; returns its inside.
pub(super) fn open_box(
    app: &App,
    area: Rect,
    buffer: &mut Buffer,
    title: &str,
    width: u16,
    height: u16,
) -> Rect {
    let rect = centred(area, width, height);
    Clear.render(rect, buffer);
    airy_pane(app.theme, title, true).render(rect, buffer);
    inside(app, area, width, height)
}

/// The inside of such a box.
pub(super) fn inside(app: &App, area: Rect, width: u16, height: u16) -> Rect {
    airy_pane(app.theme, "", true).inner(centred(area, width, height))
}
