//! Popups: messages, questions, lists to choose from, the help.

use super::help::HelpState;
use super::published;
use super::train_request::TrainRequest;
use crate::run::Reproduction;
use crate::tui::theme::Theme;
use crate::tui::widgets::text_field::TextField;
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
        text: MessageText,
        /// First line that is shown.
        first: usize,
    },
    /// Something to be decided.
    Question(Question),
    /// A value to be chosen from a list, or typed.
    Choice(Choice),
    /// All keys.
    Help(HelpState),
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageText {
    /// Sentences.
    Plain(String),
    /// Published means beside what runs came to.
    Published(Vec<Reproduction>),
}

impl MessageText {
    /// The text of the message.
    pub fn text(&self, theme: Theme) -> Cow<'_, str> {
        match self {
            MessageText::Plain(text) => Cow::Borrowed(text),
            MessageText::Published(table) => Cow::Owned(published::text(table, theme)),
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
    FormField(usize),
    /// The weights that judge.
    Model,
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

impl Popup {
    /// Something to be read.
    pub fn message(title: impl Into<String>, text: impl Into<String>) -> Popup {
        Popup::Message { title: title.into(), text: MessageText::Plain(text.into()), first: 0 }
    }

    /// A question; the last answer changes nothing and is where the cursor is.
    pub fn question(title: &str, text: String, answers: Vec<(char, &'static str, Reply)>) -> Popup {
        let answers: Vec<Answer> =
            answers.into_iter().map(|(key, text, reply)| Answer { key, text, reply }).collect();
        let at = answers.len().saturating_sub(1);
        Popup::Question(Question { title: title.into(), text, answers, at })
    }
}
