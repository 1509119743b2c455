//! Journeys with the command palette, and files with mistakes.

use super::FILE;
use super::pty::Terminal;

#[test]
fn palette_changes_a_setting_saves_it_and_starts_the_experiment() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    terminal.send(":");
    terminal.wait_for("type a few letters");
    terminal.send("lr");
    terminal.wait_for("learning_rate");
    terminal.send("\r");
    terminal.wait_for("Peak learning rate");
    terminal.send("\r\x155e-4\r");
    terminal.wait_for("was 2e-5");
    // F4 while a text is typed, and from the form.
    terminal.send("\x1bOSsave the changes\r");
    terminal.wait_for("tiny is saved in ");
    let file = home.path().join("experiments.toml");
    assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{FILE}learning_rate = 5e-4\n"));
    terminal.send(":start tiny\r");
    terminal.wait_for("loss");
    terminal.wait("the training", |screen| {
        screen.contains("5.0e-4") || screen.contains("5e-4") || screen.contains("e-4")
    });
    terminal.send(":stop the training\r");
    terminal.wait_for("stop and save");
    terminal.send("x");
    terminal.wait_for("stopped");
    terminal.send(":quit\r");
    assert_eq!(terminal.end().exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn palette_works_on_a_small_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("A short one");
    terminal.resize(40, 10);
    terminal.wait("the small screen", |screen| !screen.contains("A short one"));
    terminal.send("r");
    terminal.wait_for("The cursor is not on a past run.");
    terminal.send(":resume the run");
    terminal.wait_for("resume the run");
    terminal.wait_for("not on a past run");
    terminal.send("\x15quit");
    terminal.wait_for("quit");
    terminal.send("\r");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn mistakes_in_files_cost_their_entries() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config/glue-tui");
    std::fs::create_dir_all(config.join("themes")).unwrap();
    std::fs::write(config.join("config.toml"), "[interface]\ntheme = \"mine\"\nmouse = \n").unwrap();
    std::fs::write(config.join("themes/mine.toml"), "frmae = 100\nframe = 200\n").unwrap();
    std::fs::write(config.join("keys.toml"), "[runs]\nnew = \"ctl-n\"\nedit = \"Z\"\n").unwrap();
    std::fs::write(config.join("experiments.toml"), "[experiment.everywhere]\nmax_steps = 1\n").unwrap();
    let text = format!("{FILE}\n# Broken.\n[experiment.bad]\nlr = = 1\n\n[experiment.odd]\nlr = 1\n");
    std::fs::write(home.path().join("experiments.toml"), text).unwrap();
    let mut terminal = Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &[], home.path(), &[], (110, 30));
    terminal.wait_for("A short one");
    for text in ["bad", "odd", "everywhere", "keys.toml:2:7", "(and 2 more"] {
        terminal.wait_for(text);
    }
    assert_eq!(terminal.parser.screen().cell(1, 109).unwrap().fgcolor(), vt100::Color::Idx(200));
    terminal.send("jj");
    // The sentence has two lines on the screen.
    terminal.wait_for("unknown key `lr`; did you");
    terminal.send("\r");
    terminal.wait_for("Cannot start this experiment");
    terminal.send("\x1b");
    terminal.wait("closed", |screen| !screen.contains("Cannot start"));
    terminal.send("gZ");
    terminal.wait_for("max_steps");
    // A key right after Escape would be one with Alt.
    terminal.send("\x1b");
    terminal.wait("the form closed", |screen| !screen.contains("Edit tiny"));
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
