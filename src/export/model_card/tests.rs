use super::facts::{CardFacts, SplitScores};
use super::*;
use crate::catalog::{Labels, Metric};
use crate::event::{ClassScores, Scores, SplitName};
use crate::run::history::History;
use crate::run::replay;
use crate::spec::{RunSpec, built_in};
use crate::stats::ConfidenceInterval;
use std::collections::BTreeMap;
use std::path::Path;

fn facts(spec: RunSpec, labels: Labels) -> CardFacts {
    let (summary, repeats, started, history) = (None, None, None, None);
    CardFacts { spec, labels, summary, repeats, started, history, scores: Vec::new() }
}

fn front_matter(card: &str) -> &str {
    card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0
}

#[test]
fn base_model_is_an_id_of_the_hub_or_absent() {
    let card = |model: &str| {
        let spec = RunSpec { model: model.into(), task: "mrpc".parse().unwrap(), ..built_in("x") };
        let labels = spec.task().labels.clone();
        ModelCard::from_facts(&facts(spec, labels), "transformers").readme
    };
    assert_eq!(
        front_matter(&card("distilbert/distilbert-base-uncased")),
        "library_name: transformers\npipeline_tag: text-classification\n\
         base_model: \"distilbert/distilbert-base-uncased\"\ndatasets:\n- \"nyu-mll/glue\"\nmetrics:\n\
         - \"accuracy\"\n- \"f1\"\ntags:\n- \"glue-tui\"\n- \"text-classification\""
    );
    for local in [
        "/home/me/minilm",
        "./a/b",
        "../a",
        "demo",
        "minilm",
        "C:\\m",
        "a: b/c",
        "a/b/c",
        "a/b # c",
        "-/x",
        "src/nn",
    ] {
        let card = card(local);
        assert!(!card.contains("base_model"), "{card}");
        assert!(local == "demo" || !card.contains(&format!("from {local}")), "{card}");
        assert!(!card.contains("/home/me"), "{card}");
    }
}

#[test]
fn results_have_scores_and_intervals() {
    let spec = RunSpec { task: "mnli".parse().unwrap(), ..built_in("a: \"b\"") };
    let labels = spec.task().labels.clone();
    let scores = |split, value| {
        let metrics = BTreeMap::from([
            (Metric::Accuracy, Some(value)),
            (Metric::AccuracyMm, Some(0.5)),
            (Metric::F1Macro, None),
        ]);
        let intervals =
            BTreeMap::from([(Metric::Accuracy, ConfidenceInterval { low: value - 0.25, high: 1.0 })]);
        let scores = Scores { loss: 0.25, metrics, examples: 8, ..Scores::default() };
        SplitScores { split, scores, intervals }
    };
    let mut facts = facts(spec, labels);
    facts.scores = vec![scores(SplitName::Validation, 0.75), scores(SplitName::ValidationMismatched, 0.5)];
    let card = ModelCard::from_facts(&facts, "transformers").readme;
    let index = front_matter(&card).split_once("model-index:\n").unwrap().1;
    let result = |split: &str, value: &str, low: &str| {
        format!(
            "  - task:\n      type: text-classification\n      name: \"Text Classification\"\n    dataset:\n      \
             name: {}\n      type: \"nyu-mll/glue\"\n      config: \"mnli\"\n      split: \"{split}\"\n    metrics:\n    \
             - type: \"accuracy\"\n      value: {value}\n      name: \"Accuracy\"\n      args:\n        \
             confidence_level: 0.95\n        confidence_interval: [{low}, 1.0]\n    - type: \"loss\"\n      value: \
             0.25\n      name: \"Loss\"",
            yaml::quoted(facts.spec.task().title)
        )
    };
    let expected = format!(
        "- name: \"a: \\\"b\\\"\"\n  results:\n{}\n{}",
        result("validation_matched", "0.75", "0.5"),
        result("validation_mismatched", "0.5", "0.25")
    );
    assert_eq!(index, expected);
    assert!(card.contains("| validation | Accuracy | 75.00 % | 50.00 % to 100.00 % |"), "{card}");
    assert!(card.contains("There is no labeled test split"), "{card}");
}

#[test]
fn limitations_are_computed_from_the_run() {
    let labels = Labels::from(["good|bad\n---", "`x`"].map(String::from).to_vec());
    let class = |f1| ClassScores {
        precision: 0.5,
        recall: 0.25,
        f1,
        average_precision: None,
        support: None,
        predicted: None,
    };
    let scores = Scores {
        loss: 0.5,
        confusion: vec![vec![6, 3], vec![1, 2]],
        per_class: vec![class(0.75), class(0.5)],
        examples: 12,
        ..Scores::default()
    };
    let mut facts = facts(RunSpec { task: "custom".parse().unwrap(), ..built_in("x") }, labels);
    facts.scores = vec![SplitScores { split: SplitName::Validation, scores, intervals: BTreeMap::new() }];
    let card = ModelCard::from_facts(&facts, "transformers").readme;
    for part in [
        "one of the labels good\\|bad ---, \\`x\\`, also",
        "most frequent label of the validation rows is good\\|bad --- with 75.0 %",
        "lowest F1 on the validation split is \\`x\\`: F1 50.0 %, precision 50.0 %, recall 25.0 %.",
        "| good\\|bad --- | 50.00 % | 25.00 % | 75.00 % |",
    ] {
        assert!(card.contains(part), "no {part:?} in\n{card}");
    }
    // The only lines of dashes are those of the front matter and of tables.
    assert_eq!(card.lines().filter(|line| line.trim() == "---").count(), 2, "{card}");
}

#[test]
fn card_of_a_recorded_run_has_its_curves() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/demo-20261125-170056-eb3d");
    let card = ModelCard::of(&RunDir::at(&dir), "transformers").unwrap();
    let names: Vec<&str> = card.charts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["score.svg", "loss.svg"]);
    for (name, svg) in &card.charts {
        assert!(card.readme.contains(&format!("({name})")) && svg.starts_with("<?xml"), "{name}");
    }
    let history = History::of(&replay(&dir).unwrap());
    let best = history.best.unwrap();
    let accuracy = format!("value: {}\n", yaml::number(best.value));
    assert!(front_matter(&card.readme).contains(&accuracy), "{}", card.readme);
    assert!(card.readme.contains("confidence_interval: ["), "{}", card.readme);
    assert!(card.readme.contains("| `learning_rate` | "), "{}", card.readme);
}
