//! Cross-validation: each training row is predicted by a model that was not trained on it.

use super::{bytes, run, spec};
use glue_tui::catalog::LabelMap;
use glue_tui::event::{Command, Event, SplitName, Status};
use glue_tui::hub::Hub;
use glue_tui::predict::split::predict_split;
use glue_tui::predict::{EvalOptions, EvalRows, Predictor};
use glue_tui::run::comparison::{Comparison, Side};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::{RunDir, RunStatus, Start, list, seed_dirs};
use glue_tui::spec::{DeviceSpec, RunSpec};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const FOLDS: u64 = 3;

/// The rows of the file.
const ROWS: usize = 1_800;

/// A file of demo rows with wrong labels in some of them, and these rows.
fn file_with_wrong_labels(folder: &Path) -> (PathBuf, Vec<usize>) {
    let rows: Vec<&str> = include_str!("../../assets/demo/train.tsv").lines().collect();
    let (header, rows) = rows.split_first().unwrap();
    let wrong: Vec<usize> = (0..ROWS).step_by(60).collect();
    let row = |(index, row): (usize, &&str)| match (row.split_once('\t').unwrap(), wrong.contains(&index)) {
        ((text, "1"), true) => format!("{text}\t0\n"),
        ((text, _), true) => format!("{text}\t1\n"),
        _ => format!("{row}\n"),
    };
    let text: String = rows.iter().take(ROWS).enumerate().map(row).collect();
    let path = folder.join("rows.tsv");
    std::fs::write(&path, format!("{header}\n{text}")).unwrap();
    (path, wrong)
}

fn custom(train_file: PathBuf) -> RunSpec {
    RunSpec {
        task: "custom".parse().unwrap(),
        train_file: Some(train_file),
        folds: Some(FOLDS),
        max_train_samples: None,
        max_eval_samples: None,
        max_steps: None,
        num_train_epochs: 5.0,
        per_device_train_batch_size: 16,
        ..spec()
    }
}

fn evaluations(dir: &Path) -> ErrorReport {
    ErrorReport::read(&seed_dirs(dir, &RunDir::at(dir).spec().unwrap()), None).unwrap()
}

#[test]
fn wrong_labels_are_found_by_models_that_were_not_trained_on_them() {
    let home = tempfile::tempdir().unwrap();
    let (file, wrong) = file_with_wrong_labels(home.path());
    let runs = home.path().join("runs");
    let outcome = run(Start::New(custom(file)), &runs, None).0.unwrap();
    assert_eq!(outcome.status, Status::Finished);
    let found: Vec<_> = outcome.summaries.iter().map(|summary| (summary.seed, summary.fold)).collect();
    assert_eq!(found, [(42, Some(1)), (43, Some(2)), (44, Some(3))]);
    let all = outcome.repeats.as_ref().unwrap();
    assert_eq!((all.repeats.count, all.unit()), (FOLDS, "fold"));

    // Insight has every row of the file once, in its order.
    let report = evaluations(&outcome.dir);
    let newest = &report.evaluations.last().unwrap().predictions;
    let examples = report.examples.as_ref().unwrap();
    assert_eq!((newest.len(), examples.len(), report.seed_count), (ROWS, ROWS, 1));
    let lines: Vec<&str> = include_str!("../../assets/demo/train.tsv").lines().skip(1).take(ROWS).collect();
    assert!(examples.iter().zip(&lines).all(|(example, line)| line.starts_with(&example.text)));
    for row in [0, ROWS / 2, ROWS - 1] {
        assert_eq!(Some(&newest.targets()[row]), examples[row].label.as_ref());
    }
    // The wrong labels are likely errors, among the few rows that the models get wrong themselves.
    let listed: BTreeSet<usize> = report.label_issues.iter().map(|issue| issue.row).collect();
    let found = wrong.iter().filter(|row| listed.contains(row)).count();
    assert!(found * 100 >= wrong.len() * 85, "{found} of {} wrong labels are listed", wrong.len());
    assert!(listed.len() * 8 < ROWS, "{} rows are listed", listed.len());

    // A row is predicted by the model of its fold, which is not trained on it.
    let (dir, fold) = report.training_of(wrong[0]);
    let name = dir.to_str().unwrap();
    let mut predictor = Predictor::open(name, &runs, &Hub::from_env(), DeviceSpec::Cpu).unwrap();
    let never = AtomicBool::new(false);
    let rows = predict_split(&mut predictor, SplitName::Validation, &Hub::cache_only(), &mut |_| {}, &never)
        .unwrap();
    assert!(rows.iter().any(|row| row.row == wrong[0]), "fold {:?}", fold.fold);
    assert_eq!(rows.len(), ROWS / 3);
    let trained =
        predict_split(&mut predictor, SplitName::Train, &Hub::cache_only(), &mut |_| {}, &never).unwrap();
    assert!(trained.iter().all(|row| row.row != wrong[0]) && trained.len() == ROWS / 3 * 2);
}

#[test]
fn best_weights_are_evaluated_on_the_rows_of_their_fold() {
    let runs = tempfile::tempdir().unwrap();
    let outcome = run(Start::New(RunSpec { folds: Some(FOLDS), ..spec() }), runs.path(), None).0.unwrap();
    let name = outcome.dir.to_str().unwrap();
    let mut predictor = Predictor::open(name, runs.path(), &Hub::from_env(), DeviceSpec::Cpu).unwrap();
    let label_map = LabelMap::default();
    let options = EvalOptions {
        task: None,
        split: SplitName::Validation,
        data_dir: None,
        label_map: &label_map,
        set: &[],
        rows: EvalRows::OfRun,
    };
    let scores = predictor.evaluate(&options, &Hub::cache_only(), &mut |_| {}).unwrap().scores;
    let best = outcome.repeats.unwrap().best_seed.best.unwrap();
    assert_eq!(scores.get(best.metric), Some(best.value));
    // Of 32 rows that `max_train_samples` chooses, a fold has 10 or 11.
    assert!((10..=11).contains(&scores.examples), "{}", scores.examples);
}

#[test]
fn resumed_cross_validation_equals_an_uninterrupted_one() {
    let runs = tempfile::tempdir().unwrap();
    let spec = RunSpec { folds: Some(FOLDS), max_steps: Some(4), ..spec() };
    let whole = run(Start::New(spec.clone()), runs.path(), None).0.unwrap().dir;
    // The first fold is stopped.
    let stopped = run(Start::New(spec), runs.path(), Some((2, Command::Stop))).0.unwrap();
    assert_eq!((stopped.status, stopped.summaries.len()), (Status::Stopped, 1));
    let (resumed, events) = run(Start::Resume(stopped.dir), runs.path(), None);
    let resumed = resumed.unwrap();
    let started = events.iter().filter(|event| matches!(event, Event::Started(_))).count();
    assert_eq!((resumed.status, started), (Status::Finished, FOLDS as usize));
    for seed in 42..42 + FOLDS {
        let best = |dir: &Path| bytes(&dir.join(format!("seed-{seed}/best")));
        assert!(best(&resumed.dir) == best(&whole), "fold of seed {seed}");
    }
    let rows = list(runs.path()).unwrap();
    assert!(rows.iter().all(|row| row.status == RunStatus::Finished && row.repeats.unwrap().count == FOLDS));
    assert!(rows.iter().all(|row| row.confidence_interval.is_some()));
}

#[test]
fn a_single_fold_is_a_run_of_its_own() {
    let runs = tempfile::tempdir().unwrap();
    let all = run(Start::New(RunSpec { folds: Some(FOLDS), ..spec() }), runs.path(), None).0.unwrap();
    let one = RunSpec { folds: Some(FOLDS), fold: Some(2), seed: 43, ..spec() };
    let one = run(Start::New(one), runs.path(), None).0.unwrap();
    assert!(one.repeats.is_none());
    assert!(bytes(&one.dir.join("best")) == bytes(&all.dir.join("seed-43/best")));
    let report = evaluations(&one.dir);
    assert!(report.folds.trainings.is_empty() && report.examples.unwrap().len() < 12);
}

#[test]
fn cross_validations_are_compared_on_all_rows() {
    let runs = tempfile::tempdir().unwrap();
    let base = RunSpec { folds: Some(FOLDS), max_train_samples: Some(60), ..spec() };
    let train = |experiment: &str, folds, repeats| {
        let learning_rate = if experiment == "slow" { 1e-5 } else { 1e-3 };
        let (experiment, folds) = (experiment.into(), Some(folds));
        let spec = RunSpec { experiment, learning_rate, folds, repeats, ..base.clone() };
        run(Start::New(spec), runs.path(), None).0.unwrap()
    };
    train("slow", FOLDS, 2);
    train("fast", FOLDS, 2);
    train("other", FOLDS + 1, 1);
    let compare = |a, b| {
        let sides = [a, b].map(|name| Side::find(runs.path(), name).unwrap());
        let [a, b] = sides;
        Comparison::of(runs.path(), a, b).unwrap()
    };
    let same = compare("slow", "fast");
    assert_eq!((same.rows, same.a.seeds.len(), same.b.seeds.len()), (60, 2, 2));
    assert_eq!((same.a.seeds[1].seed, same.a.seeds[1].other_folds.len()), (42 + FOLDS, 2));
    // With another number of folds, the rows are in another order.
    let other = compare("fast", "other");
    assert_eq!((other.rows, other.b.seeds.len()), (60, 1));
    let mean = |of: &Comparison| of.main().map(|main| (main.a.mean, main.b.mean)).unwrap();
    assert_eq!(mean(&same).1, mean(&other).0);
}
