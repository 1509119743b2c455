//! A full disk and one that fails.

use crate::kills::{finish, resume};
use crate::reference::{compare, compare_except, reference};
use crate::tracer::{self, Disturbance};
use crate::tries::repeat;
use crate::workspace::{CommandResult, Workspace};
use std::process::Command;

/// Errors at one system call, at a few, or at all from one on.
#[test]
fn system_calls_fail() {
    if !tracer::is_available("system_calls_fail") {
        return;
    }
    reference();
    repeat("system_calls_fail", 30, |rng| {
        let workspace = Workspace::new();
        let kinds: Vec<_> = tracer::counts().iter().filter(|(_, count)| **count > 0).collect();
        let (call, count) = rng.pick(&kinds);
        let is_read = matches!(call.as_str(), "open" | "read" | "list");
        let action = if is_read || rng.one_in(2) { "EIO" } else { "ENOSPC" };
        let count = **count;
        let (call, first, count) = match rng.below(3) {
            0 => (call.as_str(), 1 + rng.below(count), 1),
            1 => (call.as_str(), 1 + rng.below(count), 2 + rng.below(8)),
            _ => ("change", 1 + rng.below(tracer::counts().values().sum()), usize::MAX >> 1),
        };
        let disturbance = Disturbance { call, first, count, action };
        let traced = tracer::run(&workspace, disturbance, &["train", "tiny"])?;
        let context = |problem: String| {
            format!("{disturbance:?} at {:?}: {problem} (after {})", traced.calls.first(), traced.result)
        };
        if traced.result.code == Some(0) {
            // The training continues without these predictions, with a warning.
            let has_warning = traced.result.stderr.contains("warning: the predictions of step");
            resume(&workspace).map_err(context)?;
            compare_except(&workspace, &|path| has_warning && path.starts_with("predictions/"))
                .map_err(context)?;
            return Ok(if traced.calls.is_empty() { "not disturbed" } else { "finished in spite of errors" });
        }
        check_message(&traced.result.stderr).map_err(context)?;
        finish(&workspace).map_err(context)?;
        Ok("ended with an error and resumed")
    });
}

/// A file system in memory that is too small, and then large enough.
#[test]
fn file_system_is_full() {
    let folder = tempfile::tempdir().unwrap();
    if Mounted::new(folder.path(), "size=1m").is_none() {
        eprintln!("SKIPPED: file_system_is_full: a tmpfs cannot be mounted here");
        return;
    }
    reference();
    repeat("file_system_is_full", 10, |rng| {
        let workspace = Workspace::new();
        let runs = workspace.path().join("runs");
        std::fs::create_dir(&runs).map_err(|e| e.to_string())?;
        // A page is the unit, and the whole run takes less than a hundred.
        let pages = 1 + rng.below(100);
        let mounted = Mounted::new(&runs, &format!("size={}k", 4 * pages)).ok_or("cannot be mounted")?;
        let context = |problem: String| format!("{pages} pages: {problem}");
        let result = workspace.run(&["train", "tiny"]).map_err(context)?;
        mounted.resize("size=4m");
        if result.code == Some(0) && workspace.run_dir().is_some() {
            finish(&workspace).map_err(context)?;
            return Ok("finished");
        }
        check_message(&result.stderr).map_err(context)?;
        if workspace.run_dir().is_none() {
            for entry in std::fs::read_dir(&runs).map_err(|e| e.to_string())?.flatten() {
                std::fs::remove_dir_all(entry.path()).ok();
            }
            workspace.run(&["train", "tiny"]).and_then(CommandResult::success).map_err(context)?;
            compare(&workspace).map_err(context)?;
        } else {
            finish(&workspace).map_err(context)?;
        }
        Ok("ended with an error and resumed")
    });
}

/// The last line on stderr is the error.
fn check_message(stderr: &str) -> Result<(), String> {
    match stderr.lines().last() {
        Some(line) if line.starts_with("glue-tui: ") => Ok(()),
        _ => Err("no error on stderr".to_owned()),
    }
}

/// A tmpfs, until it is dropped.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(folder: &std::path::Path, options: &str) -> Option<Self> {
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output();
        output.is_ok_and(|output| output.status.success()).then(|| Mounted(folder.to_path_buf()))
    }

    fn resize(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot resize");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}
