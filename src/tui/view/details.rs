//! The details of an experiment, a queued run or a past run.

use super::run_details;
use super::run_text::past_score;
use super::setting_lines::{next_line, setting};
use crate::catalog::{known_model, published};
use crate::files::collapse_home;
use crate::format;
use crate::run::queue::QueueEntry;
use crate::run::sweep::SweepRow;
use crate::spec::{Axis, IntervalStrategy, LrSchedulerType, RunSpec, ValueOrigin};
use crate::text::plural;
use crate::tui::action::{Action, RunsAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::estimates::{TimeEstimate, estimate_entry};
use crate::tui::state::experiment::ExperimentRow;
use crate::tui::state::live_row::current_row;
use crate::tui::state::runs::ListLine;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let title = app.runs.line().map_or(String::new(), |line| match line {
        ListLine::Run(run) => run.display_name().to_string(),
        line => line.name().to_string(),
    });
    let title = truncate(app.theme, &title, (area.width as usize).saturating_sub(6));
    let block = padded_pane(app.theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    match app.runs.line() {
        Some(ListLine::Experiment(row)) => draw_experiment(app, row, inner, buffer),
        Some(ListLine::Queued(entry)) => draw_queued(app, entry, inner, buffer),
        Some(ListLine::Sweep(row)) => draw_sweep(app, row, inner, buffer),
        Some(ListLine::Run(run)) => run_details::draw(app, &current_row(app, run), inner, buffer),
        None if app.runs.is_listed => {
            let [new, back] = [RunsAction::New, RunsAction::ClearFilter]
                .map(|action| app.key(Context::Screen(Screen::Runs), Action::Runs(action)));
            let text = format!("Nothing to show. {new} creates an experiment, {back} clears the filter.");
            let mut y = inner.y;
            for line in wrap(&text, usize::from(inner.width)) {
                y = next_line(buffer, inner, y, &line, app.theme.style(Role::Muted));
            }
        }
        None => {}
    }
}

fn draw_sweep(app: &App, row: &SweepRow, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let mut y = setting(buffer, area, area.y, "experiment", &row.experiment, theme);
    y = setting(buffer, area, y, "trials", &format::count(row.trials), theme);
    for (status, count) in &row.by_status {
        y = setting(buffer, area, y, status, &format::count(*count), theme);
    }
    if let Some((metric, score)) = row.best {
        y = setting(
            buffer,
            area,
            y,
            "best",
            &format!("{} {}", format::metric(metric), format::score(metric, score)),
            theme,
        );
    }
    let open = app.key(Context::Screen(Screen::Runs), Action::Runs(RunsAction::OpenSweep));
    let text = format!("{open} shows the trials. A filter finds them in this list: sweep:{}", row.name);
    y += 1;
    for line in wrap(&text, usize::from(area.width)) {
        y = next_line(buffer, area, y, &line, theme.style(Role::Muted));
    }
}

fn draw_experiment(app: &App, row: &ExperimentRow, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let mut y = area.y;
    for line in wrap(row.description.as_deref().unwrap_or(""), area.width as usize) {
        y = next_line(buffer, area, y, &line, theme.style(Role::Text));
    }
    if let Some(sweep) = &row.sweep {
        let text = format!("A sweep: {}.", sweep.describe());
        for line in wrap(&text, area.width as usize) {
            y = next_line(buffer, area, y, &line, theme.style(Role::Title));
        }
        for Axis { key, values } in &sweep.axes {
            for line in wrap(&format!("{} = {}", key.name, values.toml(key)), area.width as usize) {
                y = next_line(buffer, area, y, &line, theme.style(Role::Text));
            }
        }
    }
    // With several files, the name alone does not say where a change is saved.
    let has_other_files = app.runs.experiments.iter().any(|other| other.file != row.file);
    let file =
        row.file.as_deref().filter(|_| has_other_files).map(|file| format!("In {}.", collapse_home(file)));
    for text in file.iter().chain(&row.note) {
        for line in wrap(text, area.width as usize) {
            y = next_line(buffer, area, y, &line, theme.style(Role::Muted));
        }
    }
    if y > area.y {
        y += 1;
    }
    match &row.spec {
        Err(error) => {
            for line in wrap(error, area.width as usize) {
                y = next_line(buffer, area, y, &line, theme.style(Role::Error));
            }
        }
        Ok(spec) => {
            let axes = row.sweep.as_ref().map_or(&[][..], |sweep| &sweep.axes);
            for (label, value) in (Description { spec, axes, theme }).lines() {
                y = setting(buffer, area, y, label, &value, theme);
            }
            if let Some(score) = past_score(&app.runs.runs, &row.name, theme) {
                y = setting(buffer, area, y + 1, "past runs", &score, theme);
            }
            if let Some(score) = published(&spec.model, spec.task().name, spec.best_metric()) {
                let value = format::score(score.metric, score.share());
                y = setting(buffer, area, y, "published", &format!("{value}   {}", score.source), theme);
            }
            let known: Vec<String> = row
                .values
                .iter()
                .filter(|value| value.origin == ValueOrigin::Experiment)
                .map(|value| format!("{} = {}", value.key.name, value.text))
                .collect();
            if y + 3 < area.bottom() && !known.is_empty() {
                y = next_line(buffer, area, y + 1, "Set in the file", theme.style(Role::Title));
                for line in known {
                    y = next_line(buffer, area, y, &format!("  {line}"), theme.style(Role::Muted));
                }
            }
        }
    }
}

/// Draws the state, the estimated time and the settings of a queued run.
fn draw_queued(app: &App, entry: &QueueEntry, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let entries = &app.runs.queue.list.entries;
    let index = entries.iter().position(|other| other.id == entry.id).unwrap_or(0);
    let (word, role) = match (entry.is_started, app.runs.queue.list.is_held) {
        (true, _) => ("starting".to_string(), Role::Train),
        (false, true) => ("waiting; the queue is held".into(), Role::Warning),
        (false, false) => (format!("waiting, number {} of {}", index + 1, entries.len()), Role::Text),
    };
    draw_text(buffer, area.x, area.y, area.width, &word, theme.style(role));
    let mut y = area.y + 1;
    if let Some(queued) = &entry.sweep {
        let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        if let Some(row) = app.runs.sweeps.iter().find(|row| row.name == queued.name) {
            draw_sweep(app, row, rest, buffer);
        }
        return;
    }
    let estimate = match estimate_entry(app, entry) {
        TimeEstimate { is_known: true, seconds } => {
            format!("{}, measured on this machine", format::duration(seconds))
        }
        _ => format!("{} (no similar run on this machine yet)", theme.symbol(Symbol::Dash)),
    };
    y = setting(buffer, area, y, "time", &estimate, theme);
    if let Some(run) = &entry.run {
        let name = run.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        y = setting(buffer, area, y, "resumes", &name, theme);
    }
    y += 1;
    for (label, value) in (Description { spec: &entry.spec, axes: &[], theme }).lines() {
        y = setting(buffer, area, y, label, &value, theme);
    }
}

/// A specification to describe.
struct Description<'a> {
    spec: &'a RunSpec,
    /// The keys that are swept: the specification has one of their values only.
    axes: &'a [Axis],
    theme: Theme,
}

impl Description<'_> {
    /// Names and values.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Description { spec, theme, .. } = *self;
        let dot = theme.symbol(Symbol::Dot);
        let model = match known_model(&spec.model) {
            Some(model) => format!("{}{dot}{}{dot}{:.1} M", spec.model, model.title, model.millions),
            None => spec.model.clone(),
        };
        let learning_rate = format::real(spec.learning_rate);
        let learning_rate = self.unless_swept(&["learning_rate"], "swept", learning_rate);
        let decay = self.unless_swept(&["weight_decay"], "swept", format::real(spec.weight_decay));
        let clipping = self.unless_swept(&["max_grad_norm"], "clipping swept", clipping(spec));
        let evaluation = match spec.eval_steps {
            IntervalStrategy::Epoch => "every epoch".to_string(),
            IntervalStrategy::Steps(1) => "every step".to_string(),
            IntervalStrategy::Steps(steps) => format!("every {} steps", format::count(steps)),
        };
        let evaluation = self.unless_swept(&["eval_steps"], "interval swept", evaluation);
        let mut lines = vec![
            ("model", self.unless_swept(&["model"], "swept", model)),
            ("task", format!("{}{dot}{}", spec.task, spec.task().title)),
            ("learning rate", format!("{learning_rate}{dot}{}", self.schedule())),
            ("length", self.length()),
            ("optimizer", format!("AdamW{dot}decay {decay}{dot}{clipping}")),
            ("evaluation", format!("{evaluation}{dot}best by {}", format::metric(spec.best_metric()))),
            ("seed", self.unless_swept(&["seed", "repeats"], "swept", seeds(spec, theme))),
            ("machine", format!("device {}{dot}engine {}", spec.device, spec.engine)),
        ];
        let files = [&spec.data_dir, &spec.train_file, &spec.validation_file, &spec.test_file];
        let files: Vec<String> = files.into_iter().flatten().map(|file| file.display().to_string()).collect();
        if !files.is_empty() {
            lines.insert(2, ("data", files.join(", ")));
        }
        lines
    }

    /// `text` about the values of `keys`, or `swept` if one of them has several values.
    fn unless_swept(&self, keys: &[&str], swept: &str, text: String) -> String {
        if self.axes.iter().any(|axis| keys.contains(&axis.key.name)) { swept.into() } else { text }
    }

    /// The learning-rate schedule and its warm-up.
    fn schedule(&self) -> String {
        let spec = self.spec;
        let decay = match spec.lr_scheduler_type {
            LrSchedulerType::Linear => "linear decay",
            LrSchedulerType::Cosine => "cosine decay",
            LrSchedulerType::Constant | LrSchedulerType::ConstantWithWarmup => "constant",
        };
        let decay = self.unless_swept(&["lr_scheduler_type"], "schedule swept", decay.into());
        let warmup = match (spec.lr_scheduler_type, spec.warmup_steps) {
            (LrSchedulerType::Constant, _) => "no warmup".to_string(),
            (_, Some(steps)) => format!("{} of warmup", plural(steps, "step")),
            (_, None) => format!("{} % warmup", format::real((1000.0 * spec.warmup_ratio).round() / 10.0)),
        };
        let warmup = self.unless_swept(&["warmup_steps", "warmup_ratio"], "warmup swept", warmup);
        format!("{decay}{}{warmup}", self.theme.symbol(Symbol::Dot))
    }

    /// The steps or epochs, the batch size and the maximum length of an input.
    fn length(&self) -> String {
        let Description { spec, theme, .. } = *self;
        let steps = match spec.max_steps {
            Some(1) => "1 step".into(),
            Some(steps) => format!("{} steps", format::count(steps)),
            None if spec.num_train_epochs == 1.0 => "1 epoch".into(),
            None => format!("{} epochs", format::real(spec.num_train_epochs)),
        };
        let batch = match spec.gradient_accumulation_steps {
            1 => plural(spec.per_device_train_batch_size as u64, "example"),
            micro_batches => {
                format!(
                    "{} {} {micro_batches} examples",
                    spec.per_device_train_batch_size,
                    theme.symbol(Symbol::Times)
                )
            }
        };
        let steps = self.unless_swept(&["max_steps", "num_train_epochs"], "length swept", steps);
        let batch_keys = ["per_device_train_batch_size", "gradient_accumulation_steps"];
        let batch = self.unless_swept(&batch_keys, "batch size swept", format!("batch of {batch}"));
        let tokens = format!("up to {} tokens", spec.max_seq_length);
        let tokens = self.unless_swept(&["max_seq_length"], "tokens swept", tokens);
        let dot = theme.symbol(Symbol::Dot);
        format!("{steps}{dot}{batch}{dot}{tokens}")
    }
}

/// The norm that gradients are clipped to.
fn clipping(spec: &RunSpec) -> String {
    if spec.max_grad_norm > 0.0 {
        format!("gradients clipped to {}", format::real(spec.max_grad_norm))
    } else {
        "no clipping".into()
    }
}

/// The seed, or the range of the seeds.
fn seeds(spec: &RunSpec, theme: Theme) -> String {
    let (first, dot) = (spec.seed, theme.symbol(Symbol::Dot));
    let folds = spec.folds.map(|folds| match spec.fold {
        Some(fold) => format!("{dot}fold {fold} of {folds}"),
        None => format!("{dot}{}", plural(folds, "fold")),
    });
    let folds = folds.unwrap_or_default();
    match spec.seed_count() {
        0 | 1 => format!("{first}{folds}"),
        n => format!(
            "{first} {} {}{folds}{dot}{n} runs, mean and standard deviation",
            theme.symbol(Symbol::To),
            first + n - 1
        ),
    }
}
