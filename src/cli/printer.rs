//! A run as it is seen on stderr without the interface: a progress bar on a terminal, plain lines
//! elsewhere (a pipe, a file, a batch system's log).

use super::output::{aside, scores};
use crate::event::{Eval, Event, Progress, Started, Step, Unit, obeyed};
use crate::format;
use crate::run::Said;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two plain lines about steps.
const STEP_LINES: Duration = Duration::from_secs(10);
/// Work that is over sooner is not worth a plain line.
const WORTH_A_LINE: Duration = Duration::from_secs(2);
/// What is being done, while steps are.
const TRAINING: &str = "training";
/// How much a new step weighs in the smoothed loss and speed.
const WEIGHT: f64 = 0.05;

/// The bar of work that goes on, or none where there is no terminal to draw it on.
pub(super) struct Watcher {
    bar: Option<ProgressBar>,
    /// What is being done.
    what: String,
    /// Since when; `None` once it was told in a plain line.
    since: Option<Instant>,
}

impl Watcher {
    pub(super) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (std::io::stderr().is_terminal() && !dumb).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(template("{spinner} starting"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Watcher { bar, what: String::new(), since: None }
    }

    /// Shows how far some work before or between steps is.
    pub(super) fn show(&mut self, progress: &Progress) {
        let is_new = self.what != progress.what;
        if is_new {
            self.what.clone_from(&progress.what);
            self.since = Some(Instant::now());
        }
        let Some(bar) = &self.bar else {
            if self.since.is_some_and(|since| since.elapsed() >= WORTH_A_LINE) {
                self.since = None;
                aside(format!("{} …", progress.what));
            }
            return;
        };
        if is_new {
            bar.reset_eta();
        }
        bar.set_style(style(progress));
        match progress.total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(progress.done);
        bar.set_message(progress.what.clone());
    }

    /// Writes a line, above the bar where there is one.
    fn line(&self, text: impl AsRef<str>) {
        match &self.bar {
            Some(bar) => bar.suspend(|| aside(text)),
            None => aside(text),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(progress: &Progress) -> ProgressStyle {
    let template = match (progress.unit, progress.total) {
        (Unit::Bytes, Some(_)) => "{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}",
        (Unit::Bytes, None) => "{spinner} {msg} {bytes}  {bytes_per_sec}",
        (Unit::Rows, Some(_)) => "{msg} {bar:30} {human_pos}/{human_len}  {eta}",
        (Unit::Rows, None) => "{spinner} {msg} {human_pos}",
        (Unit::Nothing, _) => "{spinner} {msg}",
    };
    self::template(template)
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Prints the events of a run.
pub(super) struct Printer {
    watcher: Watcher,
    run: Option<Started>,
    /// The directory of the run that speaks.
    dir: Option<Arc<Path>>,
    /// Which of the repeats it is, with a space behind; empty for a single run.
    repeat: String,
    /// Optimizer steps done.
    step: u64,
    loss: Option<f64>,
    /// Seconds that a step takes.
    pace: Option<f64>,
    last_line: Option<Instant>,
}

impl Printer {
    pub(super) fn new() -> Self {
        let watcher = Watcher::new();
        Printer {
            watcher,
            run: None,
            dir: None,
            repeat: String::new(),
            step: 0,
            loss: None,
            pace: None,
            last_line: None,
        }
    }

    pub(super) fn say(&mut self, said: &Said) {
        if self.dir.as_ref() != Some(&said.dir) {
            // A seed of several has a directory of its own below the experiment's.
            let name = said.dir.file_name().map(|name| name.to_string_lossy().into_owned());
            let seed = name.and_then(|name| Some(name.strip_prefix("seed-")?.to_owned()));
            self.repeat = seed.map_or(String::new(), |seed| format!("[seed {seed}] "));
            self.dir = Some(said.dir.clone());
        }
        match &said.event {
            Event::Started(started) => self.started(started),
            Event::Progress(progress) => self.watcher.show(progress),
            Event::Step(step) => self.step(step),
            Event::Eval(eval) => self.watcher.line(format!("{}{}", self.repeat, evaluated(eval))),
            Event::Saved(saved) => self.watcher.line(format!(
                "{}step {}  saved {} ({})",
                self.repeat,
                saved.step,
                saved.path.display(),
                format::bytes(saved.bytes)
            )),
            Event::Command { step, command, settings, again } => {
                let text = obeyed(*command, *settings, *again);
                self.watcher.line(format!("{}step {step}  {text}", self.repeat));
                if let (Some(run), Some(settings)) = (&mut self.run, settings) {
                    run.total_steps = settings.total_steps;
                    // The bar is made anew at the next step, as long as the run is now.
                    self.watcher.what.clear();
                }
            }
            Event::Note { warning, text, .. } => {
                let kind = if *warning { "warning: " } else { "" };
                self.watcher.line(format!("{}{kind}{text}", self.repeat));
            }
            // How it ended is told by the exit code and the last sentence; what the machine does, by its own tools.
            Event::Ended { .. } | Event::Machine(_) => {}
        }
    }

    pub(super) fn end(&self) {
        self.watcher.end();
    }

    fn started(&mut self, started: &Started) {
        let [train, validation, test] = started.rows.map(|rows| format::count(rows as u64));
        self.watcher.line(format!(
            "{}{}: {} on {}, seed {}; {}, {}; {train} training, {validation} validation, {test} test rows; \
             {} trainable parameters; {} steps, {} an epoch{}",
            self.repeat,
            started.spec.experiment,
            started.spec.model,
            started.spec.task,
            started.spec.seed,
            started.device,
            started.precision,
            format::count(started.trainable_parameters),
            format::count(started.total_steps),
            format::count(started.steps_per_epoch),
            if started.first_step > 0 {
                format!("; goes on after step {}", started.first_step)
            } else {
                String::new()
            },
        ));
        (self.loss, self.pace, self.last_line) = (None, None, None);
        self.step = started.first_step;
        self.watcher.what.clear();
        self.run = Some(started.clone());
    }

    fn step(&mut self, step: &Step) {
        let Some(run) = &self.run else { return };
        let steps = step.step.saturating_sub(self.step).max(1);
        self.step = step.step;
        self.loss = Some(smoothed(self.loss, step.loss));
        self.pace = Some(smoothed(self.pace, step.seconds / steps as f64));
        let left = run.total_steps.saturating_sub(step.step) as f64 * self.pace.unwrap_or(0.0);
        let speed = if step.seconds > 0.0 { step.examples as f64 / step.seconds } else { 0.0 };
        let text = format!(
            "epoch {:.2}  loss {:.4}  lr {}  {speed:.0} examples/s  {} left",
            step.epoch,
            self.loss.unwrap_or(step.loss),
            rate(step.learning_rate),
            format::duration(left),
        );
        if let Some(bar) = &self.watcher.bar {
            bar.set_position(step.step);
            bar.set_message(text);
            if std::mem::replace(&mut self.watcher.what, TRAINING.into()) != TRAINING {
                bar.set_length(run.total_steps);
                bar.set_prefix(self.repeat.clone());
                bar.set_style(template("{prefix}{bar:25} {human_pos}/{human_len}  {msg}"));
            }
        } else if step.step == run.total_steps || self.last_line.is_none_or(|at| at.elapsed() >= STEP_LINES) {
            self.last_line = Some(Instant::now());
            self.watcher.line(format!("{}step {}/{}  {text}", self.repeat, step.step, run.total_steps));
        }
    }
}

fn smoothed(old: Option<f64>, new: f64) -> f64 {
    old.filter(|old| old.is_finite()).map_or(new, |old| old + WEIGHT * (new - old))
}

/// A learning rate: `2.00e-5`, and `0` before the warm-up has begun.
fn rate(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.2e}") }
}

fn evaluated(eval: &Eval) -> String {
    let best = if eval.best { "  (best)" } else { "" };
    format!(
        "step {}  epoch {:.2}  {}: {}{best}",
        eval.step,
        eval.epoch,
        eval.split.name(),
        scores(&eval.scores)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Scores, SplitName};

    #[test]
    fn an_evaluation_is_one_line() {
        let scores = Scores {
            loss: 0.43219,
            accuracy: 0.8123,
            accuracy_mm: None,
            f1: None,
            matthews_correlation: None,
            confusion: Vec::new(),
            per_class: Vec::new(),
            examples: 10,
        };
        let eval =
            Eval { step: 268, epoch: 1.0, split: SplitName::Validation, scores, best: true, seconds: 1.0 };
        assert_eq!(
            evaluated(&eval),
            "step 268  epoch 1.00  validation: accuracy 81.23 %  loss 0.4322  (best)"
        );
    }

    #[test]
    fn one_bad_number_does_not_stay() {
        assert_eq!(smoothed(None, 2.0), 2.0);
        assert_eq!(smoothed(Some(f64::NAN), 2.0), 2.0);
        assert!((smoothed(Some(1.0), 2.0) - 1.05).abs() < 1e-12);
    }
}
