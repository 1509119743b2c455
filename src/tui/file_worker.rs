//! Reads and writes files for the interface: experiments, runs, probes, the theme.

use super::disk_cache::DiskCache;
use super::history_cache::{CAPACITY, HistoryCache};
use super::msg::Msg;
use super::options::Options;
use super::settings;
use super::state::experiment::ExperimentRow;
use super::state::insight::Subject;
use super::state::sweep::SweepSource;
use super::worker::{Worker, catch_panic, error_msg};
use crate::error::{Error, Result};
use crate::probes::{self, Probe};
use crate::run::error_analysis::ErrorReport;
use crate::run::sweep::{ScoreLogs, SweepDir, SweepList, SweepReport, SweepRow, newest_sweep_of};
use crate::run::{
    NotesEdit, RunChanges, RunDir, RunRow, RunWatcher, delete, edit_notes, reproduced, seed_dirs,
};
use crate::spec::{Experiments, SaveTarget};
use crossbeam_channel::Sender;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The least time between two polls of the runs.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A job of the [`FileWorker`].
pub(super) enum FileJob {
    /// Read the experiments file, list the runs, read the probes.
    List,
    /// Read the logs of a run, unless another job waits.
    LoadHistory(PathBuf),
    /// Read the logs of a run.
    RequireHistory(PathBuf),
    /// Read what is new in the logs of these runs, unless another job waits.
    FollowLogs(Vec<PathBuf>),
    LoadPredictions(Subject),
    /// Read the trials of a sweep, unless another job of the kind waits.
    LoadSweep(SweepSource),
    LoadReproduction,
    SaveExperiment {
        name: String,
        changes: Vec<(&'static str, String)>,
        target: SaveTarget,
    },
    DeleteRun(PathBuf),
    /// Read what has changed in the runs that are being trained.
    PollRuns,
    /// Drop the sender: all earlier jobs are done.
    Finish(Sender<()>),
    EditNotes(PathBuf, NotesEdit),
    /// Measure the disk space of the listed runs.
    MeasureDisk,
    ToggleProbe(Probe),
    SaveTheme(String),
}

/// Does the jobs of the thread `files`.
pub(super) struct FileWorker {
    options: Options,
    messages: Sender<Msg>,
    cache: HistoryCache,
    disk: DiskCache,
    /// Whether a [`FileJob::FollowLogs`] waits, so that no second one is sent.
    is_follow_pending: Arc<AtomicBool>,
    /// The same for [`FileJob::PollRuns`].
    is_poll_pending: Arc<AtomicBool>,
    watcher: RunWatcher,
    /// When the runs were polled last.
    polled: Option<Instant>,
    sweeps: SweepList,
    /// The logs of the trials of the sweep of tasks that is shown.
    score_logs: ScoreLogs,
    /// The sweeps that were sent last.
    sent_sweeps: Vec<SweepRow>,
}

impl Worker for FileWorker {
    type Job = FileJob;

    fn describe(job: &FileJob) -> &'static str {
        match job {
            FileJob::List => "listing experiments and runs",
            FileJob::LoadHistory(_) | FileJob::RequireHistory(_) => "reading the log of a run",
            FileJob::FollowLogs(_) => "following the logs of runs",
            FileJob::LoadPredictions(_) => "reading the predictions of a run",
            FileJob::LoadSweep(_) => "reading a sweep",
            FileJob::LoadReproduction => "comparing runs with published results",
            FileJob::SaveExperiment { .. } => "saving an experiment",
            FileJob::DeleteRun(_) => "deleting a run",
            FileJob::PollRuns => "reading the runs that are being trained",
            FileJob::Finish(_) => "finishing",
            FileJob::EditNotes(..) => "writing the notes of a run",
            FileJob::MeasureDisk => "measuring the disk space of runs",
            FileJob::ToggleProbe(_) => "changing the probes",
            FileJob::SaveTheme(_) => "saving the theme",
        }
    }

    fn run(&mut self, job: FileJob, is_last: bool) {
        let name = Self::describe(&job);
        match job {
            FileJob::List => {
                self.list();
                let probes = probes::read(&self.probes_file()).map_err(|e| e.to_string());
                self.send(Msg::ProbesLoaded(probes));
            }
            FileJob::LoadHistory(dir) => {
                // Of the runs that the cursor passes, only the one that it stops at is read.
                if is_last {
                    self.load_history(name, dir);
                }
            }
            FileJob::RequireHistory(dir) => self.load_history(name, dir),
            FileJob::FollowLogs(dirs) => {
                self.is_follow_pending.store(false, Ordering::Relaxed);
                if is_last {
                    self.cache.follow(&dirs).into_iter().for_each(|msg| self.send(msg));
                }
            }
            FileJob::LoadPredictions(subject) => {
                let result = catch_panic(name, || {
                    let dirs = seed_dirs(&subject.dir, &RunDir::at(&subject.dir).spec()?);
                    ErrorReport::read(&dirs, subject.seed).map(Box::new)
                });
                self.send(Msg::PredictionsLoaded { subject, result: result.map_err(|e| e.to_string()) });
            }
            // Requests come once a second, and one may take longer.
            FileJob::LoadSweep(_) if !is_last => {}
            FileJob::LoadSweep(source) => {
                let result = catch_panic(name, || self.load_sweep(&source)).map(Box::new);
                self.send(Msg::SweepLoaded { source, result: result.map_err(|e| e.to_string()) });
            }
            FileJob::LoadReproduction => {
                let result = catch_panic(name, || reproduced(&self.options.runs_dir));
                self.send(Msg::Reproduction(result.map_err(|e| e.to_string())));
            }
            FileJob::SaveExperiment { name, changes, target } => match self.save(&name, &changes, target) {
                Ok(path) => {
                    self.list();
                    self.send(Msg::ExperimentSaved { name, path });
                }
                Err(error) => self.send(error_msg("Cannot save the experiment", &error)),
            },
            FileJob::ToggleProbe(probe) => {
                self.send(match probes::toggle(&self.probes_file(), probe) {
                    Ok(probes) => Msg::ProbesLoaded(Ok(probes)),
                    Err(error) => error_msg("Cannot change the probes", &error),
                });
            }
            FileJob::SaveTheme(theme) => {
                if let Err(error) = settings::save_theme(&theme) {
                    self.send(error_msg("Cannot save the theme", &error));
                }
            }
            FileJob::EditNotes(dir, edit) => {
                if let Err(error) = edit_notes(&RunDir::at(dir), &edit) {
                    self.send(error_msg("Cannot write the notes of the run", &error));
                }
                self.list();
            }
            FileJob::MeasureDisk => {
                let changed = self.disk.measure(self.watcher.rows());
                if !changed.is_empty() {
                    self.send(Msg::DiskMeasured(changed));
                }
            }
            FileJob::DeleteRun(dir) => {
                if let Err(error) = delete(&self.options.runs_dir, &dir) {
                    self.send(error_msg("Cannot delete the run", &error));
                }
                self.list();
            }
            FileJob::PollRuns => {
                self.is_poll_pending.store(false, Ordering::Relaxed);
                self.poll_runs();
            }
            FileJob::Finish(done) => drop(done),
        }
    }

    fn recover(&mut self) {
        // A history or a list that was only partly updated is wrong.
        self.cache = HistoryCache::default();
        self.score_logs = ScoreLogs::default();
        self.watcher = RunWatcher::new(self.options.runs_dir.clone());
    }
}

impl FileWorker {
    /// A worker that sends its results to `messages`. A job that waits sets its flag of `pending`: following logs, polling runs.
    pub(super) fn new(options: Options, messages: Sender<Msg>, pending: [Arc<AtomicBool>; 2]) -> Self {
        let [is_follow_pending, is_poll_pending] = pending;
        FileWorker {
            watcher: RunWatcher::new(options.runs_dir.clone()),
            options,
            messages,
            cache: HistoryCache::default(),
            disk: DiskCache::default(),
            is_follow_pending,
            is_poll_pending,
            polled: None,
            sweeps: SweepList::default(),
            score_logs: ScoreLogs::default(),
            sent_sweeps: Vec::new(),
        }
    }

    fn send(&self, msg: Msg) {
        self.messages.send(msg).ok();
    }

    fn load_history(&mut self, job: &str, dir: PathBuf) {
        let result = catch_panic(job, || self.cache.read(&dir, CAPACITY));
        if result.is_err() {
            self.cache.remove(&dir);
        }
        self.send(Msg::HistoryLoaded { dir, result: result.map_err(|e| e.to_string()) });
    }

    /// Sends the experiments and the runs.
    fn list(&mut self) {
        let experiments = Experiments::open(self.options.experiments.as_deref()).map_err(|e| e.to_string());
        let rows = experiments.as_ref().map(ExperimentRow::all).map_err(Clone::clone);
        let runs = self.list_runs();
        self.send_sweeps();
        self.send(Msg::Listed { experiments: rows, runs });
        if let Ok(experiments) = experiments {
            let targets = [SaveTarget::Local, SaveTarget::User].into_iter();
            let mut targets: Vec<(SaveTarget, PathBuf)> =
                targets.filter_map(|target| Some((target, experiments.path_of_new(target).ok()?))).collect();
            targets.dedup_by(|(_, a), (_, b)| a == b);
            self.send(Msg::ExperimentFiles { errors: experiments.errors_outside(), targets });
        }
    }

    fn list_runs(&mut self) -> Vec<RunRow> {
        let mut runs = self.watcher.list().to_vec();
        self.disk.fill(&mut runs);
        runs
    }

    /// Sends the runs that have changed. A timer asks for it once a second, for the list and for the Sweep screen.
    fn poll_runs(&mut self) {
        if self.polled.is_some_and(|polled| polled.elapsed() < POLL_INTERVAL) {
            return;
        }
        self.polled = Some(Instant::now());
        let RunChanges { mut changed, removed } = self.watcher.poll();
        if changed.is_empty() && removed.is_empty() {
            return;
        }
        self.disk.fill(&mut changed);
        self.send(Msg::RunsChanged(RunChanges { changed, removed }));
        self.send_sweeps();
    }

    /// Sends the sweeps with what the listed runs say about their trials, if they have changed.
    fn send_sweeps(&mut self) {
        // Sweeps that cannot be listed are not shown; their trials are listed as runs.
        let rows = self.sweeps.rows(&self.options.runs_dir, self.watcher.rows()).unwrap_or_default();
        if rows != self.sent_sweeps {
            self.sent_sweeps.clone_from(&rows);
            self.send(Msg::SweepsListed(rows));
        }
    }

    /// The trials of a sweep, as the listed runs say, which are polled while the sweep is shown.
    fn load_sweep(&mut self, source: &SweepSource) -> Result<SweepReport> {
        let runs_dir = &self.options.runs_dir;
        let dir = match source {
            SweepSource::Named(name) => SweepDir::at(runs_dir, name),
            SweepSource::OfExperiment(experiment) => {
                newest_sweep_of(runs_dir, experiment)?.ok_or_else(|| {
                    Error::Usage(format!(
                        "the experiment {experiment} has no sweep yet; start it on the Runs screen"
                    ))
                })?
            }
        };
        self.poll_runs();
        SweepReport::read_on(dir, self.watcher.rows(), &mut self.score_logs)
    }

    fn probes_file(&self) -> PathBuf {
        self.options.runs_dir.join(probes::FILE)
    }

    /// Returns the whole path of the file.
    fn save(&self, name: &str, changes: &[(&'static str, String)], target: SaveTarget) -> Result<PathBuf> {
        let mut experiments = Experiments::open(self.options.experiments.as_deref())?;
        let file = experiments.save(name, changes, target)?;
        Ok(std::path::absolute(&file).unwrap_or(file))
    }
}
