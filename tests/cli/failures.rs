//! Failures around a run: signals, damaged and edited files, a run directory that is moved, little memory, permissions.

use super::workspace::*;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Maximum time of an action on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);
/// A training that no test waits for.
const LONG: [&str; 2] = ["--set", "max_steps=100000"];

/// Starts a training and waits for its first step. The rest of stderr is read by a thread.
fn start(workspace: &Workspace, shell_prefix: &str) -> (Child, std::thread::JoinHandle<String>) {
    start_with(workspace, shell_prefix, &[])
}

/// Whether the programs that the tests start ignore HUP, because the tests were started with `nohup`.
fn is_hang_up_ignored() -> bool {
    Command::new("bash").args(["-c", "kill -HUP $$"]).status().unwrap().success()
}

/// [`start`] with more arguments.
fn start_with(
    workspace: &Workspace,
    shell_prefix: &str,
    more: &[&str],
) -> (Child, std::thread::JoinHandle<String>) {
    let command = workspace.command(&[]);
    let args = [&["train", "demo"], SMALL, &LONG[..], more].concat();
    let script = format!("{shell_prefix} exec \"$0\" \"$@\"");
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).arg(command.get_program()).args(args).current_dir(workspace.path());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("step 1/") {
        assert!(err.read_line(&mut text).unwrap() > 0, "{text}");
    }
    let rest = std::thread::spawn(move || {
        err.read_to_string(&mut text).unwrap();
        text
    });
    (child, rest)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The only run in the workspace.
fn run_dir(workspace: &Workspace) -> PathBuf {
    let entries =
        std::fs::read_dir(workspace.path().join("runs")).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.join("spec.toml").is_file()).expect("a run")
}

/// Step of the newest checkpoint, and whether the log says that the run was stopped.
fn saved(dir: &Path) -> (u64, bool) {
    let names = std::fs::read_dir(dir.join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name());
    let steps = names.filter_map(|name| name.to_str()?.strip_prefix("step-")?.parse().ok());
    let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    (steps.max().unwrap_or(0), last["kind"] == "ended" && last["status"] == "stopped")
}

/// The step of the last `step` event.
fn last_step(dir: &Path) -> u64 {
    let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let steps = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    steps.filter(|event| event["kind"] == "step").filter_map(|event| event["step"].as_u64()).max().unwrap()
}

#[test]
fn every_ending_signal_saves_all_steps() {
    for name in ["HUP", "INT", "TERM", "QUIT"] {
        if name == "HUP" && is_hang_up_ignored() {
            eprintln!("SKIPPED: HUP, which these tests ignore themselves, as after nohup");
            continue;
        }
        let workspace = Workspace::new();
        let (mut child, rest) = start(&workspace, "");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        let err = rest.join().unwrap();
        assert!(err.contains("--resume"), "{name}: {err}");
        let dir = run_dir(&workspace);
        assert_eq!(saved(&dir), (last_step(&dir), true), "{name}");
    }
}

#[test]
fn hang_up_is_ignored_after_nohup() {
    let workspace = Workspace::new();
    let (mut child, rest) = start(&workspace, "trap '' HUP;");
    signal(&child, "HUP");
    let dir = run_dir(&workspace);
    let before = last_step(&dir);
    wait_until("the training continues", || last_step(&dir) > before + 20);
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    rest.join().unwrap();
}

#[test]
fn signal_is_handled_before_queued_commands() {
    let workspace = Workspace::new();
    let (mut child, rest) = start(&workspace, "");
    let dir = run_dir(&workspace);
    workspace.run(&["control", "demo", "pause"]).success();
    // Each evaluation takes as long as several steps.
    let record = "{\"time\":0.0,\"command\":\"eval\"}\n".repeat(20_000);
    let mut control = std::fs::OpenOptions::new().append(true).open(dir.join("control.jsonl")).unwrap();
    std::io::Write::write_all(&mut control, record.as_bytes()).unwrap();
    let evaluations = || {
        let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
        log.matches(r#""command":"eval""#).count()
    };
    wait_until("the first evaluation", || evaluations() > 0);
    let start = Instant::now();
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    rest.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(evaluations() < 10_000);
    assert_eq!(saved(&dir), (last_step(&dir), true));
}

#[test]
fn second_signal_ends_at_once() {
    let workspace = Workspace::new();
    // Checkpoints do not fit, which is retried for several seconds after the first signal.
    let (mut child, rest) = start(&workspace, "ulimit -f 512;");
    let begin = Instant::now();
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begin.elapsed() < Duration::from_millis(2500), "{:?}", begin.elapsed());
    rest.join().unwrap();
}

/// A short training with a checkpoint every four steps and the best weights of one of them.
fn stopped_run(workspace: &Workspace) -> PathBuf {
    let more = ["--set", "max_steps=12", "--set", "save_steps=4", "--set", "eval_steps=4"];
    workspace.path().join(train(workspace, "demo", &more).success().dir())
}

fn flip_last_byte(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn damaged_checkpoint_is_skipped() {
    let workspace = Workspace::new();
    let dir = stopped_run(&workspace);
    let weights = std::fs::read(dir.join("best/model.safetensors")).unwrap();
    // The last bytes are those of a moment: only the digest shows that they have changed.
    flip_last_byte(&dir.join("checkpoints/step-000012/state.safetensors"));
    let result = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
    assert!(result.stderr.contains("the checkpoint of step 12 is damaged and skipped"), "{}", result.stderr);
    assert!(result.stderr.contains("resumes after step 8"), "{}", result.stderr);
    assert!(std::fs::read(dir.join("best/model.safetensors")).unwrap() == weights, "the same training again");

    for step in ["step-000008", "step-000012"] {
        flip_last_byte(&dir.join("checkpoints").join(step).join("state.safetensors"));
    }
    let error = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).failure(3);
    assert!(error.contains("no intact checkpoint"), "{error}");
}

#[test]
fn lost_best_weights_are_replaced() {
    let workspace = Workspace::new();
    let dir = stopped_run(&workspace);
    for damage in [
        (&|| std::fs::remove_dir_all(dir.join("best")).unwrap()) as &dyn Fn(),
        &|| flip_last_byte(&dir.join("best/model.safetensors")),
        &|| std::fs::remove_file(dir.join("best/config.json")).unwrap(),
    ] {
        damage();
        let result = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
        assert!(result.stderr.contains("warning: "), "{}", result.stderr);
        workspace.run(&["predict", dir.to_str().unwrap(), "not bad"]).success();
        let summary = read_json(&dir.join("summary.json"));
        assert_eq!((&summary["status"], summary["best"].is_object()), (&"finished".into(), true));
    }
    flip_last_byte(&dir.join("best/model.safetensors"));
    for command in ["eval", "predict"] {
        let error = workspace.run(&[command, dir.to_str().unwrap()]).failure(3);
        assert!(error.contains("model.safetensors: is damaged"), "{error}");
    }
    let to = workspace.path().join("out");
    let error = workspace.run(&["export", dir.to_str().unwrap(), "--to", to.to_str().unwrap()]).failure(3);
    assert!(error.contains("model.safetensors: is damaged") && !to.exists(), "{error}");
}

#[test]
fn full_disk_leaves_nothing_half_written_and_says_what_to_do() {
    let workspace = Workspace::new();
    let error = train_on_a_full_disk(&workspace, &[]);
    assert!(error.contains("cannot write") && error.contains("free space, then continue with"), "{error}");
    let dir = run_dir(&workspace);
    let name = dir.file_name().unwrap().to_str().unwrap();
    assert!(error.ends_with(&format!("--resume runs/{name}")), "{error}");
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let all = [names(&dir), names(&dir.join("checkpoints"))].concat();
    assert!(!all.iter().any(|name| name.starts_with('.')), "{all:?}");
    assert_eq!(read_json(&dir.join("summary.json"))["status"], "failed");
    workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
}

#[test]
fn full_disk_is_reported_with_the_run_of_several_seeds() {
    let workspace = Workspace::new();
    let error = train_on_a_full_disk(&workspace, &["--set", "repeats=2"]);
    let dir = run_dir(&workspace);
    let name = dir.file_name().unwrap().to_str().unwrap();
    assert!(error.ends_with(&format!("--resume runs/{name}")), "{error}");
    let summary = read_json(&dir.join("seed-42/summary.json"));
    assert!(error.contains(summary["error"].as_str().unwrap()), "{error}: {summary}");
    workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
}

/// The error of a training that has no space for a checkpoint.
fn train_on_a_full_disk(workspace: &Workspace, more: &[&str]) -> String {
    let command = workspace.command(&[]);
    // The checkpoint is larger than the limit, the log is not.
    let script = "ulimit -f 512; exec \"$0\" \"$@\"";
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=2"], more].concat();
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).arg(command.get_program()).args(args).current_dir(workspace.path());
    CommandResult::from(shell.env("HF_HUB_OFFLINE", "1").output().unwrap()).failure(1)
}

#[test]
fn edited_specification_is_refused_with_the_difference() {
    let workspace = Workspace::new();
    let dir = stopped_run(&workspace);
    let file = dir.join("spec.toml");
    let spec = std::fs::read_to_string(&file).unwrap();
    let edited = spec.replace("seed = 42", "seed = 43");
    assert_ne!(edited, spec);
    std::fs::write(&file, edited).unwrap();
    let error = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).failure(2);
    assert!(error.contains("spec.toml") && error.contains("seed was 42 and is 43"), "{error}");
    assert!(dir.join("summary.json").is_file(), "the run is unchanged");
    // A comment is no change, and another place is only reported.
    std::fs::write(&file, format!("# mine\n{spec}threads = 1\n")).unwrap();
    let result = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
    assert!(result.stderr.contains("threads was") && result.stderr.contains("and is 1"), "{}", result.stderr);
}

#[test]
fn edited_specification_of_several_seeds_is_refused() {
    let workspace = Workspace::new();
    let more = ["--set", "max_steps=2", "--set", "repeats=2"];
    let dir = workspace.path().join(train(&workspace, "demo", &more).success().dir());
    let file = dir.join("spec.toml");
    let spec = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        spec.replace("max_steps = 2", "max_steps = 3").replace("repeats = 2", "repeats = 3"),
    )
    .unwrap();
    let error = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).failure(2);
    assert!(error.contains("max_steps was 2 and is 3") && !error.contains("repeats"), "{error}");
    // More seeds of the same specification may follow.
    std::fs::write(&file, spec.replace("repeats = 2", "repeats = 3")).unwrap();
    let result = workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
    assert!(result.stderr.contains("over 3 seeds"), "{}", result.stderr);
}

#[test]
fn moved_run_is_completed_in_its_new_place_and_reported() {
    for (more, seed) in [(&[][..], ""), (&["--set", "repeats=2"], "seed-42")] {
        let workspace = Workspace::new();
        let (mut child, rest) = start_with(&workspace, "", more);
        let (old, new) = (workspace.path().join("runs"), workspace.path().join("elsewhere"));
        std::fs::rename(&old, &new).unwrap();
        signal(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let err = rest.join().unwrap();
        let dir = new.join(std::fs::read_dir(&new).unwrap().next().unwrap().unwrap().file_name());
        let last = err.lines().last().unwrap();
        assert!(last.contains("was moved to"), "{err}");
        assert!(last.ends_with(&format!("--resume {}", dir.canonicalize().unwrap().display())), "{err}");
        assert!(!old.exists(), "no second, incomplete run directory");
        let dir = dir.join(seed);
        assert_eq!(saved(&dir), (last_step(&dir), true));
        assert_eq!(read_json(&dir.join("summary.json"))["status"], "stopped");
    }
}

#[test]
fn removed_run_is_an_error() {
    let workspace = Workspace::new();
    let (mut child, rest) = start(&workspace, "");
    // The training may create a file while its directory is removed.
    wait_until("the runs are removed", || {
        let _ = std::fs::remove_dir_all(workspace.path().join("runs"));
        !workspace.path().join("runs").exists()
    });
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let err = rest.join().unwrap();
    assert!(err.lines().last().unwrap().contains("was removed during the training"), "{err}");
}

#[test]
fn umask_determines_all_permissions() {
    for (umask, file_mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let workspace = Workspace::new();
        let command = workspace.command(&[]);
        let script = format!(
            "umask {umask}; \"$0\" train demo {} --set max_steps=2 && \"$0\" export demo --to new/out",
            SMALL.join(" ")
        );
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).arg(command.get_program()).current_dir(workspace.path());
        shell.env("HF_HUB_OFFLINE", "1").env("XDG_CACHE_HOME", workspace.path().join("cache"));
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut folders = vec![workspace.path().join("runs"), workspace.path().join("new")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else {
                    let mode = metadata.permissions().mode() & 0o777;
                    assert_eq!(mode, file_mode, "{mode:o} {}", entry.path().display());
                    files += 1;
                }
            }
        }
        assert!(files > 15, "{files}");
    }
}

#[test]
fn leftovers_of_killed_processes_are_removed() {
    let workspace = Workspace::new();
    let dir = stopped_run(&workspace);
    for name in ["predictions/.step-00000016.safetensors.aB3dE5.tmp", ".tmpAbCdEf", "holder.json"] {
        std::fs::write(dir.join(name), "x").unwrap();
    }
    std::fs::create_dir(dir.join("checkpoints/.step-000016.new")).unwrap();
    workspace.run(&["train", "--resume", dir.to_str().unwrap()]).success();
    let hidden = |folder: &str| {
        let entries = std::fs::read_dir(dir.join(folder)).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
    };
    assert_eq!((hidden("."), hidden("checkpoints"), hidden("predictions")), (0, 0, 0));
    assert!(!dir.join("holder.json").exists());
}

#[test]
fn unreadable_runs_are_listed_with_the_reason() {
    let workspace = Workspace::new();
    let good = stopped_run(&workspace);
    let runs = workspace.path().join("runs");
    std::fs::create_dir(runs.join("broken")).unwrap();
    std::fs::write(runs.join("broken/spec.toml"), "experiment = ").unwrap();
    std::fs::create_dir(runs.join("fifo")).unwrap();
    assert!(Command::new("mkfifo").arg(runs.join("fifo/spec.toml")).status().unwrap().success());
    symlink("nowhere", runs.join("link")).unwrap();
    let rows = workspace.run(&["runs", "--json"]).success().json();
    let problem = |name: &str| {
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        (row["status"].as_str().unwrap().to_owned(), row["problem"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(problem(good.file_name().unwrap().to_str().unwrap()), ("finished".into(), String::new()));
    for (name, part) in [("broken", "spec.toml"), ("fifo", "FIFO"), ("link", "No such file")] {
        let (status, problem) = problem(name);
        assert!(status == "unreadable" && problem.contains(part), "{name}: {problem}");
    }
    let table = workspace.run(&["runs"]).success();
    assert!(
        table.stdout.contains("broken") && table.stderr.contains("fifo is unreadable: "),
        "{}",
        table.stderr
    );
    let error = workspace.run(&["attach", "fifo", "--plain"]).failure(3);
    assert!(error.contains("FIFO"), "{error}");
    std::fs::write(workspace.path().join("file"), "").unwrap();
    assert!(workspace.run(&["runs", "--runs-dir", "file"]).failure(3).contains("cannot read file"));
    let doctor = workspace.run(&["doctor", "--runs-dir", "file"]).success();
    assert!(doctor.stdout.contains("cannot read file"), "{}", doctor.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn no_memory_is_one_sentence_and_exit_code_4() {
    let (workspace, dir) = trained();
    let dir = dir.to_str().unwrap();
    let limited = |kilobytes: u64, args: &[&str]| {
        let command = workspace.command(&[]);
        let mut shell = Command::new("bash");
        let script = format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(command.get_program()).args(args).current_dir(workspace.path());
        for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            shell.env(name, value);
        }
        shell.stdin(Stdio::null()).output().unwrap()
    };
    let train = [&["train", "demo", "--runs-dir", "limited"], SMALL, &["--set", "max_steps=2"]].concat();
    let mut failures = 0;
    // With less, the system cannot load the program.
    let loads = |megabytes: &u64| limited(megabytes << 10, &["--version"]).status.success();
    let first = (40..400).step_by(20).find(loads).expect("enough memory for the program");
    for args in [&train[..], &["eval", dir], &["predict", dir, "not bad"]] {
        for megabytes in (first..400).step_by(20) {
            let output = limited(megabytes << 10, args);
            let err = String::from_utf8_lossy(&output.stderr);
            let text = format!("{} MB, {args:?}: {:?}: {err}", megabytes, output.status);
            match output.status.code() {
                Some(0) => {}
                // The rows are refused before they are read if they would take more than half of what is left.
                Some(3) if err.contains("the rows take more than") => {
                    assert_eq!(err.lines().count(), 1, "{text}");
                }
                Some(4) => {
                    failures += 1;
                    let errors: Vec<&str> =
                        err.lines().filter(|line| line.starts_with("glue-tui: ")).collect();
                    assert_eq!(errors.len(), 1, "{text}");
                    assert!(!err.contains("internal error") && !err.contains("panicked"), "{text}");
                }
                _ => panic!("{text}"),
            }
        }
    }
    assert!(failures > 3, "{failures}: the limits are too high");
}
