//! The state of the Runs screen: experiments, the queue and past runs.

use super::experiment::ExperimentRow;
use super::filter::FilterField;
use super::queue::QueueState;
use super::sweep::SweepSource;
use crate::run::DiskUse;
use crate::run::filter::Candidate;
use crate::run::history::History;
use crate::run::queue::{Queue, QueueEntry, QueuedSweep};
use crate::run::sweep::SweepRow;
use crate::run::{RunChanges, RunRow, RunStatus};
use crate::spec::SaveTarget;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The state of the Runs screen.
#[derive(Debug, Default)]
pub struct RunsState {
    /// The experiments of the file.
    pub experiments: Vec<ExperimentRow>,
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
    /// The queue.
    pub queue: QueueState,
    /// The sweeps, newest first.
    pub sweeps: Vec<SweepRow>,
    /// The errors of the experiments files that concern no experiment.
    pub error: Option<String>,
    /// The files that a new experiment can be saved to.
    pub save_targets: Vec<(SaveTarget, PathBuf)>,
    /// Whether experiments and runs were listed.
    pub is_listed: bool,
    /// The filter of all lists.
    pub filter: FilterField,
    /// The index of the line under the cursor, among the visible lines.
    pub selected: usize,
    /// The histories of the run under the cursor, once they are read.
    pub preview: Option<(PathBuf, Vec<History>)>,
    /// The run whose notes are edited.
    pub(in crate::tui) noted: Option<PathBuf>,
    /// A run that the cursor moves to once it is listed, unless it moves elsewhere before.
    wanted: Option<PathBuf>,
}

/// A line of the list.
#[derive(Debug, Clone, Copy)]
pub enum ListLine<'a> {
    /// An experiment.
    Experiment(&'a ExperimentRow),
    /// An entry of the queue.
    Queued(&'a QueueEntry),
    /// A sweep.
    Sweep(&'a SweepRow),
    /// A past run.
    Run(&'a RunRow),
}

/// The sections of the list, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Section {
    Experiments,
    Queue,
    Sweeps,
    PastRuns,
}

impl ListLine<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            ListLine::Experiment(row) => &row.name,
            ListLine::Run(row) => &row.name,
            ListLine::Sweep(row) => &row.name,
            ListLine::Queued(entry) => &entry.spec.experiment,
        }
    }

    pub(in crate::tui) fn section(&self) -> Section {
        match self {
            ListLine::Experiment(_) => Section::Experiments,
            ListLine::Queued(_) => Section::Queue,
            ListLine::Sweep(_) => Section::Sweeps,
            ListLine::Run(_) => Section::PastRuns,
        }
    }

    /// What identifies the line, even if its text changes.
    fn identity(&self) -> (Section, String) {
        let name = match self {
            ListLine::Queued(entry) => entry.id.to_string(),
            line => line.name().to_string(),
        };
        (self.section(), name)
    }

    /// Whether `identity` is that of this line.
    fn is(&self, identity: &(Section, String)) -> bool {
        self.section() == identity.0
            && match self {
                ListLine::Queued(entry) => entry.id.to_string() == identity.1,
                line => line.name() == identity.1,
            }
    }

    fn candidate(&self) -> Candidate<'_> {
        match self {
            ListLine::Experiment(row) => {
                Candidate::Experiment { name: &row.name, spec: row.spec.as_ref().ok() }
            }
            ListLine::Run(row) => Candidate::Run(row),
            ListLine::Sweep(row) => Candidate::Sweep { name: &row.name, experiment: &row.experiment },
            ListLine::Queued(QueueEntry { spec, .. }) => {
                Candidate::Experiment { name: &spec.experiment, spec: Some(spec) }
            }
        }
    }
}

impl RunsState {
    /// The visible lines: experiments, queue entries, sweeps, past runs.
    pub fn lines(&self) -> Vec<ListLine<'_>> {
        self.visible().collect()
    }

    fn visible(&self) -> impl Iterator<Item = ListLine<'_>> {
        let experiments = self.experiments.iter().map(ListLine::Experiment);
        let lines = experiments.chain(self.queue.list.entries.iter().map(ListLine::Queued));
        let lines = lines.chain(self.sweeps.iter().map(ListLine::Sweep));
        let lines = lines.chain(self.runs.iter().map(ListLine::Run));
        let filter = self.filter.filter();
        lines.filter(move |line| {
            if filter.is_empty() { !self.is_in_sweep(*line) } else { filter.matches(line.candidate()) }
        })
    }

    /// Whether a line is a trial that the line of its sweep stands for: every trial that is not being trained. A filter
    /// finds all trials.
    fn is_in_sweep(&self, line: ListLine<'_>) -> bool {
        let ListLine::Run(run) = line else { return false };
        let Some(trial) = run.trial.as_ref().filter(|_| run.status != RunStatus::Running) else {
            return false;
        };
        self.wanted.as_ref() != Some(&run.dir) && self.sweeps.iter().any(|sweep| sweep.name == trial.sweep)
    }

    /// The sweep of the line under the cursor: a sweep, a trial, or an experiment that is a sweep.
    pub(in crate::tui) fn sweep_source(&self) -> Option<SweepSource> {
        match self.line()? {
            ListLine::Sweep(row) => Some(SweepSource::Named(row.name.clone())),
            ListLine::Run(run) => run.trial.as_ref().map(|trial| SweepSource::Named(trial.sweep.clone())),
            ListLine::Queued(entry) => {
                entry.sweep.as_ref().map(|sweep| SweepSource::Named(sweep.name.clone()))
            }
            ListLine::Experiment(row) => {
                let has_sweep = self.sweeps.iter().any(|sweep| sweep.experiment == row.name);
                (row.sweep.is_some() || has_sweep).then(|| SweepSource::OfExperiment(row.name.clone()))
            }
        }
    }

    /// The number of trials of a queued sweep that have neither ended nor an entry of their own in the queue.
    pub(in crate::tui) fn trials_left(&self, queued: &QueuedSweep) -> u64 {
        let row = self.sweeps.iter().find(|row| row.name == queued.name);
        queued.trials.saturating_sub(row.map_or(0, |row| row.ended() + row.running()))
    }

    /// Takes the current sweeps; the cursor stays on its line.
    pub(in crate::tui) fn set_sweeps(&mut self, sweeps: Vec<SweepRow>) {
        let line = self.line().map(|line| line.identity());
        self.sweeps = sweeps;
        self.restore_cursor(line.as_ref());
    }

    /// The line under the cursor. It is asked for several times for each key and frame, so it makes no list.
    pub fn line(&self) -> Option<ListLine<'_>> {
        self.visible().nth(self.selected)
    }

    /// The visible runs.
    pub fn visible_runs(&self) -> impl Iterator<Item = &RunRow> {
        self.visible().filter_map(|line| if let ListLine::Run(run) = line { Some(run) } else { None })
    }

    /// The experiment under the cursor.
    pub fn experiment(&self) -> Option<&ExperimentRow> {
        match self.line() {
            Some(ListLine::Experiment(row)) => Some(row),
            _ => None,
        }
    }

    /// The run under the cursor.
    pub fn run(&self) -> Option<&RunRow> {
        match self.line() {
            Some(ListLine::Run(row)) => Some(row),
            _ => None,
        }
    }

    /// Whether Slurm has an active task of the run or the sweep under the cursor.
    pub(in crate::tui) fn has_active_task(&self) -> bool {
        let is_active = |run: &RunRow| run.tasks.iter().any(|task| task.phase().is_active());
        match self.line() {
            Some(ListLine::Run(run)) => is_active(run),
            Some(ListLine::Sweep(sweep)) => {
                let is_trial =
                    |run: &&RunRow| run.trial.as_ref().is_some_and(|trial| trial.sweep == sweep.name);
                self.runs.iter().filter(is_trial).any(is_active)
            }
            _ => false,
        }
    }

    /// Takes the current experiments and runs; the cursor stays on its line.
    pub fn set_lists(&mut self, experiments: Result<Vec<ExperimentRow>, String>, runs: Vec<RunRow>) {
        // Before the first list, the cursor is on no line that a person chose.
        let line = self.line().filter(|_| self.is_listed).map(|line| line.identity());
        self.is_listed = true;
        self.runs = runs;
        match experiments {
            Ok(experiments) => {
                self.experiments = experiments;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
        self.restore_cursor(line.as_ref());
        self.find_wanted();
    }

    /// Shows all lines; the cursor stays on its line.
    pub(in crate::tui) fn clear_filter(&mut self) {
        let line = self.line().map(|line| line.identity());
        self.filter = FilterField::default();
        self.restore_cursor(line.as_ref());
    }

    /// Takes the disk space of runs.
    pub fn set_disk(&mut self, sizes: &[(PathBuf, DiskUse)]) {
        let sizes: HashMap<&PathBuf, DiskUse> = sizes.iter().map(|(dir, disk)| (dir, *disk)).collect();
        for run in &mut self.runs {
            run.disk = sizes.get(&run.dir).copied().or(run.disk);
        }
    }

    /// Moves the cursor to the run in `dir`, now or once it is listed.
    pub fn select_run(&mut self, dir: &Path) {
        self.wanted = Some(dir.to_path_buf());
        self.find_wanted();
    }

    fn find_wanted(&mut self) {
        let Some(dir) = &self.wanted else { return };
        let at = self.visible().position(|line| matches!(line, ListLine::Run(run) if run.dir == *dir));
        if let Some(at) = at {
            self.move_to(at);
        }
    }

    /// Moves the cursor to a line.
    pub(in crate::tui) fn move_to(&mut self, line: usize) {
        self.selected = line;
        self.wanted = None;
    }

    /// Takes what has changed in the runs; the cursor stays on its line.
    pub(in crate::tui) fn change_runs(&mut self, changes: RunChanges) {
        let line = self.line().map(|line| line.identity());
        changes.apply(&mut self.runs);
        self.restore_cursor(line.as_ref());
        self.find_wanted();
    }

    /// Takes the current queue; the cursor stays on its line.
    pub fn set_queue(&mut self, queue: Queue) {
        let line = self.line().map(|line| line.identity());
        self.queue.list = queue;
        self.restore_cursor(line.as_ref());
    }

    fn restore_cursor(&mut self, identity: Option<&(Section, String)>) {
        let same = |line: ListLine<'_>| identity.is_some_and(|identity| line.is(identity));
        let at = self.visible().position(same);
        self.selected = at.unwrap_or_else(|| self.selected.min(self.visible().count().saturating_sub(1)));
    }

    /// Moves the cursor to the first line of the next section.
    pub(in crate::tui) fn next_section(&mut self) {
        let sections: Vec<Section> = self.lines().iter().map(ListLine::section).collect();
        let here = sections.get(self.selected);
        let next = (self.selected..sections.len()).find(|at| Some(&sections[*at]) != here);
        self.move_to(next.unwrap_or(0));
    }

    /// Moves the cursor to the newest run that is being trained. Returns its name.
    pub(in crate::tui) fn select_running(&mut self) -> Option<String> {
        let lines = self.lines();
        let is_running =
            |line: &ListLine<'_>| matches!(line, ListLine::Run(row) if row.status == RunStatus::Running);
        let at = lines.iter().position(is_running)?;
        let name = lines.get(at)?.name().to_owned();
        self.selected = at;
        Some(name)
    }

    /// Moves the cursor to an experiment.
    pub fn select(&mut self, name: &str) {
        let at = self
            .lines()
            .iter()
            .position(|line| matches!(line, ListLine::Experiment(row) if row.name == name));
        self.move_to(at.unwrap_or(self.selected));
    }
}

/// Whether a run can be resumed.
pub fn can_resume(run: &RunRow) -> bool {
    use RunStatus::{Failed, Interrupted, NotStarted, Stopped};
    matches!(run.status, NotStarted | Stopped | Interrupted | Failed)
}
