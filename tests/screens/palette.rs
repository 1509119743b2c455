//! The command palette, the footer and keys that do not apply.

use super::fixtures::*;

use glue_tui::tui::keymap::Condition;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::{Context, Screen};
use glue_tui::tui::state::App;
use glue_tui::tui::state::popup::Popup;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use glue_tui::tui::view::draw_on;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::path::PathBuf;

#[test]
fn palette_screen() {
    snapshot("palette", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, ":");
        app
    });
}

#[test]
fn palette_screen_with_a_search() {
    snapshot("palette-search", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, ":infer");
        app
    });
}

/// The lines of the screen at a size.
fn lines(app: &App) -> Vec<String> {
    text(app).lines().map(str::to_owned).collect()
}

fn selected(app: &App) -> String {
    let Some(Popup::Palette(palette)) = &app.popup else { panic!("no palette") };
    palette.selected_entry().map_or(String::new(), |entry| entry.text.clone())
}

#[test]
fn palette_runs_actions_and_shows_their_keys() {
    let mut app = app(120, 40);
    press_keys(&mut app, ":publ");
    assert_eq!(selected(&app), "compare the runs with the published results");
    assert!(lines(&app).iter().any(|line| line.contains("published results") && line.contains(" p ")));
    assert_eq!(press_keys(&mut app, "<enter>"), [Effect::LoadReproduction]);
    assert!(app.popup.is_none());
    press_keys(&mut app, "<f4>new exper<enter>");
    assert!(app.form.as_ref().is_some_and(|form| form.experiment.is_none()));
}

#[test]
fn palette_goes_to_the_screen_of_an_action() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(app.screen, Screen::Live);
    press_keys(&mut app, ":create an experiment<enter>");
    assert_eq!(app.screen, Screen::Runs);
    assert!(app.form.is_some());
    press_keys(&mut app, "<esc>2:halve<enter>");
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn palette_opens_settings_experiments_and_runs() {
    let mut app = app(120, 40);
    press_keys(&mut app, "j:lr<enter>");
    let form = app.form.as_ref().unwrap();
    assert_eq!(
        (form.name.as_str(), form.fields[field(&app, "learning_rate")].key.name),
        ("demo-pairs", "learning_rate")
    );
    assert_shows(&app, "learning_rate");
    press_keys(&mut app, "<enter>");
    assert!(app.form.as_ref().unwrap().editing.is_some(), "the cursor is on the setting");
    press_keys(&mut app, "<esc><esc>");

    let effects = press_keys(&mut app, ":start demo-pairs<enter>");
    let Some(Effect::StartTraining(TrainRequest::Spec(spec))) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(spec.experiment, "demo-pairs");
    update(&mut app, Msg::StartFailed("no".into()));
    press_keys(&mut app, "<enter>");

    let effects = press_keys(&mut app, ":open demo 0957<enter>");
    let dir = PathBuf::from("runs/demo-20261123-095711-01ab");
    assert_eq!(
        (app.screen, app.viewed.as_ref().map(|run| run.dir.clone())),
        (Screen::Live, Some(dir)),
        "{effects:?}"
    );
}

fn field(app: &App, name: &str) -> usize {
    app.form.as_ref().unwrap().fields.iter().position(|field| field.key.name == name).unwrap()
}

#[test]
fn entries_that_do_not_apply_say_why() {
    let mut app = app(120, 40);
    press_keys(&mut app, ":best model on the infer");
    assert_shows(&app, "The cursor is not on a past run.");
    assert_eq!(press_keys(&mut app, "<enter>"), []);
    assert!(app.popup.is_some() && app.notice.is_some());
    press_keys(&mut app, "<esc><end>:best model on the infer");
    assert_shows(&app, "The run has no best weights yet.");
}

#[test]
fn colon_is_text_where_text_is_typed() {
    let mut app = classifying(120, 40, "a");
    press_keys(&mut app, ":");
    assert!(app.popup.is_none());
    assert_shows(&app, "a:");
    press_keys(&mut app, "<f4>");
    assert!(matches!(app.popup, Some(Popup::Palette(_))));
    press_keys(&mut app, ":");
    assert!(matches!(app.popup, Some(Popup::Palette(_))), "a colon is text in the palette");
    press_keys(&mut app, "<f4>");
    assert!(app.popup.is_none());
    let mut app = super::app(120, 40);
    press_keys(&mut app, "/:");
    assert!(app.popup.is_none());
    assert_eq!(app.runs.filter.text(), ":");
}

#[test]
fn palette_has_every_action_setting_experiment_and_run() {
    let apps: [fn() -> App; 4] = [
        || app(120, 40),
        || training(120, 40, "demo", 200),
        || classifying(120, 40, "x"),
        || comparing(80, 24),
    ];
    for app in apps {
        let mut app = app();
        press_keys(&mut app, "<f4>");
        let Some(Popup::Palette(palette)) = &app.popup else { panic!() };
        let entries: Vec<_> = palette.found().map(|(entry, _)| entry).collect();
        for context in Context::ALL.into_iter().filter(|context| !context.is_popup()) {
            for binding in app.keymap.of(context) {
                let mut same = entries
                    .iter()
                    .filter(|entry| entry.text == binding.description && entry.group == context.heading());
                assert!(
                    same.next().is_some() && same.next().is_none(),
                    "{}: {}",
                    context.name(),
                    binding.name
                );
            }
        }
        for key in glue_tui::spec::keys() {
            assert!(entries.iter().any(|entry| entry.text == key.name), "{}", key.name);
        }
        assert!(entries.iter().any(|entry| entry.text == "start sst-distilbert"));
        assert_eq!(entries.iter().filter(|entry| entry.group == "Run").count(), app.runs.runs.len());
    }
}

#[test]
fn small_terminal_shows_the_palette() {
    let mut app = app(40, 10);
    press_keys(&mut app, ":resume the run");
    assert_shows(&app, "resume the run");
    assert_shows(&app, "The cursor is not on a past run.");
    press_keys(&mut app, "<esc>r");
    assert_shows(&app, "The cursor is not on a past run.");
}

#[test]
fn keys_that_do_not_apply_say_why() {
    let mut app = app(80, 24);
    for (keys, notice) in [
        ("r", "The cursor is not on a past run."),
        ("d", "The cursor is not on a queue entry or a past run."),
        ("h", "The queue is empty."),
        ("<end>i", "The run has no best weights yet."),
        ("e", "The cursor is not on an experiment."),
        ("4cc", "No run is marked."),
        ("2x", "The run is not being trained."),
    ] {
        press_keys(&mut app, keys);
        assert_eq!(app.notice.as_deref(), Some(notice), "{keys}");
        assert_shows(&app, notice);
    }
    press_keys(&mut app, "1");
    assert_eq!(app.notice, None, "the next key clears it");
}

#[test]
fn every_condition_has_a_sentence() {
    let app = app(80, 24);
    for context in Context::ALL {
        for binding in app.keymap.of(context).filter(|binding| binding.condition != Condition::Always) {
            if let Some(reason) = app.unmet(&[binding.condition]) {
                assert!(reason.ends_with('.') && reason.starts_with(char::is_uppercase), "{reason}");
            } else {
                assert!(app.holds(binding.condition));
            }
        }
    }
}

#[test]
fn footer_has_whole_items_at_every_width() {
    let apps: [fn(u16, u16) -> App; 4] =
        [app, |w, h| training(w, h, "demo", 200), |w, h| classifying(w, h, "x"), comparing];
    for make in apps {
        for width in 20..140 {
            let app = make(width, 24);
            let area = Rect::new(0, 0, width, 24);
            let mut buffer = Buffer::empty(area);
            draw_on(&app, area, &mut buffer);
            let footer: String = (0..width).map(|x| buffer[(x, 23)].symbol().to_owned()).collect();
            let items: Vec<&str> =
                footer.split("  ").map(str::trim).filter(|item| !item.is_empty()).collect();
            let takes_text = app.context().takes_text();
            let known = |item: &&&str| {
                let contexts = app.contexts().iter().chain([&Context::Global]);
                contexts
                    .flat_map(|context| app.keymap.of(*context))
                    .any(|binding| format!("{} {}", binding.key(THEME, takes_text), binding.label) == **item)
            };
            assert!(items.iter().all(|item| known(&item)), "{width}: {footer}");
            assert!(
                width < 40 || footer.contains("commands") && footer.contains("help"),
                "{width}: {footer}"
            );
        }
    }
}
