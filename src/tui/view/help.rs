//! The help popup: all key bindings.

use super::popup_box::open_box;
use crate::tui::action::{Action, ListAction};
use crate::tui::screen::Context;
use crate::tui::state::App;
use crate::tui::state::help::HelpState;
use crate::tui::state::help_page::{GAP, HelpLine, KEYS, page};
use crate::tui::theme::Role;
use crate::tui::widgets::{draw_text, fit_width, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws the help; returns the position of the terminal's cursor while text is edited.
pub(super) fn draw(app: &App, help: &HelpState, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = app.theme;
    let page = page(app, help, area.width);
    let columns = page.columns.len().max(1) as u16;
    let width = columns * (page.width + GAP) - GAP + 4;
    let height = (page.rows() as u16 + 4).min(area.height.saturating_sub(2));
    let inner = open_box(app, area, buffer, "Keys", width, height);
    let available = inner.height.saturating_sub(2) as usize;
    let first = help.first.min(page.rows().saturating_sub(available));
    for (number, lines) in page.columns.iter().enumerate() {
        let x = inner.x + number as u16 * (page.width + GAP);
        for (row, line) in lines.iter().skip(first).take(available).enumerate() {
            let y = inner.y + row as u16;
            match line {
                HelpLine::Heading(text) => {
                    draw_text(buffer, x, y, page.width, text, theme.style(Role::Title));
                }
                HelpLine::Keys(keys, sentence) => {
                    let keys = fit_width(theme, keys, KEYS);
                    let x = draw_text(buffer, x, y, page.width, &keys, theme.style(Role::Key));
                    draw_text(
                        buffer,
                        x,
                        y,
                        page.width.saturating_sub(KEYS as u16),
                        sentence,
                        theme.style(Role::Text),
                    );
                }
            }
        }
    }
    if page.rows() == 0 {
        draw_text(buffer, inner.x, inner.y, inner.width, "no matching keys", theme.style(Role::Muted));
    }
    let footer = Rect { y: inner.bottom().saturating_sub(1), height: 1.min(inner.height), ..inner };
    draw_footer(app, help, page.rows() > available, footer, buffer)
}

/// Draws the search field, or a hint.
fn draw_footer(
    app: &App,
    help: &HelpState,
    has_more: bool,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let muted = app.theme.style(Role::Muted);
    if help.is_searching || !help.search.text().is_empty() {
        let x = draw_text(buffer, area.x, area.y, area.width, "/ ", app.theme.style(Role::Key));
        let field = Rect { x, width: area.right().saturating_sub(x), ..area };
        let cursor = help.search.draw_line(buffer, field, app.theme.style(Role::Text));
        return help.is_searching.then_some(cursor);
    }
    let [up, down] =
        [ListAction::Up, ListAction::Down].map(|action| app.key(Context::Message, Action::List(action)));
    let more = if has_more { format!("{up} {down} scroll   ") } else { String::new() };
    let text = format!("{more}glue-tui keys explains how to change them");
    draw_text(
        buffer,
        area.x,
        area.y,
        area.width,
        &truncate(app.theme, &text, usize::from(area.width)),
        muted,
    );
    None
}
