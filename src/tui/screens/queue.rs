//! The runs that wait for their turn, as a part of the Runs screen: what keys do to them, when the next one is
//! begun, and how long all of them will take.

use super::live;
use super::run_view::RunView;
use super::runs::Line;
use crate::event::Status;
use crate::format;
use crate::run::history::Phase;
use crate::run::queue::{Queue, QueueEdit, QueueEntry};
use crate::run::{RunStatus, TimeEstimate};
use crate::spec::RunSpec;
use crate::tui::app::{App, Tab};
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect, TrainRequest};
use crate::tui::theme::{Role, Symbol, Theme};

/// What is known of the queue.
#[derive(Debug, Default)]
pub struct QueueView {
    /// The queue as it was last read.
    pub list: Queue,
    /// Why it cannot be read or changed.
    pub trouble: Option<String>,
    /// Runs of the queue that ended since the interface was opened or the queue was last empty, and how many
    /// of them failed.
    ended: usize,
    failed: usize,
}

impl QueueView {
    /// Runs that wait, without the one that is being trained.
    pub fn waiting(&self, training: Option<&RunView>) -> usize {
        let trained = |entry: &&QueueEntry| training.is_some_and(|run| run.is_live() && is_of(run, entry));
        self.list.entries.len() - self.list.entries.iter().filter(trained).count()
    }

    /// The entry that a run is of.
    fn entry_of(&self, run: &RunView) -> Option<&QueueEntry> {
        self.list.entries.iter().find(|entry| is_of(run, entry))
    }
}

fn is_of(run: &RunView, entry: &QueueEntry) -> bool {
    entry.is_started && entry.run.as_ref().is_some_and(|dir| dir.file_name() == run.dir.file_name())
}

/// Takes over what the queue is now, and goes on with it.
pub fn take(app: &mut App, queue: Result<Queue, String>) -> Vec<Effect> {
    match queue {
        Ok(queue) => {
            app.runs.requeue(queue);
            app.runs.queue.trouble = None;
            go_on(app)
        }
        Err(why) => {
            app.runs.queue.trouble = Some(why);
            Vec::new()
        }
    }
}

/// Begins the next run when it is time to.
pub fn go_on(app: &mut App) -> Vec<Effect> {
    let queue = &app.runs.queue;
    let is_due = !queue.list.is_held && !queue.list.entries.is_empty() && queue.trouble.is_none();
    let is_free = !app.training.as_ref().is_some_and(RunView::is_live) && !app.leaving;
    if !is_due || !is_free {
        return Vec::new();
    }
    vec![Effect::StartNext]
}

/// Looks after the queue while it waits for others: their changes are seen, and their end.
pub fn tick(app: &mut App) -> Vec<Effect> {
    if app.runs.queue.list.entries.is_empty() {
        return Vec::new();
    }
    let mut effects = vec![Effect::PollQueue];
    effects.extend(go_on(app));
    effects
}

/// What follows when the run that this process trained is over: its entry goes, and who is elsewhere is told.
pub fn run_over(app: &mut App, failed: bool) -> Vec<Effect> {
    let Some(run) = &app.training else { return Vec::new() };
    let queue = &app.runs.queue;
    let entry = queue.entry_of(run).map(|entry| entry.id);
    let left = queue.list.entries.len() - usize::from(entry.is_some());
    let (ended, fails) =
        (queue.ended + usize::from(entry.is_some()), queue.failed + usize::from(entry.is_some() && failed));
    let mut text = outcome(run, failed);
    if left > 0 && !queue.list.is_held {
        text += &format!("; {left} more in the queue");
    } else if left == 0 && ended > 1 {
        text += &format!("; the queue is done: {ended} runs, {fails} failed");
    }
    let queue = &mut app.runs.queue;
    (queue.ended, queue.failed) = if left == 0 { (0, 0) } else { (ended, fails) };
    let mut effects: Vec<Effect> =
        entry.map(|id| Effect::EditQueue(QueueEdit::Remove(id))).into_iter().collect();
    effects.push(Effect::Notify(text));
    if entry.is_none() {
        effects.extend(go_on(app));
    }
    effects
}

/// Whether more of the queue is trained after the run that is over, so that a failure must not wait for a key.
pub fn goes_on(app: &App) -> bool {
    let queue = &app.runs.queue;
    let is_of_queue = app.training.as_ref().is_some_and(|run| queue.entry_of(run).is_some());
    queue.list.entries.len() > usize::from(is_of_queue) && !queue.list.is_held
}

/// How a run ended, in a few words.
fn outcome(run: &RunView, failed: bool) -> String {
    let history = run.history();
    let word = match &history.phase {
        _ if failed => "failed",
        Phase::Ended(status, _) => status.name(),
        _ => Status::Stopped.name(),
    };
    let best = history.best.map_or(String::new(), |best| {
        format!(", best {} {}", format::metric(best.metric), format::score(best.metric, best.value))
    });
    format!("{} {word}{best}", run.spec.experiment)
}

/// Puts the line under the cursor into the queue.
pub fn enqueue(app: &mut App) -> Vec<Effect> {
    let work = match app.runs.line() {
        Some(Line::Experiment(row)) => match &row.spec {
            Ok(spec) => TrainRequest::Spec(Box::new(spec.clone())),
            Err(why) => {
                let why = why.clone();
                app.complain("This experiment cannot be trained", why);
                return Vec::new();
            }
        },
        Some(Line::Run(run)) if super::runs::can_resume(run) => TrainRequest::Resume(run.dir.clone()),
        _ => return Vec::new(),
    };
    vec![Effect::Enqueue(work)]
}

/// What a key does to the entry under the cursor.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let hold = Effect::EditQueue(QueueEdit::SetHeld(!app.runs.queue.list.is_held));
    let Some(Line::Queued(entry)) = app.runs.line() else {
        return if action == Action::Hold { vec![hold] } else { Vec::new() };
    };
    let (id, dir) = (entry.id, entry.run.clone());
    let is_trained = app.training.as_ref().is_some_and(|run| run.is_live() && is_of(run, entry));
    let is_started = entry.is_started;
    match action {
        Action::Hold => vec![hold],
        Action::Earlier => vec![Effect::EditQueue(QueueEdit::MoveUp(id))],
        Action::Later => vec![Effect::EditQueue(QueueEdit::MoveDown(id))],
        Action::Enter if is_trained => {
            app.viewed = None;
            app.go(Tab::Live);
            Vec::new()
        }
        Action::Enter => match dir {
            Some(dir) if is_started => live::view(app, dir),
            _ => vec![Effect::EditQueue(QueueEdit::MoveToFront(id))],
        },
        Action::Delete if is_trained => {
            let stop = app.key(Place::Live, Action::StopRun);
            app.complain(
                "This run is being trained",
                format!("Stop it first, with `{stop}` on the Live screen."),
            );
            Vec::new()
        }
        Action::Delete => vec![Effect::EditQueue(QueueEdit::Remove(id))],
        _ => Vec::new(),
    }
}

/// How long something takes: what is known of it, and whether that is all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Left {
    /// Seconds.
    pub seconds: f64,
    /// Whether nothing is missing in them.
    pub is_known: bool,
}

impl Left {
    fn of(seconds: Option<f64>) -> Left {
        Left { seconds: seconds.unwrap_or(0.0), is_known: seconds.is_some() }
    }

    /// `12:40`, `over 12:40` where something was never measured, or a dash.
    pub fn text(self, theme: Theme) -> String {
        match self {
            Left { is_known: true, seconds } => format::duration(seconds),
            Left { seconds, .. } if seconds > 0.0 => format!("over {}", format::duration(seconds)),
            _ => theme.glyph(Symbol::Dash).into(),
        }
    }
}

/// How long the queue will take from now on, with what is being trained before it.
pub fn whole(app: &App) -> Left {
    let training = app.training.as_ref().filter(|run| run.is_live());
    let others = training.filter(|run| app.runs.queue.entry_of(run).is_none());
    let first = others.map(|run| Left::of(live::seconds_left(app, run)));
    let entries = app.runs.queue.list.entries.iter().map(|entry| of_entry(app, entry));
    first.into_iter().chain(entries).fold(Left { seconds: 0.0, is_known: true }, |sum, left| Left {
        seconds: sum.seconds + left.seconds,
        is_known: sum.is_known && left.is_known,
    })
}

/// How long an entry will take from now on.
pub fn of_entry(app: &App, entry: &QueueEntry) -> Left {
    if let Some(run) = app.training.as_ref().filter(|run| run.is_live() && is_of(run, entry)) {
        return Left::of(live::seconds_left(app, run).or_else(|| measured(app, &entry.spec)));
    }
    let row = entry.run.as_ref().and_then(|dir| app.runs.runs.iter().find(|row| row.dir == *dir));
    let done = row.filter(|row| row.total_steps > 0 && entry.spec.repeats <= 1);
    let left = done.map_or(1.0, |row| 1.0 - row.steps as f64 / row.total_steps as f64);
    Left::of(measured(app, &entry.spec).map(|seconds| seconds * left.clamp(0.0, 1.0)))
}

/// Seconds that all seeds of `spec` take, from the newest run whose steps cost the same.
pub fn measured(app: &App, spec: &RunSpec) -> Option<f64> {
    let training = app.training.as_ref().and_then(|run| TimeEstimate::of_history(run.history()));
    let estimates = training.iter().chain(app.runs.runs.iter().filter_map(|row| row.time_estimate.as_ref()));
    let one = estimates.into_iter().find_map(|pace| pace.seconds(spec))?;
    Some(one * spec.repeats.max(1) as f64)
}

/// What stands at the end of an entry's line, and its style.
pub fn state(app: &App, entry: &QueueEntry) -> (String, Role) {
    let left = of_entry(app, entry).text(app.theme);
    if let Some(run) = app.training.as_ref().filter(|run| run.is_live() && is_of(run, entry)) {
        return (format!("{:>3.0} % {left:>7}", 100.0 * run.newest().fraction()), Role::Train);
    }
    let row = entry.run.as_ref().and_then(|dir| app.runs.runs.iter().find(|row| row.dir == *dir));
    match row {
        Some(row) if row.status == RunStatus::Running => ("running".into(), Role::Train),
        _ if app.runs.queue.list.is_held => (left, Role::Muted),
        _ => (left, Role::Text),
    }
}

/// The queue in a few words, for the corner of every screen.
pub fn in_short(app: &App) -> Option<(String, Role)> {
    let queue = &app.runs.queue;
    if queue.trouble.is_some() {
        return Some(("the queue cannot be read".into(), Role::Error));
    }
    let waiting = queue.waiting(app.training.as_ref());
    match (waiting, queue.list.is_held) {
        (0, _) => None,
        (waiting, true) => Some((format!("queue held, {waiting} waiting"), Role::Warning)),
        (waiting, false) => {
            Some((format!("{waiting} waiting, {} in all", whole(app).text(app.theme)), Role::Muted))
        }
    }
}

/// The heading of the entries in the list.
pub fn heading(app: &App) -> (String, Role) {
    let queue = &app.runs.queue;
    let all = queue.list.entries.len();
    let s = if all == 1 { "" } else { "s" };
    let dot = app.theme.glyph(Symbol::Dot);
    let text = format!("{all} run{s}{dot}{} left", whole(app).text(app.theme));
    if queue.list.is_held { (format!("held{dot}{text}"), Role::Warning) } else { (text, Role::Muted) }
}
