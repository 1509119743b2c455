//! A folder with a tiny model, a dataset and an experiment whose training takes a fraction of a second.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest time of a command, on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(3);

const EXPERIMENTS: &str = r#"
[experiment.tiny]
model = "model"
task = "custom"
train_file = "train.csv"
validation_file = "validation.csv"
text_column = "text"
label_column = "label"
max_steps = 12
eval_steps = 3
save_steps = 2
per_device_train_batch_size = 4
learning_rate = 1e-2
device = "cpu"
threads = 1
"#;

/// A temporary working directory, which all tries begin with.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

/// The result of a command.
pub(crate) struct CommandResult {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder in memory, where a sync takes no time, or else the folder of temporary files.
fn new_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Writes the model, the dataset and the experiment to `folder`.
fn fill(folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-0.1/model");
    std::fs::create_dir(folder.join("model")).unwrap();
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
        std::fs::copy(source.join(name), folder.join("model").join(name)).unwrap();
    }
    std::fs::write(folder.join("experiments.toml"), EXPERIMENTS).unwrap();
    for (name, rows) in [("train.csv", 40), ("validation.csv", 16)] {
        let mut text = "text,label\n".to_owned();
        for row in 0..rows {
            let words = ["good film", "bad plot", "great story", "dull movie"];
            let label = ["good", "bad"][row % 2];
            writeln!(text, "the {} is {} and {row},{label}", words[row % 4], words[(row / 4) % 4]).unwrap();
        }
        std::fs::write(folder.join(name), text).unwrap();
    }
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let folder = new_folder();
        fill(folder.path());
        Workspace { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command line of the program.
    pub(crate) fn args(args: &[&str]) -> Vec<String> {
        std::iter::once(binary()).chain(args.iter().map(ToString::to_string)).collect()
    }

    /// A command in this folder, without network and with settings of its own.
    pub(crate) fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(&args[0]);
        command.args(&args[1..]).current_dir(self.path()).stdin(Stdio::null());
        command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", self.path().join("hf"));
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        for name in ["GLUE_TUI_RUNS", "GLUE_TUI_THEME", "LC_ALL", "NO_COLOR", "RUST_BACKTRACE", "RUST_LOG"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program with `args`.
    pub(crate) fn run(&self, args: &[&str]) -> Result<CommandResult, String> {
        self.output(&Self::args(args))
    }

    /// Runs a command line.
    pub(crate) fn output(&self, args: &[String]) -> Result<CommandResult, String> {
        let mut command = self.command(args);
        let child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let id = child.id();
        let start = Instant::now();
        let waiter = std::thread::spawn(move || child.wait_with_output());
        while !waiter.is_finished() {
            if start.elapsed() > TIMEOUT {
                Command::new("kill").args(["-9", &id.to_string()]).status().ok();
                return Err(format!("{args:?} takes more than {TIMEOUT:?}"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = waiter.join().unwrap().map_err(|e| e.to_string())?;
        CommandResult::from(output).checked().map_err(|problem| format!("{args:?}: {problem}"))
    }

    /// The directory of the only run, if it has a specification.
    pub(crate) fn run_dir(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("runs")).ok()?;
        let mut dirs =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.join("spec.toml").exists());
        dirs.next()
    }
}

impl From<Output> for CommandResult {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        CommandResult {
            code: output.status.code().or_else(|| Some(128 + output.status.signal()?)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl CommandResult {
    /// An error if the program ended in a way that it should not: a panic, an abort, an unknown exit code.
    fn checked(self) -> Result<Self, String> {
        let is_killed = self.code == Some(137);
        let is_known = matches!(self.code, Some(0..=4 | 130)) || is_killed;
        let is_panic = ["internal error", "panicked"].iter().any(|words| self.stderr.contains(words));
        if is_known && !is_panic { Ok(self) } else { Err(self.to_string()) }
    }

    /// An error unless the exit code is 0.
    pub(crate) fn success(self) -> Result<Self, String> {
        if self.code == Some(0) { Ok(self) } else { Err(self.to_string()) }
    }
}

impl std::fmt::Display for CommandResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let end = lines.len().saturating_sub(5);
        write!(f, "exit code {:?}: {}", self.code, lines[end..].join(" | "))
    }
}

/// The program under test.
fn binary() -> String {
    let path = std::env::var("GLUE_TUI_TORTURE_BINARY");
    let path = path.unwrap_or_else(|_| env!("CARGO_BIN_EXE_glue-tui").to_owned());
    std::path::absolute(&path).unwrap().display().to_string()
}
