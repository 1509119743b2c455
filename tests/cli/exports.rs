//! Metrics, predictions, event files and model cards of a run, as the tools that they are for read them.

use super::workspace::*;

use glue_tui::catalog::Labels;
use glue_tui::run::RunDir;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The Python of the tests, or `None` with a message that says what is skipped if it lacks `package`.
fn python(package: &str, skipped: &str) -> Option<PathBuf> {
    let python = std::env::var_os("GLUE_TUI_PYTHON").map(PathBuf::from);
    let imports = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", &format!("import {package}")]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let python = python.filter(imports);
    if python.is_none() {
        eprintln!("SKIPPED: GLUE_TUI_PYTHON names no Python with {package}, so {skipped}");
    }
    python
}

/// The JSON that a script in `tests` prints.
fn script(python: &Path, name: &str, folder: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let output = Command::new(python).args([&script, folder]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The objects of a log of events.
fn events(dir: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The values that the events of a log have, by the tags of TensorBoard: steps and values.
fn logged(events: &[Value]) -> BTreeMap<String, Vec<(u64, f32)>> {
    let mut found: BTreeMap<String, Vec<(u64, f32)>> = BTreeMap::new();
    for event in events {
        let mut add = |tag: String, value: &Value| {
            if let Some(value) = value.as_f64() {
                found.entry(tag).or_default().push((event["step"].as_u64().unwrap(), value as f32));
            }
        };
        if event["kind"] == "started" {
            let first_step = event["first_step"].as_u64().unwrap();
            // Without a checkpoint, the evaluation before the first step is repeated.
            for values in found.values_mut() {
                values.retain(|(step, _)| *step <= first_step && first_step > 0);
            }
        } else if event["kind"] == "step" {
            for name in ["loss", "grad_norm", "learning_rate", "epoch"] {
                add(format!("train/{name}"), &event[name]);
            }
        } else if event["kind"] == "eval" {
            let prefix = match event["split"].as_str().unwrap() {
                "train" => "train/epoch_",
                "validation" => "eval/",
                split => &format!("{split}/"),
            };
            for name in ["loss", "accuracy"] {
                add(format!("{prefix}{name}"), &event["scores"][name]);
            }
        }
    }
    found
}

/// The values in the event files of a run, by tag.
fn recorded(run: &Value) -> BTreeMap<String, Vec<(u64, f32)>> {
    let scalars = run["scalars"].as_object().unwrap().iter();
    let point = |point: &Value| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap() as f32);
    scalars
        .map(|(tag, points)| (tag.clone(), points.as_array().unwrap().iter().map(point).collect()))
        .collect()
}

const STEPS: &[&str] = &["--set", "max_steps=60", "--set", "eval_steps=10", "--set", "save_steps=10"];

#[test]
fn tensorboard_reads_a_run_that_is_being_trained() {
    let Some(python) = python("tensorboard", "no event file was read") else { return };
    let workspace = Workspace::new();
    let args = ["train", "demo", "--set", "report_to=tensorboard", "--set", "max_steps=100000"];
    let args = [&args[..], SMALL, &["--set", "eval_steps=10", "--set", "save_steps=20"]].concat();
    let mut training = workspace.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let runs = workspace.path().join("runs");
    // While it is trained, the newest values are there within a few seconds.
    let live = loop {
        assert!(start.elapsed() < Duration::from_mins(2), "no values");
        std::thread::sleep(Duration::from_millis(500));
        let found = script(&python, "tensorboard_read.py", &runs);
        let Some((name, run)) = found.as_object().unwrap().iter().next() else { continue };
        let values = recorded(run);
        if values.get("eval/accuracy").is_some_and(|values| values.len() > 2) {
            assert!(name.ends_with("/tensorboard"), "{name}");
            break values;
        }
    };
    assert!(training.try_wait().unwrap().is_none(), "the run is being trained");
    let dir = workspace.path().join(&runs).read_dir().unwrap().next().unwrap().unwrap().path();
    let stop = |child: &mut std::process::Child| {
        Command::new("kill").args(["-KILL", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
    };
    stop(&mut training);
    let log = logged(&events(&dir));
    for (tag, values) in &live {
        let expected = &log[tag];
        assert_eq!(values[..], expected[..values.len()], "{tag}");
    }
    // The killed run resumes from a checkpoint, and ends early.
    let resumed = ["train", "--resume", dir.to_str().unwrap()];
    let mut training =
        workspace.command(&resumed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let resumes = |events: &[Value]| events.iter().filter(|event| event["kind"] == "started").count();
    while resumes(&events(&dir)) < 2 {
        assert!(start.elapsed() < Duration::from_mins(4), "the run does not resume");
        std::thread::sleep(Duration::from_millis(100));
    }
    workspace.run(&["control", "demo", "stop"]).success();
    training.wait().unwrap();
    let found = script(&python, "tensorboard_read.py", &dir.join("tensorboard"));
    assert_eq!(recorded(&found["."]), logged(&events(&dir)), "no value is missing or doubled");
    let files = std::fs::read_dir(dir.join("tensorboard")).unwrap().count();
    assert_eq!(files, 2, "one for each attempt");
    assert!(found["."]["texts"]["args/text_summary"][0].as_str().unwrap().contains("report_to"));
}

#[test]
fn exported_event_files_equal_the_log() {
    let workspace = Workspace::new();
    let args = [&["train", "demo", "--set", "repeats=2"], SMALL, STEPS].concat();
    let dir = workspace.path().join(workspace.run(&args).success().dir());
    let export = ["export", "demo", "--format", "tensorboard", "--to", "events"];
    let result = workspace.run(&export).success();
    assert_eq!(result.stdout.trim(), "events");
    assert!(workspace.run(&export).failure(2).contains("not empty"));
    assert!(!dir.join("seed-42/tensorboard").exists(), "only report_to writes them while training");
    let Some(python) = python("tensorboard", "no exported event file was read") else { return };
    let found = script(&python, "tensorboard_read.py", &workspace.path().join("events"));
    assert_eq!(found.as_object().unwrap().len(), 2);
    for seed in ["seed-42", "seed-43"] {
        let events = events(&dir.join(seed));
        assert_eq!(recorded(&found[seed]), logged(&events), "{seed}");
        // The times are those of the training.
        let ended = events.last().unwrap()["time"].as_f64().unwrap();
        for point in found[seed]["scalars"]["train/loss"].as_array().unwrap() {
            let time = point[2].as_f64().unwrap();
            assert!(time <= ended + 1.0 && time > ended - 600.0, "{time} of {ended}");
        }
    }
}

#[test]
fn metrics_are_tables() {
    let (workspace, dir) = trained();
    let csv =
        workspace.run(&["export", dir.to_str().unwrap(), "--format", "csv", "--to", "-"]).success().stdout;
    let rows = events(dir).iter().filter(|event| event["kind"] == "step" || event["kind"] == "eval").count();
    assert_eq!(csv.lines().count(), rows + 1);
    assert!(csv.starts_with("seed,event,step,epoch,split,loss,learning_rate,grad_norm,accuracy,"), "{csv}");
    let to = workspace.path().join("metrics.jsonl");
    let export = ["export", dir.to_str().unwrap(), "--format", "jsonl", "--to", to.to_str().unwrap()];
    assert_eq!(workspace.run(&export).success().stdout.trim(), to.to_str().unwrap());
    let lines = std::fs::read_to_string(&to).unwrap();
    assert_eq!(lines.lines().count(), rows);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["seed"], &first["event"], &first["step"]), (&json!(42), &json!("eval"), &json!(0)));
    for args in [
        &["export", "demo", "--format", "tsv", "--to", "x"][..],
        &["export", "demo", "--predictions", "test", "--to", "x"],
    ] {
        assert!(workspace.run(args).failure(2).contains("--predictions"));
    }
}

#[test]
fn predictions_are_those_of_the_run() {
    let (workspace, dir) = trained();
    let run = dir.to_str().unwrap();
    let export = |split: &str, format: &str| {
        let args = ["export", run, "--predictions", split, "--format", format, "--to", "-"];
        workspace.run(&args).success().stdout
    };
    let saved = RunDir::at(dir);
    let spec = saved.spec().unwrap();
    let labels: Labels = spec.task().labels.clone();
    let step = saved.summary().unwrap().best.unwrap().step;
    let evaluations = saved.evaluations(&labels).unwrap();
    let best = &evaluations.iter().find(|saved| saved.step == step).unwrap().predictions;

    let rows: Vec<Value> =
        export("validation", "jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), best.len());
    let numbers: Vec<u64> = rows.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert!(
        numbers.is_sorted() && *numbers.last().unwrap() >= rows.len() as u64,
        "of the whole split: {numbers:?}"
    );
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["label"], *labels.classes()[best.target(index)]);
        assert_eq!(row["prediction"], *labels.classes()[best.predicted(index)]);
        for (class, name) in labels.classes().iter().enumerate() {
            let probability = row[format!("probability_{name}")].as_f64().unwrap();
            assert!((probability - best.probability(index, class)).abs() < 1e-5, "{row}");
        }
    }
    let tsv = export("test", "tsv");
    assert!(
        tsv.starts_with("row\ttext\tlabel\tprediction\tprobability_negative\tprobability_positive\n"),
        "{tsv}"
    );
    assert_eq!(tsv.lines().count(), 21);
    let file = workspace.path().join("test.parquet");
    let args =
        ["export", run, "--predictions", "test", "--format", "parquet", "--to", file.to_str().unwrap()];
    workspace.run(&args).success();
    // Our own reader takes it as the input of predict.
    let copy = workspace.path().join("copy.parquet");
    let args = ["predict", run, "--input", file.to_str().unwrap(), "--output", copy.to_str().unwrap()];
    workspace.run(&args).success();
    assert!(copy.is_file());
}

#[test]
fn model_card_is_valid_for_the_hub() {
    let Some(python) = python("huggingface_hub", "no model card was read") else { return };
    let workspace = Workspace::new();
    // Labels and file names that YAML and Markdown would interpret.
    let labels = ["good: \"x\" #1", "'bad' | --- & {y}", "🙂\u{2028}*no*"];
    let mut csv = "text,label\n".to_string();
    for row in 0..60 {
        let label = labels[row % 3].replace('"', "\"\"");
        csv += &format!("row {row} of class {},\"{label}\"\n", row % 3);
    }
    workspace.write("my \"data\": é #.csv", &csv);
    let settings =
        ["task=custom", "train_file=my \"data\": é #.csv", "max_steps=4", "repeats=2", "learning_rate=5e-4"];
    let mut args = vec!["train", "demo"];
    for setting in settings {
        args.extend(["--set", setting]);
    }
    workspace.run(&args).success();
    for (name, model) in [("demo", "out"), ("pairs", "pairs")] {
        if name == "pairs" {
            train(&workspace, "demo-pairs", &["--set", "max_steps=4"]).success();
        }
        let run = if name == "pairs" { "demo-pairs" } else { name };
        workspace.run(&["export", run, "--to", model]).success();
        let card = script(&python, "model_card_read.py", &workspace.path().join(model));
        let results = card["results"].as_array().unwrap();
        assert!(
            results.iter().any(|result| {
                result["metric_type"] == "accuracy"
                    && result["dataset_split"] == "validation"
                    && result["metric_args"]["confidence_level"] == 0.95
            }),
            "{card:#}"
        );
        if name == "demo" {
            assert_eq!(results[0]["dataset_name"], "my \"data\": é #.csv");
            let readme = std::fs::read_to_string(workspace.path().join("out/README.md")).unwrap();
            assert!(!readme.contains(workspace.path().to_str().unwrap()), "a path of this machine: {readme}");
            assert!(readme.contains("best of 2 seeds"), "{readme}");
        }
    }
}
