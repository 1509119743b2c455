//! A run with several seeds: one process trains them in order, or a process trains each. The summary of all is written once.

use super::dir::RunDir;
use super::log::{EventLog, recorded};
use super::repeats::RepeatsSummary;
use super::seed::{Emit, LOG_TIMEOUT, RunContext, require_unmoved, train_seed};
use super::unchanged::check_unchanged;
use crate::error::{Error, Result};
use crate::event::{Averaging, Event, Status, now};
use crate::files::{OpenFolder, check_model_folder};
use crate::spec::RunSpec;
use crate::train::{Attempt, Summary};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the end of a seed waits for that of another.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts.
const COMPLETE_RETRY: Duration = Duration::from_millis(50);

/// The results of the seeds.
pub(super) struct SeedResults {
    /// How the last seed ended.
    pub(super) status: Status,
    /// The summary of each seed.
    pub(super) summaries: Vec<Summary>,
    /// Mean and standard deviation.
    pub(super) repeats: Option<RepeatsSummary>,
}

/// Trains several seeds, each in a run directory of its own, and writes the summary of all.
pub(super) fn run_repeats(run: &RunContext<'_>, spec: &RunSpec, emit: Emit<'_>) -> Result<SeedResults> {
    let dir = run.dir;
    let mut log = EventLog::open(dir)?;
    let attempt = log.attempt();
    run.report_lock();
    let folder = OpenFolder::open(dir.path())?;
    for seed_dir in dir.existing_seeds()? {
        let (seed, repeats, fold) = (spec.seed, spec.repeats, spec.fold);
        let trained = recorded(&seed_dir)?.spec.map(|trained| RunSpec { seed, repeats, fold, ..trained });
        // All seeds are trained with the same specification; more of them may be added.
        check_unchanged(dir, trained.as_ref(), spec)?;
    }
    dir.remove_summary()?;
    let trained = train_seeds(run, spec, &mut log, emit);
    // Reported rather than the error of a seed: the run is to be resumed, not only that seed.
    require_unmoved(&folder)?;
    let summaries = trained?;
    let status = summaries.last().map_or(Status::Finished, |summary| summary.status);
    attempt.as_deref().map_or(Ok(()), Attempt::check)?;
    let repeats = write_results(dir, &summaries)?;
    log.write(&Event::Ended { time: now(), status, error: None }).ok();
    log.close(LOG_TIMEOUT)?;
    Ok(SeedResults { status, summaries, repeats })
}

/// Writes the summary of all seeds and links the best weights.
fn write_results(dir: &RunDir, summaries: &[Summary]) -> Result<Option<RepeatsSummary>> {
    let repeats = RepeatsSummary::of(summaries);
    if let Some(all) = &repeats {
        link_best(dir, all.best_seed.seed)?;
        dir.write_summary(all)?;
    }
    Ok(repeats)
}

/// Writes the summary of a run whose seeds are trained by a process each, once all of them are finished. Each process calls
/// this after its own seed, so the last one finds all. Does nothing while a process trains the run as a whole.
///
/// # Errors
/// When the specification or the directory cannot be read, or a file cannot be written.
pub(super) fn complete_run(dir: &RunDir) -> Result<()> {
    let spec = dir.spec()?;
    let seeds = (0..spec.seed_count()).map(|repeat| dir.seed(spec.seed + repeat));
    let finished =
        seeds.map_while(|seed| seed.summary().filter(|summary| summary.status == Status::Finished));
    let summaries: Vec<Summary> = finished.collect();
    if (summaries.len() as u64) < spec.seed_count() {
        return Ok(());
    }
    let start = Instant::now();
    let mut log = loop {
        match EventLog::open(dir) {
            // Another seed has ended at the same time, and holds the lock for a moment.
            Err(Error::Usage(_)) if start.elapsed() < COMPLETE_TIMEOUT => std::thread::sleep(COMPLETE_RETRY),
            Err(Error::Usage(_)) => return Ok(()),
            log => break log?,
        }
    };
    if dir.summary().is_some_and(|summary| summary.status == Status::Finished) {
        return Ok(());
    }
    for summary in &summaries {
        log.write(&best_note(summary)).ok();
    }
    write_results(dir, &summaries)?;
    log.write(&Event::Ended { time: now(), status: Status::Finished, error: None }).ok();
    log.close(LOG_TIMEOUT)
}

/// A line of the log about the best score of a seed.
fn best_note(summary: &Summary) -> Event {
    let fold = summary.fold.map(|fold| format!("fold {fold}, ")).unwrap_or_default();
    let seed = format!("{fold}seed {}", summary.seed);
    match summary.best {
        Some(best) => {
            let averaging = Averaging::suffix(best.averaging);
            Event::note(format!("{seed}: best {} {:.4}{averaging}", best.metric.name(), best.value))
        }
        None => Event::note(format!("{seed}: no score")),
    }
}

/// Trains the seeds in order until one is not finished. Seeds that are finished already are not trained again.
fn train_seeds(
    run: &RunContext<'_>,
    spec: &RunSpec,
    log: &mut EventLog,
    emit: Emit<'_>,
) -> Result<Vec<Summary>> {
    let mut summaries: Vec<Summary> = Vec::new();
    for repeat in 0..spec.seed_count() {
        let spec = spec.of_seed(repeat);
        let dir = run.dir.of_seed(&spec)?;
        let has_weights = || check_model_folder(&dir.best()).is_ok();
        let finished = dir.summary().filter(|s| s.status == Status::Finished && has_weights());
        let summary = match finished {
            Some(summary) => summary,
            None => train_seed(run, &dir, &spec, repeat, emit)?,
        };
        if summary.best.is_some() {
            // What cannot be written now is written later.
            log.write(&best_note(&summary)).ok();
        }
        let status = summary.status;
        summaries.push(summary);
        if status != Status::Finished {
            break;
        }
    }
    Ok(summaries)
}

/// Makes `best` of a run with repeats a symbolic link to that of the best seed.
#[cfg(unix)]
fn link_best(dir: &RunDir, seed: u64) -> Result<()> {
    let (best, target) = (dir.best(), Path::new(&format!("seed-{seed}")).join("best"));
    // A rename replaces an old link atomically.
    let temporary = best.with_file_name(".best.link");
    let link = || -> std::io::Result<()> {
        if temporary.symlink_metadata().is_ok() {
            std::fs::remove_file(&temporary)?;
        }
        std::os::unix::fs::symlink(target, &temporary)?;
        std::fs::rename(&temporary, &best)
    };
    link().map_err(Error::writing(&best))
}

#[cfg(not(unix))]
fn link_best(_dir: &RunDir, _seed: u64) -> Result<()> {
    Ok(())
}
