//! A working directory with experiments that train in seconds, and the results of commands in it.

pub(crate) use super::command_result::CommandResult;
use super::common::command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time of a step of a test, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(100);

/// Variables that a test must not inherit from a batch system.
const SLURM: [&str; 4] = ["SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_CONF"];

pub(crate) struct Workspace {
    folder: tempfile::TempDir,
    /// Directories before those of `PATH`.
    path: Vec<PathBuf>,
    env: Vec<(String, String)>,
}

/// A short training whose steps can be waited for.
const TINY: &str = "max_train_samples = 64\nmax_eval_samples = 16\nper_device_train_batch_size = 4\nlearning_rate = 5e-4\n\
                    threads = 1\n";

impl Workspace {
    /// A folder with these experiments: names, and keys beside those of a tiny training.
    pub(crate) fn new(experiments: &[(&str, &str)]) -> Workspace {
        let folder = tempfile::tempdir().unwrap();
        // The daemons of a cluster have users of their own.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), permissions).unwrap();
        let tables = experiments.iter().map(|(name, keys)| format!("[experiment.{name}]\n{keys}\n"));
        let text = format!("[defaults]\n{TINY}\n{}", tables.collect::<String>());
        std::fs::write(folder.path().join("experiments.toml"), text).unwrap();
        Workspace { folder, path: Vec::new(), env: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.path().join("runs")
    }

    /// Finds programs in `folder` first.
    pub(crate) fn with_programs(mut self, folder: &Path) -> Workspace {
        self.path.insert(0, folder.into());
        self
    }

    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Workspace {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(crate) fn append(&self, text: &str) {
        let file = self.path().join("experiments.toml");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{before}\n{text}")).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.path(), args);
        for name in SLURM {
            command.env_remove(name);
        }
        let before = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.path.iter().cloned().chain(std::env::split_paths(&before));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> CommandResult {
        CommandResult::from(self.command(args).output().unwrap())
    }

    /// Starts a command in the background.
    pub(crate) fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Child {
        let mut command = self.command(args);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// `runs --json`.
    pub(crate) fn list(&self) -> Vec<Value> {
        let text = self.run(&["runs", "--json"]).success().stdout;
        serde_json::from_str(&text).unwrap()
    }

    /// The run directories that exist.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.runs()).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.') && entry.path().is_dir())
            .map(|entry| entry.path())
            .collect();
        found.sort();
        found
    }
}

impl CommandResult {
    /// The lines of stdout as paths.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.stdout.lines().map(PathBuf::from).collect()
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The numbers of the steps in the log of a run, in the order in which they were logged.
pub(crate) fn logged_steps(dir: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(dir.join("events.jsonl")).unwrap_or_default();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["kind"] == "step").filter_map(|event| event["step"].as_u64()).collect()
}

pub(crate) fn summary(dir: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(dir.join("summary.json")).ok()?).ok()
}

pub(crate) fn is_finished(dir: &Path) -> bool {
    summary(dir).is_some_and(|summary| summary["status"] == "finished")
}

/// The best weights and those of the last checkpoint with the state of the optimizer.
pub(crate) fn weights(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let mut checkpoints: Vec<PathBuf> =
        std::fs::read_dir(dir.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    checkpoints.sort();
    let last = checkpoints.last().expect("a checkpoint").join("state.safetensors");
    (std::fs::read(dir.join("best/model.safetensors")).unwrap(), std::fs::read(last).unwrap())
}

pub(crate) fn send_signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

/// Waits for the end of a process.
pub(crate) fn end(child: Child) -> CommandResult {
    CommandResult::from(child.wait_with_output().unwrap())
}
