//! Translates terminal events to messages, with the key bindings.

mod mouse;

use super::action::{Action, PopupAction};
use super::keymap::Condition;
use super::msg::Msg;
use super::screen::Context;
use super::state::App;
use super::state::popup::Popup;
use super::widgets::text_field::Edit;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The message for a terminal event, if it has a meaning.
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
    let contexts = app.contexts();
    if let (Some(Popup::Question(question)), KeyCode::Char(c)) = (&app.popup, key.code)
        && let Some(number) = question.answers.iter().position(|answer| answer.key == c)
    {
        return Some(Msg::Action(Action::Popup(PopupAction::Answer(number))));
    }
    let found = |context: Context| {
        let mut here = app.keymap.of(context).filter(|binding| app.holds(binding.condition));
        here.find(|binding| binding.matches(key)).map(|binding| binding.action)
    };
    if let Some(action) = contexts.iter().find_map(|context| found(*context)) {
        return Some(Msg::Action(action));
    }
    // Where text is typed, a letter is text rather than a global key.
    if contexts[0].takes_text()
        && let Some(edit) = edit(key)
    {
        return Some(Msg::Edit(edit));
    }
    if let Some(action) = found(Context::Global) {
        return Some(Msg::Action(action));
    }
    let here = contexts.iter().chain([&Context::Global]).flat_map(|context| app.keymap.of(*context));
    let conditions: Vec<Condition> =
        here.filter(|binding| binding.matches(key)).map(|binding| binding.condition).collect();
    app.unmet(&conditions).map(Msg::KeyDoesNotApply)
}

/// The edit of a text field for a key.
fn edit(key: &KeyEvent) -> Option<Edit> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    Some(match key.code {
        KeyCode::Char('a') if control => Edit::Home,
        KeyCode::Char('e') if control => Edit::End,
        KeyCode::Char('b') if alt => Edit::WordLeft,
        KeyCode::Char('f') if alt => Edit::WordRight,
        KeyCode::Char('w') if control => Edit::DeleteWord,
        // Some terminals send this for the backspace key.
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
