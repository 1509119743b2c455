//! The list of runs, their names and filters, and pruning.

use super::workspace::*;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// A finished run of a short training with checkpoints.
fn finished(workspace: &Workspace, more: &[&str]) -> PathBuf {
    let args = [&["--set", "max_steps=4", "--set", "save_steps=2"], more].concat();
    workspace.path().join(train(workspace, "demo", &args).success().dir())
}

fn name(dir: &Path) -> String {
    dir.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Makes a finished run one that was stopped.
fn stop(dir: &Path) {
    let summary = std::fs::read_to_string(dir.join("summary.json")).unwrap();
    std::fs::write(dir.join("summary.json"), summary.replacen("\"finished\"", "\"stopped\"", 1)).unwrap();
}

#[test]
fn checkpoints_of_finished_runs_are_pruned_and_others_kept() {
    let workspace = Workspace::new();
    let done = finished(&workspace, &[]);
    let stopped = finished(&workspace, &["--set", "seed=7"]);
    stop(&stopped);
    let weights = std::fs::read(done.join("best/model.safetensors")).unwrap();
    let before = workspace.run(&["predict", &name(&done), "a fine film"]).success().stdout;

    let plan = workspace.run(&["prune", "--dry-run"]).success();
    assert!(plan.stdout.contains(&format!("{}: would free ", name(&done))), "{}", plan.stdout);
    assert!(plan.stderr.contains("kept 1 run") && plan.stderr.contains("resumed"), "{}", plan.stderr);
    assert!(done.join("checkpoints/step-000004").is_dir(), "a dry run removes nothing");

    let report = workspace.run(&["prune", "--json"]).success().json();
    let freed = report["freed_bytes"].as_u64().unwrap();
    assert!(freed > 10_000_000 && report["runs"][0]["name"] == name(&done).as_str(), "{report}");
    assert!(!done.join("checkpoints").exists() && stopped.join("checkpoints/step-000004").is_dir());
    assert!(std::fs::read(done.join("best/model.safetensors")).unwrap() == weights);
    for kept in ["events.jsonl", "spec.toml", "summary.json", "predictions", "log.txt"] {
        assert!(done.join(kept).exists(), "{kept}");
    }
    assert_eq!(workspace.run(&["predict", &name(&done), "a fine film"]).success().stdout, before);
    assert_eq!(workspace.run(&["prune"]).success().stdout.trim(), "nothing to remove");

    let named = workspace.run(&["prune", &name(&stopped)]).success();
    assert!(named.stdout.contains("starts again from step 0"), "{}", named.stdout);
    assert!(!stopped.join("checkpoints").exists() && stopped.join("best/model.safetensors").is_file());
    assert!(workspace.run(&["prune", "none"]).failure(2).contains("no run none"));
}

#[test]
fn run_is_found_by_the_name_a_person_gave_it() {
    let workspace = Workspace::new();
    let first = finished(&workspace, &[]);
    let second = finished(&workspace, &["--set", "learning_rate=1e-3"]);
    std::fs::write(
        first.join("notes.toml"),
        "name = \"baseline\"\ntags = [\"paper\"]\nnote = \"first try\"\n",
    )
    .unwrap();
    let rows = workspace.run(&["runs", "--json"]).success().json();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name(&first).as_str()).unwrap();
    assert_eq!(
        (&row["display_name"], &row["tags"][0], &row["note"]),
        (&"baseline".into(), &"paper".into(), &"first try".into())
    );
    assert_eq!(
        (&row["progress"], &row["error"], &row["changes"]),
        (&1.0.into(), &Value::Null, &Value::Array(Vec::new()))
    );
    assert_eq!(row["settings"]["max_steps"], 4);
    assert!(
        row["disk_bytes"].as_u64() > row["prunable_bytes"].as_u64()
            && row["prunable_bytes"].as_u64() > Some(0)
    );
    assert!(row["ended"].as_f64() >= row["started"].as_f64() && row["started"].as_f64() > Some(1e9));
    assert!(row["scores"]["accuracy"].is_f64() && row["scores"]["loss"].is_f64());

    let table = workspace.run(&["runs"]).success().stdout;
    assert!(table.contains("baseline") && table.contains("#paper"), "{table}");
    let found = |filter: &[&str]| {
        let rows = workspace.run(&[&["runs", "--json"], filter].concat()).success().json();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(&["#paper"]), [name(&first)]);
    assert_eq!(found(&["lr>=1e-3", "task:demo"]), [name(&second)]);
    assert_eq!(found(&["lr>1"]), Vec::<String>::new());
    assert!(workspace.run(&["runs", "lr>x"]).failure(2).contains("lr>x: expected a number"));

    workspace.run(&["export", "baseline", "--to", "exported"]).success();
    assert!(workspace.path().join("exported/model.safetensors").is_file());
    std::fs::write(second.join("notes.toml"), "name = \"baseline\"\n").unwrap();
    let error = workspace.run(&["export", "baseline", "--to", "again"]).failure(3);
    assert!(error.contains("2 runs are named baseline"), "{error}");
    std::fs::write(second.join("notes.toml"), "name = ").unwrap();
    let result = workspace.run(&["runs"]).success();
    assert!(
        result.stderr.contains("notes.toml") && result.stdout.contains(&name(&second)),
        "{}",
        result.stderr
    );
}

#[test]
fn start_stays_when_a_run_is_resumed() {
    let workspace = Workspace::new();
    let dir = finished(&workspace, &[]);
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let started: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    stop(&dir);
    // The run continues after step 2.
    std::fs::remove_dir_all(dir.join("checkpoints/step-000004")).unwrap();
    workspace.run(&["train", "--resume", &name(&dir)]).success();
    let rows = workspace.run(&["runs", "--json"]).success().json();
    assert!(rows[0]["started"].as_f64().unwrap() <= started["time"].as_f64().unwrap(), "{rows}");
    assert_eq!(rows[0]["status"], "finished");
}

#[test]
fn run_that_fails_before_its_start_has_a_date_and_a_reason() {
    let workspace = Workspace::new();
    let dir = finished(&workspace, &[]);
    let early = workspace.path().join("runs/demo-20200102-030405-beef");
    std::fs::create_dir(&early).unwrap();
    std::fs::copy(dir.join("spec.toml"), early.join("spec.toml")).unwrap();
    let ended = r#"{"format":1,"kind":"ended","time":1577934245.0,"status":"failed","error":"no such file"}"#;
    std::fs::write(early.join("events.jsonl"), format!("{ended}\n")).unwrap();
    let dated = workspace.path().join("runs/demo-20210102-030405-beef");
    std::fs::create_dir(&dated).unwrap();
    std::fs::copy(dir.join("spec.toml"), dated.join("spec.toml")).unwrap();
    let rows = workspace.run(&["runs", "--json"]).success().json();
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [&*name(&dir), "demo-20210102-030405-beef", "demo-20200102-030405-beef"],
        "newest first"
    );
    assert_eq!((&rows[2]["error"], &rows[2]["status"]), (&"no such file".into(), &"failed".into()));
    assert_eq!(rows[1]["status"], "not_started");
}
