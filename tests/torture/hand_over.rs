//! Ends of an interface that trains: the user quits and keeps training, the terminal is closed, the connection is killed. A
//! process in the background continues, and every run ends with the weights of an undisturbed one.

use crate::reference::Content;
use crate::tries::{Rng, repeat};
use crate::workspace::{CommandResult, Workspace};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longest time of a step of a try, on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// How the interface ends.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// The user quits and keeps training.
    Quit,
    /// The window of the terminal is closed.
    Closed,
    /// The shell that has started the interface is killed, as when a connection breaks.
    Killed,
    /// A hang-up arrives while the terminal is still there.
    HangUp,
}

/// What the interface trains.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Run,
    Seeds,
    Queue,
}

#[test]
fn training_outlives_the_interface() {
    let endings = [Ending::Quit, Ending::Closed, Ending::Killed, Ending::HangUp];
    repeat("training_outlives_the_interface", 6, |rng| {
        let ending = *rng.pick(&endings);
        let work = *rng.pick(&[Work::Run, Work::Run, Work::Seeds, Work::Queue]);
        let workspace = workspace(work);
        let result = try_once(&workspace, ending, work, rng);
        end_processes(workspace.path());
        result.map(|()| match ending {
            Ending::Quit => "quit",
            Ending::Closed => "closed",
            Ending::Killed => "connection killed",
            Ending::HangUp => "hang-up",
        })
    });
}

fn try_once(workspace: &Workspace, ending: Ending, work: Work, rng: &mut Rng) -> Result<(), String> {
    let expected = expected(work);
    let mut interface = Interface::open(workspace, ending == Ending::Killed)?;
    interface.wait_for("tiny")?;
    interface.send(if work == Work::Queue { "aa" } else { "\r" })?;
    wait("no run", || run_dirs(workspace).first().map(drop))?;
    if work == Work::Queue {
        interface.wait_for("2 runs")?;
    }
    // Anywhere from the start of a run to its end.
    let micros = usize::try_from(expected.time.as_micros()).unwrap_or(usize::MAX);
    std::thread::sleep(Duration::from_micros(rng.below(micros * 5 / 4) as u64));
    interface.end(ending)?;
    if rng.one_in(3) {
        // Another interface is opened and its terminal is closed.
        let mut other = Interface::open(workspace, false)?;
        other.wait_for("tiny")?;
        other.end(Ending::Closed)?;
    }
    let count = if work == Work::Queue { 2 } else { 1 };
    let is_done = || {
        let dirs = run_dirs(workspace);
        (dirs.len() == count
            && dirs.iter().all(|dir| is_finished(dir))
            && processes(workspace.path()).is_empty())
        .then_some(())
    };
    wait("the runs are not finished", is_done).map_err(|problem| {
        let logs = run_dirs(workspace).into_iter().map(|dir| {
            let text = std::fs::read_to_string(dir.join("log.txt")).unwrap_or_default();
            text.lines().rev().take(6).collect::<Vec<_>>().join(" < ")
        });
        format!(
            "{problem}: {}; processes {:?}",
            logs.collect::<Vec<_>>().join(" | "),
            processes(workspace.path())
        )
    })?;
    for dir in run_dirs(workspace) {
        // A run that was stopped after the last regular checkpoint has a later one.
        let found = weights(&dir, 2)?;
        for (name, content) in &expected.weights {
            match found.get(name) {
                None => return Err(format!("{name} is missing in {}", dir.display())),
                Some(other) if other != content => {
                    return Err(format!("{name} differs in {}", dir.display()));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// The experiment of a try. It is long enough to be ended at any of its phases.
fn workspace(work: Work) -> Workspace {
    let workspace = Workspace::new();
    let path = workspace.path().join("experiments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let steps = if work == Work::Seeds { 150 } else { 300 };
    let mut text = text
        .replace("max_steps = 12", &format!("max_steps = {steps}"))
        .replace("eval_steps = 3", "eval_steps = 25")
        .replace("save_steps = 2", "save_steps = 60");
    if work == Work::Seeds {
        text += "repeats = 2\n";
    }
    std::fs::write(path, text).unwrap();
    workspace
}

/// The weights of an undisturbed run, and how long it takes.
struct Expected {
    weights: BTreeMap<String, Content>,
    time: Duration,
}

fn expected(work: Work) -> &'static Expected {
    static RUN: OnceLock<Expected> = OnceLock::new();
    static SEEDS: OnceLock<Expected> = OnceLock::new();
    let cell = if work == Work::Seeds { &SEEDS } else { &RUN };
    cell.get_or_init(|| {
        let workspace = workspace(work);
        let start = Instant::now();
        workspace.run(&["train", "tiny"]).and_then(CommandResult::success).unwrap();
        let time = start.elapsed();
        Expected { weights: weights(&workspace.run_dir().unwrap(), 1).unwrap(), time }
    })
}

/// The best weights and the newest `count` checkpoints of a run and of its seeds.
fn weights(dir: &Path, count: usize) -> Result<BTreeMap<String, Content>, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    dirs.extend(folders(dir).into_iter().filter(|path| name(path).starts_with("seed-")));
    for seed in &dirs {
        let mut files = vec![seed.join("best/model.safetensors")];
        let newest = folders(&seed.join("checkpoints")).into_iter().rev().take(count);
        files.extend(newest.map(|folder| folder.join("state.safetensors")));
        for file in files.into_iter().filter(|file| file.exists()) {
            let path = file.strip_prefix(dir).map_err(|e| e.to_string())?.display().to_string();
            found.insert(path, Content::read(&file)?);
        }
    }
    if found.len() < 2 { Err(format!("{} has no weights", dir.display())) } else { Ok(found) }
}

/// The folders in a folder, in the order of their names.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_dir() && !name(path).starts_with('.')).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn run_dirs(workspace: &Workspace) -> Vec<PathBuf> {
    let mut dirs = folders(&workspace.path().join("runs"));
    dirs.retain(|dir| dir.join("spec.toml").is_file());
    dirs
}

fn is_finished(dir: &Path) -> bool {
    let summary = std::fs::read(dir.join("summary.json")).ok();
    let summary: Option<serde_json::Value> = summary.and_then(|text| serde_json::from_slice(&text).ok());
    summary.is_some_and(|summary| summary["status"] == "finished")
}

/// The ids of the processes whose working directory is `folder`.
fn processes(folder: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_here = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    let ids = entries.filter(is_here).filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.collect()
}

fn end_processes(folder: &Path) {
    for id in processes(folder) {
        Command::new("kill").args(["-9", &id.to_string()]).status().ok();
    }
}

fn wait<T>(problem: &str, condition: impl Fn() -> Option<T>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if start.elapsed() > LIMIT {
            return Err(problem.to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An interface in a terminal.
struct Interface {
    master: Option<Box<dyn MasterPty + Send>>,
    input: Option<Box<dyn Write + Send>>,
    output: std::sync::mpsc::Receiver<Vec<u8>>,
    parser: vt100::Parser,
    child: Box<dyn Child + Send + Sync>,
    /// Dropped to close the terminal, which the thread that reads keeps open.
    closed: Option<std::sync::mpsc::Sender<()>>,
}

impl Interface {
    /// Opens the interface, in a shell if `has_shell`.
    fn open(workspace: &Workspace, has_shell: bool) -> Result<Self, String> {
        let size = PtySize { rows: 24, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|e| e.to_string())?;
        let program = Workspace::args(&[]).remove(0);
        let mut command = if has_shell {
            CommandBuilder::from_argv(["sh", "-c", "\"$0\"; exit 0", &program].map(Into::into).to_vec())
        } else {
            CommandBuilder::new(&program)
        };
        command.cwd(workspace.path());
        command.env("TERM", "xterm-256color");
        command.env("XDG_CONFIG_HOME", workspace.path().join("config"));
        command.env("HF_HUB_OFFLINE", "1");
        command.env_remove("GLUE_TUI_RUNS");
        let child = pair.slave.spawn_command(command).map_err(|e| e.to_string())?;
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().map_err(|e| e.to_string())?;
        let (sender, output) = std::sync::mpsc::channel();
        let (closed, is_closed) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let is_closed = is_closed.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
                if is_closed || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let input = Some(pair.master.take_writer().map_err(|e| e.to_string())?);
        let parser = vt100::Parser::new(24.try_into().unwrap(), 100.try_into().unwrap(), 0);
        Ok(Interface { master: Some(pair.master), input, output, parser, child, closed: Some(closed) })
    }

    fn send(&mut self, keys: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the terminal is closed")?;
        input.write_all(keys.as_bytes()).and_then(|()| input.flush()).map_err(|e| e.to_string())
    }

    fn wait_for(&mut self, text: &str) -> Result<(), String> {
        let start = Instant::now();
        while !self.parser.screen().contents().contains(text) {
            if start.elapsed() > LIMIT {
                return Err(format!("no {text} on\n{}", self.parser.screen().contents()));
            }
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.parser.process(&bytes);
            }
        }
        Ok(())
    }

    /// Ends the interface and waits for its end.
    fn end(mut self, ending: Ending) -> Result<(), String> {
        let id = self.child.process_id().ok_or("the process has no id")?;
        let kill = |signal: &str| Command::new("kill").args([signal, &id.to_string()]).status().map(drop);
        match ending {
            // A run that has ended in this moment is quit without a question.
            Ending::Quit => self.send("qb").or_else(|e| if self.has_ended() { Ok(()) } else { Err(e) })?,
            Ending::HangUp => kill("-HUP").map_err(|e| e.to_string())?,
            Ending::Killed => kill("-KILL").map_err(|e| e.to_string())?,
            Ending::Closed => {}
        }
        if matches!(ending, Ending::Killed | Ending::Closed) {
            self.closed = None;
            // The thread that reads keeps the terminal open until there is output.
            self.send("?").ok();
            (self.master, self.input) = (None, None);
        }
        let start = Instant::now();
        while !self.has_ended() {
            if start.elapsed() > LIMIT {
                return Err(format!("the interface is still running\n{}", self.parser.screen().contents()));
            }
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(5)) {
                self.parser.process(&bytes);
            }
        }
        Ok(())
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}
