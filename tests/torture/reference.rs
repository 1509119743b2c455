//! An undisturbed run, and the comparison of another run with it.

use crate::workspace::{CommandResult, Workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// Fields of `summary.json` that depend on the machine and on how often the run was resumed, besides those whose name
/// ends with `seconds` or `second`.
const VARYING: [&str; 3] = ["stages", "padding", "gflops"];

/// What a finished run consists of.
pub(crate) struct Finished {
    /// Contents of the files that are the same in every run, by relative path.
    files: BTreeMap<String, Content>,
    /// Relative paths of all other files.
    others: Vec<String>,
    summary: Value,
}

/// The content of a file.
#[derive(PartialEq)]
pub(crate) struct Content {
    /// The header of a safetensors file: metadata and tensors, in any order.
    header: Value,
    data: Vec<u8>,
}

impl Content {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let data = std::fs::read(path).map_err(|e| e.to_string())?;
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        let header = data.split_first_chunk::<8>().filter(|_| is_safetensors).and_then(|(length, rest)| {
            let (header, tensors) =
                rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            Some((serde_json::from_slice(header).ok()?, tensors.to_vec()))
        });
        let (header, data) = header.unwrap_or((Value::Null, data));
        Ok(Content { header, data })
    }
}

/// The undisturbed run.
pub(crate) fn reference() -> &'static Finished {
    static REFERENCE: OnceLock<Finished> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let workspace = Workspace::new();
        workspace.run(&["train", "tiny"]).and_then(CommandResult::success).unwrap();
        read(&workspace.run_dir().unwrap()).unwrap()
    })
}

/// Checks that the only run of `workspace` is that of [`reference`] and that no temporary file is left.
pub(crate) fn compare(workspace: &Workspace) -> Result<(), String> {
    compare_except(workspace, &|_| false)
}

/// As [`compare`], except for the files of the run whose relative path `is_excepted`.
pub(crate) fn compare_except(
    workspace: &Workspace,
    is_excepted: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let found = read(&workspace.run_dir().ok_or("there is no run")?)?;
    let expected = reference();
    let others = |run: &Finished| -> Vec<String> {
        run.others.iter().filter(|path| !is_excepted(path)).cloned().collect()
    };
    if others(&found) != others(expected) {
        return Err(format!("files {:?} instead of {:?}", found.others, expected.others));
    }
    for (name, content) in expected.files.iter().filter(|(name, _)| !is_excepted(name)) {
        match found.files.get(name) {
            None => return Err(format!("{name} is missing")),
            Some(other) if other != content => return Err(format!("{name} differs")),
            Some(_) => {}
        }
    }
    if let Some(name) = found.files.keys().find(|name| !expected.files.contains_key(*name)) {
        return Err(format!("{name} is left over"));
    }
    for (name, value) in expected.summary.as_object().into_iter().flatten() {
        if found.summary[name] != *value {
            return Err(format!("{name} of summary.json is {} instead of {value}", found.summary[name]));
        }
    }
    no_temporary_files(workspace.path())
}

/// Checks that the checkpoints of the only run of `workspace` have the tensors of the undisturbed run.
pub(crate) fn compare_checkpoints(workspace: &Workspace) -> Result<(), String> {
    let found = read(&workspace.run_dir().ok_or("there is no run")?)?;
    let is_state = |(path, _): &(&String, &Content)| path.ends_with("/state.safetensors");
    match reference()
        .files
        .iter()
        .filter(is_state)
        .find(|(path, state)| found.files.get(*path) != Some(*state))
    {
        Some((path, _)) => Err(format!("{path} differs")),
        None => Ok(()),
    }
}

fn read(dir: &Path) -> Result<Finished, String> {
    let mut paths = Vec::new();
    list(dir, "", &mut paths).map_err(|e| e.to_string())?;
    check_events(dir)?;
    let mut finished = Finished { files: BTreeMap::new(), others: Vec::new(), summary: summary(dir)? };
    for path in paths {
        let is_same = path.starts_with("best/")
            || path.starts_with("predictions/")
            || path.ends_with(".safetensors")
            || path == "spec.toml";
        if is_same {
            let content = Content::read(&dir.join(&path)).map_err(|e| format!("{path}: {e}"))?;
            finished.files.insert(path, content);
        } else {
            finished.others.push(path);
        }
    }
    finished.others.sort();
    Ok(finished)
}

/// The relative paths of all files.
fn list(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), paths)?;
        } else {
            paths.push(name);
        }
    }
    Ok(())
}

fn summary(dir: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(dir.join("summary.json")).map_err(|e| format!("summary.json: {e}"))?;
    let mut summary: Value = serde_json::from_slice(&bytes).map_err(|e| format!("summary.json: {e}"))?;
    remove_varying(&mut summary);
    Ok(summary)
}

fn remove_varying(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_varying =
                |name: &str| VARYING.contains(&name) || name.ends_with("seconds") || name.ends_with("second");
            fields.retain(|name, _| !is_varying(name));
            fields.values_mut().for_each(remove_varying);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_varying),
        _ => {}
    }
}

/// Checks that every line of the log is an event and that the last one is the end.
fn check_events(dir: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(dir.join("events.jsonl")).map_err(|e| format!("events.jsonl: {e}"))?;
    if !text.ends_with('\n') {
        return Err("events.jsonl has an incomplete last line".to_owned());
    }
    let mut last = Value::Null;
    for (line, number) in text.lines().zip(1..) {
        last = serde_json::from_str(line).map_err(|e| format!("events.jsonl:{number}: {e}"))?;
        if !last["kind"].is_string() || (number == 1) != last["format"].is_u64() {
            return Err(format!("events.jsonl:{number}: {line}"));
        }
    }
    if last["kind"] == "ended" && last["status"] == "finished" {
        Ok(())
    } else {
        Err(format!("events.jsonl ends with {last}"))
    }
}

/// Checks that no file of a workspace has a temporary name.
fn no_temporary_files(folder: &Path) -> Result<(), String> {
    let mut paths = Vec::new();
    list(folder, "", &mut paths).map_err(|e| e.to_string())?;
    let is_temporary = |path: &&String| {
        path.split('/').any(|part| {
            let extension = Path::new(part).extension().and_then(|extension| extension.to_str());
            (part.starts_with('.') && extension != Some("lock")) || matches!(extension, Some("tmp" | "new"))
        })
    };
    match paths.iter().find(is_temporary) {
        Some(path) => Err(format!("{path} is left over")),
        None => Ok(()),
    }
}
