//! The background of the terminal, the clipboard and exported files.

use super::pty::{TIMEOUT, Terminal};
use std::path::Path;
use std::time::Instant;

/// The color of keys in the footer, of the 256: in the light theme and in the dark one.
const KEY_COLORS: [u8; 2] = [24, 80];

/// The color of the `?` in the footer.
fn key_color(terminal: &Terminal) -> Option<vt100::Color> {
    let (rows, cols) = terminal.parser.screen().size();
    let cell = |x| terminal.parser.screen().cell(rows.get() - 1, x);
    (0..cols.get()).filter_map(cell).find(|cell| cell.contents() == "?").map(vt100::Cell::fgcolor)
}

fn written(terminal: &Terminal) -> String {
    String::from_utf8_lossy(&terminal.raw).into_owned()
}

#[test]
fn default_theme_follows_the_background_and_takes_no_keys() {
    for (reply, color) in [("ffff/fafa/f0f0\x07", KEY_COLORS[0]), ("2828/2828/2828\x1b\\", KEY_COLORS[1])] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::open(home.path(), &[]);
        terminal.wait_until("query", |terminal| written(terminal).contains("\x1b]11;?"));
        // Keys that are typed before and after the reply.
        terminal.send(&format!("/ti\x1b]11;rgb:{reply}ny"));
        terminal.wait_for("/ tiny");
        // Escape and a letter that follows at once are Alt and the letter.
        terminal.send("\x1b");
        terminal.wait("no filter", |screen| !screen.contains("/ tiny"));
        terminal.wait_until("color of the theme", |terminal| {
            key_color(terminal) == Some(vt100::Color::Idx(color))
        });
        terminal.send("q");
        assert_eq!(terminal.end().exit_code(), 0);
    }
}

#[test]
fn terminal_is_not_queried_in_vain() {
    for variables in [("GLUE_TUI_THEME", "dark"), ("NO_COLOR", "1"), ("TERM", "linux"), ("COLORFGBG", "0;15")]
    {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::open(home.path(), &[variables]);
        terminal.wait_for("A short one");
        terminal.send("q");
        assert_eq!(terminal.end().exit_code(), 0);
        assert!(!written(&terminal).contains("\x1b]11;?"), "{variables:?}");
    }
}

#[test]
fn selection_is_copied_to_the_clipboard_or_to_a_file() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    terminal.send("Y");
    // `glue-tui train tiny` in base64.
    terminal.wait_until("sequence", |terminal| {
        written(terminal).contains("\x1b]52;c;Z2x1ZS10dWkgdHJhaW4gdGlueQ==")
    });
    terminal.wait_for("copied the command");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);

    let mut terminal = Terminal::open(home.path(), &[("TERM", "linux")]);
    terminal.wait_for("A short one");
    terminal.send("Y");
    terminal.wait_for("copied.txt");
    let text = std::fs::read_to_string(home.path().join("runs/exports/copied.txt")).unwrap();
    assert_eq!(text, "glue-tui train tiny");
    assert!(!written(&terminal).contains("\x1b]52"));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn charts_and_command_line_of_a_run_are_exported() {
    const RUN: &str = "demo-20261125-163710-d143";
    let home = tempfile::tempdir().unwrap();
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs").join(RUN);
    copy_folder(&recorded, &home.path().join("runs").join(RUN));
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("11-25");
    terminal.send("\x1b[F");
    terminal.wait_for("validation");
    for (keys, file) in [("Esvg\rloss\r", "loss.svg"), ("Ecsv\rscore\r", "score.csv")] {
        terminal.send(keys);
        let path = home.path().join(format!("runs/exports/{RUN}-{file}"));
        let start = Instant::now();
        while !path.is_file() {
            assert!(start.elapsed() < TIMEOUT, "{} is not written\n{}", path.display(), terminal.text());
            terminal.read_output(std::time::Duration::from_millis(20));
        }
        terminal.wait_for("Exported");
        terminal.send("\r");
        terminal.wait("message closed", |screen| !screen.contains("Exported"));
    }
    let svg = std::fs::read_to_string(home.path().join(format!("runs/exports/{RUN}-loss.svg"))).unwrap();
    assert!(svg.starts_with("<?xml") && svg.contains(">validation</text>"), "{svg}");
    let csv = std::fs::read_to_string(home.path().join(format!("runs/exports/{RUN}-score.csv"))).unwrap();
    assert!(csv.starts_with("run,seed,step,epoch,seconds,examples,train,test,validation\n"), "{csv}");
    terminal.send("Ecommand\r");
    terminal.wait_for("glue-tui train demo --experiments");
    terminal.send("\rq");
    assert_eq!(terminal.end().exit_code(), 0);
}
