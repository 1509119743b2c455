//! Snapshots of the dialogs that a few keys open.

use super::fixtures::*;
use super::glue::scoreboard;
use super::queue::training_queue;

use glue_tui::spec::SaveTarget;
use glue_tui::tui::msg::Msg;
use glue_tui::tui::state::App;
use glue_tui::tui::update::update;

/// A dialog: the name of its snapshot, the screen before, and the keys that open it.
type Dialog = (&'static str, fn(u16, u16) -> App, &'static str);

pub(crate) const DIALOGS: [Dialog; 17] = [
    ("stop", run_in_training, "x"),
    ("stop-with-queue", with_queue, "x"),
    ("quit-with-queue", with_queue, "q"),
    ("train-while-training", run_in_training, "1<enter>"),
    ("delete", app, "<tab>d"),
    ("rename", app, "<tab>jR"),
    ("tags", app, "<tab>jt"),
    ("export-run", app, "<tab>jE"),
    ("export-curves", comparing, "E"),
    ("export-submission", scoreboard, "E"),
    ("export-split", app, "<tab>jEsplit<enter>"),
    ("push", app, "<tab>jEpush<enter>me/my-model<enter>"),
    ("value", app, "ejjjjjjj<enter>"),
    ("unsaved", changed_form, "<esc>"),
    ("unsaved-at-quit", changed_form, "q"),
    ("save", new_form, "s"),
    ("infer-model", app, "3<^o>"),
];

#[test]
fn dialogs() {
    for (name, build, keys) in DIALOGS {
        snapshot(name, |width, height| {
            let mut app = build(width, height);
            press_keys(&mut app, keys);
            app
        });
    }
}

fn run_in_training(width: u16, height: u16) -> App {
    training(width, height, "demo", 330)
}

/// A run that is being trained, and two that wait.
fn with_queue(width: u16, height: u16) -> App {
    let mut app = training_queue(width, height, &["demo", "demo", "sst-distilbert"]);
    press_keys(&mut app, "2");
    app
}

/// The form of an experiment with a changed value.
fn changed_form(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    press_keys(&mut app, "ejjjjjjj<enter><^u>3e-4<enter>");
    app
}

/// The form of a new experiment, which can be saved to two files.
fn new_form(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let targets = vec![
        (SaveTarget::Local, "experiments.toml".into()),
        (SaveTarget::User, "/home/ada/.config/glue-tui/experiments.toml".into()),
    ];
    update(&mut app, Msg::ExperimentFiles { errors: Vec::new(), targets });
    press_keys(&mut app, "n");
    app
}
