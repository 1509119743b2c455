//! Uploads that a user cancels, on the command line and in the interface: they end at once and continue later.

use super::common::command;
use super::mock::{Fault, Mock, Request};
use super::pty::Terminal;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const REPO: &str = "me/my-model";
const BRANCH: &str = "models/me/my-model@main";
const TIMEOUT: Duration = Duration::from_mins(1);

/// A runs directory with a run that has weights.
fn trained() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let small = ["--set", "max_train_samples=64", "--set", "max_eval_samples=20", "--set", "max_steps=2"];
    let trained = command(home.path(), &[&["train", "demo"][..], &small].concat()).output().unwrap();
    assert!(trained.status.success(), "{trained:?}");
    home
}

/// A hub on which the upload of a large file does not end.
fn stalled() -> Mock {
    let mock = Mock::start();
    mock.fault("PUT", "/upload/", 1, Fault::StallUpload { keep: 50 });
    mock
}

/// Waits until the upload of a large file has begun.
#[track_caller]
fn wait_for_upload(mock: &Mock) -> Vec<Request> {
    let (start, mut requests) = (Instant::now(), Vec::new());
    while !requests.iter().any(|request: &Request| request.method == "PUT") {
        assert!(start.elapsed() < TIMEOUT, "no upload: {requests:?}");
        std::thread::sleep(Duration::from_millis(20));
        requests.extend(mock.requests());
    }
    requests
}

fn run_dir(home: &Path) -> PathBuf {
    std::fs::read_dir(home.join("runs")).unwrap().next().unwrap().unwrap().path()
}

/// What was exported for the upload.
fn leftovers(home: &Path) -> usize {
    let names = std::fs::read_dir(run_dir(home)).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".push")).count()
}

fn start(home: &Path, mock: &Mock) -> Child {
    let mut command = command(home, &["push", "demo", REPO]);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", &mock.endpoint).env("HF_TOKEN", "hf_KlW9xQ");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[cfg(unix)]
#[test]
fn interrupted_command_ends_at_once_and_continues_later() {
    let home = trained();
    for name in ["INT", "TERM"] {
        let mock = stalled();
        let child = start(home.path(), &mock);
        wait_for_upload(&mock);
        let interrupted = Instant::now();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(interrupted.elapsed() < Duration::from_secs(10), "{:?}", interrupted.elapsed());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {errors}");
        assert!(output.stdout.is_empty(), "{name}");
        let last = errors.lines().last().unwrap();
        assert!(last.contains("the upload was stopped; the same command continues it"), "{errors}");
        assert_eq!((mock.commits(), leftovers(home.path())), (0, 0), "{name}");

        let again = start(home.path(), &mock).wait_with_output().unwrap();
        assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
        assert_eq!(mock.commits(), 1, "{name}");
        assert!(mock.files(BRANCH).contains_key("model.safetensors"), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn upload_of_the_interface_is_cancelled_by_a_key_and_continues_later() {
    let (home, mock) = (trained(), stalled());
    let variables =
        [("HF_ENDPOINT", mock.endpoint.as_str()), ("HF_TOKEN", "hf_KlW9xQ"), ("HF_HUB_OFFLINE", "0")];
    let program = env!("CARGO_BIN_EXE_glue-tui");
    let mut terminal = Terminal::start(program, &[], home.path(), &variables, (110, 30));
    let upload = |terminal: &mut Terminal| {
        terminal.wait_for("demo-");
        terminal.send("\tE");
        terminal.wait_for("push to the hub");
        terminal.send("push\r");
        terminal.wait_for("Repository on the hub");
        terminal.send(&format!("{REPO}\r"));
        terminal.wait_for("Uploads the best weights");
        terminal.send("p");
    };
    upload(&mut terminal);
    wait_for_upload(&mock);
    let cancelled = Instant::now();
    terminal.send("\x18");
    terminal.wait_for("the upload was stopped");
    assert!(cancelled.elapsed() < Duration::from_secs(10), "{:?}", cancelled.elapsed());
    assert_eq!((mock.commits(), leftovers(home.path())), (0, 0));
    terminal.send("\t");
    upload(&mut terminal);
    terminal.wait_for("Uploaded");
    assert_eq!(mock.commits(), 1);
    terminal.send("\x1b");
    terminal.wait("no message", |screen| !screen.contains("Uploaded"));
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
