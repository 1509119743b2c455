use super::*;
use proptest::prelude::*;

fn errors(text: &str) -> Vec<String> {
    parse(text, Path::new("e.toml")).all_errors().iter().map(ToString::to_string).collect()
}

/// The names of the experiments without errors, and of those with errors.
fn intact_and_broken(text: &str) -> (Vec<String>, Vec<String>) {
    let file = parse(text, Path::new("e.toml"));
    let (intact, broken): (Vec<_>, Vec<_>) =
        file.experiments.into_iter().partition(|experiment| experiment.errors.is_empty());
    let names = |some: Vec<Experiment>| some.iter().map(|one| one.name().to_owned()).collect();
    (names(intact), names(broken))
}

#[test]
fn an_error_costs_its_experiment() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for broken in [
        "learning_rat = 1e-4\n",
        "learning_rate = \"fast\"\n",
        "task = \"sst-2\"\n",
        "warmup_steps = 9\nmax_steps = 3\n",
        "seed = = 1\n",
        "model = \"demo\n",
        "model = \"\"\"demo\n",
        "label_column = [\"a\",\n  \"b\"\n",
        "seed = 1\nseed = 2\n",
        "@\n",
    ] {
        let text =
            format!("# One.\n[experiment.a]\nseed = 3\n\n# Two.\n[experiment.b]\n{broken}\n[experiment.c]\n");
        assert_eq!(intact_and_broken(&text), (names(&["a", "c"]), names(&["b"])), "{broken}");
        let file = parse(&text, Path::new("e.toml"));
        assert!(file.errors.is_empty(), "{:?}", file.errors);
        assert!(file.experiments[1].errors.iter().all(|error| (7..=9).contains(&error.line)), "{broken}");
        assert_eq!(file.experiments[1].description.as_deref(), Some("Two."));
        assert_eq!(file.experiments[0].spec.seed, 3);
    }
    let headers = "[experiment.a]\n[experiment.b\nseed = 1\n[experiment.c] x\n[experiment.d]\n";
    assert_eq!(intact_and_broken(headers), (names(&["a", "d"]), names(&["b", "c"])));
    let twice = "[experiment.a]\n[experiment.b]\nseed = 1\n[experiment.a]\nseed = 2\n";
    assert_eq!(intact_and_broken(twice), (names(&["b"]), names(&["a"])));
    assert_eq!(intact_and_broken("[experimnt.z]\n[experiment.a]\n").0, ["a"]);
    assert_eq!(intact_and_broken("asdf\n[experiment.a]\n").0, ["a"]);
}

#[test]
fn an_error_in_defaults_costs_the_experiments_that_have_the_value() {
    let text = |defaults: &str| {
        format!("{defaults}\n[experiment.a]\nseed = 3\n[experiment.b]\nlearning_rate = 1e-4\n")
    };
    let intact = |defaults: &str| intact_and_broken(&text(defaults)).0;
    assert_eq!(intact("[defaults]\nseed = 1\n"), ["a", "b"]);
    assert_eq!(intact("[defaults]\nlr = 1e-3\n"), ["b"]);
    assert_eq!(intact("[defaults]\nlearning_rat = 1e-3\n"), ["b"]);
    assert_eq!(intact("[defaults]\nseed = -1\n"), ["a"]);
    assert_eq!(intact("[defaults]\nseed = = 1\n"), ["a"]);
    assert_eq!(intact("[defaults]\nlearning_rate 1e-3\n"), ["b"]);
    assert_eq!(intact("learning_rate = 1e-3\n"), ["b"]);
    assert_eq!(intact("[defaults]\n@@@\n"), ["a", "b"]);
    assert!(intact("[defaults\nseed = 1\n").is_empty());
    assert!(intact("[default]\nseed = 1\n").is_empty());
    assert_eq!(errors(&text("[defaults]\nlr = 1e-3\n")).len(), 1, "each error is reported once");
}

#[test]
fn unknown_key_has_its_position_and_the_nearest_key() {
    assert_eq!(
        errors("[experiment.a]\n  learning_rat = 1e-4\n"),
        ["e.toml:2:3: unknown key `learning_rat`; did you mean `learning_rate`?"]
    );
}

#[test]
fn all_errors_are_reported_in_the_order_of_the_lines() {
    let text = "lr = 1\n[defaults]\nseed = -1\nmax_steps = \"10\"\n\
                [experiment.b]\ntask = \"sst-2\"\nseed = 1.5\n[experiment.a]\nmodel = 3\nrepeats = true\n";
    let found = errors(text);
    let positions: Vec<_> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        positions,
        ["e.toml:1:1", "e.toml:3:8", "e.toml:4:13", "e.toml:6:8", "e.toml:7:8", "e.toml:9:9", "e.toml:10:11"],
        "{found:#?}"
    );
    assert!(found[1].ends_with("`seed`: expected a whole number of at least 0, found `-1`"), "{}", found[1]);
    assert!(found[2].ends_with("write a number without quotes: max_steps = 10"), "{}", found[2]);
    assert!(found[5].ends_with("in quotes, found `3`"), "{}", found[5]);
}

#[test]
fn every_syntax_error_is_reported_with_the_other_errors() {
    let found = errors("[defaults]\nseed = \nrepeats = = 2\nlearning_rat = 1\n");
    assert!(found.iter().any(|line| line.starts_with("e.toml:2:")), "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("e.toml:3:")), "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("e.toml:4:1: unknown key")), "{found:#?}");
    assert!(found.iter().all(|line| !line.contains('\n')));
}

#[test]
fn columns_count_characters() {
    let found = errors("[experiment.a]\nmodel = \"ünïcödé\" ; \n");
    assert!(found[0].starts_with("e.toml:2:19: not TOML"), "{found:?}");
}

#[test]
fn misplaced_keys_and_tables_have_a_hint() {
    assert!(errors("seed = 1\n")[0].ends_with("`seed` belongs in [defaults] or [experiment.NAME]"));
    assert!(errors("[experiments.a]\n")[0].ends_with("did you mean `experiment`?"));
    assert!(errors("[experiment]\nseed = 1\n")[0].ends_with("belongs in a named table: [experiment.NAME]"));
    assert!(errors("[experiment.\"a b\"]\n")[0].contains("is not a valid experiment name"));
    assert!(errors("[[experiment.a]]\n")[0].contains("is not a table"));
    assert!(errors("train_file = \"x\"\n")[0].contains("belongs in [defaults] or [experiment.NAME]"));
}

#[test]
fn violated_rules_are_reported_at_the_value() {
    let text = "[defaults]\nwarmup_steps = 100\n[experiment.a]\nmax_steps = 50\n[experiment.b]\n";
    let found = errors(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("e.toml:2:16: `warmup_steps`: 100 warm-up steps"), "{found:?}");
}

#[test]
fn comment_above_a_table_is_the_description() {
    let text = "# The file.\n\n# First line,\n# second.\n[experiment.a]\n\n[experiment.b]\n";
    let file = parse(text, Path::new("e.toml"));
    let descriptions: Vec<_> = file.experiments.iter().map(|one| one.description.as_deref()).collect();
    assert_eq!(descriptions, [Some("First line, second."), None]);
}

#[test]
fn values_keep_their_text() {
    let text = "[experiment.a]\nlearning_rate = 2e-5\nmax_steps = 1_000\nweight_decay = 0\nseed = 0x2a\n";
    let file = parse(text, Path::new("e.toml"));
    let values = &file.experiments[0].values;
    let texts = ["learning_rate", "max_steps", "weight_decay", "seed"].map(|key| values[key].text.as_str());
    assert_eq!(texts, ["2e-5", "1000", "0", "42"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, Path::new("e.toml"));
    }

    #[test]
    fn no_nearly_valid_file_panics(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec!["[defaults]", "[experiment.é]", "experiment", "learning_rate", "task", "[[experiment]]", "#"]),
                prop::sample::select(vec!["", " = ", " = \"", " = 2e", " = [1", " = {a", ".b = 1e-5", " = \"sst\"", " = 0xfff_f"]),
            ),
            0..12,
        )
    ) {
        let text = lines.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join("\n");
        let _ = parse(&text, Path::new("e.toml"));
    }
}
