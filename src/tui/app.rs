//! All that is on screen, as data. No files, no channels, no clock.

use super::keymap::{Keymap, Place};
use super::msg::Action;
use super::screens::compare::Compare;
use super::screens::data::DataView;
use super::screens::form::Form;
use super::screens::infer::Infer;
use super::screens::insight::InsightView;
use super::screens::live::LiveView;
use super::screens::popup::Popup;
use super::screens::run_view::RunView;
use super::screens::runs::Runs;
use super::theme::{BUILT_IN, ColorDepth, Scheme, Theme};
use super::widgets::line_chart::ChartView;
use crate::run::RunStatus;
use crate::spec::{KeyValue, RunSpec};
use std::path::PathBuf;

/// The screens that one goes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Experiments and past runs.
    Runs,
    /// The curves of one run.
    Live,
    /// Sentences and verdicts.
    Infer,
    /// The curves of any runs, one over the other.
    Compare,
    /// What one run gets right and wrong.
    Insight,
    /// The data of one experiment before anything is trained on it.
    Data,
    /// What the machine does while one run is trained.
    Machine,
}

impl Tab {
    /// Every tab with a number, in its order. The others are opened from one of them.
    pub const ALL: [Tab; 4] = [Tab::Runs, Tab::Live, Tab::Infer, Tab::Compare];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Runs => "Runs",
            Tab::Live => "Live",
            Tab::Infer => "Infer",
            Tab::Compare => "Compare",
            Tab::Insight => "Insight",
            Tab::Data => "Data",
            Tab::Machine => "Machine",
        }
    }
}

/// An experiment of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRow {
    /// Its name.
    pub name: String,
    /// What the comment above it says.
    pub description: Option<String>,
    /// Every key's value and where it comes from.
    pub values: Vec<KeyValue>,
    /// Its filled specification, or what is wrong with it.
    pub spec: Result<RunSpec, String>,
}

/// Everything that the interface knows.
#[derive(Debug)]
pub struct App {
    /// Styles and signs.
    pub theme: Theme,
    /// What every key does.
    pub keymap: Keymap,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Seconds since 1970.
    pub now: f64,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset: i64,
    /// The machine in a few words.
    pub machine: String,
    /// The screen in front.
    pub tab: Tab,
    /// The screen that was in front before; where going back leads.
    pub before: Tab,
    /// Experiments and past runs.
    pub runs: Runs,
    /// The form over them, while it is open.
    pub form: Option<Form>,
    /// The run that this process trains, or trained last.
    pub training: Option<RunView>,
    /// A past run that is being looked at in place of it.
    pub viewed: Option<RunView>,
    /// How the curves are looked at.
    pub live: LiveView,
    /// Sentences and verdicts.
    pub infer: Infer,
    /// Runs side by side.
    pub compare: Compare,
    /// What one run gets right and wrong.
    pub insight: InsightView,
    /// The data of one experiment.
    pub data: DataView,
    /// How the curves of the machine are looked at.
    pub gauges: ChartView,
    /// A box over everything that takes the keys.
    pub popup: Option<Popup>,
    /// Every theme that there is.
    pub themes: Vec<&'static Scheme>,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// What was just changed, told until the next key.
    pub notice: Option<String>,
    /// Whether to quit as soon as the run is over.
    pub leaving: bool,
}

impl App {
    /// The interface before anything is known.
    pub fn new(theme: Theme, size: (u16, u16), now: f64, machine: String) -> Self {
        App {
            theme,
            keymap: Keymap::default(),
            size,
            now,
            utc_offset: 0,
            machine,
            tab: Tab::Runs,
            before: Tab::Runs,
            runs: Runs::default(),
            form: None,
            training: None,
            viewed: None,
            live: LiveView::default(),
            infer: Infer::default(),
            compare: Compare::default(),
            insight: InsightView::default(),
            data: DataView::default(),
            gauges: ChartView::default(),
            popup: None,
            themes: BUILT_IN.to_vec(),
            mouse: false,
            notice: None,
            leaving: false,
        }
    }

    /// The run on the Live screen.
    pub fn shown(&self) -> Option<&RunView> {
        self.viewed.as_ref().or(self.training.as_ref())
    }

    /// Whether this process is training now.
    pub fn is_training(&self) -> bool {
        self.training.as_ref().is_some_and(RunView::is_live)
    }

    /// The run on the Live screen, if somebody trains it who can be told something.
    pub fn steered(&self) -> Option<&RunView> {
        self.shown().filter(|run| run.is_live() || self.is_trained_elsewhere(run))
    }

    /// Whether another process trains that run.
    pub fn is_trained_elsewhere(&self, run: &RunView) -> bool {
        let mut rows = self.runs.runs.iter().filter(|row| row.dir == run.dir);
        !run.is_live() && !run.history().is_over() && rows.any(|row| row.status == RunStatus::Running)
    }

    /// The runs in front that somebody else may be training: their logs may grow.
    pub fn watched(&self) -> Vec<PathBuf> {
        match self.tab {
            Tab::Live | Tab::Machine => {
                let viewed = self.viewed.iter().filter(|run| !run.history().is_over());
                viewed.map(|run| run.dir.clone()).collect()
            }
            Tab::Compare => self.compare.unfinished(self),
            Tab::Runs | Tab::Infer | Tab::Insight | Tab::Data => Vec::new(),
        }
    }

    /// Goes to a screen.
    pub fn go(&mut self, tab: Tab) {
        if self.tab != tab {
            self.before = self.tab;
            self.tab = tab;
        }
    }

    /// The key for an action in a place, for a text that names it.
    pub fn key(&self, place: Place, action: Action) -> String {
        let key = self.keymap.key(place, action, self.theme);
        if key.is_empty() { "(no key)".into() } else { key }
    }

    /// Takes the next theme and says its name.
    pub fn next_theme(&mut self) {
        let at = self.themes.iter().position(|scheme| scheme.name == self.theme.scheme.name);
        let next = at.map_or(0, |at| (at + 1) % self.themes.len());
        self.theme.scheme = self.themes[next];
        let colours = match self.theme.palette {
            ColorDepth::None => ", without colours here",
            _ => "",
        };
        self.notice = Some(format!("theme {}{colours}", self.theme.scheme.name));
    }

    /// Shows what went wrong.
    pub fn complain(&mut self, title: impl Into<String>, text: impl Into<String>) {
        self.popup = Some(Popup::message(title, text));
    }
}
