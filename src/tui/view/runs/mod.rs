//! The Runs screen: panes of experiments, queue and past runs, with details or the form beside them.

mod columns;
mod panes;
mod rows;

use super::filter_line;
use super::{details, form};
use crate::tui::layout::RUNS_SIDE_BY_SIDE;
use crate::tui::state::App;
use crate::tui::state::runs::ListLine;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Width that the details need beside the list.
const DETAILS: u16 = 46;
/// Width that the list needs beside the details.
const MIN_LIST: u16 = 54;
/// Width that the keys and values of a form need.
const MIN_FORM: u16 = 66;

/// The areas of the list and the details.
fn layout(app: &App, lines: &[ListLine<'_>], area: Rect) -> (Rect, Rect) {
    if area.width >= RUNS_SIDE_BY_SIDE {
        let most = area.width.saturating_sub(DETAILS).min(area.width * 3 / 5).max(MIN_LIST);
        let width = columns::natural_width(app, lines).clamp(MIN_LIST, most);
        let list = Rect { width, ..area };
        return (list, Rect { x: list.right(), width: area.width - width, ..area });
    }
    let filter = filter_line::height(&app.runs.filter);
    let (least, most) = (panes::least_height(app, lines) + filter, area.height * 3 / 5);
    let wanted = panes::wanted_height(app, lines).saturating_add(filter);
    let height = wanted.min(most).max(least).min(area.height);
    let list = Rect { height, ..area };
    (list, Rect { y: list.bottom(), height: area.height - height, ..area })
}

/// The area of the form: beside the list, or instead of it.
pub fn form_area(app: &App, area: Rect) -> Rect {
    let beside = layout(app, &app.runs.lines(), area).1;
    if area.width >= RUNS_SIDE_BY_SIDE && beside.width >= MIN_FORM { beside } else { area }
}

/// Draws the screen; returns the position of the terminal's cursor while text is edited.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let lines = app.runs.lines();
    let (left, right) = layout(app, &lines, area);
    if let Some(form) = &app.form {
        let form_area = form_area(app, area);
        if form_area == right {
            draw_list(app, &lines, left, buffer);
        }
        return form::draw(app, form, form_area, buffer);
    }
    let cursor = draw_list(app, &lines, left, buffer);
    details::draw(app, right, buffer);
    cursor
}

/// The line of the list at a position of the terminal, on a screen with body `area`.
pub fn line_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    let lines = app.runs.lines();
    let (list, _) = filter_line::areas(&app.runs.filter, layout(app, &lines, area).0);
    panes::of(app, &lines, list).iter().find_map(|pane| pane.line_at(position))
}

fn draw_list(app: &App, lines: &[ListLine<'_>], area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let filter = &app.runs.filter;
    let (list, footer) = filter_line::areas(filter, area);
    for pane in panes::of(app, lines, list) {
        pane.draw(app, lines, buffer);
    }
    filter_line::draw(filter, footer?, app.theme, buffer)
}

/// Draws the list or the form without borders, for a very small terminal.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(form) = &app.form {
        return form::draw_tiny(app, form, area, buffer);
    }
    let filter = &app.runs.filter;
    let (list, footer) = filter_line::areas(filter, area);
    panes::draw_tiny(app, list, buffer);
    filter_line::draw(filter, footer?, app.theme, buffer)
}
