//! Disturbs system calls, by means of `tracer.c`, which is compiled once.

use crate::workspace::{CommandResult, Workspace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The compiled tracer, or why there is none.
fn tracer() -> &'static Result<PathBuf, String> {
    static TRACER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    TRACER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = folder.join(format!("tracer-{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/tracer.c");
        let output = Command::new("cc").arg("-O1").arg("-o").arg(&program).arg(source).output();
        let output = output.map_err(|e| format!("no C compiler: {e}"))?;
        if !output.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let report = program.with_extension("report");
        let status = Command::new(&program)
            .args(["/nowhere", "any", "1", "1", "count"])
            .arg(&report)
            .arg("true")
            .status();
        match status {
            Ok(status) if status.success() => Ok(program),
            other => Err(format!("processes cannot be traced here ({other:?})")),
        }
    })
}

/// Whether system calls can be disturbed. Says so if not.
pub(crate) fn is_available(test: &str) -> bool {
    match tracer() {
        Ok(_) => true,
        Err(problem) => {
            eprintln!("SKIPPED: {test}: {problem}");
            false
        }
    }
}

/// Which system calls are disturbed, and how; see `tracer.c`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disturbance<'a> {
    /// The kind of call.
    pub(crate) call: &'a str,
    /// The number of the first disturbed call, from 1.
    pub(crate) first: usize,
    /// How many are disturbed.
    pub(crate) count: usize,
    /// What happens to them.
    pub(crate) action: &'a str,
}

/// The result of a traced command.
pub(crate) struct Traced {
    pub(crate) result: CommandResult,
    /// The disturbed calls: kind and path.
    pub(crate) calls: Vec<String>,
}

/// Runs the program with `args` under the tracer.
pub(crate) fn run(
    workspace: &Workspace,
    disturbance: Disturbance<'_>,
    args: &[&str],
) -> Result<Traced, String> {
    let program = tracer().as_ref().map_err(Clone::clone)?.display().to_string();
    let report = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let Disturbance { call, first, count, action } = disturbance;
    let folder = workspace.path().canonicalize().map_err(|e| e.to_string())?;
    let mut line = vec![program, folder.display().to_string(), call.to_owned(), first.to_string()];
    line.extend([count.to_string(), action.to_owned(), report.path().display().to_string()]);
    line.extend(Workspace::args(args));
    let result = workspace.output(&line)?;
    let text = std::fs::read_to_string(report.path()).map_err(|e| e.to_string())?;
    Ok(Traced { result, calls: text.lines().map(str::to_owned).collect() })
}

/// The number of calls of each kind in an undisturbed training.
pub(crate) fn counts() -> &'static BTreeMap<String, usize> {
    static COUNTS: OnceLock<BTreeMap<String, usize>> = OnceLock::new();
    COUNTS.get_or_init(|| {
        let all = Disturbance { call: "any", first: 1, count: 1, action: "count" };
        let traced = run(&Workspace::new(), all, &["train", "tiny"]).unwrap();
        let parse = |line: String| {
            let (kind, count) = line.split_once(' ')?;
            Some((kind.to_owned(), count.parse().ok()?))
        };
        traced.calls.into_iter().filter_map(parse).collect()
    })
}
