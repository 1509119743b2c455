//! The columns of the list: as wide as their content, and as many as fit.

use crate::run::RunRow;
use crate::run::sweep::SweepRow;
use crate::text;
use crate::tui::state::App;
use crate::tui::state::model_name::model_name;
use crate::tui::state::runs::{ListLine, Section};
use crate::tui::theme::{Symbol, Theme};
use crate::tui::view::queue;
use crate::tui::view::run_text::{StatusForm, past_score, short_name_width, status_text};

/// Width of a space and the cursor before a line.
pub(super) const MARGIN: u16 = 3;
/// The task of an experiment whose settings are invalid.
pub(super) const INVALID: &str = "invalid";
/// Width of a start time, `11-23 10:04`.
const STARTED: usize = 11;
/// Width of a disk space, `608.0 MB`.
const DISK: usize = 8;
/// Width of a score without and with its standard deviation: `84.1`, `84.1 ±0.4 ×8`.
const SCORES: [usize; 2] = [5, 13];
/// Columns that names, tags and models get at most.
const MAX_NAME: usize = 80;
const MAX_SHORT_NAME: usize = 32;
const MAX_TAGS: usize = 24;
const MAX_MODEL: usize = 24;
/// The space before the right border.
const END: usize = 1;

/// The name of an experiment, or of a queue entry with the number of its seeds.
pub(super) fn name(app: &App, line: &ListLine<'_>) -> String {
    match line {
        ListLine::Queued(entry) if entry.spec.seed_count() > 1 => {
            format!("{}{}{}", entry.spec.experiment, app.theme.symbol(Symbol::Times), entry.spec.seed_count())
        }
        line => line.name().to_string(),
    }
}

/// A column with its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) kind: Kind,
    pub(super) width: usize,
}

/// What a column shows, in the order from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Name(NameForm),
    Tags,
    Model,
    Task,
    Score,
    /// The trials of a sweep.
    Trials(TrialsForm),
    /// The state of a queue entry.
    State,
    Status(StatusForm),
    Time,
    Disk,
    Started,
}

/// How much of the name of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameForm {
    /// The whole name.
    Full,
    /// The experiment and the last digits of the name.
    Short,
}

/// Which trials of a sweep are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TrialsForm {
    /// Those that have ended and those that are being trained: `7 of 12, 3 running`.
    Running,
    /// Those that have ended: `7 of 12`.
    Ended,
}

impl Kind {
    pub(super) fn title(self) -> &'static str {
        match self {
            Kind::Name(_) | Kind::Status(StatusForm::Mark) => "",
            Kind::Tags => "tags",
            Kind::Model => "model",
            Kind::Task => "task",
            Kind::Score => "best",
            Kind::Trials(_) => "trials",
            Kind::State => "time left",
            Kind::Status(_) => "status",
            Kind::Time => "time",
            Kind::Disk => "disk",
            Kind::Started => "started",
        }
    }

    /// Whether it is aligned to the right.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Kind::Score | Kind::Trials(_) | Kind::State | Kind::Time | Kind::Disk)
    }
}

/// The columns of a section with these lines in `width` cells.
pub(super) fn columns(app: &App, section: Section, lines: &[ListLine<'_>], width: usize) -> Vec<Column> {
    let available = width.saturating_sub(usize::from(MARGIN) + END);
    let wanted = wanted(app, section, lines);
    let mut chosen = wanted.essential(available);
    let mut left = available.saturating_sub(total(&chosen));
    for column in wanted.optional {
        match column.kind {
            Kind::Name(_) if column.width <= chosen[0].width + left => {
                left -= column.width.saturating_sub(chosen[0].width);
                chosen[0] = column;
            }
            Kind::Name(_) => {}
            _ if column.width < left => {
                left -= column.width + 1;
                chosen.push(column);
            }
            _ => {}
        }
    }
    chosen.sort_by_key(|column| column.kind);
    // The other columns are at the right border.
    chosen[0].width += left;
    chosen
}

/// Width of the list, borders included, that shows all columns.
pub(super) fn natural_width(app: &App, lines: &[ListLine<'_>]) -> u16 {
    let of = |section: Section| {
        let lines: Vec<ListLine<'_>> =
            lines.iter().filter(|line| line.section() == section).copied().collect();
        let mut wanted = wanted(app, section, &lines);
        let columns = wanted.forms.first_mut().map(std::mem::take).unwrap_or_default();
        total(&columns)
            + wanted
                .optional
                .iter()
                .map(|column| match column.kind {
                    Kind::Name(_) => {
                        column.width.saturating_sub(columns.first().map_or(0, |name| name.width))
                    }
                    _ => column.width + 1,
                })
                .sum::<usize>()
    };
    let widest = [Section::Experiments, Section::Queue, Section::Sweeps, Section::PastRuns]
        .map(of)
        .into_iter()
        .max()
        .unwrap_or(0);
    (widest + usize::from(MARGIN) + END + 2).min(usize::from(u16::MAX)) as u16
}

fn total(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + columns.len().saturating_sub(1)
}

/// The columns of a section before it is known which fit.
struct Wanted {
    /// The columns that are always there, the name first, from the widest form to the narrowest.
    forms: Vec<Vec<Column>>,
    /// The others, the most useful first. One with a name replaces that of the first columns.
    optional: Vec<Column>,
}

impl Wanted {
    /// The widest form that fits; the name of the narrowest is shortened.
    fn essential(&self, available: usize) -> Vec<Column> {
        let fitting = self.forms.iter().find(|columns| total(columns) <= available);
        let mut columns = fitting.or(self.forms.last()).cloned().unwrap_or_default();
        let excess = total(&columns).saturating_sub(available);
        if let Some(name) = columns.first_mut() {
            name.width = name.width.saturating_sub(excess).max(1);
        }
        columns
    }
}

fn wanted(app: &App, section: Section, lines: &[ListLine<'_>]) -> Wanted {
    match section {
        Section::PastRuns => {
            let runs =
                lines.iter().filter_map(|line| if let ListLine::Run(run) = line { Some(*run) } else { None });
            of_runs(runs, app.theme)
        }
        Section::Sweeps => of_sweeps(lines),
        Section::Experiments | Section::Queue => of_specs(app, section, lines),
    }
}

/// The columns of experiments and queue entries.
fn of_specs(app: &App, section: Section, lines: &[ListLine<'_>]) -> Wanted {
    let (mut widest, mut task, mut model, mut last) = (0, 0, 0, Kind::Score.title().len());
    for line in lines {
        let (spec, text) = match line {
            ListLine::Experiment(row) => {
                (row.spec.as_ref().ok(), past_score(&app.runs.runs, &row.name, app.theme).unwrap_or_default())
            }
            ListLine::Queued(entry) => (Some(&entry.spec), queue::state(app, entry).0),
            ListLine::Run(_) | ListLine::Sweep(_) => continue,
        };
        widest = widest.max(text::width(&name(app, line)));
        last = last.max(text::width(&text));
        task = task.max(spec.map_or(INVALID.len(), |spec| spec.task.name().len()));
        model = model.max(spec.map_or(0, |spec| text::width(&model_name(&spec.model))));
    }
    let last =
        Column { kind: if section == Section::Queue { Kind::State } else { Kind::Score }, width: last };
    let name = Column { kind: Kind::Name(NameForm::Full), width: widest.min(MAX_NAME) };
    let optional = [(Kind::Task, task), (Kind::Model, model.min(MAX_MODEL))];
    Wanted {
        forms: vec![vec![name, last]],
        optional: optional
            .map(|(kind, width)| Column { kind, width: width.max(kind.title().len()) })
            .to_vec(),
    }
}

/// The columns of sweeps.
fn of_sweeps(lines: &[ListLine<'_>]) -> Wanted {
    let sweeps =
        || lines.iter().filter_map(|line| if let ListLine::Sweep(row) = line { Some(*row) } else { None });
    let name = sweeps().map(|row| text::width(&row.name)).max().unwrap_or(0);
    let column = |kind: Kind, width: usize| Column { kind, width: width.max(kind.title().len()) };
    let form = |form: TrialsForm| {
        let trials = sweeps().map(|row| text::width(&trials_text(row, form))).max().unwrap_or(0);
        vec![
            column(Kind::Name(NameForm::Full), name.min(MAX_NAME)),
            column(Kind::Score, SCORES[0]),
            column(Kind::Trials(form), trials),
        ]
    };
    Wanted {
        forms: vec![form(TrialsForm::Running), form(TrialsForm::Ended)],
        optional: vec![column(Kind::Started, STARTED)],
    }
}

/// The trials of a sweep that are finished, failed or paused, and those that are being trained.
pub(super) fn trials_text(row: &SweepRow, form: TrialsForm) -> String {
    let ended = format!("{} of {}", row.ended(), row.trials);
    match (form, row.running()) {
        (TrialsForm::Ended, _) | (_, 0) => ended,
        (TrialsForm::Running, running) => format!("{ended}, {running} running"),
    }
}

/// The columns of past runs.
fn of_runs<'a>(runs: impl Iterator<Item = &'a RunRow>, theme: Theme) -> Wanted {
    let (mut full, mut short, mut tags, mut task, mut model) = (0, 0, 0, 0, 0);
    let (mut statuses, mut time, mut has_repeats, mut has_disk) = ([0; 3], 0_f64, false, false);
    for run in runs {
        let width = text::width(run.display_name());
        full = full.max(width);
        short = short.max(short_name_width(run).min(width));
        tags =
            tags.max(run.notes.tags.iter().map(|tag| text::width(tag) + 2).sum::<usize>().saturating_sub(1));
        task = task.max(text::width(&run.task));
        model = model.max(text::width(&model_name(&run.model)));
        time = time.max(run.train_seconds);
        has_repeats |= run.repeats.is_some_and(|repeats| repeats.count > 1);
        has_disk |= run.disk.is_some();
        for (width, form) in
            statuses.iter_mut().zip([StatusForm::Progress, StatusForm::Word, StatusForm::Mark])
        {
            *width = (*width).max(text::width(&status_text(run, form, theme)));
        }
    }
    let column = |kind: Kind, width: usize| Column { kind, width: width.max(kind.title().len()) };
    let form = |form: StatusForm, width: usize| {
        let name = column(Kind::Name(NameForm::Short), short.min(MAX_SHORT_NAME));
        vec![name, column(Kind::Score, SCORES[usize::from(has_repeats)]), column(Kind::Status(form), width)]
    };
    let mut optional = Vec::new();
    if tags > 0 {
        optional.push(column(Kind::Tags, tags.min(MAX_TAGS)));
    }
    optional.push(column(Kind::Started, STARTED));
    optional.push(column(Kind::Time, text::width(&crate::format::duration(time))));
    if has_disk {
        optional.push(column(Kind::Disk, DISK));
    }
    // The last digits of a name and its start distinguish runs where the whole name does not fit.
    optional.push(column(Kind::Name(NameForm::Full), full.min(MAX_NAME)));
    optional.push(column(Kind::Model, model.min(MAX_MODEL)));
    optional.push(column(Kind::Task, task));
    Wanted {
        forms: vec![
            form(StatusForm::Progress, statuses[0]),
            form(StatusForm::Word, statuses[1]),
            form(StatusForm::Mark, statuses[2]),
        ],
        optional,
    }
}
