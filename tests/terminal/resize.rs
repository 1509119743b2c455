//! A terminal that changes its size.

use super::Terminal;

/// A key and a new size can become ready at the same moment: neither waits for the next event.
#[test]
fn key_beside_a_resize_is_read_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    for width in [90, 100] {
        terminal.signal("STOP");
        terminal.resize(width, 30);
        terminal.send("?");
        terminal.signal("CONT");
        terminal.wait_for("Keys");
        terminal.send("\x1b");
        terminal.wait_for("A short one");
    }
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn repeated_resizes_do_not_crash() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    for round in 0..40_u16 {
        terminal.resize(1 + round * 37 % 211, 1 + round * 23 % 71);
        let keys = ["j", "e", "\x1b", "?", "\x1b", "2", "3", "\x1b", "4", " ", "+", "T", "M", "1"];
        terminal.send(keys[round as usize % keys.len()]);
    }
    terminal.resize(100, 30);
    terminal.send("\x1b\x0c");
    terminal.wait_for("glue-tui");
    terminal.signal("TERM");
    terminal.end();
    terminal.assert_restored();
}
