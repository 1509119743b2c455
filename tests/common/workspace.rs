//! A folder with an experiment on files of its own, for several test programs.

use super::common::command;
use std::path::PathBuf;
use std::process::Output;

/// A working folder with an empty cache and without the network.
pub(crate) struct Workspace {
    pub(crate) folder: tempfile::TempDir,
}

impl Workspace {
    /// A folder with the experiment `own` of task custom, with these settings.
    pub(crate) fn new(settings: &str) -> Self {
        let workspace = Workspace { folder: tempfile::tempdir().unwrap() };
        workspace.write("experiments.toml", &format!("[experiment.own]\ntask = \"custom\"\n{settings}"));
        workspace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        command(self.folder.path(), args).output().unwrap()
    }

    /// The stdout and the stderr of a successful command.
    pub(crate) fn success(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{args:?}: {stderr}");
        (stdout, stderr)
    }
}
