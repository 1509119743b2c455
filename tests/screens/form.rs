//! Tests of the form of an experiment by key presses.

use super::fixtures::*;

use glue_tui::spec::SaveTarget;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::form::FormLine;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::PathBuf;

/// Moves the cursor down to the line of a key.
fn go_to(app: &mut App, key: &str) {
    let at = |app: &App| {
        let form = app.form.as_ref().unwrap();
        match form.lines()[form.selected] {
            FormLine::Field(number) => form.fields[number].key.name,
            _ => "",
        }
    };
    for _ in 0..100 {
        if at(app) == key {
            return;
        }
        press_keys(app, "j");
    }
    panic!("no line {key}:\n{}", text(app));
}

#[test]
fn form_value_is_checked_while_typing_and_starts_without_saving() {
    let mut app = app(120, 40);
    press_keys(&mut app, "e");
    go_to(&mut app, "learning_rate");
    press_keys(&mut app, "<enter><^u>fast");
    assert_shows(&app, "expected a number above 0 and at most 1");
    press_keys(&mut app, "<enter>2");
    assert_shows(&app, "found `fast2`");
    assert_eq!(press_keys(&mut app, "<^r>"), []);
    assert_shows(&app, "Some values are invalid");
    press_keys(&mut app, "<enter><enter><^u>3e-5<enter>");
    assert_shows(&app, "was 5e-4");
    let changes = vec![("learning_rate", "3e-5".to_string())];
    let started =
        Effect::StartTraining(TrainRequest::Changed { name: "demo".into(), changes: changes.clone() });
    assert_eq!(press_keys(&mut app, "<^r>"), [started]);
    assert_eq!(press_keys(&mut app, "<esc>"), []);
    assert_shows(&app, "Unsaved changes");
    assert_eq!(
        press_keys(&mut app, "s"),
        [Effect::SaveExperiment { name: "demo".into(), changes, target: SaveTarget::Local }]
    );
    update(&mut app, Msg::ExperimentSaved { name: "demo".into(), path: "/data/experiments.toml".into() });
    assert!(app.form.is_none());
    assert_shows(&app, "demo is saved in /data/experiments.toml");
}

#[test]
fn form_changes_are_kept_until_discarded() {
    let mut app = app(120, 40);
    press_keys(&mut app, "n<down><enter>-x<enter>");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x");
    press_keys(&mut app, "2");
    press_keys(&mut app, "1");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x", "switching screens keeps the form");
    press_keys(&mut app, "<esc><esc>");
    assert!(app.form.is_some(), "esc asks, a second esc cancels");
    assert_eq!(press_keys(&mut app, "q"), []);
    assert_shows(&app, "discard the changes and quit");
    press_keys(&mut app, "k<esc>d");
    assert!(app.form.is_none());
}

#[test]
fn a_new_experiment_is_saved_to_the_file_of_choice() {
    let mut app = app(120, 40);
    let own = PathBuf::from("/home/a/.config/glue-tui/experiments.toml");
    let targets = vec![(SaveTarget::Local, "experiments.toml".into()), (SaveTarget::User, own)];
    update(&mut app, Msg::ExperimentFiles { errors: Vec::new(), targets });
    let effects = press_keys(&mut app, "ns");
    assert!(matches!(&effects[..], [Effect::CheckForm(_)]), "nothing is saved yet: {effects:?}");
    assert_shows(&app, "/home/a/.config/glue-tui/experiments.toml");
    let effects = press_keys(&mut app, "c");
    assert!(
        matches!(effects.last(), Some(Effect::SaveExperiment { target: SaveTarget::User, .. })),
        "{effects:?}"
    );
    let effects = press_keys(&mut app, "<esc>es");
    assert!(
        matches!(effects.last(), Some(Effect::SaveExperiment { .. })),
        "it is saved to its own file: {effects:?}"
    );
}

#[test]
fn copy_has_the_values_of_the_original() {
    let mut app = app(120, 40);
    press_keys(&mut app, "jjc");
    let effects = press_keys(&mut app, "s");
    let Some(Effect::SaveExperiment { name, changes, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(name, "sst-distilbert-2");
    assert!(changes.contains(&("repeats", "8".into())), "{changes:?}");
    assert!(!changes.iter().any(|(key, _)| *key == "seed"), "{changes:?}");
}

#[test]
fn keys_of_custom_data_are_typed_or_chosen() {
    let mut app = app(120, 40);
    press_keys(&mut app, "e");
    assert!(!app.form.as_ref().unwrap().lines().iter().any(|line| {
        matches!(line, FormLine::Field(number) if app.form.as_ref().unwrap().fields[*number].key.name == "delimiter")
    }));
    go_to(&mut app, "task");
    press_keys(&mut app, "<enter>custom<enter>");
    for (key, choice) in [("problem_type", "multi"), ("has_header", "false"), ("stratify", "false")] {
        press_keys(&mut app, "<home>");
        go_to(&mut app, key);
        press_keys(&mut app, "<enter>");
        press_keys(&mut app, choice);
        press_keys(&mut app, "<enter>");
    }
    for (key, invalid, error, rest) in [
        ("label_column", "[]", "expected", "<backspace>\"a\", \"b\"]"),
        ("delimiter", "t", "expected one character", "ab"),
        ("label_map", "good", "expected label names", "=positive"),
        ("class_weights", "balance", "expected balanced", "d"),
    ] {
        press_keys(&mut app, "<home>");
        go_to(&mut app, key);
        press_keys(&mut app, "<enter><^u>");
        press_keys(&mut app, invalid);
        assert_shows(&app, error);
        press_keys(&mut app, rest);
        press_keys(&mut app, "<enter>");
    }
    let effects = press_keys(&mut app, "s");
    let Some(Effect::SaveExperiment { changes, .. }) = effects.last() else { panic!("{}", text(&app)) };
    let changed = |key: &str| changes.iter().find(|change| change.0 == key).map(|change| change.1.as_str());
    for (key, value) in [
        ("problem_type", "multi_label_classification"),
        ("has_header", "false"),
        ("stratify", "false"),
        ("label_column", "[\"a\", \"b\"]"),
        ("delimiter", "tab"),
        ("label_map", "good=positive"),
        ("class_weights", "balanced"),
    ] {
        assert_eq!(changed(key), Some(value), "{key}");
    }
}
