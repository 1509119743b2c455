//! Rows of a split on the Data screen.

use crate::run::profile::DataProfile;
use crate::text::{sanitize, width};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, fit_width, padded_pane, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// Maximum width of a label in cells.
const MAX_LABEL: usize = 16;

/// Draws rows of the split that is shown, from the first one on.
pub(super) fn draw(app: &App, profile: &DataProfile, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let split = profile.splits.get(app.data.split).map_or("", |(split, _)| split.name());
    let rows = app.data.rows();
    let block = padded_pane(theme, &format!("Rows, {split}"), false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let labels = rows.iter().map(|row| width(&row.label)).max().unwrap_or(0).min(MAX_LABEL);
    for (row, y) in rows.iter().skip(app.data.first_row).zip(inner.y..inner.bottom()) {
        let label = fit_width(theme, &sanitize(&row.label), labels);
        let x = draw_text(buffer, inner.x, y, inner.width, &label, theme.style(Role::Validation));
        let rest = inner.right().saturating_sub(x + 2);
        let text = match &row.text_pair {
            Some(pair) => {
                format!("{} {} {}", sanitize(&row.text), theme.symbol(Symbol::Axis), sanitize(pair))
            }
            None => sanitize(&row.text),
        };
        draw_text(buffer, x + 2, y, rest, &truncate(theme, &text, rest.into()), theme.style(Role::Text));
    }
}
