//! SIGKILL at random moments and at system calls.

use crate::reference::{compare, reference};
use crate::tracer::{self, Disturbance};
use crate::tries::{Rng, repeat};
use crate::workspace::{CommandResult, Workspace};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn killed_at_a_system_call() {
    if !tracer::is_available("killed_at_a_system_call") {
        return;
    }
    reference();
    repeat("killed_at_a_system_call", 24, |rng| {
        let workspace = Workspace::new();
        if !kill_at_a_call(&workspace, rng, &["train", "tiny"])? {
            return compare(&workspace).map(|()| "not killed");
        }
        let mut is_killed_twice = false;
        if rng.one_in(3)
            && let Some(run) = workspace.run_dir()
        {
            let args = ["train", "--resume", &run.display().to_string()];
            is_killed_twice = kill_at_a_call(&workspace, rng, &args)?;
        }
        finish(&workspace)?;
        Ok(if is_killed_twice { "killed twice" } else { "killed once" })
    });
}

#[test]
fn killed_at_a_random_moment() {
    reference();
    let workspace = Workspace::new();
    let start = Instant::now();
    workspace.run(&["train", "tiny"]).and_then(CommandResult::success).unwrap();
    let whole = start.elapsed();
    repeat("killed_at_a_random_moment", 12, |rng| {
        let workspace = Workspace::new();
        let mut command = workspace.command(&Workspace::args(&["train", "tiny"]));
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        std::thread::sleep(whole.mul_f64(rng.below(1000) as f64 / 1000.0).max(Duration::from_millis(1)));
        child.kill().map_err(|e| e.to_string())?;
        child.wait().map_err(|e| e.to_string())?;
        finish(&workspace)?;
        Ok("killed once")
    });
}

/// Kills the program at a random system call. Returns whether the program reached that call.
fn kill_at_a_call(workspace: &Workspace, rng: &mut Rng, args: &[&str]) -> Result<bool, String> {
    let kinds: Vec<_> = tracer::counts().iter().filter(|(_, count)| **count > 0).collect();
    let (call, count) = rng.pick(&kinds);
    let actions: &[&str] =
        if *call == "write" { &["kill", "kill-after", "torn"] } else { &["kill", "kill-after"] };
    let disturbance =
        Disturbance { call, first: 1 + rng.below(**count), count: 1, action: rng.pick::<&str>(actions) };
    let traced = tracer::run(workspace, disturbance, args)?;
    let is_killed = traced.result.code == Some(137);
    if is_killed == traced.calls.is_empty() {
        return Err(format!("{disturbance:?}: {:?}, {}", traced.calls, traced.result));
    }
    Ok(is_killed)
}

/// Resumes the run, or starts it if it does not exist yet, and compares it with the undisturbed one.
pub(crate) fn finish(workspace: &Workspace) -> Result<(), String> {
    resume(workspace)?;
    compare(workspace)
}

/// Resumes the run, or starts it if it does not exist yet.
pub(crate) fn resume(workspace: &Workspace) -> Result<(), String> {
    let listed = workspace.run(&["runs", "--json"])?.success()?;
    serde_json::from_str::<serde_json::Value>(&listed.stdout).map_err(|e| format!("runs --json: {e}"))?;
    if let Some(run) = workspace.run_dir() {
        workspace.run(&["train", "--resume", &run.display().to_string()])?.success()?;
    } else {
        std::fs::remove_dir_all(workspace.path().join("runs")).ok();
        workspace.run(&["train", "tiny"])?.success()?;
    }
    Ok(())
}
