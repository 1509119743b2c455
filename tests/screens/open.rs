//! The Open screen, and lists of paths.

use super::fixtures::*;

use glue_tui::data::Preview;
use glue_tui::files::FolderEntry;
use glue_tui::run::check::ValueCheck;
use glue_tui::run::profile::DataProfile;
use glue_tui::run::suggestions::{ModelOption, ModelPlace, Suggestions};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::form::FormCheck;
use glue_tui::tui::state::path_choice::{PathEntry, PathKind};
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Reviews with column names in another language, word labels, a date and an id.
fn reviews(rows: usize) -> String {
    let texts = [
        ("froh", "das Essen kam heiss und schnell, alle waren zufrieden"),
        ("sauer", "nach einer Stunde war immer noch niemand am Tisch"),
        ("neutral", "ein Lokal wie viele andere in der Stadt"),
        ("froh", "sehr freundlich"),
        ("sauer", "kalt, teuer und laut"),
    ];
    let row = |n: usize| {
        let (mood, text) = texts[n % texts.len()];
        let comma = if n % 7 == 3 { String::new() } else { format!(", Besuch {}", n / 5) };
        format!("{};2026-0{}-1{};{mood};\"{text}{comma}\";{}\n", 1000 + n, 1 + n % 9, n % 9, n % 2)
    };
    let rows: String = (0..rows).map(row).collect();
    format!("Nr;Tag;Stimmung;Kundenmeinung;Stammgast\n{rows}")
}

/// The app with the screen on `path`, which has been read, but not profiled.
fn opened(width: u16, height: u16, path: &Path) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "o");
    assert_eq!(effects[0], Effect::ListSuggestions);
    let shown = path.display().to_string();
    paste(&mut app, &shown);
    let effects = press_keys(&mut app, "<enter>");
    assert_eq!(effects, [Effect::ListSuggestions, Effect::Preview(path.into())]);
    read(&mut app, path);
    app
}

fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    update(app, Msg::Edit(glue_tui::tui::widgets::text_field::Edit::Insert(text.into())))
}

fn read(app: &mut App, path: &Path) -> Vec<Effect> {
    let result = Preview::read(path, &AtomicBool::new(false)).map_err(|error| error.to_string());
    update(app, Msg::Previewed { path: path.into(), result })
}

/// Profiles the data that the screen asks for.
fn profile(app: &mut App, effects: &[Effect]) {
    let Some(Effect::ProfileData(spec)) = effects.last() else { panic!("{effects:?}") };
    let result = DataProfile::read(spec, &AtomicBool::new(false)).map_err(|error| error.to_string());
    update(app, Msg::DataProfiled { spec: spec.clone(), result });
}

/// The app on a file of reviews, completely read. The path is replaced, so that snapshots do not depend on it.
fn on_reviews(width: u16, height: u16) -> App {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kunden.csv");
    std::fs::write(&path, reviews(120)).unwrap();
    let mut app = app(width, height);
    update_open(&mut app, &path);
    let effects = read(&mut app, &path);
    profile(&mut app, &effects);
    replace_path(&mut app, "daten/kunden.csv");
    app
}

fn update_open(app: &mut App, path: &Path) {
    press_keys(app, "o");
    paste(app, &path.display().to_string());
    press_keys(app, "<enter>");
}

/// Replaces the path of the screen and of its profile.
fn replace_path(app: &mut App, path: &str) {
    let Some(Ok(preview)) = &mut app.open.result else { panic!("no preview") };
    preview.path = path.into();
    preview.notes.clear();
}

#[test]
fn open_screen() {
    snapshot("open", on_reviews);
}

#[test]
fn open_screen_with_an_error() {
    snapshot("open-error", |width, height| {
        let mut app = app(width, height);
        let path = PathBuf::from("daten/kunden.xlsx");
        update_open(&mut app, &path);
        let result = Err("daten/kunden.xlsx: is a workbook of a spreadsheet; save the sheet as CSV".into());
        update(&mut app, Msg::Previewed { path, result });
        app
    });
}

#[test]
fn list_of_paths() {
    snapshot("open-paths", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "o");
        let suggestions = Suggestions { data: vec!["data/SST-2".into()], ..Suggestions::default() };
        update(&mut app, Msg::SuggestionsListed(suggestions));
        update(
            &mut app,
            listing("", &[("bilder/", ""), ("kunden.csv", "CSV, 9.1 kB"), ("SST/", "files of task sst")]),
        );
        app
    });
}

fn listing(folder: &str, names: &[(&str, &str)]) -> Msg {
    let entry = |(name, note): &(&str, &str)| PathEntry {
        entry: FolderEntry {
            name: name.trim_end_matches('/').into(),
            is_folder: name.ends_with('/'),
            bytes: 1,
        },
        is_wanted: !note.is_empty(),
        note: (*note).to_string(),
    };
    Msg::FolderListed { folder: folder.into(), entries: names.iter().map(entry).collect() }
}

#[test]
fn enter_trains_on_the_guessed_columns_with_settings_that_fit() {
    let mut app = on_reviews(120, 40);
    for expected in ["kunden.csv", "[text]", "[label]", "3 classes", "froh", "duplicate", "5e-4"] {
        assert_shows(&app, expected);
    }
    let effects = press_keys(&mut app, "<enter>");
    let [Effect::StartTraining(TrainRequest::Changed { name, changes })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(name, "kunden");
    let changed = |key: &str| changes.iter().find(|change| change.0 == key).map(|change| change.1.as_str());
    assert_eq!(
        ["task", "text_column", "label_column", "model", "learning_rate"].map(|key| changed(key).unwrap()),
        ["custom", "Kundenmeinung", "Stimmung", "demo", "5e-4"]
    );
    assert!(changed("train_file").unwrap().ends_with("kunden.csv"));
    assert_eq!((changed("text_pair_column"), changed("validation_file")), (None, None));
}

#[test]
fn columns_are_changed_with_the_rows_in_view() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kunden.csv");
    std::fs::write(&path, reviews(60)).unwrap();
    let mut app = opened(100, 30, &path);
    let column = |app: &App| app.open.column_name().unwrap().to_string();
    assert_eq!(column(&app), "Kundenmeinung", "the cursor is on the text");
    let effects = press_keys(&mut app, "<right>l");
    assert_eq!(
        (column(&app), &app.open.roles.labels[..]),
        ("Stammgast".into(), &["Stammgast".to_string()][..])
    );
    profile(&mut app, &effects);
    assert_shows(&app, "2 classes");
    press_keys(&mut app, "<left><left>p");
    assert_eq!(app.open.roles.text_pair.as_deref(), Some("Stimmung"));
    press_keys(&mut app, "p");
    assert_eq!(app.open.roles.text_pair, None, "pressed again, it is none");
    press_keys(&mut app, "t");
    assert_eq!(app.open.roles.text.as_deref(), Some("Stimmung"));
    press_keys(&mut app, "l");
    assert_eq!(
        (app.open.roles.text.clone(), &app.open.roles.labels[..]),
        (None, &["Stimmung".to_string()][..])
    );
    assert_eq!(press_keys(&mut app, "<enter>"), []);
    assert_shows(&app, "No column is the text");
    press_keys(&mut app, "<enter><right>t<enter>");
    assert!(app.is_starting);
}

#[test]
fn experiment_is_saved_or_edited_instead() {
    let mut app = on_reviews(120, 40);
    let effects = press_keys(&mut app, "s");
    let [Effect::SaveExperiment { name, changes, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(name == "kunden" && changes.contains(&("label_column", "Stimmung".into())), "{changes:?}");
    let effects = press_keys(&mut app, "e");
    assert!(
        matches!(&effects[..], [Effect::CheckForm(values)] if values.contains(&("text_column", "Kundenmeinung".into())))
    );
    assert_eq!((app.screen, app.form.as_ref().unwrap().name.as_str()), (Screen::Runs, "kunden"));
    let mut app = on_reviews(120, 40);
    let path = PathBuf::from("/data/experiments.toml");
    update(&mut app, Msg::ExperimentSaved { name: "kunden".into(), path });
    assert_eq!(app.screen, Screen::Runs);
    assert_shows(&app, "kunden is saved in /data/experiments.toml");
}

#[test]
fn model_is_chosen_from_those_at_hand() {
    let mut app = on_reviews(120, 40);
    let folder = ModelOption {
        id: "~/models/minilm".into(),
        note: "used by an earlier run".into(),
        place: ModelPlace::Folder,
    };
    let demo = ModelOption { id: "demo".into(), note: String::new(), place: ModelPlace::BuiltIn };
    let effects = update(
        &mut app,
        Msg::SuggestionsListed(Suggestions { models: vec![demo, folder], data: Vec::new() }),
    );
    assert!(
        matches!(&effects[..], [Effect::ProfileData(spec)] if spec.model == "~/models/minilm"),
        "{effects:?}"
    );
    assert_shows(&app, "~/models/minilm");
    press_keys(&mut app, "mdem<enter>");
    assert_eq!(app.open_model(), "demo");
    let effects = press_keys(&mut app, "m<^u>./mod");
    assert_eq!(effects.last(), Some(&Effect::ListFolder { folder: "./".into(), kind: PathKind::Model }));
    update(&mut app, listing("./", &[("models/", ""), ("modell/", "folder with a model")]));
    press_keys(&mut app, "<tab>");
    press_keys(&mut app, "<tab><enter>");
    assert_eq!(app.open_model(), "./modell");
}

#[test]
fn tab_completes_and_enter_looks_into_folders() {
    let mut app = app(100, 30);
    let effects = press_keys(&mut app, "o");
    assert_eq!(effects.last(), Some(&Effect::ListFolder { folder: String::new(), kind: PathKind::Data }));
    update(
        &mut app,
        listing("", &[("bilder/", ""), ("kunden-a.csv", "CSV"), ("kunden-b.csv", "CSV"), ("rest/", "")]),
    );
    press_keys(&mut app, "k<tab>");
    assert_shows(&app, "kunden-");
    assert_eq!(
        press_keys(&mut app, "b<tab><enter>"),
        [Effect::ListSuggestions, Effect::Preview("kunden-b.csv".into())]
    );
    press_keys(&mut app, "o");
    update(&mut app, listing("", &[("rest/", "")]));
    let effects = press_keys(&mut app, "<enter>");
    assert_eq!(effects, [Effect::ListFolder { folder: "rest/".into(), kind: PathKind::Data }]);
    update(&mut app, listing("rest/", &[("neu/", "folder with train, test")]));
    assert_eq!(press_keys(&mut app, "<enter>").last(), Some(&Effect::Preview("rest/neu".into())));
    let home = std::env::home_dir().unwrap();
    assert_eq!(
        press_keys(&mut app, "o<^u>~/none.csv<enter>").last(),
        Some(&Effect::Preview(home.join("none.csv")))
    );
}

#[test]
fn form_offers_paths_and_columns_and_checks_values_when_they_are_left() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "n");
    assert!(matches!(&effects[..], [Effect::CheckForm(_)]), "{effects:?}");
    let go_to = |app: &mut App, key: &str| {
        press_keys(app, "<home>");
        for _ in 0..100 {
            let form = app.form.as_ref().unwrap();
            let line = form.lines()[form.selected];
            if matches!(line, glue_tui::tui::state::form::FormLine::Field(n) if form.fields[n].key.name == key)
            {
                return;
            }
            press_keys(app, "j");
        }
        panic!("no line {key}");
    };
    go_to(&mut app, "task");
    press_keys(&mut app, "<enter>custom<enter>");
    go_to(&mut app, "train_file");
    let effects = press_keys(&mut app, "<enter>");
    assert_eq!(effects.last(), Some(&Effect::ListFolder { folder: String::new(), kind: PathKind::DataFile }));
    update(&mut app, listing("", &[("kunden.csv", "CSV")]));
    let effects = press_keys(&mut app, "ku<tab><enter>");
    let Some(Effect::CheckForm(values)) = effects.last() else { panic!("{effects:?}") };
    assert!(values.contains(&("train_file", "kunden.csv".into())));
    let problem =
        "kunden.csv: has no column label; set label_column; the columns are Stimmung, Kundenmeinung";
    let check = ValueCheck {
        problems: vec![("label_column", problem.into())],
        columns: vec!["Stimmung".into(), "Kundenmeinung".into()],
    };
    update(&mut app, Msg::FormChecked(FormCheck { values: values.clone(), check }));
    go_to(&mut app, "label_column");
    assert_shows(&app, "has no column label");
    press_keys(&mut app, "<enter>");
    assert_shows(&app, "Kundenmeinung");
    press_keys(&mut app, "Stim<enter>");
    assert!(!text(&app).contains("has no column label"), "the value that was checked is another one");
}

#[test]
fn open_screen_is_drawn_at_every_size_and_in_ascii() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let names: Vec<String> = (0..40).map(|n| format!("col\u{1b}[31m{n}日本")).collect();
    let cells = vec!["日本語の映画は\u{1b}[31m x"; 40].join(",");
    std::fs::write(&path, format!("{}\n{}", names.join(","), format!("{cells}\n").repeat(30))).unwrap();
    let hostile = opened(120, 40, &path);
    for mut app in [on_reviews(120, 40), hostile] {
        for column in [0, 3, 39] {
            app.open.column = column;
            for width in [1, 20, 40, 60, 80, 109, 120, 200] {
                for height in [1, 3, 10, 15, 24, 50] {
                    app.size = (width, height);
                    assert!(!text(&app).contains('\u{1b}'));
                }
            }
        }
    }
    let mut app = on_reviews(120, 40);
    app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
    let drawn = text(&app);
    assert!(drawn.is_ascii(), "{drawn}");
}
