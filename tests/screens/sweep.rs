//! The Sweep screen, and sweeps on the Runs screen.

use super::fixtures::*;

use glue_tui::catalog::Metric;
use glue_tui::run::sweep::{SweepDir, SweepReport, SweepRow, Trial};
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::spec::{Experiments, ResolvedExperiment, Sweep, sweep_to_toml};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::experiment::ExperimentRow;
use glue_tui::tui::state::sweep::SweepSource;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::path::{Path, PathBuf};
use std::time::Instant;

const NAME: &str = "tune-20261123-094000-7f3a";

fn experiments(text: &str) -> Experiments {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("experiments.toml");
    std::fs::write(&path, text).unwrap();
    Experiments::open(Some(&path)).unwrap()
}

fn sweep(text: &str) -> Sweep {
    match experiments(&format!("[experiment.tune]\n{text}")).resolve_any("tune", &[]).unwrap() {
        ResolvedExperiment::Sweep(sweep) => *sweep,
        ResolvedExperiment::Run(_) => panic!("no sweep"),
    }
}

/// Twelve trials of two keys with ASHA: some are finished, others paused, one has failed, and two are to come.
const TUNE: &str = "learning_rate = { min = 1e-5, max = 1e-3, scale = \"log\" }\n\
    lr_scheduler_type = [\"linear\", \"cosine\"]\nsearch = \"random\"\ntrials = 12\nscheduler = \"asha\"\n";

/// The row of a trial.
fn trial(sweep: &Sweep, number: u64, status: RunStatus, best: Option<f64>, steps: u64) -> RunRow {
    let spec = sweep.trial(number).unwrap();
    RunRow {
        dir: Path::new("runs").join(format!("{NAME}.{number}")),
        trial: Some(Trial { sweep: NAME.into(), trial: number }),
        started: STARTED_AT - 5000.0 + 60.0 * number as f64,
        ended: (status != RunStatus::Running).then_some(STARTED_AT - 4950.0 + 61.0 * number as f64),
        spec: Some(spec.into()),
        ..run(&format!("{NAME}.{number}"), "tune", status, best, steps, 189)
    }
}

fn rows(sweep: &Sweep) -> Vec<RunRow> {
    let scores = [0.71, 0.884, 0.902, 0.64, 0.861, 0.893, 0.55, 0.872, 0.915];
    let mut rows: Vec<RunRow> = (0..)
        .zip(scores)
        .map(|(number, score)| match number {
            1 | 2 | 5 => trial(sweep, number, RunStatus::Finished, Some(score), 189),
            8 => trial(sweep, number, RunStatus::Running, Some(score), 90),
            _ => RunRow {
                pause_reason: Some(format!(
                    "paused by asha at rung 0, step 63: accuracy {:.2} % is number 3 of {} results, of which one in 4 continues",
                    100.0 * score,
                    number + 1
                )),
                ..trial(sweep, number, RunStatus::Stopped, Some(score), 63)
            },
        })
        .collect();
    let error = "the loss of step 17 is NaN with gradient norm inf; lower learning_rate (now 0.001)";
    rows.push(RunRow { error: Some(error.into()), ..trial(sweep, 9, RunStatus::Failed, None, 17) });
    rows
}

/// Writes the files of the sweep and reads its report.
fn report(sweep: &Sweep, rows: &[RunRow]) -> SweepReport {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweeps").join(NAME);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("sweep.toml"), sweep_to_toml(sweep)).unwrap();
    let result = |row: &RunRow| {
        let (trial, value) = (row.trial.as_ref()?.trial, row.best?.1);
        let continues = row.status != RunStatus::Stopped;
        Some(
            format!(
                r#"{{"time":1.0,"kind":"result","trial":{trial},"rung":0,"step":63,"value":{value},"rank":1,"results":1,"continues":{continues}}}"#
            ) + "\n",
        )
    };
    std::fs::write(folder.join("decisions.jsonl"), rows.iter().filter_map(result).collect::<String>())
        .unwrap();
    SweepReport::read(SweepDir::at(home.path(), NAME), rows).unwrap()
}

/// The app on the Sweep screen.
fn on_sweep(width: u16, height: u16, sweep: &Sweep, rows: &[RunRow]) -> App {
    let mut app = app(width, height);
    let report = report(sweep, rows);
    update(&mut app, Msg::SweepsListed(vec![SweepRow { started: STARTED_AT - 5000.0, ..report.row() }]));
    let runs = [rows.to_vec(), app.runs.runs.clone()].concat();
    let mut all = app.runs.experiments.clone();
    all.extend(ExperimentRow::all(&experiments(&format!(
        "# Learning rate and schedule\n[experiment.tune]\n{TUNE}"
    ))));
    update(&mut app, Msg::Listed { experiments: Ok(all), runs });
    app.runs.select("tune");
    assert_eq!(
        press_keys(&mut app, "s"),
        [Effect::LoadSweep(SweepSource::OfExperiment("tune".into()))],
        "the newest sweep of the experiment"
    );
    let source = SweepSource::OfExperiment("tune".into());
    update(&mut app, Msg::SweepLoaded { source, result: Ok(Box::new(report)) });
    assert_eq!(app.screen, Screen::Sweep);
    app
}

fn tuned(width: u16, height: u16) -> App {
    let sweep = sweep(TUNE);
    on_sweep(width, height, &sweep, &rows(&sweep))
}

#[test]
fn sweep_screen() {
    snapshot("sweep", tuned);
}

#[test]
fn sweep_screen_grouped_with_the_best_so_far() {
    snapshot("sweep-grouped", |width, height| {
        let mut app = tuned(width, height);
        press_keys(&mut app, "bb<tab>jj");
        app
    });
}

#[test]
fn small_terminal_has_importance_and_reasons_instead_of_a_chart() {
    let mut app = tuned(80, 24);
    press_keys(&mut app, "<tab><tab>");
    assert_shows(&app, "so far over optimizer steps");
    press_keys(&mut app, "<tab>Gkk");
    assert_shows(&app, "Rank correlation with the score");
    assert_shows(&app, "the loss of step 17 is NaN");
    press_keys(&mut app, "<tab>");
    assert_shows(&app, "Best accuracy by learning_rate");
}

#[test]
fn sweeps_on_the_runs_screen() {
    snapshot("runs-sweeps", |width, height| {
        let mut app = tuned(width, height);
        press_keys(&mut app, "<esc>");
        let at = app.runs.lines().iter().position(|line| line.name() == NAME).unwrap();
        app.runs.selected = at;
        app
    });
}

#[test]
fn trials_are_sorted_grouped_and_opened() {
    let mut app = tuned(120, 40);
    let first = |app: &App| app.sweep.trial().map(|trial| trial.number);
    assert_eq!(first(&app), Some(8), "the best one");
    press_keys(&mut app, "S<home>");
    assert_eq!(first(&app), Some(6), "the worst one");
    press_keys(&mut app, "s<home>");
    assert_eq!(first(&app), Some(0), "by number");
    press_keys(&mut app, "s<home>");
    let lowest = first(&app).unwrap() as usize;
    let rates = &app.sweep.loaded().unwrap().report.numbers[0];
    assert!(rates.iter().all(|rate| *rate >= rates[lowest]), "by learning rate");
    let dir = PathBuf::from(format!("runs/{NAME}.{lowest}"));
    assert_eq!(press_keys(&mut app, "<enter>"), [Effect::LoadHistory(dir)]);
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn the_winner_is_trained_with_new_seeds() {
    let mut app = tuned(120, 40);
    press_keys(&mut app, "n5<enter>");
    assert_shows(&app, "Another process is training");
    let effects = press_keys(&mut app, "t");
    let [Effect::StartTraining(TrainRequest::Spec(spec))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((spec.seed, spec.repeats), (43, 5), "seeds that no trial has used");
    assert_eq!(spec.learning_rate, sweep(TUNE).trial(8).unwrap().learning_rate);
    press_keys(&mut app, "nmany<enter>");
    assert_shows(&app, "Expected a number of seeds from 1 to 10,000, found many");
}

#[test]
fn sweeps_are_enqueued_and_their_trials_found() {
    let mut app = tuned(120, 40);
    let resume = Effect::Enqueue(TrainRequest::ResumeSweep(NAME.into()));
    assert_eq!(press_keys(&mut app, "a"), std::slice::from_ref(&resume));
    press_keys(&mut app, "<esc>");
    let trials = |app: &App| app.runs.visible_runs().filter(|run| run.trial.is_some()).count();
    assert_eq!(trials(&app), 1, "only the one that is being trained");
    press_keys(&mut app, "/sweep:tune<enter>");
    assert_eq!(trials(&app), 10);
    press_keys(&mut app, "<esc>");
    app.runs.select("tune");
    let effects = press_keys(&mut app, "<enter>");
    assert!(
        matches!(&effects[..], [Effect::Enqueue(TrainRequest::Sweep(sweep))] if sweep.len() == 12),
        "{effects:?}"
    );
    update(&mut app, Msg::SweepQueued { name: NAME.into(), trials: 12 });
    assert_eq!((app.screen, app.is_starting), (Screen::Sweep, false));
}

/// Reading keys and drawing does a bounded amount of work for each frame.
#[test]
fn ten_thousand_trials_are_drawn_quickly() {
    let description = "learning_rate = { min = 1e-6, max = 1e-2, scale = \"log\" }\nweight_decay = { min = 0.0, max = 0.1 }\n\
                search = \"random\"\ntrials = 10000\n";
    let sweep = sweep(description);
    let rows: Vec<RunRow> = (0..sweep.len())
        .map(|number| trial(&sweep, number, RunStatus::Finished, Some((number % 997) as f64 / 1000.0), 189))
        .collect();
    let mut app = on_sweep(200, 60, &sweep, &rows);
    assert_eq!(app.sweep.loaded().unwrap().report.metric, Metric::Accuracy);
    let start = Instant::now();
    for _ in 0..20 {
        press_keys(&mut app, "j");
        text(&app);
    }
    let milliseconds = start.elapsed().as_millis() / 20;
    assert!(milliseconds < 60, "{milliseconds} ms for each key and frame");
}
