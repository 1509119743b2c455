//! `--precision` of `predict`, `eval` and `bench`.

use super::workspace::{Workspace, trained};
use serde_json::Value;

#[test]
fn eval_in_int8_shows_the_scores_in_f32_and_counts_flips() {
    let (workspace, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();
    let in_f32 = workspace.run(&["eval", name]).success().json();
    assert!(in_f32.get("precision").is_none());
    let result = workspace.run(&["eval", name, "--precision", "int8"]).success();
    let (scores, notes) = (result.json(), result.stderr);
    assert_eq!(scores["precision"], "int8");
    for key in ["accuracy", "loss", "examples"] {
        assert_eq!(scores["f32"][key], in_f32[key], "{key}");
    }
    let (flips, rows) = (scores["label_flips"].as_u64().unwrap(), scores["examples"].as_u64().unwrap());
    let largest = scores["largest_logit_difference"].as_f64().unwrap();
    assert!(flips <= rows && largest > 0.0 && largest < 0.5, "{scores}");
    let changed = (scores["accuracy"].as_f64().unwrap() - in_f32["accuracy"].as_f64().unwrap()).abs();
    assert!(changed * rows as f64 <= flips as f64 + 1e-9, "{scores}");
    assert!(notes.contains(&format!("int8: {flips} of {rows} rows")), "{notes}");

    let same = workspace.run(&["eval", name, "--precision", "f32"]).success().json();
    assert_eq!((&same["precision"], &same["accuracy"]), (&"f32".into(), &in_f32["accuracy"]));
    assert!(same.get("f32").is_none() && same.get("label_flips").is_none());
}

#[test]
fn predict_in_int8_answers_texts_and_lines_alike() {
    let (workspace, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();
    let probability = |args: &[&str]| {
        let answer = workspace.run(&[&["predict", name], args].concat()).success().json();
        answer["probabilities"].as_object().unwrap().values().next().and_then(Value::as_f64).unwrap()
    };
    let text = "not bad at all";
    let (in_f32, in_int8) = (probability(&[text]), probability(&[text, "--precision", "int8"]));
    assert!(in_f32 != in_int8 && (in_f32 - in_int8).abs() < 0.1, "{in_f32} and {in_int8}");
    assert_eq!(in_f32, probability(&[text, "--precision", "f32"]));
    let lines = format!("{text}\na bore from start to end\n{text}\n");
    let result =
        workspace.run_with_input(&["predict", name, "--precision", "int8"], lines.as_bytes()).success();
    let answers: Vec<Value> = result.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["probability"], answers[2]["probability"]);
}

#[test]
fn what_int8_does_not_support_is_refused() {
    let (workspace, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();
    let error = workspace.run(&["predict", name, "x", "--precision", "int8", "--explain"]).failure(2);
    assert!(error.contains("word attributions"), "{error}");
    for command in [&["predict", name, "x"][..], &["eval", name]] {
        let error =
            workspace.run(&[command, &["--precision", "int8", "--device", "cuda:0"]].concat()).failure(2);
        assert!(error.contains("precision int8 is for the CPU"), "{error}");
        assert!(workspace.run(&[command, &["--precision", "int4"]].concat()).failure(2).contains("int8"));
    }
    let error = Workspace::new().run(&["train", "demo", "--set", "precision=int8"]).failure(2);
    assert!(error.contains("int8 is for inference") && error.contains("train in f32 or bf16"), "{error}");
    let workspace = Workspace::new();
    workspace.write("experiments.toml", "[experiment.a]\nprecision = \"int8\"\n");
    let error = workspace.run(&["check", "a"]).stderr;
    assert!(error.starts_with("experiments.toml:2:13: `precision`: int8 is for inference"), "{error}");
}

#[test]
fn bench_in_int8_measures_inference_only() {
    let workspace = Workspace::new();
    let args = ["bench", "--precision", "int8", "--batch", "2", "--lengths", "4-8", "--seconds", "0.1"];
    let report = workspace.run(&[&["--json"], &args[..]].concat()).success().json();
    assert_eq!(report["precision"], "int8");
    assert!(report.get("training").is_none() && report["phases"] == Value::Array(Vec::new()));
    for part in ["inference", "one_input"] {
        assert!(report[part]["median_ms"].as_f64().unwrap() > 0.0, "{part}");
    }
    let text = workspace.run(&args).success().stdout;
    assert!(text.contains("int8") && !text.contains("training"), "{text}");
}
