//! Experiments files: the shipped file matches the built-in defaults, saving keeps comments and order, and a
//! specification round-trips through TOML.

use glue_tui::spec::{
    Experiments, IntervalStrategy, Key, LabelColumns, LrSchedulerType, RunSpec, SaveTarget, ValueKind,
    ValueOrigin, built_in, from_toml, key_named, keys, to_toml,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments.toml");

fn shipped() -> Experiments {
    Experiments::open(Some(Path::new(SHIPPED))).unwrap()
}

/// An experiments file in its own folder.
struct SavedFile {
    folder: tempfile::TempDir,
}

impl SavedFile {
    fn new(text: &str) -> Self {
        let saved = SavedFile { folder: tempfile::tempdir().unwrap() };
        std::fs::write(saved.path(), text).unwrap();
        saved
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("experiments.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn open(&self) -> Experiments {
        Experiments::open(Some(&self.path())).unwrap()
    }
}

/// The lines `# key = value   # comment` of the shipped file as (key, value).
fn commented(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
        .map(|(key, rest)| (key.trim(), rest.split('#').next().unwrap_or_default().trim().trim_matches('"')))
        .filter(|(key, _)| key_named(key).is_some())
        .collect()
}

#[test]
fn shipped_file_lists_every_key_in_order_with_its_default() {
    let text = std::fs::read_to_string(SHIPPED).unwrap();
    let expected: Vec<(&str, &str)> = keys().iter().map(|key| (key.name, key.default)).collect();
    assert_eq!(commented(&text), expected);
    // The keys under [defaults] are commented out, so the file changes no default.
    let file = shipped();
    let name = file.names()[0];
    assert!(file.values(name).iter().all(|value| value.origin != ValueOrigin::Defaults));
}

#[test]
fn every_shipped_experiment_resolves_and_has_a_description() {
    let file = shipped();
    assert_eq!(file.names()[..2], ["demo", "demo-pairs"]);
    for name in file.names() {
        assert_eq!(file.resolve(name, &[]).unwrap().experiment, name);
        assert!(file.description(name).is_some_and(|text| text.len() < 120), "{name}");
    }
}

#[test]
fn experiments_of_the_article_have_its_recipe() {
    let file = shipped();
    let three = [
        ("sst-distilbert", "distilbert/distilbert-base-uncased", "sst"),
        ("sst-bert-large", "google-bert/bert-large-uncased", "sst"),
        ("qqp-distilbert", "distilbert/distilbert-base-uncased", "qqp"),
    ];
    for (name, model, task) in three {
        let recipe = RunSpec {
            model: model.into(),
            task: task.parse().unwrap(),
            lr_scheduler_type: LrSchedulerType::Constant,
            weight_decay: 0.0,
            adam_epsilon: 1e-6,
            max_grad_norm: 0.0,
            per_device_train_batch_size: 32,
            num_train_epochs: 3.0,
            learning_rate: 2e-5,
            repeats: 8,
            ..built_in(name)
        };
        assert_eq!(file.resolve(name, &[]).unwrap(), recipe);
    }
}

#[test]
fn built_in_copy_is_the_shipped_file() {
    assert_eq!(glue_tui::assets::EXPERIMENTS, std::fs::read_to_string(SHIPPED).unwrap());
}

const WRITTEN: &str = "\
# Mine.
[defaults]
seed = 7            # lucky

# First.
[experiment.a]
model = \"demo\"      # the small one
learning_rate = 1e-4  # high
# A word in between.
repeats = 2

# Second.
[experiment.b]
max_steps = 10
";

#[test]
fn save_keeps_comments_order_and_number_notation() {
    let saved = SavedFile::new(WRITTEN);
    let mut file = saved.open();
    let changes =
        [("learning_rate", "2e-5".to_owned()), ("repeats", "3".into()), ("eval_steps", "50".into())];
    file.save("a", &changes, SaveTarget::Local).unwrap();
    let expected = WRITTEN
        .replace("learning_rate = 1e-4  # high", "learning_rate = 2e-5  # high")
        .replace("repeats = 2\n", "repeats = 3\neval_steps = 50\n");
    assert_eq!(saved.text(), expected);
    let spec = file.resolve("a", &[]).unwrap();
    assert_eq!((spec.learning_rate, spec.repeats, spec.eval_steps), (2e-5, 3, IntervalStrategy::Steps(50)));
    assert_eq!(spec, saved.open().resolve("a", &[]).unwrap());
}

#[test]
fn save_under_a_new_name_appends_a_table() {
    let saved = SavedFile::new(WRITTEN);
    let mut file = saved.open();
    let changes = [("task", "sst".to_owned()), ("weight_decay", ".5".into()), ("seed", "7".into())];
    file.save("c", &changes, SaveTarget::Local).unwrap();
    // The seed equals the one in [defaults], so it is not written.
    let added = "\n[experiment.c]\ntask = \"sst\"\nweight_decay = 0.5\n";
    assert_eq!(saved.text(), format!("{WRITTEN}{added}"));
    assert_eq!(file.names(), ["a", "b", "c"]);
    file.save("d", &[], SaveTarget::Local).unwrap();
    assert_eq!(file.names(), ["a", "b", "c", "d"]);
}

#[test]
fn save_of_an_empty_value_removes_the_key() {
    let saved = SavedFile::new(WRITTEN);
    let mut file = saved.open();
    let changes = [("max_steps", String::new()), ("data_dir", String::new())];
    file.save("b", &changes, SaveTarget::Local).unwrap();
    assert_eq!(saved.text(), WRITTEN.replace("max_steps = 10\n", ""));
    assert_eq!(file.resolve("b", &[]).unwrap().max_steps, None);
}

#[test]
fn empty_value_overrides_defaults() {
    let saved = SavedFile::new("[defaults]\nmax_steps = 5\n\n[experiment.a]\n");
    let mut file = saved.open();
    file.save("a", &[("max_steps", String::new())], SaveTarget::Local).unwrap();
    assert_eq!(file.resolve("a", &[]).unwrap().max_steps, None);
    assert_eq!(saved.open().resolve("a", &[]).unwrap().max_steps, None);
}

#[test]
fn invalid_changes_are_not_saved() {
    let saved = SavedFile::new(WRITTEN);
    let mut file = saved.open();
    let wrong = [
        ("a", vec![("learning_rate", "fast".to_owned())]),
        ("a", vec![("lr", "1".into())]),
        ("a", vec![("max_steps", "5".into()), ("warmup_steps", "9".into())]),
        ("no name", vec![]),
        ("../up", vec![]),
    ];
    for (name, changes) in wrong {
        let error = file.save(name, &changes, SaveTarget::Local).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert_eq!(saved.text(), WRITTEN);
    }
    assert_eq!(std::fs::read_dir(saved.folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn save_keeps_concurrent_edits() {
    let saved = SavedFile::new(WRITTEN);
    let mut file = saved.open();
    let edited = format!("{WRITTEN}\n# Third.\n[experiment.z]\n");
    std::fs::write(saved.path(), &edited).unwrap();
    file.save("b", &[("max_steps", "11".into())], SaveTarget::Local).unwrap();
    assert_eq!(saved.text(), edited.replace("max_steps = 10", "max_steps = 11"));
    assert_eq!(file.names(), ["a", "b", "z"]);
    // A file with errors is not overwritten either.
    std::fs::write(saved.path(), "[experiment.a\n").unwrap();
    assert!(file.save("b", &[("max_steps", "12".into())], SaveTarget::Local).is_err());
    assert_eq!(saved.text(), "[experiment.a\n");
}

#[cfg(unix)]
#[test]
fn save_follows_symlinks_and_keeps_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let saved = SavedFile::new(WRITTEN);
    let link = saved.folder.path().join("link.toml");
    symlink(saved.path(), &link).unwrap();
    std::fs::set_permissions(saved.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let mut file = Experiments::open(Some(&link)).unwrap();
    assert_eq!(file.save("b", &[("max_steps", "11".into())], SaveTarget::User).unwrap(), link);
    assert!(link.is_symlink());
    assert!(saved.text().contains("max_steps = 11"));
    assert_eq!(std::fs::metadata(saved.path()).unwrap().permissions().mode() & 0o777, 0o640);
}

/// Runs a test that depends on the working directory and on the configuration folder in a process of its own.
fn in_own_process(test: &str, run: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os("GLUE_TUI_TEST_FOLDER") {
        return run(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .current_dir(folder.path())
        .env("GLUE_TUI_TEST_FOLDER", folder.path())
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn built_in_copy_is_saved_to_the_working_directory() {
    in_own_process("built_in_copy_is_saved_to_the_working_directory", |_| {
        let mut file = Experiments::open(None).unwrap();
        assert_eq!(file.path_of("demo"), None);
        let path = file.save("demo", &[("seed", "7".into())], SaveTarget::Local).unwrap();
        assert_eq!(
            (path.as_path(), file.path_of("demo")),
            (Path::new("experiments.toml"), Some(path.as_path()))
        );
        let text = std::fs::read_to_string("experiments.toml").unwrap();
        assert_eq!(text.replacen("seed = 7\n", "", 1), glue_tui::assets::EXPERIMENTS);
        assert_eq!(Experiments::open(None).unwrap().resolve("demo", &[]).unwrap().seed, 7);
    });
}

#[test]
fn experiments_of_the_configuration_folder_are_beside_the_local_ones() {
    in_own_process("experiments_of_the_configuration_folder_are_beside_the_local_ones", |folder| {
        let own = folder.join("config/glue-tui/experiments.toml");
        let mut file = Experiments::open(None).unwrap();
        let demo = file.resolve("demo", &[]).unwrap();
        assert_eq!(file.save("demo", &[("seed", "7".into())], SaveTarget::User).unwrap(), own);
        assert_eq!(file.save("mine", &[("seed", "8".into())], SaveTarget::User).unwrap(), own);
        assert!(!Path::new("experiments.toml").exists());
        let file = Experiments::open(None).unwrap();
        assert_eq!(file.resolve("demo", &[]).unwrap(), RunSpec { seed: 7, ..demo }, "a copy has every value");
        assert!(file.names().contains(&"sst-distilbert"), "the built-in copy is there too");
        assert_eq!(file.path_of("demo"), Some(own.as_path()));

        std::fs::write("experiments.toml", "[experiment.mine]\nseed = 1\n[experiment.bad]\nseed = -1\n")
            .unwrap();
        let mut file = Experiments::open(None).unwrap();
        assert_eq!(file.names(), ["mine", "bad", "demo"]);
        assert_eq!(file.resolve("mine", &[]).unwrap().seed, 1);
        assert!(file.note("mine").unwrap().contains("config/glue-tui/experiments.toml"));
        file.save("demo", &[("seed", "9".into())], SaveTarget::Local).unwrap();
        assert!(std::fs::read_to_string(&own).unwrap().contains("seed = 9"), "it is saved to its own file");
        file.save("mine", &[("seed", "2".into())], SaveTarget::User).unwrap();
        assert!(
            std::fs::read_to_string("experiments.toml").unwrap().contains("seed = 2"),
            "beside a broken one"
        );

        let named = Experiments::open(Some(Path::new("experiments.toml"))).unwrap();
        assert_eq!(named.names(), ["mine", "bad"], "a named file is the only one");
        std::fs::write("experiments.toml", b"\xff").unwrap();
        let file = Experiments::open(None).unwrap();
        assert!(file.resolve("demo", &[]).is_ok() && file.resolve("mine", &[]).is_ok());
        assert!(file.errors()[0].contains("not UTF-8"));
    });
}

#[test]
fn unreadable_files_are_configuration_errors() {
    let error = Experiments::open(Some(Path::new("/no/such/experiments.toml"))).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let saved = SavedFile::new("");
    std::fs::write(saved.path(), b"[experiment.a]\nmodel = \"\xff\"\n").unwrap();
    let error = Experiments::open(Some(&saved.path())).unwrap_err();
    assert!(error.to_string().ends_with("experiments.toml:2:10: not UTF-8 text; save the file as UTF-8"));
}

#[test]
fn run_specification_is_an_experiments_file() {
    let spec = shipped().resolve("sst-distilbert", &[("max_steps".into(), "5".into())]).unwrap();
    let saved = SavedFile::new(&to_toml(&spec));
    let mut file = saved.open();
    assert_eq!(file.names(), ["sst-distilbert"]);
    assert_eq!(file.resolve("sst-distilbert", &[]).unwrap(), spec);
    assert!(file.save("sst-distilbert", &[("max_steps", "6".into())], SaveTarget::Local).is_err());
}

#[test]
fn invalid_specification_has_its_position() {
    let error = from_toml("experiment = \"a\"\nsede = 1\n", Path::new("runs/a/spec.toml")).unwrap_err();
    assert_eq!(error.to_string(), "runs/a/spec.toml:2:1: unknown key `sede`; did you mean `seed`?");
    assert!(from_toml("[experiment.a]\n[experiment.b]\n", Path::new("s.toml")).is_err());
}

/// Any value of a key.
fn any_text(key: &Key) -> BoxedStrategy<String> {
    match key.kind {
        ValueKind::Integer { min, max } => (min..=max).prop_map(|n| n.to_string()).boxed(),
        ValueKind::Real { min, max } => {
            let numbers = prop_oneof![min..=max.min(1e6), Just(min), prop::num::f64::POSITIVE];
            numbers.prop_map(move |x| format!("{:?}", x.clamp(min, max))).boxed()
        }
        ValueKind::Interval => {
            prop_oneof![Just("epoch".to_owned()), (1..i64::MAX).prop_map(|n| n.to_string())].boxed()
        }
        ValueKind::Columns => {
            let list = prop::collection::btree_set("[a-z \"]{1,4}[a-z]", 1..4);
            let list = list.prop_map(|names| LabelColumns::Several(names.into_iter().collect()));
            let text = list.prop_map(|columns| serde_json::to_string(&columns).unwrap());
            prop_oneof!["[a-z]{1,9}", text].boxed()
        }
        ValueKind::ClassWeights => {
            let list = prop::collection::vec(0.001..1e6, 1..4).prop_map(|numbers| format!("{numbers:?}"));
            prop_oneof![Just("balanced".to_owned()), list].boxed()
        }
        ValueKind::LabelMap => "[a-z]{1,5}=[a-z]{1,5}".boxed(),
        ValueKind::Device => "auto|cpu|metal|cuda:[0-9]".boxed(),
        ValueKind::Boolean => "true|false".boxed(),
        ValueKind::Text if key.name == "delimiter" => "[,;|:]|tab".boxed(),
        ValueKind::Choice(_) | ValueKind::Task => {
            prop::sample::select(key.choices().unwrap()).prop_map(str::to_owned).boxed()
        }
        ValueKind::Model | ValueKind::Text | ValueKind::Path => "[^\\x00 ]\\PC{0,20}".boxed(),
    }
}

proptest! {
    #[test]
    fn every_specification_round_trips_through_toml(
        sets in prop::collection::vec(
            prop::sample::select(keys()).prop_flat_map(|key| (Just(key.name.to_owned()), any_text(&key))),
            0..8,
        )
    ) {
        // Values that violate a rule between keys are skipped.
        if let Ok(spec) = built_in("any-1").with(&sets) {
            let text = to_toml(&spec);
            prop_assert_eq!(from_toml(&text, Path::new("spec.toml")).map_err(|e| e.to_string()), Ok(spec), "{}", text);
        }
    }

    #[test]
    fn every_valid_form_value_can_be_saved(
        (name, text) in prop::sample::select(keys()).prop_flat_map(|key| (Just(key.name), any_text(&key)))
    ) {
        let saved = SavedFile::new("# Above.\n[experiment.a]\n");
        let mut file = saved.open();
        if let Ok(spec) = built_in("a").with(&[(name.to_owned(), text.clone())]) {
            file.save("a", &[(name, text)], SaveTarget::Local).unwrap();
            prop_assert_eq!(saved.open().resolve("a", &[]).unwrap(), spec);
            prop_assert!(saved.text().starts_with("# Above.\n[experiment.a]\n"));
        }
    }
}
