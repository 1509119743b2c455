//! Boxes over everything: messages, questions, lists to choose from.

mod draw;

pub use draw::{draw, line_at, open_box};

use super::help::{self, Help};
use super::{form, infer, published, steer};
use crate::event::Command;
use crate::run::Reproduction;
use crate::run::queue::QueueEdit;
use crate::tui::app::App;
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, TrainRequest};
use crate::tui::theme::Theme;
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::wrap;
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
    Published(Vec<Reproduction>),
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
    Enqueue(TrainRequest),
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
    Comparison,
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
                Purpose::Comparison => infer::choose_beside(app, &chosen.value),
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
        Reply::Delete(dir) => vec![Effect::DeleteRun(dir)],
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
    run.pending_command = Some(Command::Stop);
    vec![Effect::SendCommand(Command::Stop)]
}

/// `effects`, with the queue held before: who stops the training on purpose wants nothing trained in its place.
fn with_queue_held(app: &App, effects: Vec<Effect>) -> Vec<Effect> {
    let list = &app.runs.queue.list;
    let is_ours = app.is_training() && !list.entries.is_empty() && !list.is_held;
    is_ours.then_some(Effect::EditQueue(QueueEdit::SetHeld(true))).into_iter().chain(effects).collect()
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
