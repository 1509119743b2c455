//! A progress bar on stderr when it is a terminal, in one line at every width; plain lines otherwise.

use super::output::stderr_line;
use crate::event::{Event, Progress, Unit};
use crate::terminal_caps::{Charset, TerminalCaps};
use crate::text::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Work that takes less time than this prints no plain line.
const MIN_LOGGED_DURATION: Duration = Duration::from_secs(2);

/// The assumed width of a terminal that does not report its size.
const DEFAULT_COLUMNS: usize = 80;
/// From this many columns on, a line has a long bar and every number.
const WIDE: usize = 100;
/// From this many columns on, a line has a bar.
const MEDIUM: usize = 60;

/// The progress of the current task.
pub(super) struct ProgressDisplay {
    /// `None` when stderr is not a terminal.
    pub(super) bar: Option<ProgressBar>,
    /// The current task.
    pub(super) task: String,
    /// When the task started; `None` once a plain line about it is printed.
    started: Option<Instant>,
}

impl ProgressDisplay {
    /// A progress bar when stderr is a terminal and `is_plain` is false.
    pub(super) fn new(is_plain: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (std::io::stderr().is_terminal() && !is_dumb && !is_plain).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(template("{spinner} starting"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        ProgressDisplay { bar, task: String::new(), started: None }
    }

    /// Shows the progress of an event, if it is one.
    pub(super) fn show_of(&mut self, event: &Event) {
        if let Event::Progress(progress) = event {
            self.show(progress);
        }
    }

    /// Shows the progress of a task before or between training steps.
    pub(super) fn show(&mut self, progress: &Progress) {
        let is_new = self.task != progress.what;
        if is_new {
            self.task.clone_from(&progress.what);
            self.started = Some(Instant::now());
        }
        let Some(bar) = &self.bar else {
            if self.started.is_some_and(|started| started.elapsed() >= MIN_LOGGED_DURATION) {
                self.started = None;
                stderr_line(format!("{} …", progress.what));
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

    /// Prints a line, above the progress bar if there is one.
    pub(super) fn print_line(&self, text: impl AsRef<str>) {
        match &self.bar {
            Some(bar) => bar.suspend(|| stderr_line(text)),
            None => stderr_line(text),
        }
    }

    /// Removes the progress bar.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The columns of the terminal, whose width may have changed.
pub(super) fn columns() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    size.map_or(DEFAULT_COLUMNS, |(width, _)| usize::from(width.0))
}

fn style(progress: &Progress) -> ProgressStyle {
    template(template_of(progress.unit, progress.total.is_some(), columns()))
}

/// The template that fits a terminal: a wide message takes what the rest leaves.
fn template_of(unit: Unit, has_total: bool, columns: usize) -> &'static str {
    match (unit, has_total) {
        (Unit::Bytes, true) if columns >= WIDE => {
            "{wide_msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}"
        }
        (Unit::Rows, true) if columns >= WIDE => "{wide_msg} {bar:30} {human_pos}/{human_len}  {eta}",
        (Unit::Bytes | Unit::Rows, true) if columns >= MEDIUM => "{wide_msg} {bar:15} {percent:>3} %  {eta}",
        (Unit::Bytes | Unit::Rows, true) => "{wide_msg} {percent:>3} %  {eta}",
        (Unit::Bytes, false) if columns >= MEDIUM => "{spinner} {wide_msg} {bytes}  {bytes_per_sec}",
        (Unit::Bytes, false) => "{spinner} {wide_msg} {bytes}",
        (Unit::Rows, false) => "{spinner} {wide_msg} {human_pos}",
        (Unit::Nothing, _) => "{spinner} {wide_msg}",
    }
}

pub(super) fn template(text: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    match TerminalCaps::detect().charset {
        Charset::Unicode => style,
        _ => style.progress_chars("#>-").tick_chars("-\\|/ "),
    }
}
