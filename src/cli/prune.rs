//! `prune`: removes the checkpoints of finished runs, or of the runs that are named.

use super::args::{GlobalArgs, PruneArgs};
use super::output;
use crate::error::{Error, Result};
use crate::format::bytes;
use crate::run::{self, DiskUse, PruneRefusal, PruneScope, RunDir, RunRow, RunStatus};
use crate::text::plural;
use serde::Serialize;

/// A run that is pruned.
#[derive(Debug, Serialize)]
struct PrunedRun {
    name: String,
    freed_bytes: u64,
    /// Whether the run starts again from step 0 when it is resumed.
    loses_progress: bool,
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    freed_bytes: u64,
    runs: Vec<PrunedRun>,
}

pub(super) fn prune(global: &GlobalArgs, args: &PruneArgs) -> Result<()> {
    let scope = if args.runs.is_empty() { PruneScope::Finished } else { PruneScope::Named };
    let mut report = Report { dry_run: args.dry_run, freed_bytes: 0, runs: Vec::new() };
    for row in chosen(global, args, scope)? {
        let freed_bytes = if args.dry_run {
            DiskUse::of(&RunDir::at(&row.dir)).prunable_bytes
        } else {
            run::prune(&row.dir, scope)?
        };
        let loses_progress = row.status != RunStatus::Finished && freed_bytes > 0;
        report.freed_bytes += freed_bytes;
        report.runs.push(PrunedRun { name: row.name, freed_bytes, loses_progress });
    }
    if global.json {
        return output::json(&report);
    }
    print(&report)
}

/// The runs to prune. Why others are kept goes to stderr.
///
/// # Errors
/// [`Error::Usage`] when a run that is named cannot be pruned.
fn chosen(global: &GlobalArgs, args: &PruneArgs, scope: PruneScope) -> Result<Vec<RunRow>> {
    if scope == PruneScope::Finished {
        let rows = run::list(&global.runs_dir)?;
        report_kept(&rows);
        return Ok(rows.into_iter().filter(|row| row.prune_refusal(scope).is_none()).collect());
    }
    let mut rows: Vec<RunRow> = Vec::new();
    for name in &args.runs {
        let dir = run::find(&global.runs_dir, name)?;
        let Some(row) = run::row(&dir) else {
            return Err(Error::Usage(format!("{} is not a run", dir.display())));
        };
        if let Some(why) = row.prune_refusal(scope) {
            return Err(Error::Usage(format!("{} {why}; nothing was removed", row.name)));
        }
        if rows.iter().all(|other| other.dir != row.dir) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Says which runs keep checkpoints that a person may want to remove.
fn report_kept(rows: &[RunRow]) {
    let kept = |why: PruneRefusal| {
        let refused = rows.iter().filter(|row| row.prune_refusal(PruneScope::Finished) == Some(why));
        let sizes =
            refused.map(|row| DiskUse::of(&RunDir::at(&row.dir)).prunable_bytes).filter(|size| *size > 0);
        let sizes: Vec<u64> = sizes.collect();
        (sizes.len(), sizes.iter().sum::<u64>())
    };
    for (why, text) in [
        (PruneRefusal::Resumable, "not finished and can only be resumed from its checkpoints"),
        (PruneRefusal::NoBestWeights, "without best weights"),
    ] {
        let (count, size) = kept(why);
        if count > 0 {
            output::stderr_line(format!(
                "kept {} ({}): {text}; name a run to prune it",
                plural(count as u64, "run"),
                bytes(size)
            ));
        }
    }
}

fn print(report: &Report) -> Result<()> {
    let verb = if report.dry_run { "would free" } else { "freed" };
    for run in report.runs.iter().filter(|run| run.freed_bytes > 0) {
        let note = if run.loses_progress { "; when resumed, the run starts again from step 0" } else { "" };
        output::stdout_line(format!("{}: {verb} {}{note}", run.name, bytes(run.freed_bytes)))?;
    }
    let pruned = report.runs.iter().filter(|run| run.freed_bytes > 0).count();
    output::stdout_line(match pruned {
        0 => "nothing to remove".to_owned(),
        pruned => format!("{verb} {} in {}", bytes(report.freed_bytes), plural(pruned as u64, "run")),
    })
}
