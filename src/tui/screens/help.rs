//! All keys, from the table that also drives them: scrolled, and searched by what they do.

use super::popup::{moved, open_box};
use crate::tui::app::App;
use crate::tui::input;
use crate::tui::keymap::Place;
use crate::tui::msg::Action;
use crate::tui::theme::Role;
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::{fixed, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Cells of the keys before their sentences.
const KEYS: usize = 15;
/// Cells that are enough for most lines.
const COLUMN: u16 = 90;
/// Cells between two columns.
const GAP: u16 = 4;

/// The box of all keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Help {
    /// First line that is shown.
    first: usize,
    /// What is looked for.
    searched: TextField,
    /// Whether that is being typed.
    pub is_searching: bool,
}

/// A line of the help.
enum Line {
    /// Where the keys below it hold.
    Heading(&'static str),
    /// Keys, or nothing where they are those of the line above, and what they do.
    Keys(String, String),
}

/// How the lines lie on the screen.
struct Page {
    /// The lines of each column.
    columns: Vec<Vec<Line>>,
    /// Cells of a column.
    width: u16,
}

impl Page {
    fn rows(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// What a key does to the help: whether it stays open.
pub(super) fn act(app: &App, help: &mut Help, action: Action) -> bool {
    match action {
        Action::Enter if help.is_searching => help.is_searching = false,
        Action::Back if help.is_searching || !help.searched.text().is_empty() => *help = Help::default(),
        Action::Filter => help.is_searching = true,
        Action::Enter | Action::Back | Action::Help => return false,
        action => {
            let room = app.size.1.saturating_sub(6).max(1) as usize;
            let last = page(app, help, app.size.0).rows().saturating_sub(room);
            help.first = moved(help.first, last + 1, action);
        }
    }
    true
}

/// Types into what is looked for.
pub(super) fn type_in(help: &mut Help, edit: &Edit) {
    if help.searched.edit(edit) {
        help.first = 0;
    }
}

/// Draws the help; returns where the terminal's cursor belongs while text is typed.
pub(super) fn draw(app: &App, help: &Help, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = app.theme;
    let page = page(app, help, area.width);
    let columns = page.columns.len().max(1) as u16;
    let width = columns * (page.width + GAP) - GAP + 4;
    let height = (page.rows() as u16 + 4).min(area.height.saturating_sub(2));
    let inner = open_box(app, area, buffer, "Keys", width, height);
    let room = inner.height.saturating_sub(2) as usize;
    let first = help.first.min(page.rows().saturating_sub(room));
    for (number, lines) in page.columns.iter().enumerate() {
        let x = inner.x + number as u16 * (page.width + GAP);
        for (row, line) in lines.iter().skip(first).take(room).enumerate() {
            let y = inner.y + row as u16;
            match line {
                Line::Heading(text) => {
                    put(buffer, x, y, page.width, text, theme.style(Role::Title));
                }
                Line::Keys(keys, sentence) => {
                    let keys = fixed(theme, keys, KEYS);
                    let x = put(buffer, x, y, page.width, &keys, theme.style(Role::Key));
                    put(
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
        put(buffer, inner.x, inner.y, inner.width, "no key does that", theme.style(Role::Muted));
    }
    let foot = Rect { y: inner.bottom().saturating_sub(1), height: 1.min(inner.height), ..inner };
    draw_foot(app, help, page.rows() > room, foot, buffer)
}

/// What is looked for, or how one looks for something.
fn draw_foot(app: &App, help: &Help, has_more: bool, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let muted = app.theme.style(Role::Muted);
    if help.is_searching || !help.searched.text().is_empty() {
        let x = put(buffer, area.x, area.y, area.width, "/ ", app.theme.style(Role::Key));
        let field = Rect { x, width: area.right().saturating_sub(x), ..area };
        let cursor = help.searched.draw_line(buffer, field, app.theme.style(Role::Text));
        return help.is_searching.then_some(cursor);
    }
    let [up, down] = [Action::Up, Action::Down].map(|action| app.key(Place::Message, action));
    let more = if has_more { format!("{up} {down} for more   ") } else { String::new() };
    put(buffer, area.x, area.y, area.width, &format!("{more}glue-tui keys shows how to change them"), muted);
    None
}

/// The lines, in as many columns as are wide enough and of about the same length.
fn page(app: &App, help: &Help, screen: u16) -> Page {
    let room = screen.saturating_sub(8);
    let count = if room >= 2 * COLUMN + GAP { 2 } else { 1 };
    let width = room.min(COLUMN);
    let groups = groups(app, &help.searched.text().trim().to_lowercase(), width as usize);
    let all: usize = groups.iter().map(|group| group.len() + 1).sum();
    let mut columns: Vec<Vec<Line>> = Vec::new();
    for group in groups {
        match columns.last_mut() {
            Some(column) if column.len() < all / count => {
                column.push(Line::Heading(""));
                column.extend(group);
            }
            _ => columns.push(group),
        }
    }
    Page { columns, width }
}

/// A heading and its keys for each place, that of the screen in front first; only those that contain `lower`.
fn groups(app: &App, lower: &str, width: usize) -> Vec<Vec<Line>> {
    let behind = input::places_behind_popup(app);
    let rest = Place::ALL.into_iter().filter(|place| !behind.contains(place) && *place != Place::Everywhere);
    let places = behind.iter().copied().chain([Place::Everywhere]).chain(rest);
    places.filter_map(|place| group(app, place, lower, width)).collect()
}

fn group(app: &App, place: Place, lower: &str, width: usize) -> Option<Vec<Line>> {
    let heading = place.heading();
    let contains = |text: &str| text.to_lowercase().contains(lower);
    // An action's keys stand once, with all that they do; what depends on the line under the cursor is not
    // always told in its own words.
    let mut actions: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for binding in app.keymap.of(place) {
        let known = actions.iter_mut().find(|(name, _, _)| *name == binding.name);
        match known {
            Some((_, _, told)) if told.contains(&binding.sentence) => {}
            Some((_, _, told)) => told.push(binding.sentence),
            None => actions.push((binding.name, binding.keys(app.theme), vec![binding.sentence])),
        }
    }
    let mut lines = Vec::new();
    for (_, keys, told) in actions {
        let mut keys = if keys.is_empty() { "no key".to_string() } else { keys };
        let is_wanted = contains(heading) || contains(&keys);
        for sentence in told.into_iter().filter(|sentence| is_wanted || contains(sentence)) {
            for text in wrap(sentence, width.saturating_sub(KEYS)) {
                lines.push(Line::Keys(std::mem::take(&mut keys), text));
            }
        }
    }
    (!lines.is_empty()).then(|| std::iter::once(Line::Heading(heading)).chain(lines).collect())
}
