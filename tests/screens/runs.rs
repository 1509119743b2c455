//! Tests of the Runs screen: its panes, notes, filter and pruning.

use super::fixtures::*;

use glue_tui::run::{DiskUse, NotesEdit, PruneScope, RunNotes, RunRow, RunStatus};
use glue_tui::tui::msg::{Effect, Msg, PruneResult};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::update::update;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A hundred runs of one experiment, each a minute older than the one before.
fn hundred() -> Vec<RunRow> {
    let one = |number: u32| RunRow {
        started: STARTED_AT - 60.0 * f64::from(number),
        ..run(
            &format!("demo-20261123-1000{:02}-{number:04x}", number % 60),
            "demo",
            RunStatus::Finished,
            Some(0.9),
            5,
            5,
        )
    };
    (0..100).map(one).collect()
}

fn list(app: &mut App, runs: Vec<RunRow>) {
    update(app, Msg::Listed { experiments: Ok(experiments()), runs });
}

/// The line of the screen that contains `text`.
#[track_caller]
fn line_with(app: &App, part: &str) -> String {
    let text = text(app);
    let line = text.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("no {part:?} in\n{text}")).to_string()
}

#[test]
fn past_run_with_a_failure() {
    snapshot("runs-failed", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "<end>");
        app
    });
}

#[test]
fn hundred_runs_of_one_name() {
    snapshot("runs-hundred", |width, height| {
        let mut app = app(width, height);
        list(&mut app, hundred());
        press_keys(&mut app, "<tab>jjjj");
        app
    });
}

#[test]
fn filter_with_an_invalid_term() {
    snapshot("runs-filter", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "/#paper acuracy>0.9");
        app
    });
}

#[test]
fn question_before_pruning() {
    snapshot("runs-prune", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "<tab>jjP");
        app
    });
}

#[test]
fn note_of_a_run() {
    snapshot("runs-note", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "<tab>jNdiverged without warmup");
        app
    });
}

#[test]
fn runs_of_one_name_are_told_apart_at_every_size() {
    for (width, height, visible) in
        [(40, 10, 4), (60, 15, 2), (80, 24, 5), (100, 30, 15), (120, 40, 25), (200, 60, 40)]
    {
        let mut app = app(width, height);
        list(&mut app, hundred());
        press_keys(&mut app, "<tab>");
        let text = text(&app);
        let mut ids: BTreeSet<usize> = BTreeSet::new();
        for line in text.lines().filter(|line| line.contains("demo")) {
            let is_shown =
                |id: &usize| [' ', '-'].iter().any(|before| line.contains(&format!("{before}{id:04x} ")));
            ids.extend((0..100).find(is_shown));
        }
        assert!(ids.len() >= visible, "{width}x{height}: {ids:?}\n{text}");
    }
}

#[test]
fn status_is_never_cut() {
    for (width, height) in [(40, 10), (80, 24), (100, 30), (120, 40)] {
        let mut app = app(width, height);
        press_keys(&mut app, "<tab>");
        let text = text(&app);
        for (name, words) in [(" 99c0 ", ["stopped"].as_slice()), (" 7f3a ", &["finished", "✓"])] {
            let line = line_with(&app, name);
            assert!(words.iter().any(|word| line.contains(word)), "{width}x{height}\n{text}");
        }
    }
}

#[test]
fn details_show_settings_changes_and_the_reason_of_a_failure() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut app = app(width, height);
        press_keys(&mut app, "<tab>j");
        assert_shows(&app, "learning_rate 5e-4 → 2.5e-4 @120");
        assert_shows(&app, "num_train_epochs 5");
        press_keys(&mut app, "<end>");
        assert_shows(&app, "the loss of step 17 is NaN");
    }
}

#[test]
fn run_of_the_live_screen_is_under_the_cursor_afterwards() {
    let mut app = training(80, 24, "demo", usize::MAX);
    update(&mut app, Msg::RunEnded(Ok(())));
    let new = run("demo-20261123-110429-c691", "demo", RunStatus::Finished, Some(0.93), 500, 500);
    let effects = press_keys(&mut app, "<esc>");
    assert!(effects.contains(&Effect::Refresh) && app.screen == Screen::Runs);
    let runs = std::iter::once(new.clone()).chain(hundred()).collect();
    list(&mut app, runs);
    assert_eq!(app.runs.run().map(|run| &run.dir), Some(&new.dir));
    assert!(line_with(&app, "c691").contains('▸'), "{}", text(&app));
    // A cursor that was moved stays where it is.
    press_keys(&mut app, "<end>");
    list(&mut app, hundred());
    list(&mut app, std::iter::once(new.clone()).chain(hundred()).collect());
    assert_ne!(app.runs.run().map(|run| &run.dir), Some(&new.dir));
}

#[test]
fn running_run_has_current_numbers() {
    let mut app = training(120, 40, "demo", 330);
    let row = run("demo-20261123-110429-c691", "demo", RunStatus::Running, None, 1, 500);
    list(&mut app, vec![row.clone()]);
    press_keys(&mut app, "1");
    let fraction = app.training.as_ref().unwrap().history().fraction();
    assert_shows(&app, &format!("running {:.0} %", 100.0 * fraction));
    // Another process trains it: its log is followed.
    app.training = None;
    assert_eq!(app.followed_runs(), std::slice::from_ref(&row.dir));
    let spec = glue_tui::spec::built_in("demo");
    update(
        &mut app,
        Msg::HistoryLoaded { dir: row.dir, result: Ok((spec, vec![scaled_history(1.0, usize::MAX)])) },
    );
    assert_eq!(app.runs.runs[0].status, RunStatus::Finished);
    assert_eq!(app.followed_runs(), Vec::<PathBuf>::new());
}

#[test]
fn notes_are_edited() {
    let mut app = app(120, 40);
    press_keys(&mut app, "<tab>j");
    let dir = app.runs.run().unwrap().dir.clone();
    let edit = |edit| vec![Effect::EditNotes(dir.clone(), edit)];
    press_keys(&mut app, "R");
    assert_shows(&app, "Name of demo-20261123-095711-01ab");
    assert_eq!(press_keys(&mut app, "good one<enter>"), edit(NotesEdit::Name("good one".into())));
    press_keys(&mut app, "t");
    assert_shows(&app, "#paper");
    assert_eq!(press_keys(&mut app, " new<enter>"), edit(NotesEdit::Tags("#paper new".into())));
    press_keys(&mut app, "N");
    assert_eq!(press_keys(&mut app, "a note<enter>"), edit(NotesEdit::Note("a note".into())));
    // No text removes the part.
    press_keys(&mut app, "t<^u>");
    assert_eq!(press_keys(&mut app, "<enter>"), edit(NotesEdit::Tags(String::new())));
    assert_eq!(press_keys(&mut app, "Rdemo<enter>"), []);
    assert_shows(&app, "demo is the name of an experiment");
    press_keys(&mut app, "<esc>");
    let notes = RunNotes {
        display_name: Some("good one".into()),
        tags: vec!["new".into()],
        note: Some("a note".into()),
    };
    let mut runs = runs();
    runs[1].notes = notes;
    list(&mut app, runs);
    assert!(line_with(&app, "▸ good one").contains("#new"), "{}", text(&app));
    assert_shows(&app, "demo-20261123-095711-01ab");
    press_keys(&mut app, "/#new<enter>");
    assert_shows(&app, "Past runs, 1 of 4");
}

#[test]
fn checkpoints_are_pruned_after_a_question() {
    let mut app = app(120, 40);
    press_keys(&mut app, "<tab>jP");
    assert_shows(&app, "demo-20261123-095711-01ab: frees 16.3 MB.");
    assert_shows(&app, "All: 2 finished runs, frees 32.6 MB.");
    let dirs = |app: &App, count: usize| -> Vec<PathBuf> {
        app.runs.runs[..count].iter().map(|run| run.dir.clone()).collect()
    };
    let of = |dir: &PathBuf, scope| (dir.clone(), scope);
    assert_eq!(press_keys(&mut app, "p"), [Effect::Prune(vec![of(&dirs(&app, 2)[1], PruneScope::Named)])]);
    press_keys(&mut app, "P");
    let all: Vec<_> = dirs(&app, 2).iter().map(|dir| of(dir, PruneScope::Finished)).collect();
    assert_eq!(press_keys(&mut app, "a"), [Effect::Prune(all)]);
    assert_eq!(press_keys(&mut app, "P<esc>"), []);
    // A run that is not finished loses its progress.
    press_keys(&mut app, "jP");
    assert_shows(&app, "starts again from step 0");
    press_keys(&mut app, "<esc><end>P");
    assert_shows(&app, "all its work is lost");
    press_keys(&mut app, "<esc>");
    let result = PruneResult { freed: vec![16_300_000, 0], errors: Vec::new() };
    assert_eq!(update(&mut app, Msg::Pruned(result)), [Effect::Refresh]);
    assert_shows(&app, "freed 16.3 MB in 2 runs");
    let dir = app.runs.runs[1].dir.clone();
    update(&mut app, Msg::DiskMeasured(vec![(dir, DiskUse { bytes: 5_400_000, prunable_bytes: 0 })]));
    press_keys(&mut app, "kkP");
    assert_shows(&app, "has no checkpoints");
}

#[test]
fn filter_matches_settings_of_all_lists() {
    let mut app = app(120, 40);
    press_keys(&mut app, "/lr>=1e-4 -status:failed<enter>");
    let names: Vec<String> = app.runs.lines().iter().map(|line| line.name().to_string()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("sst")).count(), 1, "{names:?}");
    assert_eq!(names.len(), 5, "{names:?}");
    press_keys(&mut app, "<esc>/status:failed<enter>");
    assert_shows(&app, "Nothing matches the filter.");
    assert_shows(&app, "Past runs, 1 of 4");
    press_keys(&mut app, "/ lr>x");
    assert_shows(&app, "lr>x: expected a number, found x");
}
