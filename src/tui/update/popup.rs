//! Actions of popups.

use super::list::moved;
use super::{help, palette, path_choice, queue};
use crate::tui::action::{Action, FilterAction, ListAction, PopupAction, RunsAction};
use crate::tui::layout::message_width;
use crate::tui::msg::Effect;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::form::Form;
use crate::tui::state::help::HelpState;
use crate::tui::state::palette::Target;
use crate::tui::state::popup::{Item, Popup, Purpose, Question, Reply};
use crate::tui::state::quitting::Quitting;
use crate::tui::state::run::Discard;
use crate::tui::widgets::text_field::Edit;
use crate::tui::widgets::wrap;

/// The result of an action of a popup.
pub(super) enum Outcome {
    /// Nothing.
    Nothing,
    /// The answer to a question.
    Reply(Reply),
    /// A chosen value.
    Choice(Purpose, String),
    /// A chosen entry of the command palette.
    Target(Target),
    /// Another folder is listed.
    Folder,
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: PopupAction) -> Outcome {
    match action {
        PopupAction::Accept => accept(app),
        PopupAction::Cancel => {
            cancel(app);
            Outcome::Nothing
        }
        PopupAction::Answer(number) => answer(app, number),
        PopupAction::Select(line) => select(app, line),
        PopupAction::Complete => Outcome::Nothing,
    }
}

fn accept(app: &mut App) -> Outcome {
    match &app.popup {
        Some(Popup::Question(question)) => {
            let number = question.selected;
            answer(app, number)
        }
        Some(Popup::Choice(_)) => accept_choice(app),
        Some(Popup::Palette(_)) => palette::accept(app).map_or(Outcome::Nothing, Outcome::Target),
        Some(Popup::Message { .. } | Popup::Help(_)) => {
            app.popup = None;
            Outcome::Nothing
        }
        None => Outcome::Nothing,
    }
}

/// Chooses the item under the cursor; looks into a folder that is not what is wanted.
fn accept_choice(app: &mut App) -> Outcome {
    let Some(Popup::Choice(choice)) = &mut app.popup else { return Outcome::Nothing };
    let (purpose, chosen) = (choice.purpose, choice.visible_items().get(choice.selected).cloned());
    let Some(Item { value, .. }) = chosen else { return Outcome::Nothing };
    let Some(paths) = &choice.paths else {
        app.popup = None;
        return Outcome::Choice(purpose, value);
    };
    if paths.is_inner_folder(choice.typed.text(), &value) {
        path_choice::enter(choice, &value);
        return Outcome::Folder;
    }
    app.popup = None;
    // The slash of a folder is no part of its path, except for that of the root.
    let path = value.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(&value);
    Outcome::Choice(purpose, path.to_string())
}

/// Closes the popup, or clears the search of the help.
fn cancel(app: &mut App) {
    match &mut app.popup {
        Some(Popup::Help(help)) if !help.search.text().is_empty() => *help = HelpState::default(),
        popup => *popup = None,
    }
}

fn answer(app: &mut App, number: usize) -> Outcome {
    let Some(Popup::Question(question)) = &app.popup else { return Outcome::Nothing };
    let reply = question.answers.get(number).map_or(Reply::Nothing, |answer| answer.reply.clone());
    app.popup = None;
    Outcome::Reply(reply)
}

fn select(app: &mut App, line: usize) -> Outcome {
    match &mut app.popup {
        Some(Popup::Choice(choice)) if line == choice.selected => accept(app),
        Some(Popup::Choice(choice)) => {
            choice.selected = line.min(choice.visible_items().len().saturating_sub(1));
            Outcome::Nothing
        }
        Some(Popup::Palette(palette)) if line == palette.selected => accept(app),
        Some(Popup::Palette(palette)) => {
            palette.selected = line.min(palette.count().saturating_sub(1));
            Outcome::Nothing
        }
        Some(Popup::Question(question)) if line < question.answers.len() => answer(app, line),
        Some(Popup::Question(_) | Popup::Message { .. } | Popup::Help(_)) | None => Outcome::Nothing,
    }
}

/// Opens the help, or closes it or a message.
pub(super) fn toggle_help(app: &mut App) {
    match &app.popup {
        None | Some(Popup::Palette(_)) => app.popup = Some(Popup::Help(HelpState::default())),
        Some(Popup::Message { .. } | Popup::Help(_)) => app.popup = None,
        Some(Popup::Question(_) | Popup::Choice(_)) => {}
    }
}

/// Moves the cursor, or scrolls.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    if let Some(Popup::Help(help)) = &app.popup {
        let mut help = help.clone();
        help::scroll(app, &mut help, action);
        app.popup = Some(Popup::Help(help));
        return;
    }
    let last = last_scroll(app);
    match &mut app.popup {
        Some(Popup::Question(Question { selected, answers, .. })) => {
            *selected = moved(*selected, answers.len(), action);
        }
        Some(Popup::Choice(choice)) => {
            choice.selected = moved(choice.selected, choice.visible_items().len(), action);
        }
        Some(Popup::Palette(palette)) => palette::move_cursor(palette, action),
        Some(Popup::Message { first, .. }) => *first = moved(*first, last + 1, action),
        Some(Popup::Help(_)) | None => {}
    }
}

/// The last line of a message that can be scrolled to the top.
fn last_scroll(app: &App) -> usize {
    let (width, height) = app.size;
    let Some(Popup::Message { text, .. }) = &app.popup else { return 0 };
    wrap(&text.text(app.theme), message_width(width))
        .len()
        .saturating_sub(height.saturating_sub(4).max(1) as usize)
}

/// Applies an action of the filter to the help, the only popup that has one.
pub(super) fn filter(app: &mut App, action: FilterAction) {
    if let Some(Popup::Help(help)) = &mut app.popup {
        help::filter(help, action);
    }
}

/// Types into the popup.
pub(super) fn type_in(app: &mut App, edit: &Edit) {
    match &mut app.popup {
        Some(Popup::Choice(choice)) => {
            if choice.typed.edit(edit) {
                choice.selected = 0;
            }
        }
        Some(Popup::Palette(palette)) => palette.edit(edit),
        Some(Popup::Help(help)) => help::type_in(help, edit),
        Some(Popup::Message { .. } | Popup::Question(_)) | None => {}
    }
}

/// Asks before quitting while a run is being trained or a form is changed; quits at once otherwise.
pub(super) fn ask_to_quit(app: &mut App) -> Vec<Effect> {
    if !app.is_training() {
        if app.form.as_ref().is_some_and(Form::is_changed) {
            app.popup = Some(Popup::question(
                "Unsaved changes",
                "The changes in the form are not saved to the experiments file.".into(),
                vec![
                    ('q', "discard the changes and quit", Reply::Quit),
                    ('k', "keep editing", Reply::Nothing),
                ],
            ));
            return Vec::new();
        }
        return vec![Effect::Quit];
    }
    if app.quitting == Quitting::AfterHandOver {
        return Vec::new();
    }
    if app.is_run_ending() && app.runs.queue.list.entries.is_empty() {
        return vec![Effect::Quit];
    }
    if app.training.as_ref().is_some_and(|run| run.discard == Discard::Requested) {
        return vec![Effect::Quit];
    }
    let is_asked =
        |question: &Question| question.answers.iter().any(|answer| answer.reply == Reply::HandOver);
    if matches!(&app.popup, Some(Popup::Question(question)) if is_asked(question)) {
        app.popup = None;
        return queue::hold_before(app, vec![Effect::Quit]);
    }
    let [hold, resume] = [RunsAction::ToggleHold, RunsAction::Resume]
        .map(|action| app.key(Context::Screen(Screen::Runs), Action::Runs(action)));
    let (kept, held) = match app.runs.queue.list.entries.len() {
        0 => ("", String::new()),
        _ => (
            " and the queue",
            format!(" The queue is held when the run is stopped; `{hold}` on the Runs screen resumes it."),
        ),
    };
    app.popup = Some(Popup::question(
        "A run is being trained",
        format!(
            "The training{kept} can continue in the background: the next glue-tui here shows it. Or stop it; `{resume}` on \
             the Runs screen resumes it.{held}"
        ),
        vec![
            ('b', "keep training in the background, and quit", Reply::HandOver),
            ('s', "stop and save, then quit", Reply::StopAndQuit),
            ('k', "cancel", Reply::Nothing),
        ],
    ));
    Vec::new()
}
