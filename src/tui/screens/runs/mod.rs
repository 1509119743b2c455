//! Experiments and past runs: what there is, what it is made of, what came of it.

mod draw;

pub use draw::{draw, draw_tiny, form_area, line_at, model_name, status_role};

use super::form::Form;
use super::popup::{Popup, Reply, moved};
use super::queue::{self, QueueView};
use super::{data, infer, insight, live};
use crate::catalog::Metric;
use crate::format;
use crate::run::history::History;
use crate::run::queue::{Queue, QueueEntry};
use crate::run::{Repeats, RunRow, RunStatus};
use crate::tui::app::{App, ExperimentRow};
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, TrainRequest};
use crate::tui::theme::{Symbol, Theme};
use crate::tui::widgets::text_field::{Edit, TextField};
use std::path::PathBuf;

/// The list and what is known of the line under the cursor.
#[derive(Debug, Default)]
pub struct Runs {
    /// The experiments of the file.
    pub experiments: Vec<ExperimentRow>,
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
    /// The runs that wait for their turn.
    pub queue: QueueView,
    /// What is wrong with the experiments file.
    pub trouble: Option<String>,
    /// Whether the world has said what there is.
    pub is_listed: bool,
    /// What the lines must contain.
    pub filter: TextField,
    /// Whether the filter is being typed.
    pub is_filtering: bool,
    /// The line under the cursor, among those that are shown.
    pub at: usize,
    /// The histories of the run under the cursor, once they are read.
    pub peeked: Option<(PathBuf, Vec<History>)>,
}

/// A line of the list.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// An experiment.
    Experiment(&'a ExperimentRow),
    /// A run that waits for its turn.
    Queued(&'a QueueEntry),
    /// A past run.
    Run(&'a RunRow),
}

/// The parts of the list, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Experiments,
    Queue,
    PastRuns,
}

impl Line<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Line::Experiment(row) => &row.name,
            Line::Run(row) => &row.name,
            Line::Queued(entry) => &entry.spec.experiment,
        }
    }

    fn section(&self) -> Section {
        match self {
            Line::Experiment(_) => Section::Experiments,
            Line::Queued(_) => Section::Queue,
            Line::Run(_) => Section::PastRuns,
        }
    }

    /// What tells the line from all others, whatever it says.
    fn identity(&self) -> (Section, String) {
        let name = match self {
            Line::Queued(entry) => entry.id.to_string(),
            line => line.name().to_string(),
        };
        (self.section(), name)
    }

    fn contains(&self, lower: &str) -> bool {
        let texts: [&str; 4] = match self {
            Line::Experiment(row) => match &row.spec {
                Ok(spec) => [&row.name, &spec.model, spec.task.name(), ""],
                Err(_) => [&row.name, "", "", ""],
            },
            Line::Run(row) => [&row.name, &row.model, &row.task, row.status.name()],
            Line::Queued(QueueEntry { spec, .. }) => [&spec.experiment, &spec.model, spec.task.name(), ""],
        };
        texts.iter().any(|text| text.to_lowercase().contains(lower))
    }
}

impl Runs {
    /// The lines that are shown: experiments, what waits, past runs.
    pub fn lines(&self) -> Vec<Line<'_>> {
        let lower = self.filter.text().trim().to_lowercase();
        let experiments = self.experiments.iter().map(Line::Experiment);
        let lines = experiments.chain(self.queue.list.entries.iter().map(Line::Queued));
        let lines = lines.chain(self.runs.iter().map(Line::Run));
        lines.filter(|line| line.contains(&lower)).collect()
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<Line<'_>> {
        self.lines().get(self.at).copied()
    }

    /// The experiment under the cursor.
    pub fn experiment(&self) -> Option<&ExperimentRow> {
        match self.line() {
            Some(Line::Experiment(row)) => Some(row),
            _ => None,
        }
    }

    /// The run under the cursor.
    pub fn run(&self) -> Option<&RunRow> {
        match self.line() {
            Some(Line::Run(row)) => Some(row),
            _ => None,
        }
    }

    /// Takes over what there is now; the cursor stays on the line it was on.
    pub fn list(&mut self, experiments: Result<Vec<ExperimentRow>, String>, runs: Vec<RunRow>) {
        let line = self.line().map(|line| line.identity());
        self.is_listed = true;
        self.runs = runs;
        match experiments {
            Ok(experiments) => {
                self.experiments = experiments;
                self.trouble = None;
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
        self.back_to(line.as_ref());
    }

    /// Takes over the queue as it is now; the cursor stays on the line it was on.
    pub fn requeue(&mut self, queue: Queue) {
        let line = self.line().map(|line| line.identity());
        self.queue.list = queue;
        self.back_to(line.as_ref());
    }

    fn back_to(&mut self, identity: Option<&(Section, String)>) {
        let lines = self.lines();
        let same = |line: &Line<'_>| Some(&line.identity()) == identity;
        let at = lines.iter().position(same).unwrap_or(self.at.min(lines.len().saturating_sub(1)));
        self.at = at;
    }

    /// Puts the cursor on the first line of the next part that has one.
    fn next_section(&mut self) {
        let sections: Vec<Section> = self.lines().iter().map(Line::section).collect();
        let here = sections.get(self.at);
        let next = (self.at..sections.len()).find(|at| Some(&sections[*at]) != here);
        self.at = next.unwrap_or(0);
    }

    /// Puts the cursor on an experiment.
    pub fn select(&mut self, name: &str) {
        let at =
            self.lines().iter().position(|line| matches!(line, Line::Experiment(row) if row.name == name));
        self.at = at.unwrap_or(self.at);
    }

    /// What the past runs of an experiment came to: mean and deviation over seeds, or the best score.
    pub fn past_score(&self, experiment: &str, theme: Theme) -> Option<String> {
        let runs = self.runs.iter().filter(|run| run.experiment == experiment);
        let scored: Vec<&RunRow> = runs.filter(|run| run.best.is_some()).collect();
        if let Some((run, repeats)) = scored.iter().find_map(|run| Some((run, run.repeats?))) {
            let metric = run.best.map_or(Metric::Accuracy, |best| best.0);
            if repeats.count > 1 {
                return Some(of_seeds(repeats, metric, theme));
            }
            return Some(format::score(metric, repeats.mean));
        }
        let (metric, _) = scored.first()?.best?;
        let values = scored.iter().filter_map(|run| run.best).filter(|best| best.0 == metric);
        let best = values.map(|best| best.1).reduce(|a, b| if metric.improves(b, a) { b } else { a })?;
        Some(format::score(metric, best))
    }
}

/// Mean, deviation and number of seeds: `84.1 ±0.4 ×8`.
fn of_seeds(repeats: Repeats, metric: Metric, theme: Theme) -> String {
    let (mean, sd) = (format::score(metric, repeats.mean), format::score(metric, repeats.sd));
    format!("{mean} {}{sd} {}{}", theme.glyph(Symbol::PlusMinus), theme.glyph(Symbol::Times), repeats.count)
}

/// Whether a run can be gone on with.
pub fn can_resume(run: &RunRow) -> bool {
    matches!(run.status, RunStatus::Stopped | RunStatus::Interrupted | RunStatus::Failed)
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Enter if app.runs.is_filtering => app.runs.is_filtering = false,
        Action::Hold | Action::Earlier | Action::Later => return queue::act(app, action),
        Action::Enter | Action::Delete if matches!(app.runs.line(), Some(Line::Queued(_))) => {
            return queue::act(app, action);
        }
        Action::Enqueue => return queue::enqueue(app),
        Action::Next => {
            app.runs.next_section();
            return peek(app);
        }
        Action::Enter => return enter(app),
        Action::Edit => return open_form(app, Form::edit),
        Action::Copy => return open_form(app, Form::copy),
        Action::New => app.form = Some(Form::new(&app.runs.experiments)),
        Action::Resume => {
            let dir = app.runs.run().filter(|run| can_resume(run)).map(|run| run.dir.clone());
            return dir.map_or(Vec::new(), |dir| live::begin(app, TrainRequest::Resume(dir)));
        }
        Action::Delete => ask_to_delete(app),
        Action::Filter => app.runs.is_filtering = true,
        Action::Infer => {
            let source = app.runs.run().filter(|run| run.best.is_some());
            let source =
                source.map(|run| infer::ModelSource::Run { name: run.name.clone(), dir: run.dir.clone() });
            return source.map_or(Vec::new(), |source| infer::open(app, source));
        }
        Action::Insight => {
            let of = app.runs.run().map(|run| insight::Subject { dir: run.dir.clone(), seed: None });
            return of.map_or(Vec::new(), |of| insight::open(app, of));
        }
        Action::Data => return data::open(app),
        Action::Published => return vec![Effect::LoadReproduction],
        Action::Refresh => return vec![Effect::Refresh],
        Action::Point(line) if line == app.runs.at => return act(app, Action::Enter),
        Action::Point(line) => {
            app.runs.at = line.min(app.runs.lines().len().saturating_sub(1));
            return peek(app);
        }
        Action::Back => {
            app.runs.is_filtering = false;
            app.runs.filter = TextField::default();
        }
        action => {
            app.runs.at = moved(app.runs.at, app.runs.lines().len(), action);
            return peek(app);
        }
    }
    Vec::new()
}

/// Types into the filter.
pub fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    if app.runs.is_filtering && app.runs.filter.edit(edit) {
        app.runs.at = 0;
        return peek(app);
    }
    Vec::new()
}

/// Asks for the history of the run under the cursor, unless it is there.
pub fn peek(app: &mut App) -> Vec<Effect> {
    let dir = app.runs.run().map(|run| run.dir.clone());
    let there = app.runs.peeked.as_ref().map(|(dir, _)| dir);
    match dir {
        Some(dir) if there != Some(&dir) => vec![Effect::LoadHistory(dir)],
        _ => Vec::new(),
    }
}

fn enter(app: &mut App) -> Vec<Effect> {
    if let Some(run) = app.runs.run() {
        let dir = run.dir.clone();
        return live::view(app, dir);
    }
    match app.runs.experiment().map(|row| row.spec.clone()) {
        Some(Ok(spec)) => live::begin(app, TrainRequest::Spec(Box::new(spec))),
        Some(Err(why)) => {
            app.complain("This experiment cannot be started", why);
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn open_form(app: &mut App, form: fn(&ExperimentRow, &[ExperimentRow]) -> Form) -> Vec<Effect> {
    if let Some(row) = app.runs.experiment() {
        app.form = Some(form(row, &app.runs.experiments));
    }
    Vec::new()
}

fn ask_to_delete(app: &mut App) {
    let Some(run) = app.runs.run() else { return };
    if run.status == RunStatus::Running {
        let stop = app.key(Place::Live, Action::StopRun);
        app.complain(
            "This run is being trained",
            format!("Stop it first, with `{stop}` on the Live screen."),
        );
        return;
    }
    app.popup = Some(Popup::question(
        "Delete a run",
        format!("{} is deleted with its weights, checkpoints and logs. There is no way back.", run.name),
        vec![('d', "delete it", Reply::Delete(run.dir.clone())), ('k', "keep it", Reply::Nothing)],
    ));
}
