//! Mouse support.

use super::fixtures::*;
use super::insight::{loaded, report};
use crossterm::event::{Event as Input, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use glue_tui::event::Command;
use glue_tui::tui::input;
use glue_tui::tui::msg::Effect;
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::popup::Popup;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;

fn mouse(app: &mut App, kind: MouseEventKind, (column, row): (u16, u16)) -> Vec<Effect> {
    let event = Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    input::read(app, &event).map_or(Vec::new(), |msg| update(app, msg))
}

/// The position of `text` on the screen.
#[track_caller]
fn find(app: &App, text: &str) -> (u16, u16) {
    let screen = super::fixtures::text(app);
    let found = screen.lines().enumerate().find_map(|(y, line)| {
        let at = line.find(text)?;
        Some((glue_tui::text::width(&line[..at]) as u16, y as u16))
    });
    found.unwrap_or_else(|| panic!("no {text:?} on\n{screen}"))
}

#[track_caller]
fn click(app: &mut App, text: &str) -> Vec<Effect> {
    let at = find(app, text);
    mouse(app, MouseEventKind::Down(MouseButton::Left), at)
}

#[test]
fn click_on_a_tab_or_a_key_of_the_footer() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = app(width, height);
        click(&mut app, "4 Compare");
        assert_eq!(app.screen, Screen::Compare);
        click(&mut app, "1 Runs");
        assert_eq!(app.screen, Screen::Runs);
        click(&mut app, "help");
        assert!(matches!(app.popup, Some(Popup::Help(_))));
        let top = text(&app);
        mouse(&mut app, MouseEventKind::ScrollDown, (10, 10));
        assert_ne!(text(&app), top, "the help is scrolled");
        click(&mut app, "close");
        assert!(app.popup.is_none());
    }
}

#[test]
fn click_selects_a_line_and_a_second_click_opens_it() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = app(width, height);
        let effects = click(&mut app, "01ab");
        assert!(matches!(effects.as_slice(), [Effect::LoadHistory(_)]), "{effects:?}");
        assert_eq!(app.runs.run().unwrap().name, "demo-20261123-095711-01ab");
        let at = find(&app, "demo-pairs");
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), at);
        assert_eq!(app.runs.experiment().unwrap().name, "demo-pairs");
        let effects = mouse(&mut app, MouseEventKind::Down(MouseButton::Left), at);
        assert!(matches!(effects.as_slice(), [Effect::StartTraining(TrainRequest::Spec(_))]), "{effects:?}");
        // A heading cannot be selected.
        let at = app.runs.selected;
        click(&mut app, "Past runs");
        assert_eq!(app.runs.selected, at);
        mouse(&mut app, MouseEventKind::ScrollDown, (3, 5));
        assert_eq!(app.runs.selected, at + 1);
    }
}

#[test]
fn clicks_mark_runs_and_movement_moves_the_chart_cursor() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = comparing(width, height);
        let rows: Vec<String> = app.compare.rows(&app.runs.runs).iter().map(|run| run.name.clone()).collect();
        let frame = super::fixtures::text(&app);
        let line = frame.lines().position(|line| line.contains("failed")).expect("a failed run") as u16;
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (5, line));
        assert_eq!(app.compare.run(&app.runs.runs).unwrap().name, rows[3]);
        assert_eq!(app.compare.marks.len(), 3);
        let effects = mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (5, line));
        assert!(
            matches!(effects.as_slice(), [Effect::RequireHistory(_), Effect::CompareRuns(_)]),
            "{effects:?}"
        );
        let (x, y) = find(&app, "└");
        assert!(!app.compare.chart.has_cursor());
        mouse(&mut app, MouseEventKind::Moved, (x + 8, y - 2));
        assert!(app.compare.chart.has_cursor());
        mouse(&mut app, MouseEventKind::ScrollUp, (x + 8, y - 2));
        assert!(app.compare.chart.is_zoomed());
    }
}

#[test]
fn cursor_of_all_charts_follows_the_mouse() {
    let mut app = training(200, 60, "demo", 330);
    let (x, y) = find(&app, "└");
    mouse(&mut app, MouseEventKind::Moved, (x + 20, y - 2));
    let frame = text(&app);
    let labels = frame.matches(" epoch 1.").count();
    assert_eq!(labels, 5, "each chart shows the position\n{frame}");
    press_keys(&mut app, "f");
    let (x, y) = find(&app, "└");
    mouse(&mut app, MouseEventKind::Moved, (x + 1, y - 2));
    assert_shows(&app, "epoch 0.00");
    mouse(&mut app, MouseEventKind::Moved, (x + 40, y - 2));
    assert!(!text(&app).contains("epoch 0.00"));
}

#[test]
fn wheel_zooms_at_the_pointer_and_drag_selects_a_range_or_pans() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = training(width, height, "demo", 330);
        let (x, y) = find(&app, "└");
        mouse(&mut app, MouseEventKind::ScrollUp, (x + 8, y - 2));
        let zoomed = app.live.chart;
        assert!(zoomed.is_zoomed() && zoomed.has_cursor());
        mouse(&mut app, MouseEventKind::ScrollDown, (x + 8, y - 2));
        assert!(!app.live.chart.is_zoomed());
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (x + 5, y - 2));
        mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), (x + 15, y - 2));
        assert!(app.live.chart.is_selecting());
        // Released beside the chart.
        mouse(&mut app, MouseEventKind::Up(MouseButton::Left), (0, 0));
        assert!(app.live.chart.is_zoomed() && !app.live.chart.is_selecting());
        let before = app.live.chart;
        mouse(&mut app, MouseEventKind::Down(MouseButton::Right), (x + 15, y - 2));
        mouse(&mut app, MouseEventKind::Drag(MouseButton::Right), (x + 5, y - 2));
        assert_ne!(app.live.chart, before);
        press_keys(&mut app, "<esc><esc>");
        assert!(!app.live.chart.is_zoomed() && app.screen == Screen::Live);
        press_keys(&mut app, "<esc>");
        assert_eq!(app.screen, Screen::Runs);
    }
}

#[test]
fn click_answers_questions_and_chooses_from_lists() {
    let mut app = training(120, 40, "demo", 60);
    press_keys(&mut app, "q");
    let effects = click(&mut app, "cancel");
    assert!(app.popup.is_none() && effects.is_empty());
    press_keys(&mut app, "q");
    assert_eq!(click(&mut app, "stop and save"), [Effect::SendCommand(Command::Stop)]);
    let mut app = training(120, 40, "demo", 60);
    press_keys(&mut app, "q");
    assert_eq!(click(&mut app, "keep training"), [Effect::HandOver]);
    let mut app = super::fixtures::app(120, 40);
    press_keys(&mut app, "ejj<enter>");
    let Some(Popup::Choice(choice)) = &app.popup else { panic!("no list") };
    let expected = choice.visible_items()[2].value.clone();
    let (x, y) = find(&app, "type to filter");
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (x, y + 4));
    let Some(Popup::Choice(choice)) = &app.popup else { panic!("no list") };
    assert_eq!(choice.visible_items()[choice.selected].value, expected);
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (x, y + 4));
    assert!(app.popup.is_none());
    assert_shows(&app, &expected[..16]);
}

#[test]
fn click_on_a_cell_lists_its_rows_and_click_on_a_row_shows_it() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = loaded(width, height, report());
        let (x, y) = find(&app, "80.0    66.7");
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (x - 8, y));
        assert_shows(&app, "Labeled negative, predicted positive: 1 of 2");
        click(&mut app, "it could have been");
        assert_shows(&app, "Labeled negative, predicted positive: 2 of 2");
        assert!(app.popup.is_none());
        click(&mut app, "it could have been");
        assert!(matches!(app.popup, Some(Popup::Message { .. })), "{}", text(&app));
        click(&mut app, "it could have been");
        assert!(app.popup.is_none());
        // Headings, class names and totals cannot be selected.
        for (x, y) in [(x, y), (x, y - 1), find(&app, "label  "), find(&app, "negative ")] {
            let before = text(&app);
            mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (x, y));
            assert_eq!(text(&app), before);
        }
    }
}

#[test]
fn click_selects_and_edits_lines_of_the_form() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = app(width, height);
        press_keys(&mut app, "e");
        let selected = |app: &App| app.form.as_ref().map(|form| form.lines()[form.selected]);
        let first = selected(&app);
        click(&mut app, "num_train_epochs");
        assert_ne!(selected(&app), first);
        let at = find(&app, "num_train_epochs");
        mouse(&mut app, MouseEventKind::Down(MouseButton::Left), at);
        press_keys(&mut app, "<backspace>x");
        assert!(app.form.as_ref().unwrap().editing.is_some());
        // An invalid value keeps the focus.
        let line = selected(&app);
        click(&mut app, "max_steps");
        assert_eq!(selected(&app), line);
        press_keys(&mut app, "<backspace>7");
        click(&mut app, "max_steps");
        assert!(app.form.as_ref().unwrap().editing.is_none());
        assert_ne!(selected(&app), line);
        assert_shows(&app, "was 5");
    }
}

#[test]
fn mouse_events_anywhere_do_not_panic() {
    for (width, height) in [(0, 0), (1, 1), (40, 10), (80, 24), (200, 60)] {
        let screens: [fn(u16, u16) -> App; 3] =
            [app, comparing, |width, height| classifying(width, height, "日本語")];
        for screen in screens {
            let mut app = screen(width, height);
            for x in (0..width + 3).step_by(7) {
                for y in (0..height + 3).step_by(3) {
                    mouse(&mut app, MouseEventKind::Moved, (x, y));
                    mouse(&mut app, MouseEventKind::ScrollDown, (x, y));
                    buffer(&app);
                }
            }
            mouse(&mut app, MouseEventKind::Down(MouseButton::Left), (width, height));
            buffer(&app);
        }
    }
}

#[test]
fn mouse_support_is_off_by_default_and_toggled_by_a_key() {
    let mut app = app(80, 24);
    assert!(!app.mouse);
    assert_eq!(press_keys(&mut app, "M"), [Effect::SetMouse(true)]);
    assert_shows(&app, "mouse support on");
    press_keys(&mut app, "j");
    assert!(!text(&app).contains("mouse support on"));
    assert_eq!(press_keys(&mut app, "M"), [Effect::SetMouse(false)]);
}
