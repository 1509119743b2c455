//! The panes of the list: one for each section, with the titles of the columns in its upper border.

use super::columns::{Column, MARGIN, columns};
use super::rows;
use crate::format;
use crate::text;
use crate::tui::action::{Action, RunsAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::runs::{ListLine, Section};
use crate::tui::theme::{Role, Symbol};
use crate::tui::view::queue;
use crate::tui::widgets::{draw_text, first_visible, fit_width, line_at_position, pane, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;
use std::ops::Range;

/// Lines of the upper and the lower border.
const BORDERS: u16 = 2;
/// The least height of a pane.
const MIN_PANE: u16 = BORDERS + 1;

/// A pane with the lines of a section.
pub(super) struct Pane {
    section: Section,
    area: Rect,
    /// The area of the lines, below the messages.
    list: Rect,
    /// Which of the visible lines of the screen it has.
    lines: Range<usize>,
    /// The first line that is drawn.
    first: usize,
    /// What is wrong, or that there is nothing.
    messages: Vec<(String, Role)>,
}

/// A section before its area is known.
struct Content {
    section: Section,
    lines: Range<usize>,
    messages: Vec<(String, Role)>,
}

impl Content {
    fn height(&self) -> u16 {
        let lines = u16::try_from(self.messages.len() + self.lines.len()).unwrap_or(u16::MAX);
        lines.saturating_add(BORDERS)
    }
}

/// Height that shows all lines.
pub(super) fn wanted_height(app: &App, lines: &[ListLine<'_>]) -> u16 {
    let width = app.size.0.saturating_sub(BORDERS);
    contents(app, lines, width).iter().map(Content::height).fold(0, u16::saturating_add)
}

/// Height that shows a line of each section.
pub(super) fn least_height(app: &App, lines: &[ListLine<'_>]) -> u16 {
    contents(app, lines, app.size.0).len() as u16 * MIN_PANE
}

/// The panes of `lines`, all visible lines of the screen, in `area`.
pub(super) fn of(app: &App, lines: &[ListLine<'_>], area: Rect) -> Vec<Pane> {
    let contents = contents(app, lines, area.width.saturating_sub(BORDERS));
    let heights = heights(&contents, area.height);
    let mut y = area.y;
    let pane = |(content, height): (Content, u16)| {
        let area = Rect { y, height, ..area }.intersection(area);
        y = area.bottom();
        let inner = pane(app.theme, "", false).inner(area);
        let messages = (content.messages.len() as u16).min(inner.height);
        let list = Rect { y: inner.y + messages, height: inner.height - messages, ..inner };
        let at = app.runs.selected.checked_sub(content.lines.start).filter(|at| *at < content.lines.len());
        let first = first_visible(at.unwrap_or(0), content.lines.len(), usize::from(list.height));
        let Content { section, lines, messages } = content;
        Pane { section, area, list, first: lines.start + first, lines, messages }
    };
    contents.into_iter().zip(heights).map(pane).collect()
}

/// The heights of the panes: experiments and queue have what they need up to a share, past runs have the rest.
fn heights(contents: &[Content], height: u16) -> Vec<u16> {
    let share = |content: &Content| match content.section {
        Section::Experiments => height * 2 / 5,
        Section::Queue | Section::Sweeps => height / 4,
        Section::PastRuns => height,
    };
    let least = |content: &Content| content.height().min(share(content)).max(MIN_PANE);
    let mut heights: Vec<u16> = contents.iter().map(least).collect();
    let Some(last) = heights.len().checked_sub(1) else { return heights };
    let others: u16 = heights[..last].iter().sum();
    heights[last] = height.saturating_sub(others);
    // What past runs do not need goes to the others, what they lack is taken from them.
    for (at, content) in contents.iter().enumerate().take(last) {
        let spare = heights[last].saturating_sub(contents[last].height().max(MIN_PANE));
        let more = content.height().saturating_sub(heights[at]).min(spare);
        heights[at] += more;
        heights[last] -= more;
        let less = MIN_PANE.saturating_sub(heights[last]).min(heights[at].saturating_sub(MIN_PANE));
        heights[at] -= less;
        heights[last] += less;
    }
    heights
}

/// The sections of the screen. That of the queue is there only if it has entries or an error, that of sweeps if there are
/// any.
fn contents(app: &App, lines: &[ListLine<'_>], width: u16) -> Vec<Content> {
    let runs = &app.runs;
    let range = |section: Section| {
        let start = lines.iter().position(|line| line.section() == section).unwrap_or(0);
        start..start + lines.iter().filter(|line| line.section() == section).count()
    };
    let width = usize::from(width.saturating_sub(4));
    let key = |action: RunsAction| app.key(Context::Screen(Screen::Runs), Action::Runs(action));
    let refresh = key(RunsAction::Refresh);
    let of = |section: Section| {
        let lines = range(section);
        let error = match section {
            Section::Experiments => runs.error.as_ref(),
            Section::Queue => runs.queue.error.as_ref(),
            Section::Sweeps | Section::PastRuns => None,
        };
        let mut messages = Vec::new();
        if let Some(error) = error {
            messages.extend(wrap(error, width).into_iter().map(|line| (format!("  {line}"), Role::Error)));
            messages.push((format!("  Fix it, then press {refresh}."), Role::Muted));
        } else if lines.is_empty() && runs.is_listed {
            let nothing = match (section, runs.filter.text().is_empty()) {
                (_, false) => "Nothing matches the filter.".into(),
                (Section::PastRuns, true) if !runs.runs.is_empty() => {
                    format!("All runs are trials: {} on a sweep shows them.", key(RunsAction::OpenSweep))
                }
                (Section::PastRuns, true) => "No runs yet: select an experiment and start training.".into(),
                (_, true) => "No experiments.".to_owned(),
            };
            messages.extend(wrap(&nothing, width).into_iter().map(|line| (format!("  {line}"), Role::Muted)));
        }
        Content { section, lines, messages }
    };
    let has_queue = !range(Section::Queue).is_empty() || runs.queue.error.is_some();
    let has_sweeps = !range(Section::Sweeps).is_empty();
    let sections = [Section::Experiments, Section::Queue, Section::Sweeps, Section::PastRuns];
    let is_shown = |section: &Section| match section {
        Section::Queue => has_queue,
        Section::Sweeps => has_sweeps,
        Section::Experiments | Section::PastRuns => true,
    };
    sections.into_iter().filter(is_shown).map(of).collect()
}

impl Pane {
    /// The line at a position of the terminal.
    pub(super) fn line_at(&self, position: Position) -> Option<usize> {
        line_at_position(self.list, self.first, position).filter(|line| *line < self.lines.end)
    }

    /// Draws the pane with those of all `lines` of the screen that it has.
    pub(super) fn draw(&self, app: &App, lines: &[ListLine<'_>], buffer: &mut Buffer) {
        let theme = app.theme;
        let has_cursor = self.lines.contains(&app.runs.selected);
        let (title, title_role) = title(app, self.section, &lines[self.lines.clone()]);
        let block = pane(theme, "", has_cursor && app.form.is_none());
        block.render(self.area, buffer);
        let end = draw_text(
            buffer,
            self.area.x + 1,
            self.area.y,
            self.area.width.saturating_sub(2),
            &format!(" {title} "),
            theme.style(title_role),
        );
        let width = usize::from(self.list.width);
        let columns = columns(app, self.section, &lines[self.lines.clone()], width);
        if !self.lines.is_empty() {
            self.draw_headings(app, &columns, end, buffer);
        }
        for (row, (text, role)) in self.messages.iter().enumerate() {
            let y = self.area.y + 1 + row as u16;
            if y < self.list.y {
                draw_text(buffer, self.list.x, y, self.list.width, text, theme.style(*role));
            }
        }
        let visible = self.first..self.lines.end.min(self.first + usize::from(self.list.height));
        for number in visible {
            let Some(line) = lines.get(number) else { return };
            let y = self.list.y + (number - self.first) as u16;
            let area = Rect { y, height: 1, ..self.list };
            rows::draw(app, line, number == app.runs.selected, &columns, area, buffer);
        }
    }

    /// Draws the titles of the columns into the upper border, after column `end`, where the title of the pane ends. That
    /// of the first column is the title of the pane.
    fn draw_headings(&self, app: &App, columns: &[Column], end: u16, buffer: &mut Buffer) {
        let mut x = self.list.x + MARGIN;
        for column in columns {
            let heading = format!(" {} ", column.kind.title());
            let width = text::width(&heading) as u16;
            let start = if column.kind.is_number() {
                (x + column.width as u16 + 1).saturating_sub(width)
            } else {
                x.saturating_sub(1)
            };
            let fits = start >= end && start + width < self.area.right();
            if fits && !column.kind.title().is_empty() {
                draw_text(buffer, start, self.area.y, width, &heading, app.theme.style(Role::Muted));
            }
            x += column.width as u16 + 1;
        }
    }
}

/// The title of a section.
fn title(app: &App, section: Section, lines: &[ListLine<'_>]) -> (String, Role) {
    match section {
        Section::Experiments => ("Experiments".into(), Role::Title),
        Section::Queue => {
            let (text, role) = queue::heading(app);
            (format!("Queue  {text}"), if role == Role::Muted { Role::Title } else { role })
        }
        Section::Sweeps => (format!("Sweeps, {}", format::count(lines.len() as u64)), Role::Title),
        Section::PastRuns => {
            let (shown, all) = (lines.len() as u64, app.runs.runs.len() as u64);
            let count = match shown {
                0 if all == 0 => String::new(),
                shown if shown == all => format!(", {}", format::count(all)),
                shown => format!(", {} of {}", format::count(shown), format::count(all)),
            };
            let disk = |line: &ListLine<'_>| if let ListLine::Run(run) = line { run.disk } else { None };
            let bytes: u64 = lines.iter().filter_map(disk).map(|disk| disk.bytes).sum();
            let dot = app.theme.symbol(Symbol::Dot);
            let disk = if bytes > 0 { format!("{dot}{}", format::bytes(bytes)) } else { String::new() };
            (format!("Past runs{count}{disk}"), Role::Title)
        }
    }
}

/// Draws the list without borders, with a heading for each section.
pub(super) fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let lines = app.runs.lines();
    let width = usize::from(area.width);
    // A row is a heading or message, or the number of a line.
    let mut all: Vec<Result<(usize, usize), (String, Role)>> = Vec::new();
    let mut sections = Vec::new();
    for content in contents(app, &lines, area.width) {
        if content.section != Section::Experiments {
            let (title, role) = title(app, content.section, &lines[content.lines.clone()]);
            all.push(Err((format!(" {title}"), role)));
        }
        all.extend(content.messages.into_iter().map(Err));
        all.extend(content.lines.clone().map(|number| Ok((number, sections.len()))));
        sections.push(columns(app, content.section, &lines[content.lines], width));
    }
    let is_selected =
        |row: &Result<(usize, usize), _>| matches!(row, Ok((number, _)) if *number == app.runs.selected);
    let at = all.iter().position(is_selected).unwrap_or(0);
    let first = first_visible(at, all.len(), usize::from(area.height));
    for (row, y) in all.iter().skip(first).zip(area.y..area.bottom()) {
        let area = Rect { y, height: 1, ..area };
        match row {
            Err((text, role)) => {
                draw_text(buffer, area.x, y, area.width, &fit_width(theme, text, width), theme.style(*role));
            }
            Ok((number, section)) => {
                let (Some(line), Some(columns)) = (lines.get(*number), sections.get(*section)) else {
                    continue;
                };
                rows::draw(app, line, *number == app.runs.selected, columns, area, buffer);
            }
        }
    }
}
