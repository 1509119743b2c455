//! Translates mouse events to actions, by what is drawn at the position of the mouse.

use crate::tui::action::{
    Action, CompareAction, FormAction, GlobalAction, ListAction, OpenAction, PopupAction, RunsAction,
    SweepAction,
};
use crate::tui::msg::Msg;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::view::{self, compare, form, insight, live, open, popup, runs, sweep};
use crate::tui::widgets::line_chart::{ChartColumn, ChartKey};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// The message for a mouse event, if it has a meaning. On a chart, the wheel zooms at the pointer, the left button
/// selects a range to zoom to, and another button pans.
pub(super) fn read(app: &App, mouse: &MouseEvent) -> Option<Msg> {
    let at = Position { x: mouse.column, y: mouse.row };
    let on_chart = |key: fn(ChartColumn) -> ChartKey| Some(Action::Chart(key(column(app, at)?)));
    let action = match mouse.kind {
        MouseEventKind::ScrollUp => wheel(app, at, ListAction::Up, ChartKey::ZoomInAt)?,
        MouseEventKind::ScrollDown => wheel(app, at, ListAction::Down, ChartKey::ZoomOutAt)?,
        MouseEventKind::ScrollLeft => on_chart(|_| ChartKey::PanLeft)?,
        MouseEventKind::ScrollRight => on_chart(|_| ChartKey::PanRight)?,
        MouseEventKind::Down(MouseButton::Left) => click(app, at)?,
        // Moving over a chart moves its cursor.
        MouseEventKind::Moved | MouseEventKind::Drag(MouseButton::Left) => on_chart(ChartKey::CursorAt)?,
        // The button may be released beside the chart.
        MouseEventKind::Up(MouseButton::Left) if is_selecting(app) => {
            Action::Chart(ChartKey::ZoomToSelection)
        }
        MouseEventKind::Down(_) => on_chart(ChartKey::PanFrom)?,
        MouseEventKind::Drag(_) => on_chart(ChartKey::PanTo)?,
        MouseEventKind::Up(_) => return None,
    };
    Some(Msg::Action(action))
}

/// Whether a range of a chart is being selected.
fn is_selecting(app: &App) -> bool {
    match app.screen {
        Screen::Live => app.live.chart.is_selecting(),
        Screen::Compare => app.compare.chart.is_selecting(),
        _ => false,
    }
}

/// Scrolls a list by a line, or zooms a chart.
fn wheel(app: &App, at: Position, line: ListAction, zoom: fn(ChartColumn) -> ChartKey) -> Option<Action> {
    if let Some(column) = column(app, at) {
        return Some(Action::Chart(zoom(column)));
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
    let select = || column(app, at).map(|column| Action::Chart(ChartKey::SelectFrom(column)));
    body.or_else(select).or_else(|| view::key_at(app, screen, at))
}

/// The action for a position in the lists of the current screen.
fn point(app: &App, body: Rect, at: Position) -> Option<Action> {
    match app.screen {
        Screen::Runs => match &app.form {
            Some(form) => form::line_at(app, form, runs::form_area(app, body), at)
                .map(|line| Action::Form(FormAction::Select(line))),
            None => runs::line_at(app, body, at).map(|line| Action::Runs(RunsAction::Select(line))),
        },
        Screen::Compare => {
            compare::row_at(app, body, at).map(|row| Action::Compare(CompareAction::Select(row)))
        }
        Screen::Insight => insight::point_at(app, body, at),
        Screen::Open => open::column_at(app, body, at).map(|column| Action::Open(OpenAction::Select(column))),
        Screen::Sweep => sweep::line_at(app, body, at).map(|line| Action::Sweep(SweepAction::Select(line))),
        Screen::Live | Screen::Infer | Screen::Data | Screen::Machine => None,
    }
}

/// The column of the chart with cursor and zoom that the mouse is on.
fn column(app: &App, at: Position) -> Option<ChartColumn> {
    let body = view::body(Rect::new(0, 0, app.size.0, app.size.1))?;
    let plots = match app.screen {
        _ if app.popup.is_some() => return None,
        Screen::Live => live::plots(app, body),
        Screen::Compare => compare::plots(app, body),
        _ => return None,
    };
    let plot = plots.into_iter().find(|plot| plot.contains(at))?;
    Some(ChartColumn { index: at.x - plot.x, count: plot.width })
}
