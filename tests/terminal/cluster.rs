//! Runs on a cluster in the real binary: submitted, watched and taken back with keys. Programs stand in for those of Slurm.

use super::Terminal;
use super::fake::{FakeSlurm, forget_interval};
use std::path::Path;

const FILE: &str = "[experiment.tiny]\nmax_steps = 4\nmax_train_samples = 64\nmax_eval_samples = 32\n\
                    [experiment.tune]\nmax_steps = 4\nlearning_rate = [1e-4, 5e-4, 1e-3]\n";

fn open(home: &Path, fake: &FakeSlurm) -> Terminal {
    std::fs::write(home.join("experiments.toml"), FILE).unwrap();
    let before = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(fake.programs()).chain(std::env::split_paths(&before));
    let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
    Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &[], home, &[("PATH", &path)], (120, 40))
}

/// Whether a line of the screen has all of `parts`.
fn has_line(screen: &str, parts: &[&str]) -> bool {
    screen.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

#[test]
fn run_is_submitted_watched_and_cancelled() {
    let (home, fake) = (tempfile::tempdir().unwrap(), FakeSlurm::new());
    let mut terminal = open(home.path(), &fake);
    terminal.wait_for("No runs yet");
    terminal.send("S");
    terminal.wait_for("Submit tiny to Slurm?");
    assert_eq!(fake.calls("sbatch").len(), 0, "it asks first");
    terminal.send("s");
    terminal.wait_for("submitted 1 task as job 101");
    terminal.wait("a pending run", |screen| has_line(screen, &["tiny", "pending"]));
    assert_eq!(fake.calls("sbatch").len(), 1);

    // With the cursor on it, the details have the reason of Slurm.
    terminal.send("\t");
    terminal.wait("the cursor on the run", |screen| has_line(screen, &["▸ tiny", "pending"]));
    let runs = home.path().join("runs");
    forget_interval(&runs);
    terminal.wait_for("Priority");
    fake.set_state("101|0|", "RUNNING|node1");
    forget_interval(&runs);
    terminal.wait("a running run", |screen| has_line(screen, &["▸ tiny", "running"]));
    let questions = fake.calls("squeue").len();
    assert!(questions <= 3, "Slurm was asked {questions} times");

    terminal.send("X");
    terminal.wait_for("Cancel the jobs of this run?");
    assert_eq!(fake.calls("scancel").len(), 0, "it asks first");
    terminal.send("x");
    terminal.wait_for("are cancelled");
    assert!(fake.calls("scancel")[0].ends_with("101_0"), "{:?}", fake.calls("scancel"));
    fake.set_state("101|0|", "CANCELLED|None");
    forget_interval(&runs);
    terminal.wait("a stopped run", |screen| has_line(screen, &["▸ tiny", "stopped"]));
    terminal.send("X");
    terminal.wait_for("The cursor is not on a run or a sweep that waits or is trained in Slurm.");

    // What was cancelled is submitted again, as the same run.
    terminal.send("S");
    terminal.wait_for("submits this run from");
    terminal.send("s");
    terminal.wait_for("submitted 1 task as job 102");
    assert_eq!(std::fs::read_dir(&runs).unwrap().filter(is_run).count(), 1);
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

fn is_run(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| entry.path().join("spec.toml").is_file())
}

#[test]
fn sweep_is_submitted_and_cancelled_as_a_whole() {
    let (home, fake) = (tempfile::tempdir().unwrap(), FakeSlurm::new());
    let mut terminal = open(home.path(), &fake);
    terminal.wait_for("No runs yet");
    terminal.send("jS");
    terminal.wait_for("submits a new sweep of 3");
    terminal.send("s");
    terminal.wait_for("submitted 3 tasks as job 101");
    terminal.wait_for("Sweeps, 1");
    terminal.wait_for("0 of 3");
    fake.set_state("101|1|", "RUNNING|node1");
    forget_interval(&home.path().join("runs"));
    terminal.wait_for("0 of 3, 1 running");
    terminal.send("\tX");
    terminal.wait_for("Cancel the jobs of this sweep?");
    terminal.send("x");
    terminal.wait_for("are cancelled");
    let cancelled = fake.calls("scancel").join(" ");
    assert!((0..3).all(|task| cancelled.contains(&format!("101_{task}"))), "{cancelled}");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn submission_that_slurm_rejects_is_one_sentence_and_keeps_the_run() {
    let (home, fake) = (tempfile::tempdir().unwrap(), FakeSlurm::new());
    fake.set("sbatch-error", "sbatch: error: Batch job submission failed: Invalid account specified\n");
    let mut terminal = open(home.path(), &fake);
    terminal.wait_for("No runs yet");
    terminal.send("S");
    terminal.wait_for("Submit tiny to Slurm?");
    terminal.send("s");
    terminal.wait_for("Cannot submit to Slurm");
    terminal.wait_for("Invalid account specified");
    terminal.send("\r");
    terminal.wait("the run", |screen| has_line(screen, &["tiny", "not started"]));
    fake.remove("sbatch-error");
    terminal.send("S");
    terminal.wait_for("Submit tiny to Slurm?");
    terminal.send("s");
    terminal.wait_for("submitted 1 task as job 101");
    terminal.wait("a pending run", |screen| has_line(screen, &["tiny", "pending"]));
    let runs = std::fs::read_dir(home.path().join("runs")).unwrap().filter(is_run).count();
    assert_eq!(runs, 1, "the run that was created first is submitted");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
