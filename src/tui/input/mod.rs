//! Events of the terminal → messages, by the table of keys.

mod mouse;

use super::app::{App, Tab};
use super::keymap::Place;
use super::msg::{Action, Msg};
use super::screens::popup::Popup;
use super::widgets::text_field::Edit;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What takes the keys first.
pub fn place(app: &App) -> Place {
    places(app)[0]
}

/// What takes the keys now: the first place in which a key has a meaning counts. Never empty.
pub fn places(app: &App) -> &'static [Place] {
    match &app.popup {
        Some(Popup::Help(help)) if help.is_searching => &[Place::Filter],
        Some(Popup::Message { .. } | Popup::Help(_)) => &[Place::Message],
        Some(Popup::Question(_)) => &[Place::Question],
        Some(Popup::Choice(_)) => &[Place::Choice],
        None => places_behind_popup(app),
    }
}

/// What would take the keys without a popup.
pub fn places_behind_popup(app: &App) -> &'static [Place] {
    match (app.tab, &app.form) {
        (Tab::Runs, Some(form)) if form.editing.is_some() => &[Place::FormLine],
        (Tab::Runs, Some(_)) => &[Place::Form],
        (Tab::Runs, None) if app.runs.is_filtering => &[Place::Filter],
        (Tab::Runs, None) => &[Place::Runs],
        (Tab::Live, _) if app.live.is_full => &[Place::Chart, Place::Live],
        (Tab::Live, _) => &[Place::Live],
        (Tab::Infer, _) => &[Place::Infer],
        (Tab::Insight, _) => &[Place::Insight],
        (Tab::Data, _) => &[Place::Data],
        (Tab::Machine, _) => &[Place::Machine],
        (Tab::Compare, _) if app.compare.is_filtering => &[Place::Filter],
        (Tab::Compare, _) => &[Place::Compare, Place::Chart],
    }
}

/// The message that an event of the terminal stands for, if any.
pub fn read(app: &App, event: &Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => read_key(app, key),
        Event::Paste(text) => Some(Msg::Edit(Edit::Insert(text.clone()))),
        Event::Mouse(event) => mouse::read(app, event),
        Event::Resize(width, height) => Some(Msg::Resize(*width, *height)),
        _ => None,
    }
}

fn read_key(app: &App, key: &KeyEvent) -> Option<Msg> {
    let places = places(app);
    if let (Some(Popup::Question(question)), KeyCode::Char(c)) = (&app.popup, key.code)
        && let Some(number) = question.answers.iter().position(|answer| answer.key == c)
    {
        return Some(Msg::Action(Action::Answer(number)));
    }
    let found = |place: Place| {
        let mut here = app.keymap.of(place).filter(|binding| binding.is_on(app));
        here.find(|binding| binding.fits(key)).map(|binding| binding.action)
    };
    if let Some(action) = places.iter().find_map(|place| found(*place)) {
        return Some(Msg::Action(action));
    }
    // A letter is text before it is a key of the whole program.
    if places[0].takes_text()
        && let Some(edit) = edit(key)
    {
        return Some(Msg::Edit(edit));
    }
    found(Place::Everywhere).map(Msg::Action)
}

/// What a key does to text.
fn edit(key: &KeyEvent) -> Option<Edit> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    Some(match key.code {
        KeyCode::Char('a') if control => Edit::Home,
        KeyCode::Char('e') if control => Edit::End,
        KeyCode::Char('b') if alt => Edit::WordLeft,
        KeyCode::Char('f') if alt => Edit::WordRight,
        KeyCode::Char('w') if control => Edit::DeleteWord,
        // Some terminals say this for the backspace key.
        KeyCode::Char('h') if control => Edit::Backspace,
        KeyCode::Char('u') if control => Edit::DeleteToStart,
        KeyCode::Char('k') if control => Edit::DeleteToEnd,
        KeyCode::Char(c) if !control && !alt => Edit::Insert(c.to_string()),
        KeyCode::Backspace if control || alt => Edit::DeleteWord,
        KeyCode::Backspace => Edit::Backspace,
        KeyCode::Delete => Edit::Delete,
        KeyCode::Left if control || alt => Edit::WordLeft,
        KeyCode::Right if control || alt => Edit::WordRight,
        KeyCode::Left => Edit::Left,
        KeyCode::Right => Edit::Right,
        KeyCode::Home => Edit::Home,
        KeyCode::End => Edit::End,
        _ => return None,
    })
}
