//! Boxes over everything: messages, questions, lists to choose from.

use super::help::{self, Help};
use super::{form, infer, published, steer};
use crate::event::Command;
use crate::run::Reproduced;
use crate::run::queue::Edit as QueueEdit;
use crate::text::width;
use crate::tui::app::App;
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, Work};
use crate::tui::theme::{Glyph, Role, Theme};
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::{airy_pane, centred, cut, fixed, line_under, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget};
use std::borrow::Cow;
use std::path::PathBuf;

/// A box over everything that takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// Something to be read.
    Message {
        /// What was tried, or what it is about.
        title: String,
        /// What is told.
        text: Words,
        /// First line that is shown.
        first: usize,
    },
    /// Something to be decided.
    Question(Question),
    /// A value to be chosen from a list, or typed.
    Choice(Choice),
    /// All keys.
    Help(Help),
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// Sentences.
    Sentences(String),
    /// Published means beside what runs came to.
    Published(Vec<Reproduced>),
}

impl Words {
    fn text(&self, theme: Theme) -> Cow<'_, str> {
        match self {
            Words::Sentences(text) => Cow::Borrowed(text),
            Words::Published(table) => Cow::Owned(published::text(table, theme)),
        }
    }
}

/// Something to be decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What it is about.
    pub title: String,
    /// The question.
    pub text: String,
    /// What can be answered; the last one changes nothing.
    pub answers: Vec<Answer>,
    /// The answer under the cursor.
    pub at: usize,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its key.
    pub key: char,
    /// What it says.
    pub text: &'static str,
    /// What it does.
    pub reply: Reply,
}

/// What an answer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing.
    Nothing,
    /// Stop the training and save, then quit.
    StopAndQuit,
    /// Quit at once.
    Quit,
    /// Stop the training and save.
    Stop,
    /// Stop the training and save, and hold the queue.
    StopAndHold,
    /// Put a training into the queue.
    Enqueue(Work),
    /// Delete a run.
    Delete(PathBuf),
    /// Write the form to the file and close it.
    SaveForm,
    /// Close the form and forget it.
    DiscardForm,
}

/// A list to choose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What is chosen.
    pub title: String,
    /// What there is.
    pub items: Vec<Item>,
    /// Says what else may be typed; `None` where only the items will do.
    pub free: Option<&'static str>,
    /// What was typed: it filters the items, or is the value.
    pub typed: TextField,
    /// The line under the cursor.
    pub at: usize,
    /// What the choice is for.
    pub purpose: Purpose,
}

/// What a choice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The value of a line of the form.
    FormLine(usize),
    /// The weights that judge.
    Weights,
    /// The weights that judge beside them.
    Beside,
    /// The learning rate from now on.
    LearningRate,
    /// The end of the training.
    Length,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What is chosen.
    pub value: String,
    /// What it is.
    pub note: String,
}

impl Choice {
    /// The lines that are shown: what was typed when it may be a value, then the items that contain it.
    pub fn shown(&self) -> Vec<Item> {
        let typed = self.typed.text().trim();
        let lower = typed.to_lowercase();
        let fits = |item: &&Item| {
            item.value.to_lowercase().contains(&lower) || item.note.to_lowercase().contains(&lower)
        };
        let mut shown: Vec<Item> = self.items.iter().filter(fits).cloned().collect();
        if let (Some(note), false) =
            (self.free, typed.is_empty() || shown.iter().any(|item| item.value == typed))
        {
            shown.push(Item { value: typed.to_string(), note: note.to_string() });
        }
        shown
    }
}

impl Choice {
    fn type_in(&mut self, edit: &Edit) {
        if self.typed.edit(edit) {
            self.at = 0;
        }
    }
}

impl Popup {
    /// Something to be read.
    pub fn message(title: impl Into<String>, text: impl Into<String>) -> Popup {
        Popup::Message { title: title.into(), text: Words::Sentences(text.into()), first: 0 }
    }

    /// A question; the last answer changes nothing and is where the cursor is.
    pub fn question(title: &str, text: String, answers: Vec<(char, &'static str, Reply)>) -> Popup {
        let answers: Vec<Answer> =
            answers.into_iter().map(|(key, text, reply)| Answer { key, text, reply }).collect();
        let at = answers.len().saturating_sub(1);
        Popup::Question(Question { title: title.into(), text, answers, at })
    }
}

/// What a key does to the popup.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    if let Some(Popup::Help(mut help)) = app.popup.clone() {
        app.popup = help::act(app, &mut help, action).then_some(Popup::Help(help));
        return Vec::new();
    }
    let last = last_scroll(app);
    let Some(popup) = &mut app.popup else { return Vec::new() };
    match (popup, action) {
        (Popup::Question(question), Action::Answer(number)) => {
            let reply = question.answers.get(number).map_or(Reply::Nothing, |answer| answer.reply.clone());
            app.popup = None;
            return answer(app, reply);
        }
        (Popup::Question(question), Action::Enter) => {
            let number = question.at;
            return act(app, Action::Answer(number));
        }
        (Popup::Choice(choice), Action::Enter) => {
            let (purpose, chosen) = (choice.purpose, choice.shown().get(choice.at).cloned());
            let Some(chosen) = chosen else { return Vec::new() };
            app.popup = None;
            return match purpose {
                Purpose::FormLine(line) => form::choose(app, line, &chosen.value),
                Purpose::Weights => infer::choose(app, &chosen.value),
                Purpose::Beside => infer::choose_beside(app, &chosen.value),
                Purpose::LearningRate => steer::choose_learning_rate(app, &chosen.value),
                Purpose::Length => steer::choose_length(app, &chosen.value),
            };
        }
        (Popup::Message { .. }, Action::Enter | Action::Help) | (_, Action::Back) => {
            app.popup = None;
        }
        (Popup::Choice(choice), Action::Point(line)) if line == choice.at => return act(app, Action::Enter),
        (Popup::Choice(choice), Action::Point(line)) => {
            choice.at = line.min(choice.shown().len().saturating_sub(1));
        }
        (Popup::Question(question), Action::Point(line)) if line < question.answers.len() => {
            return act(app, Action::Answer(line));
        }
        (Popup::Question(Question { at, answers, .. }), action) => *at = moved(*at, answers.len(), action),
        (Popup::Choice(choice), action) => choice.at = moved(choice.at, choice.shown().len(), action),
        (Popup::Message { first, .. }, action) => *first = moved(*first, last + 1, action),
        (Popup::Help(_), _) => {}
    }
    Vec::new()
}

/// The last line of a message that may come to its top, so that scrolling ends at the end.
fn last_scroll(app: &App) -> usize {
    let (width, height) = app.size;
    let Some(Popup::Message { text, .. }) = &app.popup else { return 0 };
    wrap(&text.text(app.theme), message_width(width))
        .len()
        .saturating_sub(height.saturating_sub(4).max(1) as usize)
}

/// Cells for the text of a message on a screen so wide.
fn message_width(screen: u16) -> usize {
    screen.saturating_sub(6).min(84).saturating_sub(4) as usize
}

/// Types into the popup.
pub fn type_in(app: &mut App, edit: &Edit) {
    match &mut app.popup {
        Some(Popup::Choice(choice)) => choice.type_in(edit),
        Some(Popup::Help(help)) if help.is_searching => help::type_in(help, edit),
        _ => {}
    }
}

/// Where the cursor is after a move among `count` lines.
pub fn moved(at: usize, count: usize, action: Action) -> usize {
    let last = count.saturating_sub(1);
    match action {
        Action::Up => at.saturating_sub(1),
        Action::Down | Action::Next => at + 1,
        Action::PageUp => at.saturating_sub(10),
        Action::PageDown => at + 10,
        Action::First => 0,
        Action::Last => last,
        _ => at,
    }
    .min(last)
}

fn answer(app: &mut App, reply: Reply) -> Vec<Effect> {
    match reply {
        Reply::Nothing => Vec::new(),
        Reply::Quit => with_queue_held(app, vec![Effect::Quit]),
        Reply::StopAndQuit => {
            app.leaving = true;
            let effects = if app.is_training() { tell_training(app) } else { vec![Effect::Quit] };
            with_queue_held(app, effects)
        }
        Reply::Stop => steer::tell(app, Command::Stop),
        Reply::StopAndHold => {
            let effects = steer::tell(app, Command::Stop);
            with_queue_held(app, effects)
        }
        Reply::Enqueue(work) => vec![Effect::Enqueue(work)],
        Reply::Delete(dir) => vec![Effect::Delete(dir)],
        Reply::SaveForm => form::act(app, Action::SaveForm),
        Reply::DiscardForm => {
            app.form = None;
            Vec::new()
        }
    }
}

/// Tells the training of this process to stop, whatever is on the screen.
fn tell_training(app: &mut App) -> Vec<Effect> {
    let Some(run) = &mut app.training else { return Vec::new() };
    run.asked = Some(Command::Stop);
    vec![Effect::Tell(Command::Stop)]
}

/// `effects`, with the queue held before: who stops the training on purpose wants nothing trained in its place.
fn with_queue_held(app: &App, effects: Vec<Effect>) -> Vec<Effect> {
    let list = &app.runs.queue.list;
    let is_ours = app.is_training() && !list.entries.is_empty() && !list.is_held;
    is_ours.then_some(Effect::EditQueue(QueueEdit::Hold(true))).into_iter().chain(effects).collect()
}

/// Asks whether to leave while a run is live; leaves at once otherwise.
pub fn ask_to_quit(app: &mut App) -> Vec<Effect> {
    if !app.is_training() {
        if app.form.as_ref().is_some_and(form::Form::is_changed) {
            app.popup = Some(Popup::question(
                "The form was changed",
                "What you changed is not in the experiments file.".into(),
                vec![('q', "quit and forget the changes", Reply::Quit), ('k', "stay", Reply::Nothing)],
            ));
            return Vec::new();
        }
        return vec![Effect::Quit];
    }
    let [hold, resume] = [Action::Hold, Action::Resume].map(|action| app.key(Place::Runs, action));
    let queue = match app.runs.queue.list.entries.len() {
        0 => String::new(),
        _ => format!(" The queue is kept and held; `{hold}` on the Runs screen goes on with it."),
    };
    app.popup = Some(Popup::question(
        "A run is being trained",
        format!(
            "Quitting ends it. Its work can be saved first; `{resume}` on the Runs screen then goes on where it was.{queue}"
        ),
        vec![
            ('s', "stop it, save the work, then quit", Reply::StopAndQuit),
            ('q', "quit now; steps since the last checkpoint are lost", Reply::Quit),
            ('k', "keep training", Reply::Nothing),
        ],
    ));
    Vec::new()
}

/// Draws the popup over `area`; returns where the terminal's cursor belongs while text is typed.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match app.popup.as_ref()? {
        Popup::Message { title, text, first } => {
            draw_message(app, area, buffer, title, &text.text(app.theme), *first);
            None
        }
        Popup::Question(question) => {
            draw_question(app, area, buffer, question);
            None
        }
        Popup::Choice(choice) => Some(draw_choice(app, area, buffer, choice)),
        Popup::Help(help) => help::draw(app, help, area, buffer),
    }
}

/// An empty framed box in the middle; returns its inside.
pub fn open_box(app: &App, area: Rect, buffer: &mut Buffer, title: &str, width: u16, height: u16) -> Rect {
    let rect = centred(area, width, height);
    Clear.render(rect, buffer);
    airy_pane(app.theme, title, true).render(rect, buffer);
    inside(app, area, width, height)
}

/// The inside of such a box.
fn inside(app: &App, area: Rect, width: u16, height: u16) -> Rect {
    airy_pane(app.theme, "", true).inner(centred(area, width, height))
}

/// The answer or the item of the popup that is drawn at a place of the screen.
pub fn line_at(app: &App, area: Rect, place: Position) -> Option<usize> {
    match app.popup.as_ref()? {
        Popup::Question(question) => {
            let (width, height) = question_size(question, area);
            line_under(answers(question, inside(app, area, width, height)), 0, place)
        }
        Popup::Choice(choice) => {
            let (width, height) = choice_size(choice, area);
            let (list, first) = items(choice, inside(app, area, width, height));
            line_under(list, first, place).filter(|line| *line < choice.shown().len())
        }
        Popup::Message { .. } | Popup::Help { .. } => None,
    }
}

/// Cells and lines of the box of a question.
fn question_size(question: &Question, area: Rect) -> (u16, u16) {
    let width = area.width.saturating_sub(6).min(70);
    let lines = wrap(&question.text, width.saturating_sub(4) as usize);
    (width, (lines.len() + question.answers.len()) as u16 + 3)
}

/// The lines of the answers in the inside of the box.
fn answers(question: &Question, inner: Rect) -> Rect {
    let top = inner.bottom().saturating_sub(question.answers.len() as u16).max(inner.y);
    Rect { y: top, height: inner.bottom() - top, ..inner }
}

/// Cells of the column of values.
fn widest(choice: &Choice) -> usize {
    choice.items.iter().map(|item| width(&item.value)).max().unwrap_or(0).clamp(12, 44)
}

/// Cells and lines of the box of a list to choose from.
fn choice_size(choice: &Choice, area: Rect) -> (u16, u16) {
    let notes = choice.items.iter().map(|item| width(&item.note)).max().unwrap_or(0);
    let cells = (widest(choice) + notes + 10).max(width(&choice.title) + 6);
    let cells = (cells as u16).clamp(50, 100).min(area.width.saturating_sub(2));
    (cells, (choice.items.len() as u16 + 5).min(area.height.saturating_sub(2)))
}

/// The lines of the items in the inside of the box, and the first item that is in sight.
fn items(choice: &Choice, inner: Rect) -> (Rect, usize) {
    let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    (list, (choice.at + 1).saturating_sub(list.height as usize))
}

fn draw_message(app: &App, area: Rect, buffer: &mut Buffer, title: &str, text: &str, first: usize) {
    let width = area.width.saturating_sub(6).min(84);
    let lines = wrap(text, message_width(area.width));
    let height = (lines.len() as u16 + 4).min(area.height);
    let inner = open_box(app, area, buffer, title, width, height);
    let room = inner.height.saturating_sub(2) as usize;
    let first = first.min(lines.len().saturating_sub(room));
    for (row, line) in lines.iter().skip(first).take(room.max(1)).enumerate() {
        put(buffer, inner.x, inner.y + row as u16, inner.width, line, app.theme.style(Role::Text));
    }
    let more = if lines.len() > room { "   up and down for more" } else { "" };
    let y = inner.bottom().saturating_sub(1);
    let close = app.key(Place::Message, Action::Enter);
    let x = put(buffer, inner.x, y, inner.width, &close, app.theme.style(Role::Key));
    let rest = inner.right().saturating_sub(x);
    put(buffer, x, y, rest, &format!(" close{more}"), app.theme.style(Role::Muted));
}

fn draw_question(app: &App, area: Rect, buffer: &mut Buffer, question: &Question) {
    let theme = app.theme;
    let (width, height) = question_size(question, area);
    let lines = wrap(&question.text, width.saturating_sub(4) as usize);
    let inner = open_box(app, area, buffer, &question.title, width, height);
    let list = answers(question, inner);
    let room = (list.y - inner.y).saturating_sub(1);
    for (row, line) in lines.iter().take(room as usize).enumerate() {
        put(buffer, inner.x, inner.y + row as u16, inner.width, line, theme.style(Role::Text));
    }
    for (number, answer) in question.answers.iter().enumerate() {
        let y = list.y + number as u16;
        if y >= list.bottom() {
            return;
        }
        let selected = number == question.at;
        if selected {
            let bar = " ".repeat(inner.width as usize);
            put(buffer, inner.x, y, inner.width, &bar, theme.style(Role::Selected));
        }
        let style = theme.style(if selected { Role::Selected } else { Role::Text });
        let key = theme.style(if selected { Role::Selected } else { Role::Key });
        let sign = if selected { theme.glyph(Glyph::Cursor) } else { "  " };
        let x = put(buffer, inner.x, y, inner.width, sign, style);
        let x = put(buffer, x, y, inner.right().saturating_sub(x), &answer.key.to_string(), key);
        put(buffer, x + 2, y, inner.right().saturating_sub(x + 2), answer.text, style);
    }
}

fn draw_choice(app: &App, area: Rect, buffer: &mut Buffer, choice: &Choice) -> Position {
    let theme = app.theme;
    let shown = choice.shown();
    let widest = widest(choice);
    let (width, height) = choice_size(choice, area);
    let inner = open_box(app, area, buffer, &choice.title, width, height);
    let sign = theme.glyph(Glyph::Cursor);
    let x = put(buffer, inner.x, inner.y, inner.width, sign, theme.style(Role::Key));
    let field = Rect { x, y: inner.y, width: inner.right().saturating_sub(x), height: 1.min(inner.height) };
    let cursor = choice.typed.draw_line(buffer, field, theme.style(Role::Text));
    if choice.typed.text().is_empty() {
        let hint =
            if choice.free.is_some() { "type to filter, or any other value" } else { "type to filter" };
        put(buffer, x, inner.y, field.width, hint, theme.style(Role::Muted));
    }
    let (list, first) = items(choice, inner);
    if shown.is_empty() {
        put(buffer, list.x, list.y, list.width, "nothing contains that", theme.style(Role::Muted));
    }
    for (row, item) in shown.iter().enumerate().skip(first).take(list.height as usize) {
        let y = list.y + (row - first) as u16;
        let selected = row == choice.at;
        let line = format!(
            "{}{}  {}",
            if selected { sign } else { "  " },
            fixed(theme, &item.value, widest),
            cut(theme, &item.note, (inner.width as usize).saturating_sub(widest + 4))
        );
        let line = fixed(theme, &line, inner.width as usize);
        put(
            buffer,
            inner.x,
            y,
            inner.width,
            &line,
            theme.style(if selected { Role::Selected } else { Role::Text }),
        );
    }
    cursor
}
