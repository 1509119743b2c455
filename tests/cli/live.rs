//! Trainings that are interrupted, resumed, steered and replayed.

use super::desk::*;

use glue_tui::format::count;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Reads stderr until a line holds `text`; what follows is read away on a thread, so that nothing blocks.
fn wait_for(child: &mut Child, text: &str) -> std::thread::JoinHandle<String> {
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(err.read_line(&mut line).unwrap() > 0, "{text} was not said:\n{seen}");
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
fn an_interrupted_run_is_resumed_to_the_same_weights() {
    let desk = Desk::new();
    let steps = ["--set", "max_steps=60", "--set", "num_train_epochs=60"];
    let straight = train(&desk, "demo", &steps).good().dir();

    let args = [&["train", "demo", "--runs-dir", "stopped"], SMALL, &steps[..]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/60");
    signal(&child, "INT");
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    let dir = out.lines().last().expect("the run directory").to_owned();
    assert!(err.lines().last().unwrap().contains(&format!("--resume {dir}")), "{err}");
    let summary = read_json(&desk.path().join(&dir).join("summary.json"));
    assert_eq!(summary["status"], "stopped");
    assert!(summary["steps"].as_u64().unwrap() < 60, "it ended before it was interrupted");

    // It goes on as it began, or not at all.
    let resume = ["train", "--runs-dir", "stopped", "--resume", &dir];
    assert!(desk.run(&[&resume[..], &["--set", "max_steps=61"]].concat()).bad(2).contains("max_steps"));
    assert!(desk.run(&[&resume[..], &["demo-pairs"]].concat()).bad(2).contains("demo-pairs"));
    let said = desk.run(&[&resume[..], &["demo", "--set", "max_steps=60"]].concat()).good();
    assert_eq!(said.dir(), PathBuf::from(&dir));
    let weights = |dir: &Path| std::fs::read(desk.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(
        weights(Path::new(&dir)) == weights(&straight),
        "resuming gave other weights than a straight run"
    );
    let scores = |dir: &Path| read_json(&desk.path().join(dir).join("summary.json"))["validation"].clone();
    assert_eq!(scores(Path::new(&dir)), scores(&straight));
}

#[test]
fn a_batch_systems_warning_saves_too() {
    let desk = Desk::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    signal(&child, "USR1");
    // The end that follows the warning does not cut the saving short.
    signal(&child, "TERM");
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert!(err.contains("--resume"), "{err}");
}

#[test]
fn a_run_is_steered_from_another_terminal_and_can_be_replayed() {
    let desk = Desk::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    let control = |args: &[&str]| desk.run(&[&["control", "demo"], args].concat());
    let said = control(&["pause"]).good().out;
    let step = said.trim().strip_prefix("paused at step ").unwrap_or_else(|| panic!("{said}"));
    let step: u64 = step.replace(',', "").parse().unwrap();
    assert!(control(&["eval"]).good().out.contains("evaluation requested at step"));
    // Paused, it answers and can be asked.
    let halved = control(&["halve", "--json"]).good().json();
    assert_eq!((&halved["step"], &halved["command"]), (&step.into(), &"halve".into()));
    assert_eq!(halved["settings"]["learning_rate"], 2.5e-4);
    let told = control(&["set", &format!("max_steps={}", step + 4)]).good().out;
    assert_eq!(
        told.trim(),
        format!("{} steps in total from step {said}", count(step + 4), said = count(step))
    );
    for wrong in ["seed=1", "learning_rate=-1", "max_steps=1.5"] {
        let told = control(&["set", wrong]).bad(2);
        assert!(told.contains(wrong.split('=').next().unwrap()), "{told}");
    }
    assert!(control(&["save"]).good().out.contains("checkpoint requested at step"));
    assert!(desk.run(&["control", "nothing", "pause"]).bad(2).contains("there is no run nothing"));
    control(&["resume"]).good();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert!(err.contains("learning_rate 2.5e-4 from step "), "{err}");
    let dir = PathBuf::from(out.lines().last().unwrap());
    let summary = read_json(&desk.path().join(&dir).join("summary.json"));
    assert_eq!((&summary["steps"], &summary["changes"][0]["command"]), (&(step + 4).into(), &"halve".into()));
    assert!(control(&["pause"]).bad(2).contains("is finished and cannot receive commands"));

    let again = desk.run(&["train", "--replay", dir.to_str().unwrap()]).good();
    assert_ne!(again.dir(), dir);
    let weights = |dir: &Path| std::fs::read(desk.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(weights(&again.dir()) == weights(&dir), "the replay came to other weights");
    assert!(again.err.contains("as before"), "{}", again.err);
}

#[test]
fn a_run_is_followed_by_sentences() {
    let desk = Desk::new();
    train(&desk, "demo", &[]).good();
    let said = desk.run(&["attach", "demo", "--plain"]).good();
    for part in ["demo: demo on demo, seed 42;", "validation at step ", ", new best", "saved ", "finished"] {
        assert!(said.err.contains(part), "no {part:?} in\n{}", said.err);
    }
    let events = desk.run(&["attach", "demo", "--plain", "--json"]).good().out;
    let kinds: Vec<Value> =
        events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert!(kinds.contains(&"started".into()) && kinds.contains(&"step".into()), "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "ended");
}
