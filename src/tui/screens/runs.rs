//! Experiments and past runs: what there is, what it is made of, what came of it.

use super::form::Form;
use super::popup::{Popup, Reply, moved};
use super::queue::{self, QueueView};
use super::{data, infer, insight, live};
use crate::catalog::{Metric, known_model};
use crate::format;
use crate::run::history::History;
use crate::run::queue::{Entry, Queue};
use crate::run::{Repeats, RunRow, RunStatus};
use crate::tui::app::{App, ExperimentRow};
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, Work};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::{fixed, pane, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// From so many columns on, list and details stand side by side.
const SIDE_BY_SIDE: u16 = 100;

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
    Queued(&'a Entry),
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
                Ok(spec) => [&row.name, &spec.model, &spec.task, ""],
                Err(_) => [&row.name, "", "", ""],
            },
            Line::Run(row) => [&row.name, &row.model, &row.task, row.status.name()],
            Line::Queued(Entry { spec, .. }) => [&spec.experiment, &spec.model, &spec.task, ""],
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
    format!("{mean} {}{sd} {}{}", theme.sign("±", "+-"), theme.sign("×", "x"), repeats.count)
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
            return dir.map_or(Vec::new(), |dir| live::begin(app, Work::Resume(dir)));
        }
        Action::Delete => ask_to_delete(app),
        Action::Filter => app.runs.is_filtering = true,
        Action::Infer => {
            let source = app.runs.run().filter(|run| run.best.is_some());
            let source =
                source.map(|run| infer::Source::Run { name: run.name.clone(), dir: run.dir.clone() });
            return source.map_or(Vec::new(), |source| infer::open(app, source));
        }
        Action::Insight => {
            let of = app.runs.run().map(|run| insight::Subject { dir: run.dir.clone(), seed: None });
            return of.map_or(Vec::new(), |of| insight::open(app, of));
        }
        Action::Data => return data::open(app),
        Action::Published => return vec![Effect::Reproduce],
        Action::Refresh => return vec![Effect::Refresh],
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
        Some(dir) if there != Some(&dir) => vec![Effect::Replay(dir)],
        _ => Vec::new(),
    }
}

fn enter(app: &mut App) -> Vec<Effect> {
    if let Some(run) = app.runs.run() {
        let dir = run.dir.clone();
        return live::view(app, dir);
    }
    match app.runs.experiment().map(|row| row.spec.clone()) {
        Some(Ok(spec)) => live::begin(app, Work::Spec(Box::new(spec))),
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

/// The list and the details.
fn layout(area: Rect) -> (Rect, Rect) {
    let halves = if area.width >= SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas::<2>(area)
    } else {
        Layout::vertical([Constraint::Percentage(50), Constraint::Fill(1)]).areas::<2>(area)
    };
    (halves[0], halves[1])
}

/// Draws the screen; returns where the terminal's cursor belongs while text is typed.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(form) = &app.form {
        let (left, right) = layout(area);
        if area.width >= SIDE_BY_SIDE {
            draw_list(app, left, buffer);
            return super::form::draw(app, form, right, buffer);
        }
        return super::form::draw(app, form, area, buffer);
    }
    let (left, right) = layout(area);
    let cursor = draw_list(app, left, buffer);
    super::details::draw(app, right, buffer);
    cursor
}

fn draw_list(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let runs = &app.runs;
    let theme = app.theme;
    let block = pane(theme, "Experiments", app.form.is_none());
    let inner = block.inner(area);
    block.render(area, buffer);
    let is_filtered = runs.is_filtering || !runs.filter.text().is_empty();
    let (list, foot) = if is_filtered && inner.height > 1 {
        let list = Rect { height: inner.height - 1, ..inner };
        (list, Some(Rect { y: list.bottom(), height: 1, ..inner }))
    } else {
        (inner, None)
    };
    draw_lines(app, list, buffer);
    let foot = foot?;
    let x = put(buffer, foot.x, foot.y, foot.width, " / ", theme.style(Role::Key));
    let field = Rect { x, width: foot.right().saturating_sub(x), ..foot };
    let cursor = runs.filter.draw_line(buffer, field, theme.style(Role::Text));
    runs.is_filtering.then_some(cursor)
}

fn draw_lines(app: &App, area: Rect, buffer: &mut Buffer) {
    let (runs, theme) = (&app.runs, app.theme);
    let lines = runs.lines();
    // A heading, or the number of a line: its text is only made when it is in sight.
    let mut rows: Vec<(String, Role, Option<usize>)> = Vec::new();
    let head =
        |rows: &mut Vec<(String, Role, Option<usize>)>, text: String, role| rows.push((text, role, None));
    for trouble in [&runs.trouble, &runs.queue.trouble].into_iter().flatten() {
        for line in wrap(trouble, (area.width as usize).saturating_sub(4)) {
            head(&mut rows, format!("  {line}"), Role::Error);
        }
        let refresh = app.key(Place::Runs, Action::Refresh);
        head(&mut rows, format!("  Mend it, then {refresh}."), Role::Muted);
    }
    let mut section = Section::Experiments;
    for (number, line) in lines.iter().enumerate() {
        if line.section() != section {
            section = line.section();
            if !rows.is_empty() {
                head(&mut rows, String::new(), Role::Text);
            }
            let (text, role) = heading(app, section);
            head(&mut rows, text, role);
        }
        let role = if number == runs.at { Role::Selected } else { role_of(app, line) };
        rows.push((String::new(), role, Some(number)));
    }
    if section != Section::PastRuns && runs.is_listed {
        head(&mut rows, String::new(), Role::Text);
        let nothing = if runs.filter.text().is_empty() {
            "No runs yet: start an experiment, and it will be here."
        } else {
            "No run contains that."
        };
        head(&mut rows, format!("  {nothing}"), Role::Muted);
    }
    let at = rows.iter().position(|row| row.2 == Some(runs.at)).unwrap_or(0);
    let height = area.height as usize;
    // The line after the cursor stays in sight, so that one sees where the list goes on.
    let first = (at + 2).saturating_sub(height).min(rows.len().saturating_sub(height));
    for (row, (text, role, number)) in rows.iter().skip(first).take(height).enumerate() {
        let y = area.y + row as u16;
        let width = area.width as usize;
        let text = match number {
            Some(number) if *number == runs.at => {
                fixed(theme, &text_of(app, &lines[*number], *number, width), width)
            }
            Some(number) => text_of(app, &lines[*number], *number, width),
            None => text.clone(),
        };
        put(buffer, area.x, y, area.width, &text, theme.style(*role));
    }
}

/// What stands above a part of the list.
fn heading(app: &App, section: Section) -> (String, Role) {
    match section {
        Section::Experiments => (String::new(), Role::Title),
        Section::Queue => {
            let (text, role) = queue::heading(app);
            let role = if role == Role::Muted { Role::Title } else { role };
            (format!(" Queue  {text}"), role)
        }
        Section::PastRuns => (" Past runs".into(), Role::Title),
    }
}

fn role_of(app: &App, line: &Line<'_>) -> Role {
    match line {
        Line::Experiment(row) if row.spec.is_err() => Role::Error,
        Line::Run(run) => status_role(run.status),
        Line::Queued(entry) => queue::state(app, entry).1,
        Line::Experiment(_) => Role::Text,
    }
}

pub(super) fn status_role(status: RunStatus) -> Role {
    match status {
        RunStatus::Finished => Role::Text,
        RunStatus::Running => Role::Train,
        RunStatus::Stopped | RunStatus::Interrupted => Role::Warning,
        RunStatus::Failed => Role::Error,
    }
}

/// A line of the list in exactly `width` cells.
fn text_of(app: &App, line: &Line<'_>, number: usize, width: usize) -> String {
    let theme = app.theme;
    let sign = if number == app.runs.at { theme.sign("▸", ">") } else { " " };
    let wide = width >= 52;
    match line {
        Line::Experiment(row) => {
            let (model, task) = row
                .spec
                .as_ref()
                .map_or(("-".into(), "-"), |spec| (model_name(&spec.model), spec.task.as_str()));
            let score = app.runs.past_score(&row.name, theme).unwrap_or_else(|| theme.sign("—", "-").into());
            let columns = if wide {
                format!("{} {} {score:>13}", fixed(theme, &model, 10), fixed(theme, task, 10))
            } else {
                format!("{} {score:>13}", fixed(theme, task, 10))
            };
            let name = fixed(theme, &row.name, width.saturating_sub(columns.chars().count() + 5));
            format!(" {sign} {name} {columns} ")
        }
        Line::Queued(entry) => {
            let Entry { spec, .. } = entry;
            let (state, _) = queue::state(app, entry);
            let columns = if wide {
                let model = fixed(theme, &model_name(&spec.model), 10);
                format!("{model} {} {state:>13}", fixed(theme, &spec.task, 10))
            } else {
                format!("{} {state:>13}", fixed(theme, &spec.task, 10))
            };
            let times = theme.sign("×", "x");
            let seeds = if spec.repeats > 1 { format!(" {times}{}", spec.repeats) } else { String::new() };
            let name = format!("{}{seeds}", spec.experiment);
            let name = fixed(theme, &name, width.saturating_sub(columns.chars().count() + 5));
            format!(" {sign} {name} {columns} ")
        }
        Line::Run(run) => {
            let score = match (run.repeats, run.best) {
                (Some(repeats), Some((metric, _))) if repeats.count > 1 => of_seeds(repeats, metric, theme),
                (_, Some((metric, value))) => format::score(metric, value),
                _ => theme.sign("—", "-").into(),
            };
            let columns = if wide {
                format!("{score:>13}  {:<16}", outcome(run, theme))
            } else {
                format!("{score:>13}  {:<11}", run.status.name())
            };
            let room = width.saturating_sub(columns.chars().count() + 5);
            let name = if run.name.width() <= room || run.started == 0.0 {
                fixed(theme, &run.name, room)
            } else {
                // The day and time stand for the rest of the name, which the details show whole.
                let day = &format::date(run.started, app.utc_offset)[5..];
                format!("{} {day}", fixed(theme, &run.experiment, room.saturating_sub(day.len() + 1)))
            };
            format!(" {sign} {name} {columns} ")
        }
    }
}

/// How a run ended: after how long, or how far it came.
fn outcome(run: &RunRow, theme: Theme) -> String {
    match (run.status, run.total_steps) {
        (RunStatus::Finished, _) => {
            format!("{} {:>8}", theme.sign("✓", "ok"), format::duration(run.train_seconds))
        }
        (status, 0) => status.name().into(),
        (status, total) => format!("{} {:.0} %", status.name(), 100.0 * run.steps as f64 / total as f64),
    }
}

/// A model in a word: what the catalog calls it, or the end of its id or path.
pub fn model_name(id: &str) -> String {
    if id == "demo" {
        return "demo".into();
    }
    match known_model(id) {
        Some(model) => model.title.split(',').next().unwrap_or(id).to_string(),
        None => Path::new(id).file_name().map_or(id.into(), |name| name.to_string_lossy().into_owned()),
    }
}

/// Draws what fits into a few lines without frames.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(form) = &app.form {
        return super::form::draw_tiny(app, form, area, buffer);
    }
    draw_lines(app, area, buffer);
    None
}
