//! Ends of a terminal: signals, a terminal that is closed, and one that nobody reads.

use crate::tries::repeat;
use crate::workspace::Workspace;
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest time from a signal to the end of the process, on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// How the training ends.
const ENDINGS: [&str; 6] = ["HUP", "INT", "TERM", "QUIT", "closed", "unread TERM"];

#[test]
fn terminal_ends_while_a_run_is_trained() {
    repeat("terminal_ends_while_a_run_is_trained", ENDINGS.len() as u64, |rng| {
        let ending = *rng.pick(&ENDINGS);
        let workspace = Workspace::new();
        let args =
            Workspace::args(&["train", "tiny", "--set", "max_steps=1000000", "--set", "save_steps=1000000"]);
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|e| e.to_string())?;
        let mut command = CommandBuilder::from_argv(args.iter().map(Into::into).collect());
        command.cwd(workspace.path());
        command.env("XDG_CONFIG_HOME", workspace.path().join("config"));
        command.env("HF_HUB_OFFLINE", "1");
        let mut child = pair.slave.spawn_command(command).map_err(|e| e.to_string())?;
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().map_err(|e| e.to_string())?;
        if !ending.starts_with("unread") {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while matches!(reader.read(&mut buffer), Ok(1..)) {}
            });
        }
        let steps = wait_for_steps(&workspace, 3 + rng.below(40) as u64)?;
        let id = child.process_id().ok_or("the process has no id")?;
        if ending == "closed" {
            // The reader holds the terminal open until the process is gone, so the signal comes from the test.
            drop(pair.master);
        }
        let signal = ending.split(' ').next_back().unwrap_or_default();
        let signal = if signal == "closed" { "HUP" } else { signal };
        Command::new("kill")
            .args([&format!("-{signal}"), &id.to_string()])
            .status()
            .map_err(|e| e.to_string())?;
        let code = wait(child.as_mut()).ok_or_else(|| format!("{ending}: still running after {LIMIT:?}"))?;
        let context = |problem: String| format!("{ending}: {problem}");
        if code != 130 {
            return Err(context(format!("exit code {code}")));
        }
        check_saved(&workspace.run_dir().ok_or("there is no run")?, steps).map_err(context)?;
        Ok("ended with a checkpoint")
    });
}

/// Waits until the log has this many steps. Returns the number.
fn wait_for_steps(workspace: &Workspace, steps: u64) -> Result<u64, String> {
    let start = Instant::now();
    loop {
        let log = workspace.run_dir().and_then(|dir| std::fs::read_to_string(dir.join("events.jsonl")).ok());
        if log.is_some_and(|log| log.matches(r#""kind":"step""#).count() as u64 >= steps) {
            return Ok(steps);
        }
        if start.elapsed() > Duration::from_mins(1) {
            return Err(format!("no step {steps}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait(child: &mut dyn Child) -> Option<u32> {
    let start = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status.exit_code());
        }
        if start.elapsed() > LIMIT {
            child.kill().ok();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Checks that the run is stopped, and that its newest checkpoint is of its last step.
fn check_saved(dir: &Path, steps: u64) -> Result<(), String> {
    let summary = std::fs::read(dir.join("summary.json")).map_err(|e| format!("summary.json: {e}"))?;
    let summary: Value = serde_json::from_slice(&summary).map_err(|e| format!("summary.json: {e}"))?;
    let last = summary["steps"].as_u64().unwrap_or_default();
    if summary["status"] != "stopped" || last < steps {
        return Err(format!("status {} after step {last}", summary["status"]));
    }
    let folder = dir.join(format!("checkpoints/step-{last:06}"));
    if folder.is_dir() { Ok(()) } else { Err(format!("{} does not exist", folder.display())) }
}
