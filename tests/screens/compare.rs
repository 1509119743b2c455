//! Tests of the Compare screen by key presses.

use super::fixtures::*;

use glue_tui::run::RunStatus;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::update::update;

#[test]
fn marked_runs_are_loaded_and_drawn_in_different_styles() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "4j<space>");
    let marked = runs()[..2].iter().map(|run| Effect::RequireHistory(run.dir.clone())).collect::<Vec<_>>();
    assert_eq!(effects, [vec![Effect::Refresh], marked].concat(), "the screen starts with a run");
    assert_shows(&app, "reading");
    load_histories(&mut app, &effects);
    let mut signs: Vec<_> = app.compare.marks.iter().map(|mark| (mark.symbol, mark.color)).collect();
    signs.dedup_by_key(|style| style.0);
    assert_eq!(signs.len(), 2);
    assert_ne!(signs[0].1, signs[1].1);
    assert_shows(&app, "learning_rate  5e-4 ●   5e-4 → 2.5e-4 @120 ▲");
    let other = app.compare.marks[1].color;
    // A run keeps its color; its symbol can be reused.
    press_keys(&mut app, "k<space>");
    assert_eq!(app.compare.marks.len(), 1);
    press_keys(&mut app, "<space>");
    assert_eq!((app.compare.marks[1].symbol, app.compare.marks[0].color), (0, other));
    press_keys(&mut app, "c");
    assert_shows(&app, "space marks a run");
    assert_eq!(press_keys(&mut app, "*").len(), 4);
}

#[test]
fn screen_starts_with_the_run_under_the_cursor() {
    let mut app = app(120, 40);
    press_keys(&mut app, "<tab>jj");
    let dir = app.runs.run().unwrap().dir.clone();
    assert_eq!(press_keys(&mut app, "4"), [Effect::Refresh, Effect::RequireHistory(dir.clone())]);
    assert_eq!(app.compare.run(&app.runs.runs).map(|run| &run.dir), Some(&dir));
    // Marks that exist stay.
    press_keys(&mut app, "1<end>4");
    assert_eq!(app.compare.marks.iter().map(|mark| &mark.dir).collect::<Vec<_>>(), [&dir]);
}

#[test]
fn differences_contain_the_changes_during_the_runs() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "4j<space>");
    load_histories(&mut app, &effects);
    assert_shows(&app, "learning_rate  5e-4 ●   5e-4 → 2.5e-4 @120 ▲");
    app.theme = glue_tui::tui::theme::Theme::new(
        glue_tui::tui::theme::ColorDepth::None,
        glue_tui::tui::theme::Charset::AsciiSymbols,
    );
    assert_shows(&app, "5e-4 -> 2.5e-4 @120");
}

#[test]
fn compare_table_is_sorted_and_filtered() {
    let mut app = app(120, 40);
    press_keys(&mut app, "4");
    let names =
        |app: &App| app.compare.rows(&app.runs.runs).iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&app).len(), 4);
    press_keys(&mut app, "ss");
    assert_shows(&app, "task▾");
    press_keys(&mut app, "S");
    assert_eq!(names(&app)[0], runs()[0].name);
    press_keys(&mut app, "<end>t");
    assert_shows(&app, "/ task:demo");
    assert_eq!(names(&app).len(), 3);
    press_keys(&mut app, "/ status:stop<enter>");
    assert_eq!(names(&app), ["demo-20261123-094502-99c0"]);
    assert_shows(&app, "Runs, 1 of 4");
    assert_eq!(press_keys(&mut app, "<enter>"), [Effect::LoadHistory(runs()[2].dir.clone())]);
    assert_eq!(app.screen, Screen::Live);
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Compare, "back to the previous screen");
    press_keys(&mut app, "<esc>");
    assert_eq!(names(&app).len(), 4);
}

#[test]
fn chart_cursor_shows_the_values_of_all_curves() {
    let mut app = comparing(120, 40);
    let end = text(&app);
    press_keys(&mut app, &"<left>".repeat(41));
    assert_shows(&app, " epoch 3.00 ");
    assert_ne!(text(&app), end);
    press_keys(&mut app, "a");
    assert_shows(&app, " step 300 ");
    press_keys(&mut app, "aa");
    assert_shows(&app, " examples 9,600 ");
    press_keys(&mut app, "++y((((((");
    assert_shows(&app, "Training loss, not smoothed, logarithmic");
    press_keys(&mut app, "<esc>");
    assert!(!app.compare.chart.has_cursor() && app.compare.chart.is_zoomed());
    press_keys(&mut app, "<esc>");
    assert!(!app.compare.chart.is_zoomed());
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn compared_run_of_another_process_is_followed() {
    let mut app = comparing(120, 40);
    let now = app.now;
    // The second run has no end: another process may be training it.
    let open = app.compare.marks[1].dir.clone();
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [Effect::FollowLogs(vec![open])]);
    press_keys(&mut app, "3");
    assert_eq!(update(&mut app, Msg::Tick(now + 2.0)), []);
    // A run of this process is drawn from memory.
    let mut app = training(120, 40, "demo", 199);
    let dir = app.training.as_ref().unwrap().dir.clone();
    let mut row = run("demo-20261123-110429-c691", "demo", RunStatus::Running, None, 100, 500);
    row.started = 2e9;
    row.dir = dir;
    app.runs.runs.push(row);
    press_keys(&mut app, "4<left>");
    assert_shows(&app, " epoch 1.8");
    assert_eq!(app.followed_runs(), Vec::<std::path::PathBuf>::new());
}
