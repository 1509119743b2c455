//! Translates mouse events to actions, by what is drawn at the position of the mouse.

use crate::tui::action::{
    Action, CompareAction, FormAction, GlobalAction, ListAction, OpenAction, PopupAction, RunsAction,
};
use crate::tui::msg::Msg;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::view::{self, compare, form, insight, live, open, popup, runs};
use crate::tui::widgets::line_chart::ChartKey;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// The message for a mouse event, if it has a meaning.
pub(super) fn read(app: &App, mouse: &MouseEvent) -> Option<Msg> {
    let at = Position { x: mouse.column, y: mouse.row };
    let action = match mouse.kind {
        MouseEventKind::ScrollUp => wheel(app, at, ListAction::Up, ChartKey::ZoomIn)?,
        MouseEventKind::ScrollDown => wheel(app, at, ListAction::Down, ChartKey::ZoomOut)?,
        MouseEventKind::Down(MouseButton::Left) => click(app, at)?,
        // Moving over a chart moves its cursor.
        MouseEventKind::Moved | MouseEventKind::Drag(MouseButton::Left) => cursor(app, at)?,
        _ => return None,
    };
    Some(Msg::Action(action))
}

/// Scrolls a list by a line, or zooms a chart.
fn wheel(app: &App, at: Position, line: ListAction, zoom: ChartKey) -> Option<Action> {
    if plot(app).is_some_and(|plot| plot.contains(at)) {
        return Some(Action::Chart(zoom));
    }
    // The wheel must not end the editing of a value.
    let is_list = !matches!(app.context(), Context::FormValue | Context::Screen(Screen::Infer));
    is_list.then_some(Action::List(line))
}

fn click(app: &App, at: Position) -> Option<Action> {
    let screen = Rect::new(0, 0, app.size.0, app.size.1);
    if app.popup.is_some() {
        return match (popup::line_at(app, screen, at), app.context()) {
            (Some(line), _) => Some(Action::Popup(PopupAction::Select(line))),
            // A click beside a message closes it.
            (None, Context::Message) => Some(Action::Popup(PopupAction::Cancel)),
            (None, _) => view::key_at(app, screen, at),
        };
    }
    if let Some(tab) = view::tab_at(app, screen, at) {
        return Some(Action::Global(GlobalAction::GoTo(tab)));
    }
    let body = view::body(screen).and_then(|body| point(app, body, at));
    body.or_else(|| cursor(app, at)).or_else(|| view::key_at(app, screen, at))
}

/// The action for a position in the lists of the current screen.
fn point(app: &App, body: Rect, at: Position) -> Option<Action> {
    match app.screen {
        Screen::Runs => match &app.form {
            Some(form) => form::line_at(app, form, runs::form_area(body), at)
                .map(|line| Action::Form(FormAction::Select(line))),
            None => runs::line_at(app, body, at).map(|line| Action::Runs(RunsAction::Select(line))),
        },
        Screen::Compare => {
            compare::row_at(app, body, at).map(|row| Action::Compare(CompareAction::Select(row)))
        }
        Screen::Insight => insight::point_at(app, body, at),
        Screen::Open => open::column_at(app, body, at).map(|column| Action::Open(OpenAction::Select(column))),
        Screen::Live | Screen::Infer | Screen::Data | Screen::Machine => None,
    }
}

/// Moves the cursor of the chart to the mouse.
fn cursor(app: &App, at: Position) -> Option<Action> {
    let plot = plot(app).filter(|plot| plot.contains(at))?;
    Some(Action::Chart(ChartKey::CursorAt(at.x - plot.x, plot.width)))
}

/// The plot area of the chart that has a cursor and zoom.
fn plot(app: &App) -> Option<Rect> {
    let body = view::body(Rect::new(0, 0, app.size.0, app.size.1))?;
    match app.screen {
        _ if app.popup.is_some() => None,
        Screen::Live => live::plot(app, body),
        Screen::Compare => compare::plot(app, body),
        _ => None,
    }
}
