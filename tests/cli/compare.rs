//! `compare`, and the intervals of scores in other commands.

use super::workspace::*;

/// Two experiments with seeds of a short training each.
fn trained_twice(seeds: u64) -> Workspace {
    let workspace = Workspace::new();
    workspace.write(
        "experiments.toml",
        "[defaults]\ntask = \"demo\"\nmax_train_samples = 64\nmax_steps = 4\n\
         [experiment.fast]\nlearning_rate = 5e-4\n[experiment.slow]\nlearning_rate = 1e-5\n",
    );
    for seed in 42..42 + seeds {
        for name in ["fast", "slow"] {
            workspace.run(&["train", name, "--set", &format!("seed={seed}")]).success();
        }
    }
    workspace
}

#[test]
fn seeds_of_two_experiments_are_compared() {
    let workspace = trained_twice(2);
    let text = workspace.run(&["compare", "fast", "slow"]).success().stdout;
    assert!(
        text.starts_with("A  fast: 2 seeds (42, 43)\nB  slow: 2 seeds (42, 43)\n500 validation rows"),
        "{text}"
    );
    assert!(
        text.contains("accuracy") && text.contains("95 % CI") && text.contains("random effects"),
        "{text}"
    );
    let json = workspace.run(&["compare", "fast", "slow", "--json"]).success().json();
    let main = &json["metrics"][0];
    assert_eq!(
        (&json["rows"], &main["metric"], &json["plan"]),
        (&500.into(), &"accuracy".into(), &().into())
    );
    for key in ["value", "p_value", "standard_error"] {
        assert!(main["difference"][key].is_number(), "{main}");
    }
    assert!(
        main["difference"]["confidence_interval"]["low"].as_f64() <= main["difference"]["value"].as_f64()
    );
    assert_eq!(json["verdict"].as_str().map(|verdict| text.contains(verdict)), Some(true));
    // One seed each.
    let name = |side: &str| json[side]["seeds"][0]["run"].as_str().unwrap().to_owned();
    let single = workspace.run(&["compare", &name("a"), &name("b"), "--json"]).success().json();
    let difference = &single["metrics"][0]["difference"];
    assert_eq!((&difference["test"], &difference["variance"]["seeds"]), (&"mcnemar".into(), &().into()));
    assert!(workspace.run(&["compare", "fast", "fast"]).failure(2).contains("on both sides"));
    assert!(workspace.run(&["compare", "fast", "none"]).failure(2).contains("no run none"));
}

#[test]
fn scores_have_intervals() {
    let workspace = trained_twice(1);
    let rows = workspace.run(&["runs", "--json"]).success().json();
    for row in rows.as_array().unwrap() {
        let (low, best) = (row["confidence_interval"]["low"].as_f64(), row["best"][1].as_f64());
        assert!(low.is_some() && low < best && row["confidence_interval"]["high"].as_f64() > best, "{row}");
    }
    assert!(workspace.run(&["runs"]).success().stdout.contains("95 % CI"));
    let scores = workspace.run(&["eval", "fast", "--split", "test"]).success().json();
    for metric in ["accuracy", "loss"] {
        let interval = &scores["confidence_intervals"][metric];
        let value = scores[metric].as_f64();
        assert!(interval["low"].as_f64() < value && value < interval["high"].as_f64(), "{scores}");
    }
}
