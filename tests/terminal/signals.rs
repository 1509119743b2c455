//! Endings of the interface and of `train` in a terminal: signals, a terminal that is closed or not read, no memory.

use super::pty::{TIMEOUT, Terminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The only run in the runs directory of `home`, once it exists.
pub(super) fn run_dir(home: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(home.join("runs")).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.join("spec.toml").is_file())
}

/// Whether the log has a step.
pub(super) fn has_steps(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join("events.jsonl")).is_ok_and(|log| log.contains(r#""kind":"step""#))
}

/// Whether the log ends with a stop, and the step of the newest checkpoint is the last one of the log.
pub(super) fn is_saved(dir: &Path) -> bool {
    let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let step = |line: &str| -> Option<u64> {
        let rest = line.strip_prefix(r#"{"kind":"step","step":"#)?;
        rest.split(',').next()?.parse().ok()
    };
    let last = log.lines().filter_map(step).max().unwrap();
    let is_stopped = log.trim_end().lines().last().unwrap().contains(r#""status":"stopped""#);
    is_stopped && dir.join(format!("checkpoints/step-{last:06}")).is_dir()
}

/// Waits for the end of the process without reading the terminal.
#[track_caller]
pub(super) fn wait_without_reading(terminal: &mut Terminal) -> u32 {
    let start = Instant::now();
    loop {
        if let Some(status) = terminal.child.try_wait().unwrap() {
            return status.exit_code();
        }
        assert!(start.elapsed() < TIMEOUT, "still running");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The interface while it trains.
pub(super) fn training(home: &Path) -> Terminal {
    let mut terminal = Terminal::open(home, &[]);
    train(&mut terminal, home);
    terminal
}

/// Starts the run of the interface.
#[track_caller]
pub(super) fn train(terminal: &mut Terminal, home: &Path) {
    terminal.wait_for("A short one");
    terminal.send("\r");
    terminal.wait_for(" of 1250");
    // Before the first step there is nothing to save.
    terminal.wait_until("step in the log", |_| run_dir(home).is_some_and(|dir| has_steps(&dir)));
}

#[test]
fn every_signal_saves_and_restores_the_terminal() {
    for name in ["INT", "TERM", "QUIT"] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = training(home.path());
        terminal.signal(name);
        assert_eq!(terminal.end().exit_code(), 130, "{name}");
        terminal.assert_restored();
        assert!(is_saved(&run_dir(home.path()).unwrap()), "{name}");
    }
}

#[test]
fn terminal_that_nobody_reads_does_not_delay_saving() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = training(home.path());
    terminal.stop_reading();
    // The buffer of the terminal is full as soon as the interface has drawn for a while.
    std::thread::sleep(Duration::from_secs(3));
    let start = Instant::now();
    terminal.signal("TERM");
    assert_eq!(wait_without_reading(&mut terminal), 130);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(is_saved(&run_dir(home.path()).unwrap()));
}

#[test]
fn train_in_a_terminal_that_nobody_reads_saves() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("experiments.toml"), super::FILE).unwrap();
    let args = ["train", "tiny", "--plain", "--set", "eval_steps=1"];
    let mut terminal = Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &args, home.path(), &[], (110, 30));
    terminal.wait_for("step 1/");
    // Ctrl-S: from here on every write waits.
    terminal.send("\x13");
    let dir = run_dir(home.path()).unwrap();
    let evaluations = || {
        let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
        log.matches(r#""kind":"eval""#).count()
    };
    let before = evaluations();
    let start = Instant::now();
    while evaluations() < before + 20 {
        assert!(start.elapsed() < TIMEOUT, "the training waits for the terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
    let start = Instant::now();
    terminal.signal("HUP");
    assert_eq!(wait_without_reading(&mut terminal), 130);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(is_saved(&dir));
}

#[test]
fn live_run_of_another_process_is_not_deleted() {
    let home = tempfile::tempdir().unwrap();
    let mut trainer = training(home.path());
    trainer.send("xx");
    trainer.wait_for("stopped;");
    let dir = run_dir(home.path()).unwrap();
    let mut other = Terminal::open(home.path(), &[]);
    other.wait_for("A short one");
    // The list of the other interface is older than the resumed run.
    other.send("\x1b[F");
    other.wait_for("stopped");
    trainer.send("1\x1b[Fr");
    let is_resumed = |dir: &Path| {
        let log = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
        log.matches(r#""kind":"started""#).count() == 2
    };
    trainer.wait_until("resumed run", |_| is_resumed(&dir));
    other.send("d");
    other.wait_for("Delete this run?");
    other.send("d");
    other.wait_for("is being trained by process");
    assert!(dir.join("spec.toml").is_file());
    other.send("\x1b");
    other.wait("closed message", |screen| !screen.contains("is being trained by process"));
    other.send("q");
    assert_eq!(other.end().exit_code(), 0);
    trainer.signal("TERM");
    assert_eq!(trainer.end().exit_code(), 130);
    assert!(is_saved(&dir));
}

#[test]
fn unreadable_run_is_shown_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("runs/broken");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("spec.toml"), "experiment = ").unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("unreadable");
    terminal.send("\x1b[F");
    terminal.wait_for("spec.toml:1");
    terminal.send("d");
    terminal.wait_for("Delete this run?");
    terminal.send("d");
    terminal.wait_for("No runs yet");
    assert!(!run.exists());
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn without_memory_the_terminal_is_restored() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("experiments.toml"), super::FILE).unwrap();
    let mut failures = 0;
    for megabytes in [60, 80, 100, 120, 150, 200, 300, 400] {
        let script = format!("ulimit -v {}; exec {}", megabytes << 10, env!("CARGO_BIN_EXE_glue-tui"));
        let mut terminal = Terminal::start("bash", &["-c", &script], home.path(), &[], (110, 30));
        let (start, mut has_started) = (Instant::now(), false);
        let status = loop {
            terminal.read_output(Duration::from_millis(50));
            if let Some(status) = terminal.child.try_wait().unwrap() {
                terminal.read_output(Duration::from_millis(200));
                break status.exit_code();
            }
            let text = terminal.text();
            if !has_started && text.contains("A short one") {
                has_started = true;
                terminal.send("\r");
            }
            if ["examples/s", "Cannot", "failed"].iter().any(|part| text.contains(part)) {
                terminal.signal("TERM");
                break terminal.end().exit_code();
            }
            assert!(start.elapsed() < TIMEOUT, "{megabytes} MB: {text}");
        };
        let text = terminal.text();
        assert!([4, 130].contains(&status), "{megabytes} MB: {status}: {text}");
        terminal.assert_restored();
        if status == 4 {
            failures += 1;
            assert_eq!(text.matches("glue-tui: ").count(), 1, "{megabytes} MB: {text}");
        }
    }
    assert!(failures > 0, "the limits are too high");
}
