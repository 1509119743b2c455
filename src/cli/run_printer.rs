//! The events of a run on stderr: a progress bar on a terminal, plain lines otherwise.

use super::progress::{ProgressDisplay, columns, template};
use crate::event::{Event, Started, Step};
use crate::format;
use crate::run::{RunEvent, message};
use crossbeam_channel::{Receiver, never, select};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two plain lines about training steps.
const STEP_LINE_INTERVAL: Duration = Duration::from_secs(10);
/// The task name of training steps.
const TRAINING: &str = "training";
/// Weight of a new step in the moving averages of loss and speed.
const EMA_WEIGHT: f64 = 0.05;

/// Prints the events of a run until it is over, and the lines of the signal handler.
pub(super) fn print_events(events: &Receiver<RunEvent>, lines: &Receiver<String>, is_plain: bool) {
    let mut printer = RunPrinter::new(is_plain);
    let mut lines = lines.clone();
    loop {
        select! {
            recv(events) -> event => match event {
                Ok(event) => printer.print(&event),
                Err(_) => break,
            },
            recv(lines) -> line => match line {
                Ok(line) => printer.print_line(&line),
                Err(_) => lines = never(),
            },
        }
    }
    printer.clear();
}

/// Prints the events of a run.
pub(super) struct RunPrinter {
    display: ProgressDisplay,
    run: Option<Box<Started>>,
    /// The directory of the run that emitted the last event.
    dir: Option<Arc<Path>>,
    /// `[seed 43] `, or empty for a single run.
    prefix: String,
    /// Completed optimizer steps.
    step: u64,
    /// Moving average of the training loss.
    loss: Option<f64>,
    /// Moving average of the seconds per step.
    seconds_per_step: Option<f64>,
    /// When the last plain line about a step was printed.
    last_line: Option<Instant>,
}

impl RunPrinter {
    /// A progress bar when stderr is a terminal and `is_plain` is false.
    pub(super) fn new(is_plain: bool) -> Self {
        RunPrinter {
            display: ProgressDisplay::new(is_plain),
            run: None,
            dir: None,
            prefix: String::new(),
            step: 0,
            loss: None,
            seconds_per_step: None,
            last_line: None,
        }
    }

    /// Prints an event.
    pub(super) fn print(&mut self, event: &RunEvent) {
        if self.dir.as_ref() != Some(&event.dir) {
            self.prefix = seed_prefix(&event.dir);
            self.dir = Some(event.dir.clone());
        }
        match &event.event {
            Event::Progress(progress) => self.display.show(progress),
            Event::Step(step) => self.print_step(step),
            // The caller prints how the run ended.
            Event::Ended { .. } => {}
            event => {
                if let Some(line) = message::line(event) {
                    self.display.print_line(format!("{}{line}", self.prefix));
                }
                self.update(event);
            }
        }
    }

    /// Updates the state that later lines need.
    fn update(&mut self, event: &Event) {
        match event {
            Event::Started(started) => {
                (self.loss, self.seconds_per_step, self.last_line) = (None, None, None);
                self.step = started.first_step;
                self.display.task.clear();
                self.run = Some(started.clone());
            }
            Event::Command { settings: Some(settings), .. } => {
                if let Some(run) = &mut self.run {
                    run.total_steps = settings.total_steps;
                }
                // The next step recreates the progress bar with the new length.
                self.display.task.clear();
            }
            _ => {}
        }
    }

    /// Prints a line that is not about an event.
    pub(super) fn print_line(&self, text: &str) {
        self.display.print_line(text);
    }

    /// Removes the progress bar.
    pub(super) fn clear(&self) {
        self.display.clear();
    }

    fn print_step(&mut self, step: &Step) {
        let Some(run) = &self.run else { return };
        let steps = step.step.saturating_sub(self.step).max(1);
        self.step = step.step;
        self.loss = Some(smoothed(self.loss, step.loss));
        self.seconds_per_step = Some(smoothed(self.seconds_per_step, step.seconds / steps as f64));
        let remaining =
            run.total_steps.saturating_sub(step.step) as f64 * self.seconds_per_step.unwrap_or(0.0);
        let speed = if step.seconds > 0.0 { step.examples as f64 / step.seconds } else { 0.0 };
        let numbers = Numbers {
            epoch: step.epoch,
            loss: self.loss.unwrap_or(step.loss),
            learning_rate: step.learning_rate,
            speed,
            remaining,
        };
        let total = run.total_steps;
        if let Some(bar) = &self.display.bar {
            bar.set_position(step.step);
            self.display.task = TRAINING.into();
            bar.set_length(total);
            let (width, text) = training_line(&self.prefix, (step.step, total), &numbers, columns());
            bar.set_prefix(self.prefix.clone());
            bar.set_message(text);
            bar.set_style(template(&match width {
                0 => "{prefix}{wide_msg}".to_owned(),
                width => format!("{{prefix}}{{bar:{width}}} {{wide_msg}}"),
            }));
        } else if step.step == total || self.last_line.is_none_or(|at| at.elapsed() >= STEP_LINE_INTERVAL) {
            self.last_line = Some(Instant::now());
            let text = numbers.all().join(", ");
            self.display.print_line(format!("{}step {}/{total}: {text}", self.prefix, step.step));
        }
    }
}

/// The numbers of a line about training steps.
struct Numbers {
    epoch: f64,
    loss: f64,
    learning_rate: f64,
    /// Examples per second.
    speed: f64,
    /// Seconds.
    remaining: f64,
}

impl Numbers {
    /// Each number with its name, in the order in which they are printed.
    fn all(&self) -> [String; 5] {
        [
            format!("epoch {:.2}", self.epoch),
            format!("loss {:.4}", self.loss),
            format!("learning rate {}", learning_rate(self.learning_rate)),
            format!("{:.0} examples/s", self.speed),
            format!("{} left", format::duration(self.remaining)),
        ]
    }

    /// The most important numbers that fit in `width` columns, in the order in which they are printed.
    fn fitting(&self, width: usize) -> String {
        let all = self.all();
        let mut kept = [false; 5];
        let mut used = 0;
        for index in BY_IMPORTANCE {
            let separator = if used == 0 { 0 } else { 2 };
            if used + separator + all[index].len() <= width {
                used += separator + all[index].len();
                kept[index] = true;
            }
        }
        let kept = all.iter().zip(kept).filter(|(_, is_kept)| *is_kept).map(|(text, _)| text.as_str());
        kept.collect::<Vec<_>>().join(", ")
    }
}

/// Indices of the numbers, the most important one first: loss, remaining time, epoch, speed, learning rate.
const BY_IMPORTANCE: [usize; 5] = [1, 4, 0, 3, 2];

/// The width of the bar, 0 for none, and the text after it, which fit in a line of `columns` columns.
fn training_line(
    prefix: &str,
    (step, total): (u64, u64),
    numbers: &Numbers,
    columns: usize,
) -> (usize, String) {
    let steps = format!("{}/{}", format::count(step), format::count(total));
    // The last column stays empty: some terminals wrap after it.
    let available = columns.saturating_sub(1 + prefix.len());
    let bar = match available {
        110.. => 25,
        70.. => 12,
        _ => 0,
    };
    let rest = available.saturating_sub(if bar > 0 { bar + 1 } else { 0 } + steps.len() + 2);
    (bar, format!("{steps}  {}", numbers.fitting(rest)).trim_end().to_owned())
}

/// The exponential moving average after the value `new`.
fn smoothed(old: Option<f64>, new: f64) -> f64 {
    old.filter(|old| old.is_finite()).map_or(new, |old| old + EMA_WEIGHT * (new - old))
}

/// `[seed 43] ` for the directory of one of several seeds, which is in that of the run; else empty.
pub(super) fn seed_prefix(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix("seed-").map_or(String::new(), |seed| format!("[seed {seed}] "))
}

/// A learning rate: `2.00e-5`, or `0` at the first step of a warm-up.
pub(super) fn learning_rate(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.2e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_fits_at_every_width() {
        let numbers =
            Numbers { epoch: 1.25, loss: 0.4375, learning_rate: 2e-5, speed: 310.0, remaining: 3725.0 };
        let line = |columns| training_line("[seed 43] ", (1_024, 12_345), &numbers, columns);
        for columns in 30..200 {
            let (bar, text) = line(columns);
            let length = "[seed 43] ".len() + if bar > 0 { bar + 1 } else { 0 } + text.len();
            assert!(length < columns, "{columns}: {bar} {text}");
        }
        assert_eq!(line(40), (0, "1,024/12,345  loss 0.4375".into()));
        assert_eq!(line(80).1, "1,024/12,345  epoch 1.25, loss 0.4375, 310 examples/s, 1:02:05 left");
        assert_eq!(line(150), (25, format!("1,024/12,345  {}", numbers.all().join(", "))));
    }

    #[test]
    fn nan_does_not_persist_in_the_moving_average() {
        assert_eq!(smoothed(None, 2.0), 2.0);
        assert_eq!(smoothed(Some(f64::NAN), 2.0), 2.0);
        assert!((smoothed(Some(1.0), 2.0) - 1.05).abs() < 1e-12);
    }
}
