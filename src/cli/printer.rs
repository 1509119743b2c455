//! A run as it is seen on stderr without the interface: a progress bar on a terminal, plain sentences
//! elsewhere (a pipe, a file, a batch system's log) and for whoever asks for them.

use super::output::aside;
use crate::event::{Event, Progress, Started, Step, Unit};
use crate::format;
use crate::run::{RunEvent, message};
use crate::terminal_caps::{Charset, TerminalCaps};
use crate::text::escaped;
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
    /// A bar where there can be one, unless it is to be plain.
    pub(super) fn new(is_plain: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (std::io::stderr().is_terminal() && !is_dumb && !is_plain).then(|| {
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
        bar.set_message(escaped(&progress.what).into_owned());
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
    let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    match TerminalCaps::detect().charset {
        Charset::Unicode => style,
        _ => style.progress_chars("#>-").tick_chars("-\\|/ "),
    }
}

/// Prints the events of a run.
pub(super) struct Printer {
    watcher: Watcher,
    run: Option<Box<Started>>,
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
    /// A bar where there can be one, unless it is to be plain.
    pub(super) fn new(is_plain: bool) -> Self {
        let watcher = Watcher::new(is_plain);
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

    pub(super) fn say(&mut self, said: &RunEvent) {
        if self.dir.as_ref() != Some(&said.dir) {
            // A seed of several has a directory of its own below the experiment's.
            let name = said.dir.file_name().map(|name| name.to_string_lossy().into_owned());
            let seed = name.and_then(|name| Some(name.strip_prefix("seed-")?.to_owned()));
            self.repeat = seed.map_or(String::new(), |seed| format!("[seed {seed}] "));
            self.dir = Some(said.dir.clone());
        }
        match &said.event {
            Event::Progress(progress) => self.watcher.show(progress),
            Event::Step(step) => self.step(step),
            // How it ended is told by the exit code and the last describe.
            Event::Ended { .. } => {}
            event => {
                if let Some(line) = message::line(event) {
                    self.watcher.line(format!("{}{line}", self.repeat));
                }
                self.take(event);
            }
        }
    }

    /// Keeps what later lines need to know.
    fn take(&mut self, event: &Event) {
        match event {
            Event::Started(started) => {
                (self.loss, self.pace, self.last_line) = (None, None, None);
                self.step = started.first_step;
                self.watcher.what.clear();
                self.run = Some(started.clone());
            }
            Event::Command { settings: Some(settings), .. } => {
                if let Some(run) = &mut self.run {
                    run.total_steps = settings.total_steps;
                }
                // The bar is made anew at the next step, as long as the run is now.
                self.watcher.what.clear();
            }
            _ => {}
        }
    }

    pub(super) fn end(&self) {
        self.watcher.end();
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
            "epoch {:.2}, loss {:.4}, learning rate {}, {speed:.0} examples/s, {} left",
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
            self.watcher.line(format!("{}step {}/{}: {text}", self.repeat, step.step, run.total_steps));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_number_does_not_stay() {
        assert_eq!(smoothed(None, 2.0), 2.0);
        assert_eq!(smoothed(Some(f64::NAN), 2.0), 2.0);
        assert!((smoothed(Some(1.0), 2.0) - 1.05).abs() < 1e-12);
    }
}
