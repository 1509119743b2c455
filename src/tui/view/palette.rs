//! The popup of the command palette.

use super::popup_box::{inside, open_box};
use crate::text::{clusters, width as cells_of};
use crate::tui::state::App;
use crate::tui::state::palette::{Entry, Palette};
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, draw_text_right, first_visible, fit_width, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Maximum size of the box.
const SIZE: (u16, u16) = (110, 26);
/// From this many columns inside the box on, entries show what they belong to.
const WITH_GROUP: u16 = 56;
/// Width of the column of groups.
const GROUP: usize = 11;
/// Lines for the reason why the entry under the cursor does not apply.
const REASON: usize = 2;

/// The parts of the box.
struct Parts {
    field: Rect,
    list: Rect,
    reason: Rect,
    /// The first visible entry.
    first: usize,
}

fn size(area: Rect) -> (u16, u16) {
    (area.width.saturating_sub(2).min(SIZE.0), area.height.saturating_sub(2).min(SIZE.1))
}

fn parts(palette: &Palette, inner: Rect) -> Parts {
    let reason = palette.selected_entry().and_then(|entry| entry.reason.as_deref());
    let lines = reason.map_or(0, |reason| wrap(reason, usize::from(inner.width)).len().min(REASON)) as u16;
    let lines = lines.min(inner.height.saturating_sub(2));
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + lines), ..inner };
    Parts {
        field: Rect { height: 1.min(inner.height), ..inner },
        list,
        reason: Rect { y: list.bottom(), height: lines, ..inner },
        first: first_visible(palette.selected, palette.count(), list.height.into()),
    }
}

/// The line of the palette at a position of the terminal.
pub(super) fn line_at(app: &App, palette: &Palette, area: Rect, position: Position) -> Option<usize> {
    let (width, height) = size(area);
    let Parts { list, first, .. } = parts(palette, inside(app, area, width, height));
    let line = list.contains(position).then(|| first + usize::from(position.y - list.y))?;
    (line < palette.count()).then_some(line)
}

/// Draws the palette; returns the position of the terminal's cursor.
pub(super) fn draw(app: &App, palette: &Palette, area: Rect, buffer: &mut Buffer) -> Position {
    let theme = app.theme;
    let (width, height) = size(area);
    let inner = open_box(app, area, buffer, "Commands", width, height);
    let Parts { field, list, reason, first } = parts(palette, inner);
    let count = format!("{} found ", palette.count());
    let x = draw_text(
        buffer,
        field.x,
        field.y,
        field.width,
        theme.symbol(Symbol::Cursor),
        theme.style(Role::Key),
    );
    let typed = Rect { x, width: field.right().saturating_sub(x + count.len() as u16), ..field };
    let cursor = palette.typed.draw_line(buffer, typed, theme.style(Role::Text));
    if palette.typed.text().is_empty() {
        let hint = truncate(theme, "type a few letters", usize::from(typed.width));
        draw_text(buffer, typed.x, typed.y, typed.width, &hint, theme.style(Role::Muted));
    }
    draw_text_right(buffer, field, field.y, &count, theme.style(Role::Muted));
    if palette.count() == 0 {
        draw_text(buffer, list.x, list.y, list.width, "no matches", theme.style(Role::Muted));
    }
    let visible = palette.found().enumerate().skip(first).zip(list.y..list.bottom());
    for ((line, (entry, letters)), y) in visible {
        let row = Rect { y, height: 1, ..list };
        draw_entry(app, entry, letters, line == palette.selected, row, buffer);
    }
    if let Some(text) = palette.selected_entry().and_then(|entry| entry.reason.as_deref()) {
        let lines = wrap(text, usize::from(reason.width));
        for (line, y) in lines.iter().zip(reason.y..reason.bottom()) {
            draw_text(buffer, reason.x, y, reason.width, line, theme.style(Role::Warning));
        }
    }
    cursor
}

/// Draws an entry: its group, its text with the letters that match, a remark or the reason why it does not apply, and
/// its key.
fn draw_entry(
    app: &App,
    entry: &Entry,
    letters: &[usize],
    is_selected: bool,
    row: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    let role = |role: Role| theme.style(if is_selected { Role::Selected } else { role });
    if is_selected {
        let bar = " ".repeat(usize::from(row.width));
        draw_text(buffer, row.x, row.y, row.width, &bar, role(Role::Text));
    }
    let key = entry.key.map_or(String::new(), |key| format!(" {}", key.label(theme)));
    draw_text_right(buffer, row, row.y, &key, role(Role::Key));
    let end = row.right().saturating_sub(cells_of(&key) as u16);
    let symbol = if is_selected { theme.symbol(Symbol::Cursor) } else { "  " };
    let mut x = draw_text(buffer, row.x, row.y, row.width, symbol, role(Role::Text));
    if row.width >= WITH_GROUP {
        let group = fit_width(theme, entry.group, GROUP);
        x = draw_text(buffer, x, row.y, end.saturating_sub(x), &group, role(Role::Muted));
    }
    let text_role = if entry.reason.is_some() { Role::Muted } else { Role::Text };
    let text = truncate(theme, &entry.text, usize::from(end.saturating_sub(x)));
    let mut at = 0;
    for (_, cluster) in clusters(&text) {
        let length = cluster.chars().count();
        let is_match = letters.iter().any(|letter| (at..at + length).contains(letter));
        let style = if is_match && entry.reason.is_none() { role(Role::Key) } else { role(text_role) };
        x = draw_text(buffer, x, row.y, end.saturating_sub(x), cluster, style);
        at += length;
    }
    let note = entry.reason.as_ref().unwrap_or(&entry.note);
    let available = usize::from(end.saturating_sub(x + 2));
    // The reason of the entry under the cursor is below the list.
    if !note.is_empty() && available >= cells_of(note).min(12) && !(is_selected && entry.reason.is_some()) {
        draw_text(
            buffer,
            x + 2,
            row.y,
            available as u16,
            &truncate(theme, note, available),
            role(Role::Muted),
        );
    }
}
