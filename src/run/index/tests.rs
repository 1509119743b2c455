use super::super::log_state::END_BYTES;
use super::*;
use crate::event::{Command, Event, Started, Step, TrainingSettings};
use crate::train::Best;

/// Writes a run of half a second per step that was killed after `steps` steps.
fn killed(dir: &Path, steps: u64) {
    let spec = crate::spec::built_in("demo");
    let started = Event::Started(Box::new(Started {
        time: 7.0,
        spec: spec.clone(),
        device: "cpu".into(),
        precision: "f32".into(),
        first_step: 0,
        total_steps: 5000,
        steps_per_epoch: 100,
        labels: Vec::new(),
        problem_type: None,
        scale: None,
        rows: [3200, 0, 0],
        data: std::collections::BTreeMap::default(),
        truncated_train_rows: None,
        trainable_parameters: 1,
        planned_memory: None,
        product_rate: None,
    }));
    let step = |step| {
        let (epoch, loss, learning_rate) = (step as f64 / 100.0, 0.123_456_789, 1e-4);
        let (grad_norm, examples, tokens, seconds) = (0.987_654_321, 32, 640, 0.5);
        let usage = None;
        Event::Step(Step { step, epoch, loss, learning_rate, grad_norm, examples, tokens, seconds, usage })
    };
    let events = std::iter::once(started).chain((1..=steps).map(step));
    let lines: Vec<String> = events.map(|event| serde_json::to_string(&event).unwrap() + "\n").collect();
    let dir = RunDir::at(dir);
    std::fs::write(dir.events_file(), lines.concat()).unwrap();
    std::fs::write(dir.spec_file(), crate::spec::to_toml(&spec)).unwrap();
}

#[test]
fn short_log_is_read_completely() {
    let home = tempfile::tempdir().unwrap();
    killed(home.path(), 300);
    let row = row(home.path()).unwrap();
    assert_eq!((row.status, row.steps, row.total_steps), (RunStatus::Interrupted, 300, 5000));
    assert_eq!((row.train_seconds, row.started, row.best), (150.0, 7.0, None));
}

#[test]
#[cfg(unix)]
fn nothing_is_omitted_silently() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    for name in ["good", "broken", "newer", "lost-spec", "fifo", "folder", ".hidden"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    let spec = crate::spec::to_toml(&crate::spec::built_in("demo"));
    std::fs::write(path("good/spec.toml"), &spec).unwrap();
    std::fs::write(path("broken/spec.toml"), &spec[..spec.find('\n').unwrap() - 1]).unwrap();
    std::fs::write(path("newer/spec.toml"), spec + "from_the_future = 1\n").unwrap();
    std::fs::write(path("lost-spec/events.jsonl"), "").unwrap();
    std::fs::write(path("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("fifo/spec.toml")).status().unwrap().success());
    let rows = list(home.path()).unwrap();
    let problem = |name: &str| {
        let row = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name}: {rows:?}"));
        assert_eq!(row.status == RunStatus::Unreadable, row.problem.is_some());
        row.problem.clone().unwrap_or_default()
    };
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert_eq!(problem("good"), "");
    for (name, part) in [
        ("broken", "spec.toml:"),
        ("newer", "from_the_future"),
        ("lost-spec", "spec.toml: No such file"),
        ("fifo", "FIFO"),
        ("link", "cannot read"),
    ] {
        assert!(problem(name).contains(part), "{name}: {}", problem(name));
    }
    assert!(list(&path("file")).is_err() && list(&path("none")).unwrap().is_empty());
    assert_eq!(find(home.path(), "newer").unwrap(), path("newer"), "commands report what is wrong with it");
}

#[test]
fn long_log_is_summed_up_from_its_ends_and_the_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    killed(home.path(), 4000);
    let bytes = std::fs::metadata(RunDir::at(home.path()).events_file()).unwrap().len();
    assert!(bytes > 4 * END_BYTES, "long enough to be read at its ends only");
    let checkpoint = home.path().join("checkpoints/step-003900");
    std::fs::create_dir_all(&checkpoint).unwrap();
    let state = "step = 3900\nupdates = 3900\nevals_without_improvement = 0\ntrain_seconds = 1950.0\n\
                 examples = 1\ntokens = 1\ntotal_steps = 6000\n[before]\n[latest]\n\
                 [best]\nstep = 3900\nmetric = \"accuracy\"\nvalue = 0.9\n";
    std::fs::write(checkpoint.join("loop.toml"), state).unwrap();
    let row = row(home.path()).unwrap();
    // max_steps was changed mid-run.
    assert_eq!((row.steps, row.total_steps, row.train_seconds), (4000, 6000, 2000.0));
    assert_eq!((row.started, row.best), (7.0, Some((Metric::Accuracy, 0.9))));
}

#[test]
fn resumed_run_keeps_its_start_and_its_changes() {
    let home = tempfile::tempdir().unwrap();
    killed(home.path(), 20);
    let file = RunDir::at(home.path()).events_file();
    let log = std::fs::read_to_string(&file).unwrap();
    let change = |step, rate: f64| {
        let settings = Some(TrainingSettings { learning_rate: rate, total_steps: 5000 });
        let command = Command::LearningRate(rate);
        let event = Event::Command { step, command, settings, replayed: false, error: None };
        serde_json::to_string(&event).unwrap() + "\n"
    };
    let first = log.lines().next().unwrap();
    let resumed =
        first.replace("\"time\":7.0", "\"time\":90.0").replace("\"first_step\":0", "\"first_step\":10");
    assert_ne!(resumed, first);
    // The change at step 15 is lost: the run resumes after step 10.
    let ended = r#"{"kind":"ended","time":95.0,"status":"failed","error":"out of memory"}"#;
    let log = [log, change(5, 1e-5), change(15, 2e-5), format!("{resumed}\n{ended}\n")].concat();
    std::fs::write(&file, log).unwrap();
    let row = row(home.path()).unwrap();
    assert_eq!((row.started, row.ended, row.status), (7.0, Some(95.0), RunStatus::Failed));
    assert_eq!(row.error.as_deref(), Some("out of memory"));
    let changes: Vec<_> = row.changes.iter().map(|change| (change.step, change.key, change.to)).collect();
    assert_eq!(changes, [(5, "learning_rate", 1e-5)]);
}

#[test]
fn finished_seeds_count_before_the_others_are_done() {
    let home = tempfile::tempdir().unwrap();
    let spec = crate::spec::RunSpec { repeats: 3, ..crate::spec::built_in("demo") };
    let dir = RunDir::at(home.path());
    std::fs::write(dir.spec_file(), crate::spec::to_toml(&spec)).unwrap();
    for (seed, value) in [(spec.seed, 0.8), (spec.seed + 1, 0.9)] {
        let one = RunSpec { seed, repeats: 1, ..spec.clone() };
        let best = Some(Best { step: 7, metric: Metric::Accuracy, value, test: None, averaging: None });
        let failed = Summary::failed(&one, &Error::Training("-".into()));
        let summary = Summary { best, status: Status::Finished, train_seconds: 10.0, ..failed };
        dir.of_seed(&one).unwrap().write_summary(&summary).unwrap();
    }
    let row = row(dir.path()).unwrap();
    assert_eq!((row.train_seconds, row.progress), (20.0, 2.0 / 3.0), "of all seeds");
    let repeats = row.repeats.unwrap();
    assert!((repeats.mean - 0.85).abs() < 1e-12 && repeats.count == 2, "{repeats:?}");
}
