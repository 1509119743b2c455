//! The table of the first rows on the Open screen.

use crate::data::Preview;
use crate::text::{sanitize, width};
use crate::tui::state::open::{ColumnUse, OpenState};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, fit_width};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Minimum and maximum width of a column that is not the text.
const MIN: usize = 6;
const MAX: usize = 24;
/// Minimum width of a text column.
const MIN_TEXT: usize = 20;
/// Cells between two columns.
const GAP: usize = 2;

/// The label of a use of a column.
pub(super) fn use_name(of: ColumnUse) -> &'static str {
    match of {
        ColumnUse::Text => "text",
        ColumnUse::TextPair => "pair",
        ColumnUse::Label => "label",
    }
}

/// The style of a use of a column.
pub(super) fn use_role(of: Option<ColumnUse>) -> Role {
    match of {
        Some(ColumnUse::Text) => Role::Train,
        Some(ColumnUse::TextPair) => Role::Test,
        Some(ColumnUse::Label) => Role::Validation,
        None => Role::Muted,
    }
}

/// Draws the names of the columns, what they are used for, and as many rows as fit.
pub(super) fn draw(open: &OpenState, preview: &Preview, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let columns = layout(open, preview, usize::from(area.width));
    for (index, from, cells) in &columns {
        let Some(column) = preview.columns.get(*index) else { continue };
        let x = area.x + *from as u16;
        let of = open.use_of(&column.name);
        let is_selected = *index == open.column;
        let cursor = if is_selected { theme.symbol(Symbol::Cursor) } else { "" };
        let mark = of.map_or(String::new(), |of| format!(" [{}]", use_name(of)));
        let name_cells = cells.saturating_sub(width(&mark));
        let name = format!(
            "{}{mark}",
            fit_width(theme, &format!("{cursor}{}", sanitize(&column.name)), name_cells).trim_end()
        );
        let role = if is_selected { Role::Selected } else { Role::Title };
        draw_text(buffer, x, area.y, *cells as u16, &fit_width(theme, &name, *cells), theme.style(role));
        let rows = preview.rows.iter().skip(open.first_row);
        for (row, y) in rows.zip(area.y + 1..area.bottom()) {
            let text = row.get(*index).map_or(String::new(), |cell| sanitize(cell));
            let style = theme.style(if of.is_some() { use_role(of) } else { Role::Muted });
            draw_text(buffer, x, y, *cells as u16, &fit_width(theme, &text, *cells), style);
        }
    }
}

/// The column at a position of the table.
pub(super) fn column_at(
    open: &OpenState,
    preview: &Preview,
    area: Rect,
    position: Position,
) -> Option<usize> {
    let cell = usize::from(position.x.checked_sub(area.x)?);
    let columns = layout(open, preview, usize::from(area.width));
    columns
        .into_iter()
        .find(|(_, from, cells)| (*from..from + cells).contains(&cell))
        .map(|(index, ..)| index)
}

/// The visible columns around the one under the cursor: index, first cell and number of cells.
fn layout(open: &OpenState, preview: &Preview, available: usize) -> Vec<(usize, usize, usize)> {
    let wanted: Vec<usize> =
        preview.columns.iter().enumerate().map(|(index, _)| wanted(open, preview, index)).collect();
    // Columns before the cursor are left out until it is visible.
    let cursor = open.column.min(wanted.len().saturating_sub(1));
    let mut first = 0;
    let minimum = |index: usize| if is_text(open, preview, index) { MIN_TEXT } else { wanted[index] };
    while first < cursor
        && (first..=cursor).map(|index| minimum(index) + GAP).sum::<usize>() > available + GAP
    {
        first += 1;
    }
    let mut chosen = Vec::new();
    let mut used = 0;
    for index in first..preview.columns.len() {
        let cells = minimum(index).min(available);
        if !chosen.is_empty() && used + cells > available {
            break;
        }
        used += cells + GAP;
        chosen.push((index, cells));
    }
    // What remains is for the columns that need more, those of text first.
    let mut rest = (available + GAP).saturating_sub(used);
    let mut by_need: Vec<usize> = (0..chosen.len()).collect();
    by_need.sort_by_key(|at| !is_text(open, preview, chosen[*at].0));
    let needing = by_need.iter().filter(|at| wanted[chosen[**at].0] > chosen[**at].1).count().max(1);
    let share = rest.div_ceil(needing);
    for at in by_need {
        let (index, cells) = chosen[at];
        let more = wanted[index].saturating_sub(cells).min(share).min(rest);
        chosen[at].1 += more;
        rest -= more;
    }
    let mut from = 0;
    let place = |(index, cells): (usize, usize)| {
        let at = from;
        from += cells + GAP;
        (index, at, cells)
    };
    chosen.into_iter().map(place).collect()
}

fn is_text(open: &OpenState, preview: &Preview, index: usize) -> bool {
    let column = preview.columns.get(index);
    column.is_some_and(|column| {
        matches!(open.use_of(&column.name), Some(ColumnUse::Text | ColumnUse::TextPair))
            && column.mean_length > MIN_TEXT as f64
    })
}

/// The width that a column needs for its name and its cells.
fn wanted(open: &OpenState, preview: &Preview, index: usize) -> usize {
    let Some(column) = preview.columns.get(index) else { return MIN };
    let mark = open.use_of(&column.name).map_or(0, |of| use_name(of).len() + 3);
    let cursor = if open.column == index { 2 } else { 0 };
    let cells =
        preview.rows.iter().filter_map(|row| row.get(index)).map(|cell| width(cell)).max().unwrap_or(0);
    let name = (width(&column.name) + cursor).min(MAX) + mark;
    if is_text(open, preview, index) { name.max(cells) } else { name.max(cells.min(MAX)).max(MIN) }
}
