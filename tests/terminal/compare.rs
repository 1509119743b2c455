//! The comparison of two runs in the real binary: the verdict, and further seeds until it is decided.

use super::Terminal;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long eight short trainings may take.
const TIMEOUT: Duration = Duration::from_mins(3);

fn train(home: &Path, learning_rate: &str) {
    let set = ["task=demo", "max_steps=3", "max_train_samples=64", "device=cpu", learning_rate];
    let mut command = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
    command.current_dir(home).args(["train", "demo", "--plain"]);
    for key in set {
        command.args(["--set", key]);
    }
    assert!(command.output().unwrap().status.success());
}

#[test]
fn further_seeds_are_trained_until_the_comparison_is_decided() {
    let home = tempfile::tempdir().unwrap();
    train(home.path(), "learning_rate=1e-4");
    train(home.path(), "learning_rate=2e-4");
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("Past runs, 2");
    terminal.send("4j ");
    terminal.wait_for("Verdict");
    terminal.wait_for("n queues 4 more seeds each");
    terminal.send("n");
    terminal.wait_for("4 more seeds each are queued");
    let plans = std::fs::read_to_string(home.path().join("runs/comparisons.toml")).unwrap();
    assert!(plans.contains("further = 4") && plans.contains("seeds_a = 1"), "{plans}");
    let queue = home.path().join("runs/queue.toml");
    let start = Instant::now();
    while std::fs::read_to_string(&queue).unwrap().contains("[[run]]") {
        assert!(start.elapsed() < TIMEOUT, "seeds are still queued: {}", terminal.text());
        terminal.read_output(Duration::from_millis(50));
    }
    terminal.wait("a result", |screen| !screen.contains("Not decided yet") && screen.contains("Verdict"));
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
