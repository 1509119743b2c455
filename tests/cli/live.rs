//! Runs that are interrupted, resumed, controlled from another process, and replayed.

use super::workspace::*;

use glue_tui::format::count;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Reads stderr until a line contains `text`. A thread reads the rest, so that the process does not block.
fn wait_for(child: &mut Child, text: &str) -> std::thread::JoinHandle<String> {
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(err.read_line(&mut line).unwrap() > 0, "{text} is missing:\n{seen}");
        seen.push_str(&line);
        if line.contains(text) {
            break;
        }
    }
    std::thread::spawn(move || {
        err.read_to_string(&mut seen).unwrap();
        seen
    })
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn interrupted_run_resumes_to_the_same_weights() {
    let workspace = Workspace::new();
    let steps = ["--set", "max_steps=60", "--set", "num_train_epochs=60"];
    let uninterrupted = train(&workspace, "demo", &steps).success().dir();

    let args = [&["train", "demo", "--runs-dir", "stopped"], SMALL, &steps[..]].concat();
    let mut child = workspace.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/60");
    signal(&child, "INT");
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    let dir = out.lines().last().expect("the run directory").to_owned();
    assert!(err.lines().last().unwrap().contains(&format!("--resume {dir}")), "{err}");
    let summary = read_json(&workspace.path().join(&dir).join("summary.json"));
    assert_eq!(summary["status"], "stopped");
    assert!(summary["steps"].as_u64().unwrap() < 60, "the run ended before the interrupt");

    // A resumed run keeps its specification.
    let resume = ["train", "--runs-dir", "stopped", "--resume", &dir];
    assert!(
        workspace.run(&[&resume[..], &["--set", "max_steps=61"]].concat()).failure(2).contains("max_steps")
    );
    assert!(workspace.run(&[&resume[..], &["demo-pairs"]].concat()).failure(2).contains("demo-pairs"));
    let result = workspace.run(&[&resume[..], &["demo", "--set", "max_steps=60"]].concat()).success();
    assert_eq!(result.dir(), PathBuf::from(&dir));
    let weights =
        |dir: &Path| std::fs::read(workspace.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(
        weights(Path::new(&dir)) == weights(&uninterrupted),
        "the resumed run has other weights than the uninterrupted one"
    );
    let scores =
        |dir: &Path| read_json(&workspace.path().join(dir).join("summary.json"))["validation"].clone();
    assert_eq!(scores(Path::new(&dir)), scores(&uninterrupted));
}

#[test]
fn warning_signal_of_a_batch_system_saves_a_checkpoint() {
    let workspace = Workspace::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = workspace.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    signal(&child, "USR1");
    // SIGTERM after the warning does not interrupt the saving.
    signal(&child, "TERM");
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert!(err.contains("--resume"), "{err}");
}

#[test]
fn run_is_controlled_from_another_process_and_replayed() {
    let workspace = Workspace::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = workspace.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    let control = |args: &[&str]| workspace.run(&[&["control", "demo"], args].concat());
    let result = control(&["pause"]).success().stdout;
    let step = result.trim().strip_prefix("paused at step ").unwrap_or_else(|| panic!("{result}"));
    let step: u64 = step.replace(',', "").parse().unwrap();
    assert!(control(&["eval"]).success().stdout.contains("evaluation requested at step"));
    // A paused run handles commands too.
    let halved = control(&["halve", "--json"]).success().json();
    assert_eq!((&halved["step"], &halved["command"]), (&step.into(), &"halve".into()));
    assert_eq!(halved["settings"]["learning_rate"], 2.5e-4);
    let error = control(&["set", &format!("max_steps={}", step + 4)]).success().stdout;
    assert_eq!(
        error.trim(),
        format!("{} steps in total from step {result}", count(step + 4), result = count(step))
    );
    for wrong in ["seed=1", "learning_rate=-1", "max_steps=1.5"] {
        let error = control(&["set", wrong]).failure(2);
        assert!(error.contains(wrong.split('=').next().unwrap()), "{error}");
    }
    assert!(control(&["save"]).success().stdout.contains("checkpoint requested at step"));
    assert!(workspace.run(&["control", "nothing", "pause"]).failure(2).contains("no run nothing"));
    control(&["resume"]).success();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert!(err.contains("learning_rate 2.5e-4 from step "), "{err}");
    let dir = PathBuf::from(out.lines().last().unwrap());
    let summary = read_json(&workspace.path().join(&dir).join("summary.json"));
    assert_eq!((&summary["steps"], &summary["changes"][0]["command"]), (&(step + 4).into(), &"halve".into()));
    assert!(control(&["pause"]).failure(2).contains("is finished and cannot receive commands"));

    let replay = workspace.run(&["train", "--replay", dir.to_str().unwrap()]).success();
    assert_ne!(replay.dir(), dir);
    let weights =
        |dir: &Path| std::fs::read(workspace.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(weights(&replay.dir()) == weights(&dir), "the replay has other weights");
    assert!(replay.stderr.contains("(replayed)"), "{}", replay.stderr);
}

#[test]
fn attach_prints_plain_lines_or_events() {
    let workspace = Workspace::new();
    train(&workspace, "demo", &[]).success();
    let result = workspace.run(&["attach", "demo", "--plain"]).success();
    for part in ["demo: demo on demo, seed 42;", "validation at step ", ", new best", "saved ", "finished"] {
        assert!(result.stderr.contains(part), "no {part:?} in\n{}", result.stderr);
    }
    let events = workspace.run(&["attach", "demo", "--plain", "--json"]).success().stdout;
    let kinds: Vec<Value> =
        events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert!(kinds.contains(&"started".into()) && kinds.contains(&"step".into()), "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "ended");
}

#[test]
fn events_are_printed_as_they_are_and_followed_to_the_end() {
    let workspace = Workspace::new();
    let args = [&["train", "demo", "--set", "max_steps=40"], SMALL].concat();
    let mut training = workspace.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = std::time::Instant::now();
    while workspace.run(&["events", "demo"]).stdout.is_empty() {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "no events");
    }
    // It ends with the run, and not before.
    let followed = workspace.run(&["events", "demo", "--follow", "--json"]).success().stdout;
    assert!(training.wait().unwrap().success());
    let log = workspace
        .path()
        .join("runs")
        .read_dir()
        .unwrap()
        .flatten()
        .find_map(|entry| std::fs::read_to_string(entry.path().join("events.jsonl")).ok());
    assert_eq!(followed, log.unwrap());
    let text = workspace.run(&["events", "demo"]).success().stdout;
    for part in
        ["demo: demo on demo, seed 42;", "step 1: epoch 0.", "step 40: ", ", new best", "\nfinished\n"]
    {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    // A reader that ends early is not an error.
    let program = env!("CARGO_BIN_EXE_glue-tui");
    let script = format!("{program} events demo | head -n 1; {program} events demo --json | head -n 1");
    let output = std::process::Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {script}")])
        .current_dir(workspace.path())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
