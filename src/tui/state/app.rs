//! The state of the whole interface. It has no files, channels or clock.

use super::compare::CompareState;
use super::data::DataState;
use super::form::Form;
use super::infer::InferState;
use super::insight::InsightState;
use super::live::LiveState;
use super::open::OpenState;
use super::popup::Popup;
use super::quitting::Quitting;
use super::run::{RunState, status_of};
use super::runs::{ListLine, RunsState, can_resume};
use super::sweep::SweepState;
use crate::event::Status;
use crate::run::history::{History, Phase};
use crate::run::suggestions::Suggestions;
use crate::run::{RunRow, RunStatus};
use crate::tui::action::Action;
use crate::tui::keymap::Keymap;
use crate::tui::screen::{Context, Screen};
use crate::tui::theme::{BUILT_IN, Scheme, Theme};
use crate::tui::widgets::line_chart::ChartView;
use std::path::PathBuf;

/// How long a stopped run is followed, in seconds: another process may resume it.
const HAND_OVER_SECONDS: f64 = 30.0;

/// The state of the interface.
#[derive(Debug)]
pub struct App {
    /// Styles and symbols.
    pub theme: Theme,
    /// The key bindings.
    pub keymap: Keymap,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Seconds since 1970.
    pub now: f64,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset: i64,
    /// A short description of the machine.
    pub machine: String,
    /// The current screen.
    pub screen: Screen,
    /// The previous screen, which going back leads to.
    pub previous_screen: Screen,
    /// Experiments and past runs.
    pub runs: RunsState,
    /// The form of an experiment, while it is open.
    pub form: Option<Form>,
    /// The run that this process trains, or trained last.
    pub training: Option<RunState>,
    /// A past run that is shown in place of it.
    pub viewed: Option<RunState>,
    /// The Live screen.
    pub live: LiveState,
    /// The Infer screen.
    pub infer: InferState,
    /// The Compare screen.
    pub compare: CompareState,
    /// The Insight screen.
    pub insight: InsightState,
    /// The Data screen.
    pub data: DataState,
    /// The Open screen.
    pub open: OpenState,
    /// The Sweep screen.
    pub sweep: SweepState,
    /// Models and data to choose from, once they are listed.
    pub suggestions: Suggestions,
    /// Zoom and cursor of the charts of the Machine screen.
    pub gauges: ChartView,
    /// The open popup; it takes the keys.
    pub popup: Option<Popup>,
    /// The available themes.
    pub themes: Vec<&'static Scheme>,
    /// Whether mouse support is enabled.
    pub mouse: bool,
    /// A short notice, shown until the next key.
    pub notice: Option<String>,
    /// The number of uploads, downloads and exports in progress that can be cancelled.
    pub cancellable_work: usize,
    /// Whether the run that the user started has not begun yet.
    pub is_starting: bool,
    /// How far the end of the program is.
    pub quitting: Quitting,
    /// Whether the queue may start a run while another one is being trained, on another device.
    pub has_several_devices: bool,
}

fn is_running(row: &RunRow) -> bool {
    row.status == RunStatus::Running
}

/// Whether another process trains the run, or will train it without a key.
fn may_change(row: &RunRow) -> bool {
    matches!(row.status, RunStatus::Running | RunStatus::Pending | RunStatus::Requeued)
}

impl App {
    /// The initial state.
    pub fn new(theme: Theme, size: (u16, u16), now: f64, machine: String) -> Self {
        App {
            theme,
            keymap: Keymap::default(),
            size,
            now,
            utc_offset: 0,
            machine,
            screen: Screen::Runs,
            previous_screen: Screen::Runs,
            runs: RunsState::default(),
            form: None,
            training: None,
            viewed: None,
            live: LiveState::default(),
            infer: InferState::default(),
            compare: CompareState::default(),
            insight: InsightState::default(),
            data: DataState::default(),
            open: OpenState::default(),
            sweep: SweepState::default(),
            suggestions: Suggestions::default(),
            gauges: ChartView::default(),
            popup: None,
            themes: BUILT_IN.to_vec(),
            mouse: false,
            notice: None,
            cancellable_work: 0,
            is_starting: false,
            quitting: Quitting::No,
            has_several_devices: false,
        }
    }

    /// The run on the Live screen.
    pub fn shown_run(&self) -> Option<&RunState> {
        self.viewed.as_ref().or(self.training.as_ref())
    }

    /// Whether this process is training now.
    pub fn is_training(&self) -> bool {
        self.training.as_ref().is_some_and(RunState::is_live)
    }

    /// Whether all seeds of the run of this process have ended, so that it only has to save its results.
    pub fn is_run_ending(&self) -> bool {
        let run = self.training.as_ref().filter(|run| run.is_live());
        run.is_some_and(|run| status_of(&run.seeds, run.spec.seed_count()) != RunStatus::Running)
    }

    /// The run on the Live screen, if a process trains it that accepts commands.
    pub fn controllable_run(&self) -> Option<&RunState> {
        self.shown_run()
            .filter(|run| run.is_live() || self.is_being_handed_over(run) || self.is_trained_elsewhere(run))
    }

    /// Whether a process in the background is taking over that run of this process.
    pub fn is_being_handed_over(&self, run: &RunState) -> bool {
        let is_ours = self.training.as_ref().is_some_and(|training| training.dir == run.dir);
        is_ours && self.quitting == Quitting::AfterHandOver
    }

    /// Whether another process trains that run.
    pub fn is_trained_elsewhere(&self, run: &RunState) -> bool {
        let row = self.row_of(run);
        !run.is_live() && !run.history().is_over() && row.is_some_and(|row| row.status == RunStatus::Running)
    }

    /// Whether a process other than this one trains the run of a row.
    pub fn is_running_elsewhere(&self, row: &RunRow) -> bool {
        // The list may be older than the end of the run of this process.
        let is_ours = self.training.as_ref().is_some_and(|run| run.dir == row.dir);
        is_running(row) && !is_ours
    }

    /// The run on the Live screen, if it can be resumed.
    pub fn resumable_run(&self) -> Option<&RunState> {
        let is_resumable = |run: &&RunState| match self.row_of(run) {
            _ if run.is_live() => false,
            Some(row) => can_resume(row),
            // A run of another directory.
            None => matches!(run.newest().phase, Phase::Ended(Status::Stopped | Status::Failed, _)),
        };
        self.shown_run().filter(is_resumable)
    }

    /// The run of this process, if it was started so recently that it may be discarded.
    pub fn discardable_run(&self) -> Option<&RunState> {
        self.training.as_ref().filter(|run| run.can_discard(self.now))
    }

    fn row_of(&self, run: &RunState) -> Option<&RunRow> {
        self.runs.runs.iter().find(|row| row.dir == run.dir)
    }

    /// The runs on the current screen that a process may be training, so that their logs may grow.
    pub fn followed_runs(&self) -> Vec<PathBuf> {
        match self.screen {
            Screen::Live | Screen::Machine => {
                let viewed = self.viewed.iter().filter(|run| self.may_grow(run.newest()));
                viewed.map(|run| run.dir.clone()).collect()
            }
            Screen::Compare => self.compare.unfinished(self.training.as_ref()),
            // The list of runs is polled; the curves are those of the run under the cursor.
            Screen::Runs => {
                let elsewhere = self.runs.run().filter(|run| self.is_running_elsewhere(run));
                elsewhere.map(|run| run.dir.clone()).into_iter().collect()
            }
            Screen::Infer | Screen::Insight | Screen::Data | Screen::Open | Screen::Sweep => Vec::new(),
        }
    }

    /// Whether the log of a run may grow: another process may just be taking over a run that was stopped.
    fn may_grow(&self, history: &History) -> bool {
        match history.phase {
            Phase::Ended(Status::Stopped, _) => self.now - history.last_seen() < HAND_OVER_SECONDS,
            Phase::Ended(..) => false,
            _ => true,
        }
    }

    /// Whether the list of runs changes because runs are trained.
    pub fn is_list_changing(&self) -> bool {
        match self.screen {
            Screen::Runs => self.runs.runs.iter().any(may_change) || self.is_training(),
            Screen::Sweep => self.sweep.is_changing(),
            Screen::Live | Screen::Machine => !self.followed_runs().is_empty(),
            Screen::Infer | Screen::Compare | Screen::Insight | Screen::Data | Screen::Open => false,
        }
    }

    /// The name of the sweep of tasks that is shown, or under the cursor.
    pub fn sweep_of_tasks(&self) -> Option<String> {
        match self.screen {
            Screen::Runs => match self.runs.line()? {
                ListLine::Sweep(row) => row.has_tasks.then(|| row.name.clone()),
                _ => None,
            },
            Screen::Sweep => {
                let report = &self.sweep.loaded()?.report;
                report.scoreboard.is_some().then(|| report.dir.name().to_owned())
            }
            _ => None,
        }
    }

    /// Goes to a screen.
    pub fn go_to(&mut self, screen: Screen) {
        if self.screen != screen {
            self.previous_screen = self.screen;
            self.screen = screen;
        }
    }

    /// The label of the key of an action in a context, for use in a text.
    pub fn key(&self, context: Context, action: Action) -> String {
        let key = self.keymap.key(context, action, self.theme);
        if key.is_empty() { "(no key)".into() } else { key }
    }

    /// Shows an error.
    pub fn show_error(&mut self, title: impl Into<String>, text: impl Into<String>) {
        self.popup = Some(Popup::message(title, text));
    }
}
