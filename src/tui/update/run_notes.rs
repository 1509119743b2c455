//! Names, tags and notes of runs, and pruning.

use crate::format;
use crate::run::{NotesEdit, PruneScope, RunRow, RunStatus};
use crate::text::plural;
use crate::tui::action::NotesPart;
use crate::tui::msg::{Effect, PruneResult};
use crate::tui::state::App;
use crate::tui::state::popup::{Choice, Item, Popup, Purpose, Reply};
use crate::tui::widgets::text_field::TextField;
use std::path::PathBuf;

/// Asks for a part of the notes of the run under the cursor.
pub(super) fn ask(app: &mut App, part: NotesPart) {
    let Some(run) = app.runs.run().filter(|run| run.problem.is_none()) else { return };
    let notes = &run.notes;
    let (title, typed, nothing, free_text) = match part {
        NotesPart::Name => ("Name", notes.display_name.clone(), "no name: the folder's is shown", "the name"),
        NotesPart::Tags => ("Tags", Some(notes.tags_text()), "no tags", "the tags, separated by spaces"),
        NotesPart::Note => ("Note", notes.note.clone(), "no note", "the note"),
    };
    let choice = Choice {
        title: format!("{title} of {}", run.name),
        items: vec![Item { value: String::new(), note: nothing.into() }],
        free_text: Some(free_text),
        typed: TextField::new(&typed.unwrap_or_default()),
        selected: 0,
        purpose: Purpose::Notes(part),
        paths: None,
    };
    app.runs.noted = Some(run.dir.clone());
    app.popup = Some(Popup::Choice(choice));
}

/// Takes a part of the notes.
pub(super) fn choose(app: &mut App, part: NotesPart, text: &str) -> Vec<Effect> {
    let Some(dir) = app.runs.noted.take() else { return Vec::new() };
    let edit = match part {
        NotesPart::Name => NotesEdit::Name(text.into()),
        NotesPart::Tags => NotesEdit::Tags(text.into()),
        NotesPart::Note => NotesEdit::Note(text.into()),
    };
    let is_experiment =
        part == NotesPart::Name && app.runs.experiments.iter().any(|row| row.name == text.trim());
    let problem = match edit.check() {
        Ok(()) if is_experiment => {
            Some(format!("{} is the name of an experiment; choose another.", text.trim()))
        }
        checked => checked.err().map(|problem| format!("{problem}.")),
    };
    match problem {
        Some(problem) => {
            app.show_error("This text is not valid", problem);
            Vec::new()
        }
        None => vec![Effect::EditNotes(dir, edit)],
    }
}

/// The size of the checkpoints that pruning removes.
fn prunable_bytes(run: &RunRow) -> u64 {
    run.disk.map_or(0, |disk| disk.prunable_bytes)
}

/// Asks whether to remove the checkpoints of the run under the cursor, or of all visible finished runs.
pub(super) fn ask_to_prune(app: &mut App) {
    let runs = &app.runs;
    let finished =
        |run: &&RunRow| run.prune_refusal(PruneScope::Finished).is_none() && prunable_bytes(run) > 0;
    let all: Vec<&RunRow> = runs.visible_runs().filter(finished).collect();
    let scoped = |run: &RunRow, scope| -> (PathBuf, PruneScope) { (run.dir.clone(), scope) };
    let mut text = String::from("Removes checkpoints. Best weights, logs, settings and predictions stay.");
    let mut answers = Vec::new();
    if let Some(run) = runs.run() {
        let bytes = format::bytes(prunable_bytes(run));
        text += &match run.prune_refusal(PruneScope::Named) {
            Some(why) => format!("\n\n{} {why}.", run.display_name()),
            None if run.disk.is_none() => {
                format!("\n\nThe disk space of {} is being measured.", run.display_name())
            }
            None if prunable_bytes(run) == 0 => format!("\n\n{} has no checkpoints.", run.display_name()),
            None => {
                answers.push(('p', "prune this run", Reply::Prune(vec![scoped(run, PruneScope::Named)])));
                format!("\n\n{}: frees {bytes}.{}", run.display_name(), lost(run))
            }
        };
    }
    if !all.is_empty() {
        let bytes = all.iter().map(|run| prunable_bytes(run)).sum();
        let (count, bytes) = (plural(all.len() as u64, "finished run"), format::bytes(bytes));
        let shown = if runs.filter.filter().is_empty() { "" } else { " that the filter shows" };
        text += &format!("\n\nAll: {count}{shown}, frees {bytes}.");
        let runs = all.iter().map(|run| scoped(run, PruneScope::Finished)).collect();
        answers.push(('a', "prune all finished runs", Reply::Prune(runs)));
    }
    app.popup = Some(if answers.is_empty() {
        if runs.run().is_none() {
            text = "No finished run has checkpoints.".into();
        }
        Popup::message("Nothing to prune", text)
    } else {
        answers.push(('k', "cancel", Reply::Nothing));
        Popup::question("Free disk space", text, answers)
    });
}

/// What a run loses with its checkpoints.
fn lost(run: &RunRow) -> &'static str {
    match (run.status, run.has_best_weights) {
        (RunStatus::Finished, true) => "",
        (RunStatus::Finished, false) => " It has no best weights: its only weights are in them.",
        (_, true) => " It is not finished: when resumed, it starts again from step 0.",
        (_, false) => " It is not finished and has no best weights: all its work is lost.",
    }
}

/// Shows what pruning freed.
pub(super) fn pruned(app: &mut App, result: &PruneResult) -> Vec<Effect> {
    let bytes = format::bytes(result.freed.iter().sum());
    app.notice = Some(format!("freed {bytes} in {}", plural(result.freed.len() as u64, "run")));
    if !result.errors.is_empty() {
        app.show_error("Some runs were not pruned", result.errors.join("\n"));
    }
    vec![Effect::Refresh]
}
