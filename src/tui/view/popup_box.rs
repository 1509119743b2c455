//! The box of a popup.

use crate::tui::state::App;
use crate::tui::widgets::{centered, padded_pane, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Draws an empty box in the center of `area`; returns its inner area.
pub(super) fn open_box(
    app: &App,
    area: Rect,
    buffer: &mut Buffer,
    title: &str,
    width: u16,
    height: u16,
) -> Rect {
    let rect = box_area(area, width, height);
    Clear.render(rect, buffer);
    let title = truncate(app.theme, title, usize::from(rect.width).saturating_sub(4));
    padded_pane(app.theme, &title, true).render(rect, buffer);
    inside(app, area, width, height)
}

/// The inner area of a box of this size.
pub(super) fn inside(app: &App, area: Rect, width: u16, height: u16) -> Rect {
    padded_pane(app.theme, "", true).inner(box_area(area, width, height))
}

/// The area of a box of this size. It is as wide as `area` if only parts of words would be seen beside it.
fn box_area(area: Rect, width: u16, height: u16) -> Rect {
    const MIN_MARGINS: u16 = 6;
    let is_narrow = area.width.saturating_sub(width) < MIN_MARGINS;
    centered(area, if is_narrow { area.width } else { width }, height)
}
