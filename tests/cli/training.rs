//! A training, the directory it leaves, and what other commands make of it.

use super::desk::*;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

#[test]
fn a_training_leaves_the_promised_directory() {
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
        assert!(kinds.iter().any(|said| said == kind), "{kind}");
    }
}

#[test]
fn the_written_specification_alone_repeats_the_run() {
    let (desk, dir) = trained();
    let spec = dir.join("spec.toml");
    let said =
        desk.run(&["train", "demo", "--experiments", spec.to_str().unwrap(), "--runs-dir", "again"]).good();
    let weights = |dir: &Path| std::fs::read(dir.join("best/model.safetensors")).unwrap();
    assert!(weights(&desk.path().join(said.dir())) == weights(dir), "the same seed gave other weights");
}

#[test]
fn a_finished_run_is_listed_scored_asked_and_exported() {
    let (desk, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();

    let rows = desk.run(&["runs", "--json"]).good().json();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).expect("the run in the list");
    assert_eq!(
        (&row["status"], &row["steps"], &row["total_steps"]),
        (&"finished".into(), &4.into(), &4.into())
    );
    let table = desk.run(&["runs"]).good();
    assert!(table.out.starts_with("NAME") && table.out.contains(name));
    let published = desk.run(&["runs", "--published"]).good();
    assert!(published.out.starts_with("EXPERIMENT") && published.out.contains("train sst-bert-large"));
    let published = desk.run(&["runs", "--published", "--json"]).good().json();
    let row = &published[0]["rows"][1];
    assert_eq!((&row["split"], &row["ours"]), (&"test".into(), &serde_json::Value::Null));
    let empty = Desk::new().run(&["runs"]).good();
    assert!(empty.out.is_empty() && empty.err.contains("no runs"));

    let scores = desk.run(&["eval", name]).good().json();
    assert_eq!((&scores["task"], &scores["split"]), (&"demo".into(), &"validation".into()));
    assert!(scores["accuracy"].as_f64().is_some_and(|value| (0.0..=1.0).contains(&value)));
    assert_eq!(scores["labels"].as_array().unwrap().len(), scores["confusion"].as_array().unwrap().len());
    assert!(desk.run(&["eval", name, "--task", "sts"]).bad(2).contains("sst"));

    let answer = desk.run(&["predict", name, "not bad at all"]).good().json();
    assert_eq!(answer["text"], "not bad at all");
    let sum: f64 = answer["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    assert_eq!(answer["probability"], answer["probabilities"][answer["label"].as_str().unwrap()]);
    assert!(desk.run(&["predict", name, "one", "two"]).bad(2).contains("one text"));
    assert!(answer.get("saliency").is_none());
    let explained = desk.run(&["predict", "--explain", name, "not bad, at all"]).good().json();
    let words = explained["saliency"].as_array().unwrap();
    let told: Vec<_> =
        words.iter().map(|word| (word["text"].as_str().unwrap(), word["start"].as_u64())).collect();
    assert_eq!(
        told,
        [("not", Some(0)), ("bad", Some(4)), (",", Some(7)), ("at", Some(9)), ("all", Some(12))]
    );
    assert!(words.iter().all(|word| word["value"].is_f64() && word.get("sequence").is_none()), "{explained}");

    let to = desk.path().join("out");
    let said = desk.run(&["export", name, "--format", "hf", "--to", to.to_str().unwrap()]).good();
    assert_eq!(said.out.trim(), to.to_str().unwrap());
    assert!(to.join("config.json").is_file() && to.join("model.safetensors").is_file());
    assert_eq!(
        desk.run(&["predict", to.to_str().unwrap(), "not bad at all"]).good().json()["label"],
        answer["label"]
    );
    assert!(desk.run(&["export", name, "--to", to.to_str().unwrap()]).bad(2).contains("out"));
}

#[test]
fn predict_answers_line_by_line_and_takes_a_closed_pipe_calmly() {
    let (desk, dir) = trained();
    let mut command = desk.command(&["predict", dir.to_str().unwrap()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for text in ["a joy", "a bore", ""] {
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
        // The answer comes while the input is still open.
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
fn pairs_are_two_columns() {
    let desk = Desk::new();
    let dir = train(&desk, "demo-pairs", &["--set", "max_steps=2"]).good().dir();
    let dir = dir.to_str().unwrap();
    let answer = desk.run(&["predict", dir, "How old is it?", "What is its age?"]).good().json();
    assert_eq!(answer["text_pair"], "What is its age?");
    assert!(desk.run(&["predict", dir, "How old is it?"]).bad(2).contains("two texts"));
    let explained = desk.run(&["predict", dir, "Älter?", "Is it?", "--explain"]).good().json();
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
    let scores = desk.run(&["eval", dir, "--split", "dev"]).good().json();
    assert!(scores["f1"].is_number(), "{scores}");
}

#[test]
fn repeats_tell_each_seed_and_their_spread() {
    let desk = Desk::new();
    let said = train(&desk, "demo", &["--set", "max_steps=2", "--set", "repeats=2"]).good();
    for text in
        ["seed 42: best validation accuracy", "seed 43: best validation accuracy", " ± ", "over 2 seeds"]
    {
        assert!(said.err.contains(text), "{text}\n{}", said.err);
    }
    let dir = desk.path().join(said.dir());
    assert!(dir.join("best/model.safetensors").is_file());
    let rows = desk.run(&["runs", "--json"]).good().json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["repeats"]["count"], 2);
}

#[test]
fn without_utf_8_there_is_only_ascii() {
    let desk = Desk::new();
    train(&desk, "demo", &["--set", "repeats=2"]).good();
    let said = desk.command(&["runs"]).env("LC_ALL", "C").output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(out.is_ascii() && out.contains(" +- "), "{out}");
    assert!(desk.run(&["runs"]).good().out.contains(" ± "));
}
