//! All keys, from the table that also drives them.

use super::popup::open_box;
use crate::tui::app::App;
use crate::tui::input;
use crate::tui::keymap::Place;
use crate::tui::theme::Role;
use crate::tui::widgets::{fixed, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Cells of the column of keys.
const KEYS: usize = 16;

/// Draws the help from its line `first` on.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer, first: usize) {
    let lines = lines(app);
    let width = area.width.saturating_sub(4).min(86);
    let height = (lines.len() as u16 + 4).min(area.height.saturating_sub(2));
    let inner = open_box(app, area, buffer, "Keys", width, height);
    let room = inner.height.saturating_sub(2) as usize;
    let first = first.min(lines.len().saturating_sub(room));
    for (row, (keys, sentence)) in lines.iter().skip(first).take(room).enumerate() {
        let y = inner.y + row as u16;
        if sentence.is_empty() {
            put(buffer, inner.x, y, inner.width, keys, app.theme.style(Role::Title));
            continue;
        }
        let x =
            put(buffer, inner.x, y, inner.width, &fixed(app.theme, keys, KEYS), app.theme.style(Role::Key));
        put(buffer, x, y, inner.right().saturating_sub(x), sentence, app.theme.style(Role::Text));
    }
    let more = if lines.len() > room { "   up and down for more" } else { "" };
    let y = inner.bottom().saturating_sub(1);
    put(buffer, inner.x, y, inner.width, &format!("esc close{more}"), app.theme.style(Role::Muted));
}

/// Headings (with an empty sentence), keys and what they do; the keys of the screen in front first.
pub(super) fn lines(app: &App) -> Vec<(String, String)> {
    let behind = input::places_behind_popup(app);
    let rest = Place::ALL.into_iter().filter(|place| !behind.contains(place) && *place != Place::Everywhere);
    let mut lines = Vec::new();
    for place in behind.iter().copied().chain([Place::Everywhere]).chain(rest) {
        let bindings = app.keymap.of(place);
        let mut rows: Vec<(String, String)> =
            bindings.map(|binding| (binding.keys(app.theme), binding.sentence.to_string())).collect();
        rows.dedup();
        if rows.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push((String::new(), String::new()));
        }
        lines.push((place.heading().to_string(), String::new()));
        lines.extend(rows);
    }
    lines
}
