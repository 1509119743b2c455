//! A temporary working directory, commands run in it, their results, and a short training.

pub(crate) use super::command_result::CommandResult;
use super::common::command;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A temporary working directory, without network and with an empty cache.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Workspace { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(self.path(), args)
    }

    pub(crate) fn run(&self, args: &[&str]) -> CommandResult {
        CommandResult::from(self.command(args).output().unwrap())
    }

    /// Runs a command with `input` on its stdin.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> CommandResult {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        CommandResult::from(child.wait_with_output().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl CommandResult {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// The run directory on the last line of the output of `train`.
    pub(crate) fn dir(&self) -> PathBuf {
        PathBuf::from(self.stdout.lines().last().expect("a last line"))
    }
}

/// Few rows, so that a training takes seconds.
pub(crate) const SMALL: &[&str] = &["--set", "max_train_samples=64", "--set", "max_eval_samples=20"];

pub(crate) fn train(workspace: &Workspace, name: &str, more: &[&str]) -> CommandResult {
    workspace.run(&[&["train", name], SMALL, more].concat())
}

/// A short training that several tests share.
pub(crate) fn trained() -> &'static (Workspace, PathBuf) {
    static DONE: OnceLock<(Workspace, PathBuf)> = OnceLock::new();
    DONE.get_or_init(|| {
        let workspace = Workspace::new();
        let result = train(&workspace, "demo", &["--set", "max_steps=4"]).success();
        let dir = workspace.path().join(result.dir());
        (workspace, dir)
    })
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
