//! Tests of the Compare screen by key presses.

use super::fixtures::*;

use glue_tui::catalog::{Metric, SplitName};
use glue_tui::run::comparison::{
    Comparison, Detectable, Difference, MetricComparison, PlanDecision, PlanState, SeedRun, Side, SideScore,
    Test,
};
use glue_tui::run::queue::QueueEntry;
use glue_tui::run::{RunChanges, RunStatus};
use glue_tui::spec::{RunSpec, built_in};
use glue_tui::stats::{ConfidenceInterval, FurtherSeeds, RandomEffects, VarianceComponent};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::compare::RunPair;
use glue_tui::tui::update::update;

#[test]
fn marked_runs_are_loaded_and_drawn_in_different_styles() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "4j<space>");
    let marked = runs()[..2].iter().map(|run| Effect::RequireHistory(run.dir.clone())).collect::<Vec<_>>();
    let compare = vec![Effect::CompareRuns(first_pair())];
    assert_eq!(effects, [vec![Effect::Refresh], marked, compare].concat(), "the screen starts with a run");
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
    assert_eq!(press_keys(&mut app, "*").len(), 5, "four histories and a comparison");
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

/// The first two runs.
fn first_pair() -> RunPair {
    let [a, b] = [0, 1].map(|index| runs()[index].dir.clone());
    RunPair { a, b }
}

/// A comparison of three seeds each, without a significant difference.
fn comparison(plan: Option<PlanState>) -> Comparison {
    let interval = |low, high| ConfidenceInterval { low, high };
    let side = |name: &str| Side {
        name: name.into(),
        seeds: (42..45)
            .map(|seed| {
                let (run, dir, other_folds) = (format!("{name}-{seed}"), name.into(), Vec::new());
                SeedRun { run, seed, step: 7, dir, other_folds }
            })
            .collect(),
        spec: RunSpec { learning_rate: if name == "a" { 1e-4 } else { 2e-4 }, ..built_in(name) },
        notes: Vec::new(),
    };
    let score = |mean: f64| SideScore {
        mean,
        sd: Some(0.004),
        values: vec![mean - 0.004, mean, mean + 0.004],
        confidence_interval: interval(mean - 0.02, mean + 0.02),
    };
    let component = |variance, degrees_of_freedom| VarianceComponent { variance, degrees_of_freedom };
    let effects =
        RandomEffects { difference: 0.004, seeds: Some(component(1e-5, 4.0)), rows: component(1e-6, 871.0) };
    let difference = Difference {
        value: 0.004,
        confidence_interval: interval(-0.004, 0.011),
        p_value: 0.261,
        test: Test::RandomEffects,
        is_significant: false,
        standard_error: 0.0033,
        variance: effects,
        discordant: None,
    };
    let verdict = match &plan {
        None => {
            "no significant difference: 95 % CI −0.4 … +1.1 points, p = 0.261, random effects of seeds and rows; 5 more \
                 seeds each would detect 1 point"
        }
        Some(_) => {
            "not decided yet: 95 % CI at this look −0.9 … +1.7 points; 2 further seeds of 5 planned each, which \
                    would detect 1 point"
        }
    };
    Comparison {
        task: "demo".into(),
        split: SplitName::Validation,
        rows: 872,
        a: side("a"),
        b: side("b"),
        metric: Metric::Accuracy,
        metrics: vec![MetricComparison {
            metric: Metric::Accuracy,
            a: score(0.845),
            b: score(0.841),
            difference,
            detectable: vec![Detectable { difference: 0.01, further_seeds: FurtherSeeds::Count(5) }],
        }],
        plan,
        verdict: verdict.into(),
        notes: Vec::new(),
    }
}

/// The Compare screen with two marked runs and their comparison.
fn compared(width: u16, height: u16, comparison: Comparison) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "4j<space>");
    load_histories(&mut app, &effects);
    update(&mut app, Msg::Compared { pair: first_pair(), result: Ok(Box::new(comparison)) });
    app
}

#[test]
fn compare_screen_with_a_verdict() {
    snapshot("compare-verdict", |width, height| {
        let mut app = compared(width, height, comparison(None));
        press_keys(&mut app, "d");
        app
    });
}

#[test]
fn verdict_is_computed_for_the_pair_and_offers_further_seeds() {
    let mut app = app(120, 50);
    press_keys(&mut app, "4");
    assert_eq!(press_keys(&mut app, "n"), [], "one run is no pair");
    let effects = press_keys(&mut app, "j<space>");
    assert_eq!(effects.last(), Some(&Effect::CompareRuns(first_pair())));
    assert_shows(&app, "comparing the predictions");
    let error = "they are of different tasks".to_string();
    update(&mut app, Msg::Compared { pair: first_pair(), result: Err(error) });
    assert_shows(&app, "No verdict: they are of different tasks.");
    assert_eq!(press_keys(&mut app, "n"), []);
    let swapped = RunPair { a: first_pair().b, b: first_pair().a };
    update(&mut app, Msg::Compared { pair: swapped, result: Ok(Box::new(comparison(None))) });
    assert_shows(&app, "No verdict");
    update(&mut app, Msg::Compared { pair: first_pair(), result: Ok(Box::new(comparison(None))) });
    assert_shows(&app, "No significant difference");
    assert_shows(&app, "84.5 ± 0.4, 95 % CI 82.5 … 86.5, 3 seeds");
    assert_shows(&app, "n queues 5 more seeds each");
    assert_eq!(press_keys(&mut app, "n"), [Effect::AddSeeds(first_pair())]);
    update(&mut app, Msg::SeedsAdded("5 more seeds each are queued".into()));
    assert_shows(&app, "5 more seeds each are queued");

    // A third mark under the cursor is compared with the first; a run that has ended changes the comparison.
    let effects = press_keys(&mut app, "j<space>");
    let third = RunPair { a: first_pair().a, b: runs()[2].dir.clone() };
    assert_eq!(effects.last(), Some(&Effect::CompareRuns(third.clone())));
    assert_eq!(press_keys(&mut app, "k"), [Effect::CompareRuns(first_pair())]);
    let mut list = runs();
    list[3].status = RunStatus::Finished;
    let changes = RunChanges { changed: list, removed: Vec::new() };
    assert_eq!(update(&mut app, Msg::RunsChanged(changes)), [Effect::CompareRuns(first_pair())]);
    let now = app.now;
    let requests = update(&mut app, Msg::Tick(now));
    assert!(!requests.iter().any(|effect| matches!(effect, Effect::CompareRuns(_))), "{requests:?}");
    press_keys(&mut app, "c");
    assert!(!text(&app).contains("Verdict"), "{}", text(&app));
}

#[test]
fn planned_comparison_does_not_offer_further_seeds() {
    let plan = PlanState {
        id: 1,
        difference: 0.01,
        further: 5,
        done: 2,
        level: 0.01,
        confidence_interval: ConfidenceInterval { low: -0.009, high: 0.017 },
        decision: PlanDecision::Continue,
    };
    let mut app = compared(120, 50, comparison(Some(plan.clone())));
    assert_shows(&app, "Not decided yet");
    assert_shows(&app, "n queues 3 more seeds each");
    let entry = QueueEntry {
        id: 1,
        spec: built_in("a"),
        run: None,
        is_started: false,
        comparison: Some(plan.id),
        sweep: None,
    };
    app.runs.queue.list.entries.push(entry);
    assert_eq!(press_keys(&mut app, "n"), [], "its seeds are queued already");
    assert!(!text(&app).contains("n queues"), "{}", text(&app));
    let decided = "A has the better accuracy, by 1.2 points".to_string();
    let effects = update(&mut app, Msg::ComparisonDecided(decided.clone()));
    assert_eq!(effects[..2], [Effect::Notify(decided.clone()), Effect::Refresh]);
    assert_shows(&app, &decided);
}
