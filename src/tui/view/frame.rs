//! The frame around every screen: tabs at the top, keys at the bottom, and popups.

use super::{compare, data, infer, insight, live, machine, open, popup, queue, run_header, runs, sweep};
use crate::text::width;
use crate::tui::action::Action;
use crate::tui::keymap::Binding;
use crate::tui::layout::SMALL;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::theme::Role;
use crate::tui::widgets::{draw_text, draw_text_right, fit_width, wrap};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};

/// Draws the interface and places the cursor of the terminal.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if let Some(position) = draw_on(app, area, frame.buffer_mut())
        && area.contains(position)
    {
        frame.set_cursor_position(position);
    }
}

/// Draws the interface into `buffer`; returns the position of the terminal's cursor while text is edited.
pub fn draw_on(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let [header, body, footer] = layout(area);
    draw_tabs(app, header, buffer);
    if area.height > 2 {
        draw_footer(app, footer, buffer);
    }
    let is_small = is_small(area);
    let cursor = match (app.screen, is_small) {
        (Screen::Runs, false) => runs::draw(app, body, buffer),
        (Screen::Infer, false) => infer::draw(app, body, buffer),
        (Screen::Compare, false) => compare::draw(app, body, buffer),
        (Screen::Live, false) => {
            live::draw(app, body, buffer);
            None
        }
        (Screen::Insight, false) => {
            insight::draw(app, body, buffer);
            None
        }
        (Screen::Data, false) => {
            data::draw(app, body, buffer);
            None
        }
        (Screen::Sweep, false) => {
            sweep::draw(app, body, buffer);
            None
        }
        (Screen::Sweep, true) => {
            sweep::draw_tiny(app, body, buffer);
            None
        }
        (Screen::Open, false) => {
            open::draw(app, body, buffer);
            None
        }
        (Screen::Open, true) => {
            open::draw_tiny(app, body, buffer);
            None
        }
        (Screen::Machine, _) => {
            machine::draw(app, body, buffer);
            None
        }
        (Screen::Runs, true) => runs::draw_tiny(app, body, buffer),
        (Screen::Infer, true) => infer::draw_tiny(app, body, buffer),
        (Screen::Compare, true) => compare::draw_tiny(app, body, buffer),
        (Screen::Live, true) => {
            live::draw_tiny(app, body, buffer);
            None
        }
        (Screen::Insight, true) => {
            insight::draw_tiny(app, body, buffer);
            None
        }
        (Screen::Data, true) => {
            data::draw_tiny(app, body, buffer);
            None
        }
    };
    let cursor = if app.popup.is_some() { popup::draw(app, area, buffer) } else { cursor };
    draw_notice(app, area, buffer);
    app.theme.finish(buffer);
    cursor
}

/// The areas of the tabs, the screen and the keys.
fn layout(area: Rect) -> [Rect; 3] {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    Layout::vertical(rows).areas(area)
}

fn is_small(area: Rect) -> bool {
    area.width < SMALL.0 || area.height < SMALL.1
}

/// The area of the current screen, unless the terminal is very small.
pub fn body(area: Rect) -> Option<Rect> {
    (!is_small(area)).then(|| layout(area)[1])
}

/// The tab at a position of the terminal.
pub fn tab_at(app: &App, area: Rect, position: Position) -> Option<Screen> {
    let header = layout(area)[0];
    let mut tabs = tabs(app, header).into_iter();
    tabs.find(|(rect, ..)| rect.contains(position)).map(|(_, tab, _)| tab)
}

/// The action of the key at a position of the footer.
pub fn key_at(app: &App, area: Rect, position: Position) -> Option<Action> {
    let footer = layout(area)[2];
    let items = if area.height > 2 { footer_items(app, footer) } else { Vec::new() };
    items.into_iter().find(|item| item.rect.contains(position)).map(|item| item.action)
}

/// The name of the program, before the tabs.
const NAME: &str = " glue-tui ";

/// The tabs with their areas and texts. The current screen is one of them.
fn tabs(app: &App, area: Rect) -> Vec<(Rect, Screen, String)> {
    let numbered =
        Screen::TABS.into_iter().enumerate().map(|(n, tab)| (tab, format!(" {} {} ", n + 1, tab.name())));
    let other =
        (!Screen::TABS.contains(&app.screen)).then(|| (app.screen, format!(" {} ", app.screen.name())));
    let mut x = area.x + NAME.len() as u16;
    let place = |(tab, text): (Screen, String)| {
        let rect = Rect { x: x + 1, width: text.len() as u16, ..area }.intersection(area);
        x += 1 + text.len() as u16;
        (rect, tab, text)
    };
    numbered.chain(other).map(place).collect()
}

fn draw_tabs(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let mut x = draw_text(buffer, area.x, area.y, area.width, NAME, theme.style(Role::Title));
    for (rect, tab, text) in tabs(app, area) {
        let role = if tab == app.screen { Role::Selected } else { Role::Muted };
        x = draw_text(buffer, rect.x, area.y, rect.width, &text, theme.style(role)).max(x);
    }
    let rest = Rect { x: x + 2, width: area.right().saturating_sub(x + 2), ..area };
    let fits = |(text, _): &(String, Role)| width(text) < rest.width as usize;
    if let Some((text, role)) = corner(app).into_iter().find(fits) {
        draw_text_right(buffer, rest, area.y, &format!("{text} "), theme.style(role));
    }
}

/// What may stand in the corner, the fullest first: what is being trained and waits, or else the machine.
fn corner(app: &App) -> Vec<(String, Role)> {
    let run = run_header::summary(app).filter(|_| app.screen != Screen::Live);
    let queue = queue::summary(app);
    let both = run.iter().zip(&queue).map(|((run, role), (queue, _))| (format!("{run}, {queue}"), *role));
    let mut texts: Vec<_> = both.collect();
    texts.extend(run);
    texts.extend(queue);
    if texts.is_empty() {
        texts.push((app.machine.clone(), Role::Muted));
    }
    texts
}

/// Maximum number of lines of a notice.
const NOTICE: usize = 4;

/// Draws the notice in place of the keys at the bottom. It covers the lines above if it is longer than one line.
fn draw_notice(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(notice) = &app.notice else { return };
    let lines = wrap(notice, usize::from(area.width.saturating_sub(2)));
    let shown = lines.len().min(NOTICE).min(usize::from(area.height));
    let top = area.bottom() - shown as u16;
    for (line, y) in lines.iter().take(shown).zip(top..) {
        let text = fit_width(app.theme, &format!(" {line}"), usize::from(area.width));
        draw_text(buffer, area.x, y, area.width, &text, app.theme.style(Role::Key));
    }
}

/// A key in the footer.
struct FooterItem {
    rect: Rect,
    key: String,
    label: &'static str,
    action: Action,
    is_primary: bool,
}

/// Below this many columns, the keys of the footer are closer together.
const DENSE: u16 = 60;

/// The active keys with short descriptions: those of the context, then those of every screen. Primary ones are kept
/// where not all fit, then the first ones; an item is drawn whole or not at all.
fn footer_items(app: &App, area: Rect) -> Vec<FooterItem> {
    let contexts = app.contexts();
    let takes_text = contexts[0].takes_text();
    let global: &[Context] = if app.popup.is_some() { &[] } else { &[Context::Global] };
    let bindings = contexts.iter().chain(global).flat_map(|context| app.keymap.of(*context));
    let shown = bindings.filter(|binding| !binding.label.is_empty() && app.holds(binding.condition));
    let item = |binding: &Binding| {
        let (key, label) = (binding.key(app.theme, takes_text), binding.label);
        let rect = Rect { width: (width(&key) + 1 + width(label)) as u16, ..area };
        let is_primary = binding.is_primary;
        (!key.is_empty()).then_some(FooterItem { rect, key, label, action: binding.action, is_primary })
    };
    let mut items: Vec<FooterItem> = shown.filter_map(item).collect();
    let gap = if area.width < DENSE { 2 } else { 3 };
    let mut available = area.width.saturating_sub(1) + gap;
    let mut fits = vec![false; items.len()];
    for wants_primary in [true, false] {
        for (item, fits) in items.iter().zip(&mut fits) {
            if item.is_primary == wants_primary && item.rect.width + gap <= available {
                available -= item.rect.width + gap;
                *fits = true;
            }
        }
    }
    let mut fits = fits.into_iter();
    items.retain(|_| fits.next().unwrap_or(false));
    let mut x = area.x + 1;
    for item in &mut items {
        item.rect.x = x;
        x += item.rect.width + gap;
    }
    items
}

fn draw_footer(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    for FooterItem { rect, key, label, .. } in footer_items(app, area) {
        let x = draw_text(buffer, rect.x, area.y, rect.width, &key, theme.style(Role::Key));
        draw_text(buffer, x + 1, area.y, rect.right().saturating_sub(x + 1), label, theme.style(Role::Muted));
    }
}
