//! Damaged files of a run directory.

use crate::reference::{compare_checkpoints, compare_except, reference};
use crate::tries::{Rng, repeat};
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};

/// Commands that read a run.
const READERS: [&[&str]; 6] = [
    &["runs"],
    &["runs", "--json"],
    &["predict", "RUN", "the film is good"],
    &["eval", "RUN"],
    &["export", "RUN", "--format", "hf", "--to", "exported"],
    &["control", "RUN", "stop"],
];

/// A run that was stopped is damaged, read and resumed. If the training finishes, its weights are those of an
/// undisturbed run.
#[test]
fn damaged_run_is_resumed_or_refused() {
    reference();
    repeat("damaged_run_is_resumed_or_refused", 20, |rng| {
        let workspace = Workspace::new();
        workspace.run(&["train", "tiny", "--set", "save_steps=2"])?.success()?;
        let run = workspace.run_dir().ok_or("there is no run")?;
        // As after a kill between the last two checkpoints.
        for name in ["summary.json", "checkpoints/step-000012"] {
            let path = run.join(name);
            std::fs::remove_file(&path)
                .or_else(|_| std::fs::remove_dir_all(&path))
                .map_err(|e| e.to_string())?;
        }
        let mut files = Vec::new();
        list(&run, &mut files);
        files.sort();
        let path = rng.pick(&files).clone();
        let what = damage(&path, rng).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.strip_prefix(&run).map_err(|e| e.to_string())?.display().to_string();
        let context = |problem: String| format!("{name} {what}: {problem}");
        let run = run.display().to_string();
        for args in READERS {
            let args: Vec<&str> = args.iter().map(|word| if *word == "RUN" { &run } else { *word }).collect();
            workspace.run(&args).map_err(context)?;
        }
        let resumed = workspace.run(&["train", "--resume", &run]).map_err(context)?;
        if resumed.code != Some(0) {
            return Ok("refused");
        }
        // A specification or a log that was changed may describe another run that is as valid.
        if name == "spec.toml" || name == "events.jsonl" {
            return Ok("resumed with another description");
        }
        if resumed.stderr.contains("; the best weights of step ") {
            compare_checkpoints(&workspace).map_err(context)?;
            return Ok("resumed without the best weights");
        }
        // The damage may remain in a file that the training does not read.
        compare_except(&workspace, &|path| path == name).map_err(context)?;
        Ok("resumed")
    });
}

/// Changes a file. Returns what was done, as the end of a sentence.
fn damage(path: &Path, rng: &mut Rng) -> std::io::Result<&'static str> {
    let mut bytes = std::fs::read(path)?;
    let what = match rng.below(6) {
        0 => {
            bytes.truncate(rng.below(bytes.len().max(1)));
            "is truncated"
        }
        1 => {
            std::fs::remove_file(path)?;
            return Ok("is removed");
        }
        2 => {
            std::fs::remove_file(path)?;
            std::fs::create_dir(path)?;
            return Ok("is a folder");
        }
        3 => {
            let end = bytes.len();
            let start = rng.below(end.max(1));
            bytes.get_mut(start..end.min(start + 4096)).into_iter().flatten().for_each(|byte| *byte = 0);
            "has zeros"
        }
        _ if bytes.is_empty() => {
            bytes.push(b'x');
            "has a byte"
        }
        _ => {
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len());
                bytes[at] ^= 1 << rng.below(8);
            }
            "has flipped bits"
        }
    };
    std::fs::write(path, bytes)?;
    Ok(what)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}
