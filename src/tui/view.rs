//! The frame around every screen: tabs above, keys below, a popup over all.

use super::app::{App, Tab};
use super::input::places;
use super::keymap::{Binding, Place};
use super::screens::{compare, data, infer, insight, live, machine, popup, queue, runs};
use super::theme::Role;
use super::widgets::{put, put_right};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use unicode_width::UnicodeWidthStr;

/// Below so many columns or rows there are only numbers.
const SMALL: (u16, u16) = (60, 15);

/// Draws everything. Reads only.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if let Some(position) = draw_on(app, area, frame.buffer_mut())
        && area.contains(position)
    {
        frame.set_cursor_position(position);
    }
}

/// Draws everything into `buffer`; returns where the terminal's cursor belongs while text is typed.
pub fn draw_on(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    draw_tabs(app, head, buffer);
    if area.height > 2 {
        draw_foot(app, foot, buffer);
    }
    let is_small = area.width < SMALL.0 || area.height < SMALL.1;
    let cursor = match (app.tab, is_small) {
        (Tab::Runs, false) => runs::draw(app, body, buffer),
        (Tab::Infer, false) => infer::draw(app, body, buffer),
        (Tab::Compare, false) => compare::draw(app, body, buffer),
        (Tab::Live, false) => {
            live::draw(app, body, buffer);
            None
        }
        (Tab::Insight, false) => {
            insight::draw(app, body, buffer);
            None
        }
        (Tab::Data, false) => {
            data::draw(app, body, buffer);
            None
        }
        (Tab::Machine, _) => {
            machine::draw(app, body, buffer);
            None
        }
        (Tab::Runs, true) => runs::draw_tiny(app, body, buffer),
        (Tab::Infer, true) => infer::draw_tiny(app, body, buffer),
        (Tab::Compare, true) => compare::draw_tiny(app, body, buffer),
        (Tab::Live, true) => {
            live::draw_tiny(app, body, buffer);
            None
        }
        (Tab::Insight, true) => {
            insight::draw_tiny(app, body, buffer);
            None
        }
        (Tab::Data, true) => {
            data::draw_tiny(app, body, buffer);
            None
        }
    };
    let cursor = if app.popup.is_some() { popup::draw(app, area, buffer) } else { cursor };
    app.theme.finish(buffer);
    cursor
}

fn draw_tabs(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let mut x = put(buffer, area.x, area.y, area.width, " glue-tui ", theme.style(Role::Title));
    for (number, tab) in Tab::ALL.into_iter().enumerate() {
        let role = if tab == app.tab { Role::Selected } else { Role::Muted };
        let text = format!(" {} {} ", number + 1, tab.name());
        x = put(buffer, x + 1, area.y, area.right().saturating_sub(x + 1), &text, theme.style(role));
    }
    if !Tab::ALL.contains(&app.tab) {
        let text = format!(" {} ", app.tab.name());
        x = put(
            buffer,
            x + 1,
            area.y,
            area.right().saturating_sub(x + 1),
            &text,
            theme.style(Role::Selected),
        );
    }
    let rest = Rect { x: x + 2, width: area.right().saturating_sub(x + 2), ..area };
    let fits = |(text, _): &(String, Role)| text.width() < rest.width as usize;
    if let Some((text, role)) = corner(app).into_iter().find(fits) {
        put_right(buffer, rest, area.y, &format!("{text} "), theme.style(role));
    }
}

/// What may stand in the corner, the fullest first: what is being trained and waits, or else the machine.
fn corner(app: &App) -> Vec<(String, Role)> {
    let run = live::in_short(app).filter(|_| app.tab != Tab::Live);
    let queue = queue::in_short(app);
    let both = run.iter().zip(&queue).map(|((run, role), (queue, _))| (format!("{run}, {queue}"), *role));
    let mut texts: Vec<_> = both.collect();
    texts.extend(run);
    texts.extend(queue);
    if texts.is_empty() {
        texts.push((app.machine.clone(), Role::Muted));
    }
    texts
}

fn draw_foot(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let places = places(app);
    let place = places[0];
    let is_popup = matches!(place, Place::Message | Place::Question | Place::Choice);
    let shown = |wanted: Place| {
        app.keymap.of(wanted).filter(|binding| !binding.short.is_empty() && binding.is_on(app))
    };
    let text = |binding: &Binding| {
        let key = binding.key(theme, place.takes_text());
        (!key.is_empty()).then(|| (key, format!(" {}   ", binding.short)))
    };
    let width = |(key, short): &(String, String)| (key.width() + short.width()) as u16;
    let tail: Vec<_> =
        if is_popup { Vec::new() } else { shown(Place::Everywhere).filter_map(text).collect() };
    let reserved: u16 = tail.iter().map(width).sum();
    let mut room = area.width.saturating_sub(reserved + 1);
    let mut items = Vec::new();
    for item in places.iter().flat_map(|place| shown(*place)).filter_map(text) {
        let needed = width(&item);
        if needed <= room {
            room -= needed;
            items.push(item);
        }
    }
    let mut x = area.x + 1;
    for (key, short) in items.into_iter().chain(tail) {
        x = put(buffer, x, area.y, area.right().saturating_sub(x), &key, theme.style(Role::Key));
        x = put(buffer, x, area.y, area.right().saturating_sub(x), &short, theme.style(Role::Muted));
    }
}
