//! Popups: messages, questions, choices, help and the command palette.

use super::popup_box::{inside, open_box};
use super::{help, palette};
use crate::text::width;
use crate::tui::action::{Action, PopupAction};
use crate::tui::layout::message_width;
use crate::tui::screen::Context;
use crate::tui::state::App;
use crate::tui::state::popup::{Choice, Popup, Question};
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{draw_text, fit_width, line_at_position, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws the popup over `area`; returns the position of the terminal's cursor while text is edited.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match app.popup.as_ref()? {
        Popup::Message { title, text, first } => {
            draw_message(app, area, buffer, title, &text.text(app.theme), *first);
            None
        }
        Popup::Question(question) => {
            draw_question(app, area, buffer, question);
            None
        }
        Popup::Choice(choice) => Some(draw_choice(app, area, buffer, choice)),
        Popup::Help(help) => help::draw(app, help, area, buffer),
        Popup::Palette(palette) => Some(palette::draw(app, palette, area, buffer)),
    }
}

/// The answer or item of the popup at a position of the terminal.
pub fn line_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    match app.popup.as_ref()? {
        Popup::Question(question) => {
            let (width, height) = question_size(question, area);
            line_at_position(answers(question, inside(app, area, width, height)), 0, position)
        }
        Popup::Choice(choice) => {
            let (width, height) = choice_size(choice, area);
            let (list, first) = items(choice, inside(app, area, width, height));
            line_at_position(list, first, position).filter(|line| *line < choice.visible_items().len())
        }
        Popup::Palette(palette) => palette::line_at(app, palette, area, position),
        Popup::Message { .. } | Popup::Help { .. } => None,
    }
}

/// Size of the box of a question.
fn question_size(question: &Question, area: Rect) -> (u16, u16) {
    let width = area.width.saturating_sub(6).min(70);
    let lines = wrap(&question.text, width.saturating_sub(4) as usize);
    (width, (lines.len() + question.answers.len()) as u16 + 3)
}

/// The area of the answers inside the box.
fn answers(question: &Question, inner: Rect) -> Rect {
    let top = inner.bottom().saturating_sub(question.answers.len() as u16).max(inner.y);
    Rect { y: top, height: inner.bottom() - top, ..inner }
}

/// Maximum size of the box of a choice with paths.
const PATHS: (u16, u16) = (92, 22);

/// Width of the column of values.
fn widest(choice: &Choice) -> usize {
    let visible = choice.paths.as_ref().map(|_| choice.visible_items()).unwrap_or_default();
    let items = if choice.paths.is_some() { &visible } else { &choice.items };
    items.iter().map(|item| width(&item.value)).max().unwrap_or(0).clamp(12, 44)
}

/// Size of the box of a choice.
fn choice_size(choice: &Choice, area: Rect) -> (u16, u16) {
    if choice.paths.is_some() {
        // The entries of a folder come later, and others with each folder.
        return (PATHS.0.min(area.width.saturating_sub(2)), PATHS.1.min(area.height.saturating_sub(2)));
    }
    let notes = choice.items.iter().map(|item| width(&item.note)).max().unwrap_or(0);
    let cells = (widest(choice) + notes + 10).max(width(&choice.title) + 6);
    let cells = (cells as u16).clamp(50, 100).min(area.width.saturating_sub(2));
    (cells, (choice.items.len() as u16 + 5).min(area.height.saturating_sub(2)))
}

/// The area of the items inside the box, and the first visible item.
fn items(choice: &Choice, inner: Rect) -> (Rect, usize) {
    let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    (list, (choice.selected + 1).saturating_sub(list.height as usize))
}

fn draw_message(app: &App, area: Rect, buffer: &mut Buffer, title: &str, text: &str, first: usize) {
    let width = area.width.saturating_sub(6).min(84);
    let lines = wrap(text, message_width(area.width));
    let height = (lines.len() as u16 + 4).min(area.height);
    let inner = open_box(app, area, buffer, title, width, height);
    let available = inner.height.saturating_sub(2) as usize;
    let first = first.min(lines.len().saturating_sub(available));
    for (row, line) in lines.iter().skip(first).take(available.max(1)).enumerate() {
        draw_text(buffer, inner.x, inner.y + row as u16, inner.width, line, app.theme.style(Role::Text));
    }
    let more = if lines.len() > available { "   up and down scroll" } else { "" };
    let y = inner.bottom().saturating_sub(1);
    let close = app.key(Context::Message, Action::Popup(PopupAction::Accept));
    let x = draw_text(buffer, inner.x, y, inner.width, &close, app.theme.style(Role::Key));
    let rest = inner.right().saturating_sub(x);
    draw_text(buffer, x, y, rest, &format!(" close{more}"), app.theme.style(Role::Muted));
}

fn draw_question(app: &App, area: Rect, buffer: &mut Buffer, question: &Question) {
    let theme = app.theme;
    let (width, height) = question_size(question, area);
    let lines = wrap(&question.text, width.saturating_sub(4) as usize);
    let inner = open_box(app, area, buffer, &question.title, width, height);
    let list = answers(question, inner);
    let available = (list.y - inner.y).saturating_sub(1);
    for (row, line) in lines.iter().take(available as usize).enumerate() {
        draw_text(buffer, inner.x, inner.y + row as u16, inner.width, line, theme.style(Role::Text));
    }
    for (number, answer) in question.answers.iter().enumerate() {
        let y = list.y + number as u16;
        if y >= list.bottom() {
            return;
        }
        let selected = number == question.selected;
        if selected {
            let bar = " ".repeat(inner.width as usize);
            draw_text(buffer, inner.x, y, inner.width, &bar, theme.style(Role::Selected));
        }
        let style = theme.style(if selected { Role::Selected } else { Role::Text });
        let key = theme.style(if selected { Role::Selected } else { Role::Key });
        let cursor_symbol = if selected { theme.symbol(Symbol::Cursor) } else { "  " };
        let x = draw_text(buffer, inner.x, y, inner.width, cursor_symbol, style);
        let x = draw_text(buffer, x, y, inner.right().saturating_sub(x), &answer.key.to_string(), key);
        let available = inner.right().saturating_sub(x + 2);
        let text = truncate(theme, answer.text, usize::from(available));
        draw_text(buffer, x + 2, y, available, &text, style);
    }
}

fn draw_choice(app: &App, area: Rect, buffer: &mut Buffer, choice: &Choice) -> Position {
    let theme = app.theme;
    let shown = choice.visible_items();
    let widest = widest(choice);
    let (width, height) = choice_size(choice, area);
    let inner = open_box(app, area, buffer, &choice.title, width, height);
    let cursor_symbol = theme.symbol(Symbol::Cursor);
    let x = draw_text(buffer, inner.x, inner.y, inner.width, cursor_symbol, theme.style(Role::Key));
    let field = Rect { x, y: inner.y, width: inner.right().saturating_sub(x), height: 1.min(inner.height) };
    let cursor = choice.typed.draw_line(buffer, field, theme.style(Role::Text));
    if choice.typed.text().is_empty() {
        let hint = match (&choice.paths, choice.free_text) {
            (Some(_), _) => "type to filter, or a path",
            (None, Some(_)) if choice.items.len() < 2 => "type a value",
            (None, Some(_)) => "type to filter, or enter another value",
            (None, None) => "type to filter",
        };
        draw_text(buffer, x, inner.y, field.width, hint, theme.style(Role::Muted));
    }
    let (list, first) = items(choice, inner);
    if shown.is_empty() {
        draw_text(buffer, list.x, list.y, list.width, "no matches", theme.style(Role::Muted));
    }
    for (row, item) in shown.iter().enumerate().skip(first).take(list.height as usize) {
        let y = list.y + (row - first) as u16;
        let selected = row == choice.selected;
        let line = format!(
            "{}{}  {}",
            if selected { cursor_symbol } else { "  " },
            fit_width(theme, &item.value, widest),
            truncate(theme, &item.note, (inner.width as usize).saturating_sub(widest + 4))
        );
        let line = fit_width(theme, &line, inner.width as usize);
        draw_text(
            buffer,
            inner.x,
            y,
            inner.width,
            &line,
            theme.style(if selected { Role::Selected } else { Role::Text }),
        );
    }
    cursor
}
