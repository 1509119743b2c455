//! Past runs in the real binary: a new run is selected, named, found by a filter and pruned.

use super::pty::TIMEOUT;
use super::{FILE, Terminal};
use std::path::PathBuf;
use std::time::Instant;

#[test]
fn new_run_is_selected_named_filtered_and_pruned() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    let quick = FILE.replace("max_steps = 20000", "max_steps = 4");
    std::fs::write(home.path().join("experiments.toml"), quick).unwrap();
    terminal.send("\x1b[15~");
    terminal.wait_for("4 steps");
    terminal.send("\r");
    terminal.wait_for("finished");
    // The new run is under the cursor, with its disk space.
    terminal.send("\x1b");
    terminal.wait_for("Past runs, 1");
    terminal.wait("cursor on the run", |screen| {
        screen.lines().any(|line| line.contains("▸ tiny ") && line.contains("finished"))
    });
    terminal.wait_for(" MB ");
    let disk = disk_space(&terminal);

    terminal.send("R");
    terminal.wait_for("Name of tiny-");
    terminal.send("my baseline\r");
    terminal.wait_for("▸ my baseline");
    terminal.send("tpaper\r");
    terminal.wait_for("#paper");
    terminal.send("/#paper lr<1\r");
    // Of the experiments.
    terminal.wait_for("Nothing matches the filter.");
    // Without the filter, the cursor is still on the run.
    terminal.send("\x1b");
    terminal.wait("no filter", |screen| !screen.contains("Nothing matches the filter."));
    terminal.wait_for("▸ my baseline");

    let run = std::fs::read_dir(home.path().join("runs")).unwrap().map(|entry| entry.unwrap().path());
    let dirs: Vec<PathBuf> = run.filter(|path| path.join("spec.toml").is_file()).collect();
    let [dir] = &dirs[..] else { panic!("{dirs:?}") };
    assert!(dir.join("checkpoints").is_dir());
    terminal.send("P");
    terminal.wait_for("Free disk space");
    terminal.wait_for("my baseline: frees ");
    terminal.send("p");
    terminal.wait_for("freed ");
    let start = Instant::now();
    while dir.join("checkpoints").exists() {
        assert!(start.elapsed() < TIMEOUT, "the checkpoints are still there");
        terminal.read_output(std::time::Duration::from_millis(20));
    }
    assert!(dir.join("best/model.safetensors").is_file());
    terminal.wait("disk space of the rest", |screen| !screen.contains(&disk));
    terminal.send("P");
    terminal.wait_for("has no checkpoints");
    terminal.send("\r");
    terminal.wait("the message closed", |screen| !screen.contains("has no checkpoints"));
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

/// The disk space of all runs, from the title of their pane.
fn disk_space(terminal: &Terminal) -> String {
    let screen = terminal.parser.screen().contents();
    let title = screen.lines().find_map(|line| line.split("Past runs, 1 · ").nth(1)).unwrap();
    title.split(" ─").next().unwrap().to_owned()
}
