//! Two processes that use one run.

use crate::reference::{compare, reference};
use crate::tries::repeat;
use crate::workspace::{CommandResult, Workspace};
use std::process::Stdio;

/// Two processes resume one run at once: one of them trains it.
#[test]
fn two_processes_resume_one_run() {
    reference();
    repeat("two_processes_resume_one_run", 4, |rng| {
        let workspace = stopped()?;
        let run = workspace.run_dir().ok_or("there is no run")?.display().to_string();
        let args = Workspace::args(&["train", "--resume", &run]);
        let start = || workspace.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let first = start().map_err(|e| e.to_string())?;
        std::thread::sleep(std::time::Duration::from_millis(rng.below(30) as u64));
        let second = start().map_err(|e| e.to_string())?;
        let mut results = Vec::new();
        for child in [first, second] {
            results.push(CommandResult::from(child.wait_with_output().map_err(|e| e.to_string())?));
        }
        let codes: Vec<_> = results.iter().map(|result| result.code).collect();
        let is_valid = |code: &Option<i32>| matches!(code, Some(0 | 2));
        if !codes.contains(&Some(0)) || !codes.iter().all(is_valid) {
            return Err(format!("{} and {}", results[0], results[1]));
        }
        compare(&workspace)?;
        Ok(if codes == [Some(0); 2] { "both finished" } else { "one was refused" })
    });
}

/// A run is exported, evaluated and listed while it is trained.
#[test]
fn run_is_read_while_it_is_trained() {
    reference();
    repeat("run_is_read_while_it_is_trained", 4, |rng| {
        let workspace = stopped()?;
        let run = workspace.run_dir().ok_or("there is no run")?.display().to_string();
        let mut command = workspace.command(&Workspace::args(&["train", "--resume", &run]));
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        for count in 0..3 {
            let args: &[&str] = match rng.below(4) {
                0 => &["export", &run, "--format", "hf", "--to", &format!("exported-{count}")],
                1 => &["eval", &run],
                2 => &["runs", "--json"],
                _ => &["predict", &run, "the film is good"],
            };
            let result = workspace.run(args)?;
            if result.code != Some(0) {
                return Err(format!("{args:?}: {result}"));
            }
        }
        let result = CommandResult::from(child.wait_with_output().map_err(|e| e.to_string())?);
        result.success()?;
        compare(&workspace)?;
        Ok("read and finished")
    });
}

/// A workspace with a run that was killed before its end.
fn stopped() -> Result<Workspace, String> {
    let workspace = Workspace::new();
    workspace.run(&["train", "tiny"])?.success()?;
    let run = workspace.run_dir().ok_or("there is no run")?;
    std::fs::remove_file(run.join("summary.json")).map_err(|e| e.to_string())?;
    std::fs::remove_dir_all(run.join("checkpoints/step-000012")).map_err(|e| e.to_string())?;
    Ok(workspace)
}
