//! Comparisons of runs on disk: which rows and seeds count, and what is refused.

use super::analysis::Test;
use super::plan_file;
use super::*;
use crate::batch::Label;
use crate::catalog::{Metric, ProblemType, SplitName};
use crate::data::{self, DatasetSource, Example, LoadContext, rows_digest, subsample_split};
use crate::error::Error;
use crate::event::{Event, SplitDigest, Started, Status};
use crate::hub::Hub;
use crate::run::dir::RunDir;
use crate::run::queue::{Queue, QueueEdit};
use crate::spec::{self, RunSpec, built_in};
use crate::stats::FurtherSeeds;
use crate::train::{Best, Predictions, SavedPredictions, Summary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The step of the best weights.
const STEP: u64 = 7;
/// The seconds since 1970 at which the next run starts.
static CLOCK: AtomicU32 = AtomicU32::new(1);

fn spec(experiment: &str, seed: u64) -> RunSpec {
    RunSpec { seed, ..built_in(experiment) }
}

/// The validation rows of a specification.
fn rows(spec: &RunSpec) -> Vec<Example> {
    let (hub, mut watch, cancelled) = (Hub::cache_only(), |_| {}, AtomicBool::new(false));
    let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled: &cancelled };
    let split = SplitName::Validation;
    let rows = data::load_split(DatasetSource::from_spec(spec), split, &mut context).unwrap();
    subsample_split(spec, split, rows)
}

/// Writes a finished seed whose best weights have those rows wrong for which `is_wrong` is true, given the text of the
/// row.
fn write_seed(dir: &RunDir, spec: &RunSpec, is_wrong: impl Fn(&str) -> bool) {
    let total_rows = rows(&RunSpec { max_eval_samples: None, ..spec.clone() }).len() as u64;
    let rows = rows(spec);
    let sha256 = rows_digest(&rows);
    let digest = SplitDigest { rows: rows.len() as u64, total_rows, sha256 };
    let started = Started {
        time: CLOCK.fetch_add(1, Ordering::Relaxed).into(),
        spec: spec.clone(),
        device: "cpu".into(),
        precision: "f32".into(),
        first_step: 0,
        total_steps: STEP,
        steps_per_epoch: STEP,
        labels: Vec::new(),
        problem_type: None,
        scale: None,
        rows: [1, rows.len(), 0],
        data: BTreeMap::from([(SplitName::Validation, digest)]),
        truncated_train_rows: None,
        trainable_parameters: 1,
        planned_memory: None,
        product_rate: None,
    };
    let line = serde_json::to_string(&Event::Started(Box::new(started))).unwrap() + "\n";
    std::fs::write(dir.events_file(), line).unwrap();
    let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, rows.len(), 2);
    for (index, row) in rows.iter().enumerate() {
        let target = row.label.as_ref().and_then(Label::class).unwrap();
        let predicted = if is_wrong(&row.text) { 1 - target } else { target };
        let logits = if predicted == 0 { [1.0, 0.0] } else { [0.0, 1.0] };
        predictions.set(index, &logits, Label::Class(target));
    }
    SavedPredictions { step: STEP, epoch: 1.0, predictions }.write(dir.path()).unwrap();
    let best = Some(Best { step: STEP, metric: Metric::Accuracy, value: 0.9, test: None, averaging: None });
    let failed = Summary::failed(spec, &Error::Training("-".into()));
    dir.write_summary(&Summary { status: Status::Finished, best, error: None, ..failed }).unwrap();
}

fn write_run(runs_dir: &Path, spec: &RunSpec, is_wrong: impl Fn(&str) -> bool) -> PathBuf {
    let dir = RunDir::create(runs_dir, spec).unwrap();
    write_seed(&dir, spec, is_wrong);
    dir.path().to_path_buf()
}

/// Whether a row is one of about `share` of all, another choice for each seed.
fn is_one_of(share: f64, seed: u64) -> impl Fn(&str) -> bool {
    move |text| {
        let hash = text.bytes().fold(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 40) as f64 / (1u64 << 24) as f64 <= share
    }
}

fn compare(runs_dir: &Path, a: &str, b: &str) -> crate::error::Result<Comparison> {
    Comparison::of(runs_dir, Side::find(runs_dir, a)?, Side::find(runs_dir, b)?)
}

fn name(dir: &Path) -> &str {
    dir.file_name().unwrap().to_str().unwrap()
}

#[test]
fn experiments_are_compared_over_their_seeds() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    for seed in 42..46 {
        write_run(runs, &spec("good", seed), is_one_of(0.05, seed));
        write_run(runs, &RunSpec { learning_rate: 0.5, ..spec("bad", seed) }, is_one_of(0.15, 100 + seed));
    }
    // The same seed again counts once, and other settings not at all.
    write_run(runs, &spec("good", 42), is_one_of(0.05, 42));
    let comparison = compare(runs, "good", "bad").unwrap();
    assert_eq!((comparison.a.seeds.len(), comparison.b.seeds.len(), comparison.rows), (4, 4, 500));
    assert!(comparison.notes.iter().any(|note| note.contains("has the same seed")), "{:?}", comparison.notes);
    let main = comparison.main().unwrap();
    assert_eq!((main.metric, main.difference.test), (Metric::Accuracy, Test::RandomEffects));
    assert!(main.difference.is_significant && main.difference.value > 0.06, "{main:?}");
    assert!(comparison.verdict.starts_with("A has the better accuracy, by "), "{}", comparison.verdict);
    assert_eq!(comparison.metrics.last().unwrap().metric, Metric::Loss);
    let swapped = compare(runs, "bad", "good").unwrap();
    let (one, other) = (&main.difference, &swapped.main().unwrap().difference);
    assert!((one.value + other.value).abs() < 1e-12 && (one.p_value - other.p_value).abs() < 1e-9);
    assert!(swapped.verdict.starts_with("B has the better accuracy"), "{}", swapped.verdict);

    write_run(runs, &RunSpec { weight_decay: 0.5, ..spec("good", 50) }, is_one_of(0.05, 50));
    let newest = compare(runs, "good", "bad").unwrap();
    assert_eq!(newest.a.seeds.len(), 1, "the settings of the newest run");
    assert!(newest.notes[0].starts_with("left out of good"), "{:?}", newest.notes);
}

#[test]
fn two_models_are_compared_by_mcnemars_test() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let a = write_run(runs, &spec("a", 42), is_one_of(0.1, 1));
    let of_b = RunSpec { learning_rate: 0.5, ..spec("b", 42) };
    let b = write_run(runs, &of_b, is_one_of(0.1, 2));
    let comparison = compare(runs, name(&a), name(&b)).unwrap();
    let main = comparison.main().unwrap();
    assert_eq!(main.difference.test, Test::McNemar);
    let counts = main.difference.discordant.unwrap();
    let expected = (counts.only_a as f64 - counts.only_b as f64) / 500.0;
    assert!((main.difference.value - expected).abs() < 1e-12 && counts.rows == 500);
    assert!(!main.difference.is_significant, "{main:?}");
    assert!(comparison.verdict.contains("train more seeds"), "{}", comparison.verdict);
    assert_eq!(main.detectable[0].further_seeds, FurtherSeeds::Unknown);
    assert_eq!(comparison.further_seeds().map(|(_, seeds)| seeds), Some(4));
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["metrics"][0]["difference"]["test"], "mcnemar");
    assert!(json["metrics"][0]["a"]["confidence_interval"]["low"].as_f64() > Some(0.8), "{json}");
}

#[test]
fn other_metrics_are_resampled() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let pairs = |experiment, seed| RunSpec { task: "demo-pairs".parse().unwrap(), ..spec(experiment, seed) };
    write_run(runs, &pairs("a", 42), is_one_of(0.1, 1));
    write_run(runs, &pairs("b", 42), is_one_of(0.3, 2));
    let comparison = compare(runs, "a", "b").unwrap();
    let f1 = comparison.metrics.iter().find(|one| one.metric == Metric::F1).unwrap();
    assert_eq!(f1.difference.test, Test::PairedBootstrap);
    assert!(f1.difference.is_significant && f1.difference.confidence_interval.low > 0.0, "{f1:?}");
    assert_eq!(comparison, compare(runs, "a", "b").unwrap(), "the same numbers each time");
    write_run(runs, &pairs("a", 43), is_one_of(0.1, 3));
    let comparison = compare(runs, "a", "b").unwrap();
    let f1 = comparison.metrics.iter().find(|one| one.metric == Metric::F1).unwrap();
    assert_eq!(f1.difference.test, Test::RandomEffects);
    let accuracy = comparison.main().unwrap().difference.variance.rows.variance;
    let ratio = f1.difference.variance.rows.variance / accuracy;
    assert!((0.5..2.0).contains(&ratio), "F1 and accuracy vary alike here: {ratio}");
}

#[test]
fn only_rows_that_all_seeds_predicted_are_compared() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let some = |experiment, seed| RunSpec { max_eval_samples: Some(300), ..spec(experiment, seed) };
    let a = write_run(runs, &some("a", 42), is_one_of(0.1, 1));
    let all = write_run(runs, &spec("b", 42), is_one_of(0.1, 2));
    let comparison = compare(runs, name(&a), name(&all)).unwrap();
    assert_eq!(comparison.rows, 300);
    assert!(comparison.notes[0].starts_with("300 rows are compared"), "{:?}", comparison.notes);
    // The score on the shared rows is that of the same rows in the other order of choice.
    let shared = rows(&some("a", 42));
    let wrong = shared.iter().filter(|row| is_one_of(0.1, 2)(&row.text)).count();
    let expected = 1.0 - wrong as f64 / 300.0;
    assert!((comparison.main().unwrap().b.mean - expected).abs() < 1e-12);
    // Another seed has other rows.
    let of_c = RunSpec { learning_rate: 0.5, ..some("c", 7) };
    let other = write_run(runs, &of_c, is_one_of(0.1, 3));
    let comparison = compare(runs, name(&a), name(&other)).unwrap();
    assert!((120..240).contains(&comparison.rows), "{}", comparison.rows);
    // So further seeds would leave fewer rows.
    assert_eq!(comparison.further_seeds(), None);
    assert!(comparison.verdict.ends_with("train again without max_eval_samples"), "{}", comparison.verdict);
    assert!(add_seeds(runs, &a, &other).unwrap_err().to_string().starts_with("max_eval_samples"));
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    write_run(runs, &spec("a", 42), is_one_of(0.1, 1));
    let pairs = RunSpec { task: "demo-pairs".parse().unwrap(), ..spec("pairs", 42) };
    write_run(runs, &pairs, is_one_of(0.1, 1));
    let b = write_run(runs, &spec("b", 42), is_one_of(0.1, 2));
    let refused = |a: &str, b: &str| {
        let error = compare(runs, a, b).unwrap_err();
        (error.exit_code(), error.to_string())
    };
    let (code, error) = refused("a", "pairs");
    assert!(code == 2 && error.contains("never compared"), "{error}");
    assert!(refused("a", "a").1.contains("on both sides"));
    assert!(refused("a", "none").1.contains("no run none"));
    assert!(refused("a", " , ").1.contains("no name"));
    let other = write_run(runs, &RunSpec { learning_rate: 0.5, ..spec("other", 43) }, is_one_of(0.1, 2));
    let (_, error) = refused("a", &format!("b,{}", name(&other)));
    assert!(error.contains("different values of learning_rate"), "{error}");

    let stopped = write_run(runs, &spec("stopped", 42), is_one_of(0.1, 2));
    let summary = stopped.join("summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    std::fs::write(&summary, text.replace("\"finished\"", "\"stopped\"")).unwrap();
    assert!(refused("a", "stopped").1.contains("is finished; resume one"));
    assert!(refused("a", name(&stopped)).1.contains("is not finished; resume it"));

    std::fs::remove_dir_all(b.join("predictions")).unwrap();
    let (code, error) = refused("a", "b");
    assert!(code == 3 && error.contains("no predictions of step 7"), "{error}");
    // Rows that are neither the same by their digest nor those of the data.
    let changed = write_run(runs, &spec("changed", 42), is_one_of(0.1, 2));
    let log = std::fs::read_to_string(changed.join("events.jsonl")).unwrap();
    let digest = rows_digest(&rows(&spec("changed", 42)));
    std::fs::write(changed.join("events.jsonl"), log.replace(&digest, &"0".repeat(64))).unwrap();
    let (code, error) = refused("a", "changed");
    assert!(code == 2 && error.contains("cannot be identified") && error.contains("have changed"), "{error}");
}

#[test]
fn a_run_with_repeats_is_several_seeds() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let repeats = RunSpec { repeats: 3, ..spec("a", 42) };
    let dir = RunDir::create(runs, &repeats).unwrap();
    for seed in [42, 43] {
        let one = spec("a", seed);
        write_seed(&dir.of_seed(&one).unwrap(), &one, is_one_of(0.1, seed));
    }
    dir.of_seed(&spec("a", 44)).unwrap();
    write_run(runs, &RunSpec { learning_rate: 0.5, ..spec("b", 42) }, is_one_of(0.1, 9));
    let name = dir.name();
    let comparison = compare(runs, &name, "b").unwrap();
    let seeds: Vec<(u64, &str)> =
        comparison.a.seeds.iter().map(|seed| (seed.seed, seed.run.as_str())).collect();
    assert_eq!(seeds, [(42, name.as_str()), (43, name.as_str())]);
    assert!(comparison.notes[0].contains("seed 44"), "{:?}", comparison.notes);
    assert_eq!(comparison.main().unwrap().difference.test, Test::RandomEffects);
}

/// Two recipes with two seeds each that differ by nothing but chance.
fn undecided(runs: &Path) -> [PathBuf; 2] {
    let of_b = |seed| RunSpec { learning_rate: 0.5, ..spec("b", seed) };
    let mut dirs = [PathBuf::new(), PathBuf::new()];
    for seed in [42, 43] {
        dirs[0] = write_run(runs, &spec("a", seed), is_one_of(0.1, seed));
        dirs[1] = write_run(runs, &of_b(seed), is_one_of(0.1, 50 + seed));
    }
    dirs
}

#[test]
fn further_seeds_are_queued_in_turn_and_removed_once_decided() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let [a, b] = undecided(runs);
    let same = write_run(runs, &spec("a", 42), is_one_of(0.1, 1));
    let (side, _) = Side::pair(runs, &a, &same).unwrap();
    assert_eq!(side.seeds.len(), 1, "runs of the same recipe are compared alone");
    assert!(add_seeds(runs, &a, &same).unwrap_err().to_string().contains("the same settings"));
    let (queue, text) = add_seeds(runs, &a, &b).unwrap();
    let further = queue.entries.len() as u64 / 2;
    assert!(further > 0 && text.starts_with(&further.to_string()), "{text}");
    let queued: Vec<(&str, u64)> =
        queue.entries.iter().take(4).map(|entry| (entry.spec.experiment.as_str(), entry.spec.seed)).collect();
    assert_eq!(queued, [("a", 44), ("b", 44), ("a", 45), ("b", 45)][..queued.len()]);
    assert!(queue.entries.iter().all(|entry| entry.comparison == Some(1) && entry.spec.repeats == 1));
    assert_eq!(Queue::read(runs).unwrap(), queue);
    let plans = plan_file::read(runs).unwrap();
    assert_eq!((plans.len(), plans[0].further, plans[0].seeds_a, plans[0].seeds_b), (1, further, 2, 2));
    assert!(add_seeds(runs, &b, &a).unwrap_err().to_string().contains("queued already"));

    let comparison = compare(runs, "a", "b").unwrap();
    let plan = comparison.plan.as_ref().unwrap();
    assert_eq!((plan.done, plan.decision), (0, PlanDecision::Continue));
    assert!(plan.level < 0.05 && comparison.verdict.starts_with("not decided yet"), "{}", comparison.verdict);
    assert_eq!(comparison.further_seeds().map(|(_, left)| left), Some(further));

    // Seeds that were removed from the queue can be added again, for the same plan.
    let removed = Queue::edit(runs, QueueEdit::RemoveSeeds(1)).unwrap();
    assert!(removed.entries.is_empty());
    let (again, _) = add_seeds(runs, &a, &b).unwrap();
    assert_eq!((again.entries.len() as u64, plan_file::read(runs).unwrap().len()), (2 * further, 1));

    let mut watcher = PlanWatcher::default();
    assert_eq!(watcher.look(runs).unwrap(), None);
    // The further seeds of B are bad.
    for seed in 44..44 + further.min(3) {
        write_run(runs, &spec("a", seed), is_one_of(0.1, seed));
        write_run(runs, &RunSpec { learning_rate: 0.5, ..spec("b", seed) }, is_one_of(0.9, 50 + seed));
    }
    assert_eq!(watcher.look(runs).unwrap(), None, "the queue has not changed, so no run of it has ended");
    let comparison = compare(runs, "a", "b").unwrap();
    let decision = comparison.plan.as_ref().unwrap().decision;
    let mut watcher = PlanWatcher::default();
    let looked = watcher.look(runs).unwrap();
    assert_eq!(looked.is_some(), decision.is_final(), "{decision:?}");
    // All seeds are there at last, whatever the scores.
    for seed in 44..44 + further {
        write_run(runs, &spec("a", seed), is_one_of(0.1, seed));
        write_run(runs, &RunSpec { learning_rate: 0.5, ..spec("b", seed) }, is_one_of(0.9, 50 + seed));
    }
    let comparison = compare(runs, "b", "a").unwrap();
    assert!(comparison.plan.as_ref().unwrap().decision.is_final(), "{comparison:?}");
    PlanWatcher::default().look(runs).unwrap();
    assert_eq!(Queue::read(runs).unwrap().entries, [], "the rest is removed");
    assert!(add_seeds(runs, &a, &b).unwrap_err().to_string().contains("more looks"));
}

#[test]
fn a_damaged_file_of_plans_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("comparisons.toml"), "format = 1\n[[comparison]]\nid = \"x\"\n").unwrap();
    let [a, b] = undecided(home.path());
    let error = add_seeds(home.path(), &a, &b).unwrap_err().to_string();
    assert!(error.contains("comparisons.toml") && error.contains("delete it"), "{error}");
    let text = spec::to_toml(&built_in("a"));
    assert!(!text.contains("comparison"), "specifications know nothing of comparisons");
}
