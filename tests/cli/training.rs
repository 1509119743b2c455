//! A training, its run directory, and the commands that use it.

use super::workspace::*;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

#[test]
fn training_writes_the_documented_run_directory() {
    let (_, dir) = trained();
    for name in ["spec.toml", "events.jsonl", "summary.json", "log.txt", "checkpoints", "best"] {
        assert!(dir.join(name).exists(), "{name}");
    }
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(dir.join("best").join(name).exists(), "{name}");
    }
    let summary = read_json(&dir.join("summary.json"));
    let keys = [
        "status",
        "experiment",
        "task",
        "model",
        "device",
        "precision",
        "seed",
        "steps",
        "epochs",
        "train_seconds",
        "examples_per_second",
        "tokens_per_second",
        "before",
        "best",
        "validation",
        "trainable_parameters",
    ];
    for key in keys {
        assert!(summary.get(key).is_some(), "{key}");
    }
    assert_eq!((&summary["status"], &summary["steps"]), (&"finished".into(), &4.into()));
    assert!(summary["validation"]["loss"].as_f64().is_some_and(f64::is_finite));
    assert_eq!(summary["best"]["metric"], "accuracy");
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "step").count(), 4);
    for kind in ["started", "eval", "saved", "ended"] {
        assert!(kinds.iter().any(|result| result == kind), "{kind}");
    }
}

#[test]
fn written_specification_repeats_the_run() {
    let (workspace, dir) = trained();
    let spec = dir.join("spec.toml");
    let result = workspace
        .run(&["train", "demo", "--experiments", spec.to_str().unwrap(), "--runs-dir", "again"])
        .success();
    let weights = |dir: &Path| std::fs::read(dir.join("best/model.safetensors")).unwrap();
    assert!(weights(&workspace.path().join(result.dir())) == weights(dir), "the same seed has other weights");
}

#[test]
fn finished_run_is_listed_evaluated_queried_and_exported() {
    let (workspace, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();

    let rows = workspace.run(&["runs", "--json"]).success().json();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).expect("the run in the list");
    assert_eq!(
        (&row["status"], &row["steps"], &row["total_steps"]),
        (&"finished".into(), &4.into(), &4.into())
    );
    let table = workspace.run(&["runs"]).success();
    assert!(table.stdout.starts_with("NAME") && table.stdout.contains(name));
    let published = workspace.run(&["runs", "--published"]).success();
    assert!(published.stdout.starts_with("EXPERIMENT") && published.stdout.contains("train sst-bert-large"));
    let published = workspace.run(&["runs", "--published", "--json"]).success().json();
    let row = &published[0]["rows"][1];
    assert_eq!((&row["split"], &row["ours"]), (&"test".into(), &serde_json::Value::Null));
    let empty = Workspace::new().run(&["runs"]).success();
    assert!(empty.stdout.is_empty() && empty.stderr.contains("no runs"));

    let scores = workspace.run(&["eval", name]).success().json();
    assert_eq!((&scores["task"], &scores["split"]), (&"demo".into(), &"validation".into()));
    assert!(scores["accuracy"].as_f64().is_some_and(|value| (0.0..=1.0).contains(&value)));
    assert_eq!(scores["labels"].as_array().unwrap().len(), scores["confusion"].as_array().unwrap().len());
    assert!(workspace.run(&["eval", name, "--task", "sts"]).failure(2).contains("sst"));

    let answer = workspace.run(&["predict", name, "not bad at all"]).success().json();
    assert_eq!(answer["text"], "not bad at all");
    let sum: f64 = answer["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    assert_eq!(answer["probability"], answer["probabilities"][answer["label"].as_str().unwrap()]);
    assert!(workspace.run(&["predict", name, "one", "two"]).failure(2).contains("expects a single text"));
    assert!(answer.get("saliency").is_none());
    let explained = workspace.run(&["predict", "--explain", name, "not bad, at all"]).success().json();
    let words = explained["saliency"].as_array().unwrap();
    let error: Vec<_> =
        words.iter().map(|word| (word["text"].as_str().unwrap(), word["start"].as_u64())).collect();
    assert_eq!(
        error,
        [("not", Some(0)), ("bad", Some(4)), (",", Some(7)), ("at", Some(9)), ("all", Some(12))]
    );
    assert!(words.iter().all(|word| word["value"].is_f64() && word.get("sequence").is_none()), "{explained}");

    let to = workspace.path().join("out");
    let result = workspace.run(&["export", name, "--format", "hf", "--to", to.to_str().unwrap()]).success();
    assert_eq!(result.stdout.trim(), to.to_str().unwrap());
    assert!(to.join("config.json").is_file() && to.join("model.safetensors").is_file());
    assert_eq!(
        workspace.run(&["predict", to.to_str().unwrap(), "not bad at all"]).success().json()["label"],
        answer["label"]
    );
    assert!(workspace.run(&["export", name, "--to", to.to_str().unwrap()]).failure(2).contains("out"));
}

#[test]
fn predict_answers_line_by_line_and_accepts_a_closed_pipe() {
    let (workspace, dir) = trained();
    let mut command = workspace.command(&["predict", dir.to_str().unwrap()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for text in ["a joy", "a bore", ""] {
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
        // The answer arrives while the input is still open.
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], text);
    }
    drop(output);
    for _ in 0..2 {
        writeln!(input, "nobody reads this").ok();
    }
    drop(input);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn predict_answers_every_line_and_reports_the_invalid_ones() {
    let (workspace, dir) = trained();
    let input = b"\xEF\xBB\xBFfine one\nbroken one\nx\ty\na\tb\tc\ncaf\xe9\nanother\r\n\nlast";
    let result = workspace.run_with_input(&["predict", dir.to_str().unwrap()], input);
    assert_eq!(result.code, Some(3));
    assert!(result.stderr.contains("3 of 8 lines could not be predicted"), "{}", result.stderr);
    let answers: Vec<Value> = result.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<&Value> = answers.iter().map(|answer| &answer["text"]).collect();
    let null = Value::Null;
    let expected = ["fine one", "broken one", "", "", "", "another", "", "last"].map(Value::from);
    for (index, (text, expected)) in texts.into_iter().zip(&expected).enumerate() {
        assert_eq!(text, if (2..5).contains(&index) { &null } else { expected }, "line {index}");
    }
    for (index, problem) in [(2, "expects a single text"), (3, "2 tabs"), (4, "not UTF-8 at byte 4")] {
        assert_eq!(answers[index]["line"], index + 1);
        assert!(answers[index]["error"].as_str().unwrap().contains(problem), "{}", answers[index]);
    }
}

#[test]
fn pairs_are_two_texts() {
    let workspace = Workspace::new();
    let dir = train(&workspace, "demo-pairs", &["--set", "max_steps=2"]).success().dir();
    let dir = dir.to_str().unwrap();
    let answer = workspace.run(&["predict", dir, "How old is it?", "What is its age?"]).success().json();
    assert_eq!(answer["text_pair"], "What is its age?");
    assert!(
        workspace.run(&["predict", dir, "How old is it?"]).failure(2).contains("expects a pair of texts")
    );
    let explained = workspace.run(&["predict", dir, "Älter?", "Is it?", "--explain"]).success().json();
    let words = explained["saliency"].as_array().unwrap();
    assert!(
        words.iter().all(|word| {
            let whole = if word["sequence"] == 0 { "Älter?" } else { "Is it?" };
            let (start, end) =
                (word["start"].as_u64().unwrap() as usize, word["end"].as_u64().unwrap() as usize);
            whole.chars().skip(start).take(end - start).eq(word["text"].as_str().unwrap().chars())
        }),
        "{explained}"
    );
    assert_eq!(words.last().unwrap()["sequence"], 1);
    let scores = workspace.run(&["eval", dir, "--split", "dev"]).success().json();
    assert!(scores["f1"].is_number(), "{scores}");
}

#[test]
fn repeats_print_each_seed_and_their_mean() {
    let workspace = Workspace::new();
    let result = train(&workspace, "demo", &["--set", "max_steps=2", "--set", "repeats=2"]).success();
    for text in
        ["seed 42: best validation accuracy", "seed 43: best validation accuracy", " ± ", "over 2 seeds"]
    {
        assert!(result.stderr.contains(text), "{text}\n{}", result.stderr);
    }
    let dir = workspace.path().join(result.dir());
    assert!(dir.join("best/model.safetensors").is_file());
    let rows = workspace.run(&["runs", "--json"]).success().json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["repeats"]["count"], 2);
}

#[test]
fn ascii_locale_prints_only_ascii() {
    let workspace = Workspace::new();
    train(&workspace, "demo", &["--set", "repeats=2"]).success();
    let result = workspace.command(&["runs"]).env("LC_ALL", "C").output().unwrap();
    let out = String::from_utf8(result.stdout).unwrap();
    assert!(out.is_ascii() && out.contains(" +- "), "{out}");
    assert!(workspace.run(&["runs"]).success().stdout.contains(" ± "));
}
