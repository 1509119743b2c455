//! Training that outlives the interface: it is handed over to a process in the background when the user quits and when the
//! terminal is lost.

use super::pty::{TIMEOUT, Terminal};
use super::signals::{is_saved, run_dir, training, wait_without_reading};
use glue_tui::run::RunDir;
use glue_tui::run::background::UnexecutedCommand;
use glue_tui::spec::{RunSpec, built_in};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The process that trains a run, which is ended with the test.
struct Background {
    home: PathBuf,
    dir: PathBuf,
    id: u32,
}

impl Background {
    /// Waits until a process other than `interface` trains the only run of `home`.
    #[track_caller]
    fn wait(home: &Path, interface: u32) -> Background {
        let dir = run_dir(home).unwrap();
        let start = Instant::now();
        loop {
            if let Some(id) = holder(&dir).filter(|id| *id != interface) {
                return Background { home: home.into(), dir, id };
            }
            assert!(start.elapsed() < TIMEOUT, "no process trains the run:\n{}", log(&dir));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn glue_tui(&self, args: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
        command.args(args).current_dir(&self.home).env_remove("GLUE_TUI_RUNS").output().unwrap()
    }

    /// Waits until the run is trained further than it was.
    #[track_caller]
    fn assert_trains(&self) {
        let before = log(&self.dir).matches(r#""kind":"step""#).count();
        let start = Instant::now();
        while log(&self.dir).matches(r#""kind":"step""#).count() == before {
            assert!(start.elapsed() < TIMEOUT, "no step:\n{}", log(&self.dir));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn wait_for_end(&self) {
        let start = Instant::now();
        while is_alive(self.id) {
            assert!(start.elapsed() < TIMEOUT, "process {} is still running:\n{}", self.id, log(&self.dir));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if is_alive(self.id) {
            Command::new("kill").args(["-9", &self.id.to_string()]).status().ok();
        }
    }
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("events.jsonl")).unwrap_or_default()
}

/// The process that trains the run.
fn holder(dir: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(dir.join("holder.json")).ok()?;
    let rest = text.split_once(r#""pid":"#)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn is_alive(id: u32) -> bool {
    Command::new("kill")
        .args(["-0", &id.to_string()])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn training_goes_on_after_quitting_and_is_attached_again() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = training(home.path());
    let interface = terminal.child.process_id().unwrap();
    terminal.send("q");
    terminal.wait_for("keep training in the background");
    terminal.send("b");
    assert_eq!(terminal.end().exit_code(), 0);
    terminal.assert_restored();
    let background = Background::wait(home.path(), interface);
    let text = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(text.contains(&format!("continues in process {}", background.id)), "{text}");
    background.assert_trains();

    // The interface shows what is being trained, and Enter attaches to it.
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait_for("is being trained");
    terminal.send("\r");
    terminal.wait_for(" of 1250");
    terminal.wait_for("space pause");
    terminal.send(" ");
    terminal.wait_for("paused at step");
    terminal.send(" ");
    terminal.wait_for("space pause");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0, "it quits without a question");
    background.assert_trains();

    let output = background.glue_tui(&["control", "tiny", "stop"]);
    assert!(output.status.success(), "{output:?}");
    background.wait_for_end();
    assert!(is_saved(&background.dir));
}

#[test]
fn training_goes_on_after_the_terminal_is_lost() {
    for way in ["HUP", "closed", "nohup"] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = match way {
            "nohup" => {
                std::fs::write(home.path().join("experiments.toml"), super::FILE).unwrap();
                let script = format!("trap '' HUP; exec {}", env!("CARGO_BIN_EXE_glue-tui"));
                Terminal::start("sh", &["-c", &script], home.path(), &[], (110, 30))
            }
            _ => Terminal::open(home.path(), &[]),
        };
        super::signals::train(&mut terminal, home.path());
        let interface = terminal.child.process_id().unwrap();
        match way {
            "HUP" => terminal.signal("HUP"),
            "closed" => terminal.close(),
            _ => {
                // The signal is ignored; the terminal is lost all the same.
                terminal.signal("HUP");
                let dir = run_dir(home.path()).unwrap();
                let before = log(&dir).len();
                terminal.wait_until("further training", |_| log(&dir).len() > before);
                assert_eq!(holder(&dir), Some(interface));
                terminal.close();
            }
        }
        assert_eq!(wait_without_reading(&mut terminal), 130, "{way}");
        let background = Background::wait(home.path(), interface);
        background.assert_trains();
        // A process in the background has no terminal to lose.
        Command::new("kill").args(["-HUP", &background.id.to_string()]).status().unwrap();
        background.assert_trains();
        Command::new("kill").args(["-TERM", &background.id.to_string()]).status().unwrap();
        background.wait_for_end();
        assert!(is_saved(&background.dir), "{way}");
    }
}

#[test]
fn paused_run_stays_paused_in_the_background() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = training(home.path());
    terminal.send(" ");
    terminal.wait_for("paused at step");
    let interface = terminal.child.process_id().unwrap();
    terminal.send("qb");
    assert_eq!(terminal.end().exit_code(), 0);
    let background = Background::wait(home.path(), interface);
    let start = Instant::now();
    let pauses = || log(&background.dir).matches(r#""command":"pause""#).count();
    while pauses() < 2 {
        assert!(start.elapsed() < TIMEOUT, "the run is not paused:\n{}", log(&background.dir));
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = background.glue_tui(&["control", "tiny", "resume"]);
    assert!(output.status.success(), "{output:?}");
    background.assert_trains();
    assert!(background.glue_tui(&["control", "tiny", "stop"]).status.success());
    background.wait_for_end();
}

/// The queue goes with the training, and its runs are done when the process in the background ends.
#[test]
fn queue_is_trained_in_the_background() {
    let home = tempfile::tempdir().unwrap();
    let quick =
        "\n# Done at once\n[experiment.quick]\nmax_steps = 2\nmax_train_samples = 8\nmax_eval_samples = 8\n";
    std::fs::write(home.path().join("experiments.toml"), format!("{}{quick}", super::FILE)).unwrap();
    let mut terminal = Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &[], home.path(), &[], (110, 30));
    terminal.wait_for("A short one");
    terminal.send("a");
    terminal.wait_for("1 run");
    terminal.send("ja");
    terminal.wait_for("2 runs");
    terminal.send("a");
    terminal.wait_for("3 runs");
    terminal.wait_until("run", |_| run_dir(home.path()).is_some_and(|dir| super::signals::has_steps(&dir)));
    let interface = terminal.child.process_id().unwrap();
    terminal.send("qb");
    assert_eq!(terminal.end().exit_code(), 0);
    let background = Background::wait(home.path(), interface);
    background.assert_trains();
    assert!(background.glue_tui(&["control", "tiny", "stop"]).status.success());
    background.wait_for_end();
    let queue = std::fs::read_to_string(home.path().join("runs/queue.toml")).unwrap();
    assert!(!queue.contains("[[run]]"), "{queue}");
    let runs = String::from_utf8(background.glue_tui(&["runs"]).stdout).unwrap();
    assert_eq!((runs.matches("finished").count(), runs.matches("stopped").count()), (2, 1), "{runs}");
}

/// Number of times that the learning rate was halved, according to the log.
fn halvings(dir: &Path) -> usize {
    log(dir).matches(r#""command":"halve""#).count()
}

/// Enter in the list of learning rates halves it.
#[test]
fn change_just_before_or_during_the_hand_over_is_not_lost() {
    for keys in ["l\rqb", "qbl\r"] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = training(home.path());
        let interface = terminal.child.process_id().unwrap();
        terminal.send(keys);
        assert_eq!(terminal.end().exit_code(), 0, "{keys:?}");
        let background = Background::wait(home.path(), interface);
        background.assert_trains();
        let start = Instant::now();
        while halvings(&background.dir) == 0 {
            assert!(start.elapsed() < TIMEOUT, "{keys:?}: not halved:\n{}", log(&background.dir));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(background.glue_tui(&["control", "tiny", "stop"]).status.success());
        background.wait_for_end();
        assert_eq!(halvings(&background.dir), 1, "{keys:?}");
    }
}

/// A command that a run has received and not executed when it is handed over.
#[test]
fn unexecuted_command_is_executed_in_the_background() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { max_steps: Some(3), max_train_samples: Some(8), ..built_in("tiny") };
    let spec = RunSpec { max_eval_samples: Some(8), ..spec };
    let run = RunDir::create(&home.path().join("runs"), &spec).unwrap();
    let command = UnexecutedCommand { dir: run.path().into(), command: glue_tui::event::Command::Halve };
    let mut process = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
    process.args(["background", "--runs-dir"]).arg(home.path().join("runs")).arg("--").arg(run.path());
    let mut process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(process.stdin.take().unwrap(), "{}", serde_json::to_string(&command).unwrap()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(halvings(run.path()), 1, "{}", log(run.path()));
}

/// The run directory exists only after the hub was asked for the model, which takes longer here than a quit would wait.
#[test]
fn run_that_is_being_started_outlives_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let hub = slow_hub(Duration::from_secs(4));
    let file = "# A short one\n[experiment.tiny]\nmodel = \"owner/slow\"\nmax_steps = 2\n";
    std::fs::write(home.path().join("experiments.toml"), file).unwrap();
    let cache = home.path().join("hf").display().to_string();
    let variables = [("HF_ENDPOINT", hub.as_str()), ("HF_HOME", &cache), ("HF_HUB_OFFLINE", "0")];
    let mut terminal =
        Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &[], home.path(), &variables, (110, 30));
    terminal.wait_for("A short one");
    terminal.send("\r");
    terminal.wait_for("a run is being started");
    assert_eq!(run_dir(home.path()), None);
    terminal.signal("HUP");
    assert_eq!(wait_without_reading(&mut terminal), 130);
    let dir = run_dir(home.path()).expect("a run directory");
    let start = Instant::now();
    // This hub has no weights, which the process in the background reports.
    while !log(&dir).contains("failed") {
        assert!(start.elapsed() < TIMEOUT, "{}", log(&dir));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A hub that has the list of files and the configuration of every model, each after `delay`.
fn slow_hub(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let listing = r#"{"sha": "0123456789012345678901234567890123456789", "siblings": [{"rfilename": "config.json"},
                {"rfilename": "vocab.txt"}, {"rfilename": "model.safetensors"}]}"#;
            let config = r#"{"model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1,
                "num_attention_heads": 1, "intermediate_size": 8, "max_position_embeddings": 16, "type_vocab_size": 2}"#;
            let (status, body) = match request {
                request if request.contains("/api/") => ("200 OK", listing),
                request if request.starts_with("GET") && request.contains("config.json") => {
                    ("200 OK", config)
                }
                _ => ("404 Not Found", ""),
            };
            std::thread::sleep(delay / 2);
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .ok();
        }
    });
    endpoint
}
