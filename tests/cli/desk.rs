//! A folder to work in, the program run there, what it said, and a small training.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// A folder to work in, with no network and no cache.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", self.path().join("hf"));
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        for name in [
            "GLUE_TUI_RUNS",
            "GLUE_TUI_THEME",
            "LC_ALL",
            "HF_ENDPOINT",
            "HF_TOKEN",
            "HF_HUB_CACHE",
            "NO_COLOR",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> RunEvent {
        RunEvent::from(self.command(args).output().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// What a command came to.
pub(crate) struct RunEvent {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for RunEvent {
    fn from(output: Output) -> Self {
        RunEvent {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl RunEvent {
    /// It went well.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// It failed with this code, one sentence on stderr and nothing on stdout.
    pub(crate) fn bad(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        let lines: Vec<&str> = self.err.lines().collect();
        let last = lines.last().expect("a sentence on stderr");
        assert!(last.starts_with("glue-tui: "), "{}", self.err);
        assert!(!self.err.contains("panicked") && !self.err.contains("backtrace"), "{}", self.err);
        (*last).to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// The run directory that `train` names last.
    pub(crate) fn dir(&self) -> PathBuf {
        PathBuf::from(self.out.lines().last().expect("a last line"))
    }
}

/// Few rows and steps, so that a training takes seconds.
pub(crate) const SMALL: &[&str] = &["--set", "max_train_samples=64", "--set", "max_eval_samples=20"];

pub(crate) fn train(desk: &Desk, name: &str, more: &[&str]) -> RunEvent {
    desk.run(&[&["train", name], SMALL, more].concat())
}

/// One short training that several tests look at.
pub(crate) fn trained() -> &'static (Desk, PathBuf) {
    static DONE: OnceLock<(Desk, PathBuf)> = OnceLock::new();
    DONE.get_or_init(|| {
        let desk = Desk::new();
        let said = train(&desk, "demo", &["--set", "max_steps=4"]).good();
        let dir = desk.path().join(said.dir());
        (desk, dir)
    })
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
