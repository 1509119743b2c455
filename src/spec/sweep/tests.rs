use super::*;
use crate::catalog::ModelSize;
use crate::spec::experiments::Experiments;
use crate::spec::{
    ResolvedExperiment, RunSpec, SaveTarget, built_in, key_named, sweep_from_toml, sweep_json, sweep_to_toml,
};
use proptest::prelude::*;
use std::path::Path;

fn open(text: &str) -> Experiments {
    Experiments::of_text(text, Some("e.toml"))
}

#[track_caller]
fn sweep_with(text: &str, overrides: &[(&str, &str)]) -> Sweep {
    let overrides: Vec<(String, String)> =
        overrides.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    match open(&format!("[experiment.x]\n{text}")).resolve_any("x", &overrides) {
        Ok(ResolvedExperiment::Sweep(sweep)) => *sweep,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn sweep(text: &str) -> Sweep {
    sweep_with(text, &[])
}

/// The errors of an experiment.
#[track_caller]
fn errors(text: &str) -> Vec<String> {
    let file = open(&format!("[experiment.x]\n{text}"));
    assert!(file.resolve_any("x", &[]).is_err());
    file.errors()
}

fn values(sweep: &Sweep) -> Vec<String> {
    (0..sweep.len()).map(|number| sweep.describe_trial(number)).collect()
}

#[test]
fn a_grid_has_every_combination_and_the_last_key_is_the_fastest() {
    let sweep = sweep("weight_decay = [0.0, 0.1]\nlearning_rate = [1e-5, 2e-5, 5e-5]\n");
    assert_eq!(
        values(&sweep),
        [
            "learning_rate=1e-5 weight_decay=0.0",
            "learning_rate=1e-5 weight_decay=0.1",
            "learning_rate=2e-5 weight_decay=0.0",
            "learning_rate=2e-5 weight_decay=0.1",
            "learning_rate=5e-5 weight_decay=0.0",
            "learning_rate=5e-5 weight_decay=0.1",
        ]
    );
    assert_eq!(sweep.base.learning_rate, 1e-5, "the first value stands for the sweep");
    let trial = sweep.trial(3).unwrap();
    assert_eq!((trial.learning_rate, trial.weight_decay), (2e-5, 0.1));
    assert_eq!(sweep.trial(6), None);
    assert_eq!(sweep.describe(), "6 trials of learning_rate and weight_decay");
}

#[test]
fn keys_whose_value_is_a_list_are_swept_by_a_list_of_lists() {
    let list = r#"class_weights = [[1.0, 2.0], [1, 3.5], "balanced"]"#;
    let sweep = sweep(list);
    assert_eq!(
        values(&sweep),
        ["class_weights=[1.0, 2.0]", "class_weights=[1, 3.5]", "class_weights=balanced"]
    );
    let file = open("[experiment.x]\nclass_weights = [1.0, 2.0]\n");
    assert!(matches!(file.resolve_any("x", &[]), Ok(ResolvedExperiment::Run(_))), "a single value");
    let columns = "task = \"custom\"\ntrain_file = \"a.csv\"\ntext_column = \"t\"\n\
                   label_column = [[\"a\", \"b\"], [\"c\", \"d\"]]\n";
    assert_eq!(super::tests::sweep(columns).len(), 2);
}

#[test]
fn words_booleans_intervals_and_absent_values_are_swept_too() {
    let sweep = sweep(
        "lr_scheduler_type = [\"linear\", \"cosine\"]\neval_steps = [50, \"epoch\"]\nearly_stopping_patience = [3, \"\"]\n",
    );
    assert_eq!(sweep.len(), 8);
    assert_eq!(sweep.trial(7).unwrap().early_stopping_patience, None);
    let text = sweep_to_toml(&sweep);
    assert!(text.contains("early_stopping_patience = [3, \"\"]"), "{text}");
    assert_eq!(sweep_from_toml(&text, Path::new("sweep.toml")).unwrap(), sweep);
}

#[test]
fn random_trials_follow_from_the_seed_and_can_be_extended() {
    let text = "learning_rate = { min = 1e-5, max = 1e-3, scale = \"log\" }\n\
                per_device_train_batch_size = { min = 8, max = 64 }\nsearch = \"random\"\n";
    let few = sweep(&format!("{text}trials = 5\n"));
    let many = sweep(&format!("{text}trials = 200\n"));
    assert_eq!(many.trials[..5], few.trials);
    assert_eq!(few.with_trials(200).unwrap(), many);
    let other = sweep(&format!("{text}trials = 5\nseed = 7\n"));
    assert_ne!(other.trials, few.trials);
    let rates: Vec<f64> = (0..200).map(|number| many.trial(number).unwrap().learning_rate).collect();
    assert!(rates.iter().all(|rate| (1e-5..=1e-3).contains(rate)));
    let low = rates.iter().filter(|rate| **rate < 1e-4).count();
    assert!((70..130).contains(&low), "half of a logarithmic range is below its geometric mean: {low}");
    let sizes = (0..200).map(|number| many.trial(number).unwrap().per_device_train_batch_size);
    assert!(sizes.clone().all(|size| (8..=64).contains(&size)) && sizes.max() > Some(55));
    // These values are those of this version and of all later ones: an old sweep can be extended.
    assert_eq!(few.trials[0].len(), 2);
}

#[test]
fn random_trials_of_lists_are_never_the_same() {
    let text = "learning_rate = [1e-5, 2e-5, 5e-5]\nseed = [1, 2, 3]\nsearch = \"random\"\n";
    let all = sweep(&format!("{text}trials = 9\n"));
    let distinct: std::collections::BTreeSet<_> = all.trials.iter().collect();
    assert_eq!(distinct.len(), 9);
    let found = errors(&format!("{text}trials = 10\n"));
    assert!(found[0].starts_with("e.toml:5:10: `trials`: expected at most 9, found 10"), "{found:?}");
    let few =
        errors("per_device_train_batch_size = { min = 8, max = 10 }\nsearch = \"random\"\ntrials = 4\n");
    assert!(few[0].contains("expected at most 3, found 4"), "{few:?}");
    let narrow = errors("learning_rate = { min = 1e-5, max = 1.001e-5 }\nsearch = \"random\"\ntrials = 4\n");
    assert!(narrow[0].contains("the ranges have 2 different combinations"), "{narrow:?}");
}

#[test]
fn every_value_is_checked_at_its_place() {
    let found = errors("learning_rate = [1e-5, 2.0, \"x\"]\nseed = [1, -1]\n");
    assert_eq!(
        found,
        [
            "e.toml:2:24: `learning_rate`: expected a number above 0 and at most 1, found `2.0`",
            "e.toml:2:29: `learning_rate`: expected a number above 0 and at most 1, found `x`",
            "e.toml:3:12: `seed`: expected a whole number of at least 0, found `-1`",
        ]
    );
    for (text, expected) in [
        ("learning_rate = []", "2:17: `learning_rate`: the list of values is empty"),
        ("learning_rate = [1e-5, 0.00001]", "2:24: `learning_rate`: 0.00001 is in the list twice"),
        ("learning_rate = { min = 1e-5 }", "2:17: `learning_rate`: a range needs min and max"),
        ("learning_rate = { min = 1e-3, max = 1e-5 }", "min of the range, 1e-3, is not below max, 1e-5"),
        ("weight_decay = { min = 0.0, max = 0.1, scale = \"log\" }", "needs a min above 0"),
        ("learning_rate = { min = 1e-5, max = 2.0 }", "2:37: `learning_rate`: expected a number above 0"),
        (
            "learning_rate = { min = 1e-5, max = 1e-3, scale = \"lgo\" }",
            "2:51: `learning_rate`: expected one of linear, log",
        ),
        ("learning_rate = { min = 1e-5, maxx = 1e-3 }", "unknown key `maxx`; did you mean `max`?"),
        ("seed = { min = 1, max = 2.5 }", "expected a whole number"),
        ("model = { min = 1, max = 2 }", "only keys with numbers have ranges"),
    ] {
        let found = errors(&format!("{text}\n"));
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn settings_of_a_sweep_are_checked() {
    for (text, expected) in [
        ("trials = 3", "2:10: `trials`: no key has several values"),
        ("scheduler = \"asha\"", "2:13: `scheduler`: no key has several values"),
        (
            "seed = [1, 2]\nscheduler = \"linear\"",
            "3:13: `scheduler`: expected asha, found `linear`; the learning-rate schedule is",
        ),
        ("seed = [1, 2]\nsearch = \"tpe\"", "3:10: `search`: expected one of grid, random, zip, found `tpe`"),
        ("seed = [1, 2]\ntrials = 0", "3:10: `trials`: expected a whole number of at least 1"),
        ("seed = [1, 2]\ntrials = \"2\"", "3:10: `trials`: write a number without quotes: trials = 2"),
        (
            "seed = [1, 2]\ntrials = 3",
            "3:10: `trials`: expected at most 2, found 3: the grid has 2 combinations",
        ),
        (
            "seed = [1, 2]\nsearch = \"random\"",
            "3:10: `search`: search = \"random\" needs the number of trials",
        ),
        (
            "seed = [1, 2]\nreduction_factor = 3",
            "3:20: `reduction_factor`: only scheduler = \"asha\" uses this key",
        ),
        (
            "seed = [1, 2]\nscheduler = \"asha\"\nreduction_factor = 1",
            "4:20: `reduction_factor`: expected a whole number of at least 2",
        ),
        ("seed = { min = 1, max = 9 }", "2:8: `seed`: a grid needs a list of values"),
        (
            "task = [\"demo\", \"sst2\"]",
            "2:8: `task`: trials with different values have scores that cannot be compared",
        ),
        (
            "seed = { min = 1, max = 99999 }\nsearch = \"random\"\ntrials = 10001",
            "1:13: the sweep has 10001 trials, and at most 10,000 are allowed",
        ),
    ] {
        let found = errors(&format!("{text}\n"));
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
    let found = open("[defaults]\nlearning_rate = [1e-5, 2e-5]\ntrials = 2\n[experiment.x]\n").errors();
    assert!(
        found.len() == 2 && found[0].contains("e.toml:2:17: `learning_rate`: a sweep belongs in"),
        "{found:?}"
    );
}

#[test]
fn rules_between_keys_are_checked_for_every_combination() {
    let found = errors("max_steps = [5, 100]\nwarmup_steps = [0, 50]\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("e.toml:3:16: `warmup_steps`: "), "{found:?}");
    assert!(found[0].contains("(in the trial with max_steps=5 warmup_steps=50)"), "{found:?}");
    // A base that is valid only with the swept values is no error.
    assert_eq!(sweep("warmup_steps = 50\nmax_steps = [100, 200]\n").len(), 2);
}

#[test]
fn overrides_sweep_keys_and_end_sweeps() {
    let file = "learning_rate = [1e-5, 2e-5]\nscheduler = \"asha\"\n";
    let other = sweep_with(file, &[("learning_rate", "[3e-5, 4e-5, 5e-5]"), ("grace_period", "2")]);
    assert_eq!((other.len(), other.scheduler.unwrap().grace_period), (3, 2));
    let words = sweep_with(file, &[("lr_scheduler_type", "[linear,cosine]")]);
    assert_eq!(words.len(), 4, "a shell removes quotes");
    let twice = open(&format!("[experiment.x]\n{file}"))
        .resolve_any("x", &[("lr_scheduler_type".to_owned(), "[linear,cosine,linear]".to_owned())])
        .unwrap_err()
        .to_string();
    assert!(twice.ends_with("`lr_scheduler_type`: linear is in the list twice"), "{twice}");
    let hexadecimal =
        sweep("learning_rate = { min = 1e-5, max = 1e-4 }\nsearch = \"random\"\ntrials = 0x1_0\n");
    assert_eq!(hexadecimal.len(), 16);
    let range = sweep_with(
        file,
        &[("weight_decay", "{ min = 0.0, max = 0.1 }"), ("search", "random"), ("trials", "3")],
    );
    assert_eq!((range.len(), range.axes.len()), (3, 2));
    let experiments = open(&format!("[experiment.x]\n{file}"));
    let set = |key: &str, text: &str| vec![(key.to_owned(), text.to_owned())];
    let single = experiments.resolve("x", &set("learning_rate", "3e-5")).unwrap();
    assert_eq!(single.learning_rate, 3e-5, "the settings of the sweep do not matter then");
    let error = experiments.resolve("x", &[]).unwrap_err().to_string();
    assert!(error.contains("is a sweep of 2 trials; add --set learning_rate=VALUE"), "{error}");
    let unused = [set("learning_rate", "3e-5"), set("trials", "2")].concat();
    let error = experiments.resolve_any("x", &unused).unwrap_err().to_string();
    assert!(error.contains("`trials`: no key has several values"), "{error}");
    let error = experiments.resolve_any("x", &set("learning_rate", "[1e-5, fast]")).unwrap_err().to_string();
    assert!(error.starts_with("--set learning_rate=[1e-5, fast]: expected a number"), "{error}");
    assert_eq!(error_code(&experiments, "trials", "9"), 2);
}

fn error_code(experiments: &Experiments, key: &str, text: &str) -> u8 {
    experiments.resolve_any("x", &[(key.to_owned(), text.to_owned())]).unwrap_err().exit_code()
}

#[test]
fn a_sweep_reads_back_from_its_toml() {
    let sweep = sweep(
        "learning_rate = { min = 1e-5, max = 1e-3, scale = \"log\" }\nmodel = [\"demo\", \"org/x\"]\nsearch = \"random\"\n\
         trials = 7\nscheduler = \"asha\"\nreduction_factor = 3\n",
    );
    let text = sweep_to_toml(&sweep);
    assert_eq!(sweep_from_toml(&text, Path::new("sweep.toml")).unwrap(), sweep);
    assert!(
        crate::spec::from_toml(&text, Path::new("spec.toml")).is_err(),
        "it is no specification of a run"
    );
    let json = sweep_json(&sweep);
    assert_eq!(json["learning_rate"]["scale"], "log");
    assert_eq!((&json["model"][1], &json["trials"]), (&"org/x".into(), &7.into()));
}

#[test]
fn swept_values_are_saved_and_keep_their_notation() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("e.toml");
    std::fs::write(
        &path,
        "[experiment.x]\nlearning_rate = 1e-5 # mine\ntrials = 2\nsearch = \"random\"\nseed = [1, 2]\n",
    )
    .unwrap();
    let mut file = Experiments::open(Some(&path)).unwrap();
    let trials = file.values("x").into_iter().find(|value| value.key.name == "trials").unwrap();
    assert_eq!(trials.text, "2");
    let rate = file.values("x").into_iter().find(|value| value.key.name == "seed").unwrap();
    assert_eq!(rate.text, "[1, 2]");
    let changes = [
        ("learning_rate", "{ min = 1e-5, max = 1e-3, scale = \"log\" }".to_owned()),
        ("weight_decay", "[0.0, 1e-2]".to_owned()),
        ("trials", "3".to_owned()),
        ("scheduler", "asha".to_owned()),
    ];
    file.save("x", &changes, SaveTarget::Local).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("learning_rate = { min = 1e-5, max = 1e-3, scale = \"log\" } # mine"), "{text}");
    assert!(text.contains("weight_decay = [0.0, 1e-2]"), "{text}");
    assert!(text.contains("trials = 3\n") && text.contains("scheduler = \"asha\""), "{text}");
    assert!(
        matches!(file.resolve_any("x", &[]), Ok(ResolvedExperiment::Sweep(sweep)) if sweep.axes.len() == 3)
    );
}

#[test]
fn rungs_are_at_the_powers_of_the_reduction_factor() {
    let asha = AshaSettings { reduction_factor: 3, grace_period: 2 };
    let rungs: Vec<_> =
        (1..=20).filter_map(|evaluation| Some((evaluation, asha.rung_at(evaluation)?))).collect();
    assert_eq!(rungs, [(2, 0), (6, 1), (18, 2)]);
    assert_eq!(AshaSettings { reduction_factor: u64::MAX, grace_period: 2 }.rung_at(9), None, "no overflow");
}

proptest! {
    #[test]
    fn texts_never_panic(text in "[\\[{][ -~]{0,40}") {
        for name in ["learning_rate", "label_column", "model", "label_map", "class_weights", "eval_steps"] {
            let key = key_named(name).unwrap();
            if let Some(Ok(values)) = SweptValues::from_text(key, &text) {
                let again = SweptValues::from_text(key, &values.toml(key));
                prop_assert_eq!(again, Some(Ok(values)), "{}", text);
            }
        }
    }

    #[test]
    fn extended_sweeps_begin_alike(seed in 0_u64..1000, few in 1_u64..8, more in 1_u64..8) {
        let text = format!(
            "seed = {seed}\nlearning_rate = {{ min = 1e-5, max = 1e-3 }}\nweight_decay = [0.0, 0.1]\nsearch = \"random\"\n"
        );
        let short = sweep(&format!("{text}trials = {few}\n"));
        let long = sweep(&format!("{text}trials = {}\n", few + more));
        prop_assert_eq!(&long.trials[..few as usize], &short.trials[..]);
    }
}

#[test]
fn zip_takes_the_lists_in_step() {
    let text =
        "learning_rate = [1e-5, 2e-5, 1e-5]\nper_device_train_batch_size = [8, 16, 8]\nsearch = \"zip\"\n";
    let zipped = sweep(text);
    assert_eq!(zipped.trials, [["8", "1e-5"], ["16", "2e-5"], ["8", "1e-5"]]);
    assert_eq!(zipped.describe(), "3 trials of per_device_train_batch_size and learning_rate, in step");
    assert_eq!(sweep_from_toml(&sweep_to_toml(&zipped), Path::new("sweep.toml")).unwrap(), zipped);
    assert_eq!(sweep(&format!("{text}trials = 2\n")).len(), 2);
    let found = errors(&format!("{text}trials = 4\n"));
    assert!(found[0].contains("`trials`: expected at most 3, found 4"), "{found:?}");
    let found = errors("learning_rate = [1e-5, 2e-5]\nseed = [1, 2, 3]\nsearch = \"zip\"\n");
    assert!(
        found[0].contains("`seed`: has 3 values, and `learning_rate` has 2; with search = \"zip\""),
        "{found:?}"
    );
    let found = errors("learning_rate = { min = 1e-5, max = 1e-4 }\nsearch = \"zip\"\n");
    assert!(found[0].contains("a zip needs a list of values"), "{found:?}");
}

#[test]
fn tasks_are_swept_only_in_step_and_without_a_scheduler() {
    let tasks = sweep("task = [\"rte\", \"stsb\"]\nlearning_rate = [1e-4, 1e-4]\nsearch = \"zip\"\n");
    assert!(tasks.has_tasks());
    assert_eq!(tasks.describe(), "2 tasks with demo");
    assert_eq!(tasks.trial(1).unwrap().task.name(), "stsb");
    let found = errors("task = [\"rte\", \"stsb\"]\n");
    assert!(found[0].contains("scores that cannot be compared"), "{found:?}");
    let found = errors("task = [\"rte\", \"stsb\"]\nsearch = \"zip\"\nscheduler = \"asha\"\n");
    assert!(found[0].contains("`scheduler`: asha compares the scores"), "{found:?}");
}

#[test]
fn a_sweep_of_tasks_has_the_recommended_settings_of_each() {
    let tasks = ["cola", "wnli", "qqp"].map(|name| name.parse().unwrap());
    let base = RunSpec { seed: 7, max_steps: Some(9), weight_decay: 0.5, ..built_in("glue-demo") };
    let found = Sweep::of_tasks(base, &tasks, None, &["max_steps", "weight_decay"]).unwrap();
    let setting = |trial: u64| {
        let spec = found.trial(trial).unwrap();
        (spec.num_train_epochs, spec.per_device_train_batch_size, spec.early_stopping_patience)
    };
    assert_eq!([setting(0), setting(1), setting(2)], [(3.0, 32, None), (10.0, 16, Some(8)), (3.0, 32, None)]);
    let last = found.trial(2).unwrap();
    assert_eq!((last.learning_rate, last.seed, last.max_steps, last.weight_decay), (5e-4, 7, Some(9), 0.5));
    assert_eq!(sweep_from_toml(&sweep_to_toml(&found), Path::new("sweep.toml")).unwrap(), found);
    let one = Sweep::of_tasks(built_in("glue-demo"), &tasks[..1], None, &[]).unwrap();
    assert_eq!((one.len(), one.has_tasks(), one.base.learning_rate), (1, true, 5e-4));
    let large = Sweep::of_tasks(built_in("glue-demo"), &tasks[..1], Some(ModelSize::Large), &[]).unwrap();
    assert_eq!(large.base.learning_rate, 2e-5, "the name does not decide where the size is known");
    assert_eq!(sweep_from_toml(&sweep_to_toml(&one), Path::new("sweep.toml")).unwrap(), one);
}
