//! From a data file to a trained model, by keys.

use super::pty::Terminal;
use std::path::Path;

/// A file with column names and labels in words of another language.
fn write_reviews(folder: &Path) {
    let texts = [
        ("froh", "a warm and funny film"),
        ("sauer", "a dull and endless film"),
        ("froh", "great fun"),
        ("sauer", "awful"),
    ];
    let row = |n: usize| format!("{n};{};{} number {}\n", texts[n % 4].0, texts[n % 4].1, n / 4);
    let rows: String = (0..80).map(row).collect();
    std::fs::write(folder.join("kunden.csv"), format!("Nr;Stimmung;Kundenmeinung\n{rows}")).unwrap();
}

fn start(folder: &Path, args: &[&str], size: (u16, u16)) -> Terminal {
    write_reviews(folder);
    let cache = folder.join("cache").display().to_string();
    Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), args, folder, &[("HF_HOME", &cache)], size)
}

/// The summary of the only run in `folder`.
fn summary(folder: &Path) -> serde_json::Value {
    let runs: Vec<_> =
        std::fs::read_dir(folder.join("runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let runs: Vec<_> = runs.into_iter().filter(|path| path.is_dir()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert!(runs[0].join("best/model.safetensors").is_file());
    serde_json::from_slice(&std::fs::read(runs[0].join("summary.json")).unwrap()).unwrap()
}

#[test]
fn file_on_the_command_line_is_trained_on_with_one_key() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path(), &["kunden.csv"], (80, 24));
    terminal.wait_for("2 classes");
    terminal.wait("the guessed columns", |screen| screen.contains("[text]") && screen.contains("[label]"));
    terminal.send("\r");
    terminal.wait("the end of the run", |screen| screen.contains("finished"));
    let summary = summary(home.path());
    assert_eq!(
        (summary["status"].as_str(), summary["experiment"].as_str()),
        (Some("finished"), Some("kunden"))
    );
    assert!(summary["best"]["value"].as_f64().unwrap() > 0.9, "{summary}");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn file_is_chosen_and_trained_on_in_five_keys() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path(), &[], (120, 40));
    terminal.wait_for("demo");
    terminal.send("o");
    terminal.wait_for("kunden.csv");
    terminal.send("k");
    terminal.send("\t");
    terminal.wait("the completed path", |screen| screen.matches("kunden.csv").count() >= 2);
    terminal.send("\r");
    terminal.wait_for("2 classes");
    terminal.send("\r");
    terminal.wait("the end of the run", |screen| screen.contains("finished"));
    assert_eq!(summary(home.path())["status"], "finished");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn run_that_cannot_start_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("experiments.toml"),
        "[experiment.broken]\ntask = \"custom\"\ntrain_file = \"none.csv\"\n",
    )
    .unwrap();
    let mut terminal = start(home.path(), &[], (100, 30));
    terminal.wait_for("broken");
    terminal.send("\r");
    terminal.wait_for("Cannot start the run");
    terminal.wait_for("none.csv");
    assert!(
        !home.path().join("runs").exists()
            || std::fs::read_dir(home.path().join("runs"))
                .unwrap()
                .all(|entry| entry.unwrap().path().is_file())
    );
    terminal.send("\r");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
