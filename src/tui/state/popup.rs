//! Popups: messages, questions, lists to choose from, the help, the command palette.

use super::export_request::{ChartFormat, ExportRequest};
use super::help::HelpState;
use super::palette::Palette;
pub use super::path_choice::Item;
use super::path_choice::PathChoice;
use super::published;
use super::train_request::TrainRequest;
use crate::run::{PruneScope, Reproduction};
use crate::spec::SaveTarget;
use crate::tui::action::NotesPart;
use crate::tui::theme::Theme;
use crate::tui::widgets::text_field::TextField;
use std::borrow::Cow;
use std::path::PathBuf;

/// A popup. While one is open, it takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// A text to read.
    Message {
        /// The title.
        title: String,
        /// The text.
        text: MessageText,
        /// First line that is shown.
        first: usize,
    },
    /// A question with a few answers.
    Question(Question),
    /// A value to choose from a list, or to type.
    Choice(Choice),
    /// The list of all keys.
    Help(HelpState),
    /// The command palette.
    Palette(Palette),
}

/// The text of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageText {
    /// Plain text.
    Plain(String),
    /// A table of the published results and those of the runs.
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

/// A question with a few answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The title.
    pub title: String,
    /// The question.
    pub text: String,
    /// The answers; the last one changes nothing.
    pub answers: Vec<Answer>,
    /// The answer under the cursor.
    pub selected: usize,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its key.
    pub key: char,
    /// Its text.
    pub text: &'static str,
    /// Its effect.
    pub reply: Reply,
}

/// The effect of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing.
    Nothing,
    /// Hand the training over to a process in the background, then quit.
    HandOver,
    /// Stop the training and save, then quit.
    StopAndQuit,
    /// Quit at once.
    Quit,
    /// Stop the training and save.
    Stop,
    /// Stop the training and save, and hold the queue.
    StopAndHold,
    /// Start a run, also beside that of another process.
    Train(TrainRequest),
    /// Add a run to the queue.
    Enqueue(TrainRequest),
    /// Stop the training and save, then start a run.
    StopAndTrain(TrainRequest),
    /// Delete a run.
    Delete(PathBuf),
    /// Remove the checkpoints of runs.
    Prune(Vec<(PathBuf, PruneScope)>),
    /// Submit a run or a sweep to Slurm.
    Submit(TrainRequest),
    /// Export.
    Export(Box<ExportRequest>),
    /// Take the run or the sweep of that name back from Slurm.
    Cancel(String),
    /// Save the form to the experiments file and close it.
    SaveForm,
    /// Save the form to that file and close it.
    SaveFormTo(SaveTarget),
    /// Close the form and discard the changes.
    DiscardForm,
}

/// A list to choose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The title.
    pub title: String,
    /// The items.
    pub items: Vec<Item>,
    /// Describes other values that may be typed; `None` if only the items are valid.
    pub free_text: Option<&'static str>,
    /// The typed text: a filter of the items, or the value.
    pub typed: TextField,
    /// The line under the cursor.
    pub selected: usize,
    /// What the choice is for.
    pub purpose: Purpose,
    /// The paths that may be chosen too.
    pub paths: Option<PathChoice>,
}

/// What a choice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The value of a line of the form.
    FormField(usize),
    /// The model of the Infer screen.
    Model,
    /// The second model, to compare with.
    Comparison,
    /// The learning rate from the next step on.
    LearningRate,
    /// The length of the training.
    Length,
    /// A part of the notes of a run.
    Notes(NotesPart),
    /// The data of the Open screen.
    OpenPath,
    /// The model of the Open screen.
    OpenModel,
    /// The number of seeds to train the best trial of a sweep with.
    WinnerSeeds,
    /// What to export.
    Export,
    /// The chart to export.
    ExportChart(ChartFormat),
    /// The file to predict.
    PredictFile,
    /// The format of the metrics to export.
    ExportMetrics,
    /// The split and the format of the predictions to export.
    ExportSplit,
    /// The repository to upload to.
    PushRepo,
}

impl Choice {
    /// The items that contain the typed text, then the paths that it begins; then the text itself, if it may be a value.
    pub fn visible_items(&self) -> Vec<Item> {
        let typed = self.typed.text().trim();
        let lower = typed.to_lowercase();
        let matches = |item: &&Item| {
            item.value.to_lowercase().contains(&lower) || item.note.to_lowercase().contains(&lower)
        };
        let mut items: Vec<Item> = self.items.iter().filter(matches).cloned().collect();
        if let Some(paths) = &self.paths {
            let of_paths = paths.items(self.typed.text());
            let new = of_paths.into_iter().filter(|path| !items.iter().any(|item| item.value == path.value));
            items.extend(new.collect::<Vec<_>>());
        }
        if let (Some(note), false) =
            (self.free_text, typed.is_empty() || items.iter().any(|item| item.value == typed))
        {
            items.push(Item { value: typed.to_string(), note: note.to_string() });
        }
        items
    }
}

impl Popup {
    /// A text to read.
    pub fn message(title: impl Into<String>, text: impl Into<String>) -> Popup {
        Popup::Message { title: title.into(), text: MessageText::Plain(text.into()), first: 0 }
    }

    /// A question, with the cursor on the last answer, which changes nothing.
    pub fn question(title: &str, text: String, answers: Vec<(char, &'static str, Reply)>) -> Popup {
        let answers: Vec<Answer> =
            answers.into_iter().map(|(key, text, reply)| Answer { key, text, reply }).collect();
        let selected = answers.len().saturating_sub(1);
        Popup::Question(Question { title: title.into(), text, answers, selected })
    }
}
