//! The interface with damaged files, a held lock and a disk that hangs: it shows errors and still answers keys.

use super::pty::Terminal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Maximum time of a key while another operation hangs, on a busy machine.
const KEY_TIMEOUT: Duration = Duration::from_secs(3);

/// A copy of the recorded run in the runs directory of `home`.
fn recorded_run(home: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/demo-20261125-170056-eb3d");
    let target = home.join("runs/demo-20261125-170056-eb3d");
    std::fs::create_dir_all(target.join("predictions")).unwrap();
    for name in ["events.jsonl", "spec.toml", "summary.json"] {
        std::fs::copy(source.join(name), target.join(name)).unwrap();
    }
    target
}

/// A safetensors file of predictions with one number for each of two rows, as in a regression.
fn one_column_predictions() -> Vec<u8> {
    let header = br#"{"__metadata__":{"epoch":"0","split":"validation","format":"1"},"labels":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"logits":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend([0.0_f32, 1.0, 0.5, 0.5].iter().flat_map(|number| number.to_le_bytes()));
    file
}

/// Opens and closes the list of keys, each within the limit.
#[track_caller]
fn assert_answers_keys(terminal: &mut Terminal) {
    for (key, is_open) in [("?", true), ("\x1b", false)] {
        let start = Instant::now();
        terminal.send(key);
        terminal.wait("list of keys", |screen| screen.contains("Keys") == is_open);
        assert!(start.elapsed() < KEY_TIMEOUT, "{key:?} took {:?}", start.elapsed());
    }
}

#[test]
fn held_queue_lock_does_not_block_keys() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("runs")).unwrap();
    let lock = File::create(home.path().join("runs/.queue.lock")).unwrap();
    lock.lock().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    terminal.send("a");
    assert_answers_keys(&mut terminal);
    terminal.wait_for("another program has locked");
    terminal.send("\x1b");
    // A key that follows an escape at once would be read as alt and that key.
    terminal.wait("closed message", |screen| !screen.contains("another program has locked"));
    drop(lock);
    terminal.send("a");
    terminal.wait_for("1 run");
    terminal.send("qq");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn fifo_in_place_of_a_file_does_not_block() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("runs/tiny-20261130-020004-0000");
    std::fs::create_dir_all(&run).unwrap();
    // Opening a FIFO waits for a writer.
    let status = std::process::Command::new("mkfifo").arg(run.join("spec.toml")).status().unwrap();
    assert!(status.success());
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("unreadable");
    assert_answers_keys(&mut terminal);
    terminal.send("\x1b[F");
    terminal.wait_for("FIFO");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn damaged_log_is_shown_as_far_as_it_can_be_read() {
    let home = tempfile::tempdir().unwrap();
    let run = recorded_run(home.path());
    let log = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let mut damaged = Vec::new();
    for line in &lines[..lines.len() / 2] {
        // The start of a run with a task that this version does not know, and bytes that are not text.
        damaged.extend(line.replace(r#""task":"demo""#, r#""task":"unknown-task""#).as_bytes());
        damaged.extend(b"\n\xff\xfe\x00 garbage\n");
    }
    damaged.extend(&lines[lines.len() / 2].as_bytes()[..10]);
    std::fs::write(run.join("events.jsonl"), damaged).unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    terminal.wait_for("93.0");
    terminal.send("\x1b[F\r");
    assert_answers_keys(&mut terminal);
    // The worker that reads files still runs: it finds the new experiment.
    std::fs::write(home.path().join("experiments.toml"), "# Added later\n[experiment.later]\n").unwrap();
    terminal.send("1");
    terminal.send("\x1b[15~");
    terminal.wait_for("later");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn predictions_of_another_shape_are_an_error_on_the_screen() {
    let home = tempfile::tempdir().unwrap();
    let run = recorded_run(home.path());
    std::fs::write(run.join("predictions/step-00000000.safetensors"), one_column_predictions()).unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("93.0");
    terminal.send("\x1b[Fw");
    terminal.wait_for("number of outputs is 1");
    assert_answers_keys(&mut terminal);
    terminal.send("\x1b");
    terminal.wait_for("Past runs");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
