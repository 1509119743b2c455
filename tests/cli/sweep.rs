//! Sweeps: one command trains all trials, continues after it was killed, and adds trials.

use super::workspace::*;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const FILE: &str = r#"
[experiment.tune]
learning_rate = [1e-6, 1e-2, 1e-5, 3e-3, 1e-4, 1e-3]
max_train_samples = 96
max_eval_samples = 60
per_device_train_batch_size = 8
max_steps = 12
eval_steps = 2
save_steps = 3
threads = 1
metric_for_best_model = "loss"
scheduler = "asha"
reduction_factor = 2
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("experiments.toml", FILE);
    workspace
}

/// The decisions of a sweep, without their times.
fn decisions(sweep: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(sweep.join("decisions.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("time");
        value
    };
    text.lines().map(line).collect()
}

/// The run directory of a trial.
fn trial(sweep: &Path, number: u64) -> PathBuf {
    let name = sweep.file_name().unwrap().to_str().unwrap();
    sweep.parent().unwrap().parent().unwrap().join(format!("{name}.{number}"))
}

/// Status and steps of each trial, and the bytes of its best weights.
fn results(sweep: &Path) -> Vec<(String, u64, Vec<u8>)> {
    let result = |number: u64| {
        let dir = trial(sweep, number);
        let summary = read_json(&dir.join("summary.json"));
        let weights = std::fs::read(dir.join("best/model.safetensors")).unwrap();
        (summary["status"].as_str().unwrap().to_owned(), summary["steps"].as_u64().unwrap(), weights)
    };
    (0..6).map(result).collect()
}

#[test]
fn a_sweep_is_checked_trained_listed_and_extended() {
    let workspace = workspace();
    let check = workspace.run(&["check", "tune"]).success().stdout;
    assert!(
        check.starts_with("# 6 trials of learning_rate, scheduled by asha\n# trial 0: learning_rate=1e-6\n"),
        "{check}"
    );
    assert!(check.contains("learning_rate = [1e-6, 1e-2, 1e-5, 3e-3, 1e-4, 1e-3]"), "{check}");
    let json = workspace.run(&["check", "tune", "--json"]).success().json();
    assert_eq!((&json["learning_rate"][1], &json["scheduler"]), (&0.01.into(), &"asha".into()));

    let args = ["train", "tune", "--set", "trials=3", "--plain"];
    let result = workspace.run(&args).success();
    let sweep = workspace.path().join(result.dir());
    let lines: Vec<&str> = result.stdout.lines().collect();
    let (best, trials) = (lines[lines.len() - 2], &lines[..lines.len() - 2]);
    assert!(
        trials.iter().all(|line| line.starts_with("trial ") && line.contains("(learning_rate=")),
        "{lines:?}"
    );
    assert!(best.starts_with("best trial ") && best.contains("finished"), "{lines:?}");
    assert!(trials.iter().any(|line| line.contains("paused")), "{lines:?}");

    let more = ["train", "--resume", "tune", "--set", "trials=6", "--plain", "--json"];
    let result = workspace.run(&more).success();
    let last: Value = serde_json::from_str(result.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["status"], &last["trials"]["trials"]), (&"finished".into(), &6.into()), "{last}");
    assert!(last["best"]["score"].is_f64() && last["steps"].as_u64().unwrap() < 72, "{last}");

    let name = sweep.file_name().unwrap().to_str().unwrap();
    let runs = workspace.run(&["runs", "--json", &format!("sweep:{name}")]).success().json();
    let mut numbers: Vec<u64> =
        runs.as_array().unwrap().iter().map(|run| run["trial"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    assert_eq!(runs[0]["sweep"], name);
    let paused = runs.as_array().unwrap().iter().find(|run| run["status"] == "stopped").unwrap();
    assert!(paused["pause_reason"].as_str().unwrap().starts_with("paused by asha at rung"), "{paused}");

    // The sweep repeats from its own file, and its decisions are followed in a replay.
    let file = sweep.join("sweep.toml");
    let own = workspace.run(&["check", "tune", "--experiments", file.to_str().unwrap()]).success().stdout;
    assert!(own.contains("# 6 trials of learning_rate"), "{own}");
    let replay =
        workspace.path().join(workspace.run(&["train", "--replay", name, "--plain"]).success().dir());
    let without_sizes = |sweep: &Path| -> Vec<Value> {
        decisions(sweep).into_iter().filter(|decision| decision["kind"] != "trials").collect()
    };
    assert_eq!(without_sizes(&replay), without_sizes(&sweep));
    assert!(results(&replay) == results(&sweep));

    let again = workspace.run(&["train", "--resume", name, "--set", "seed=7"]).failure(2);
    assert!(again.contains("keeps its description"), "{again}");
    let error = workspace.run(&["train", "tune", "--set", "trials=7"]).failure(2);
    assert!(error.contains("`trials`: expected at most 6, found 7"), "{error}");
}

/// Kills the program at many moments, also while it writes a decision or a checkpoint, and resumes it each time.
#[test]
#[cfg(unix)]
fn a_sweep_that_is_killed_ends_like_an_undisturbed_one() {
    let (undisturbed, disturbed) = (workspace(), workspace());
    let start = std::time::Instant::now();
    let expected = undisturbed.path().join(undisturbed.run(&["train", "tune", "--plain"]).success().dir());
    let seconds = start.elapsed().as_secs_f64();
    let mut sweep: Option<PathBuf> = None;
    let mut kills = 0;
    for attempt in 0..200_u32 {
        let name = sweep.as_ref().map(|dir| dir.to_str().unwrap().to_owned());
        let args = match &name {
            Some(name) => vec!["train", "--resume", name, "--plain"],
            None => vec!["train", "tune", "--plain"],
        };
        let mut child = disturbed.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Fractions of the golden ratio spread the moments over the first tenth to the half of the time.
        let share = 0.05 + 0.45 * (f64::from(attempt) * 0.618_033_988_75).fract();
        std::thread::sleep(Duration::from_secs_f64(seconds * share));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let sweeps = disturbed.path().join("runs/sweeps");
        sweep = sweep.or_else(|| {
            let mut entries = std::fs::read_dir(&sweeps).ok()?.flatten();
            entries.find(|entry| entry.path().join("sweep.toml").is_file()).map(|entry| entry.path())
        });
        if status.success() {
            break;
        }
        kills += 1;
        assert!(attempt < 199, "the sweep does not end");
    }
    let sweep = sweep.unwrap();
    assert!(kills >= 2, "{kills} kills");
    assert_eq!(decisions(&sweep), decisions(&expected));
    assert!(results(&sweep) == results(&expected));
}

#[test]
#[cfg(unix)]
fn an_interrupted_sweep_says_how_to_resume_it() {
    let workspace = workspace();
    let args = [
        "train",
        "tune",
        "--set",
        "max_steps=100000",
        "--set",
        "scheduler=",
        "--set",
        "reduction_factor=",
        "--plain",
    ];
    let child = workspace.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
    let result = CommandResult::from(child.wait_with_output().unwrap());
    assert_eq!(result.code, Some(130), "{}{}", result.stdout, result.stderr);
    assert!(
        result.stderr.contains("resume with: glue-tui train --resume runs/sweeps/tune-"),
        "{}",
        result.stderr
    );
    let runs = workspace.run(&["runs", "--json"]).success().json();
    assert_eq!((&runs[0]["status"], &runs[0]["trial"]), (&"stopped".into(), &0.into()), "{runs}");
}
