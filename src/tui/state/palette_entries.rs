//! The entries of the command palette: the actions of every screen, the settings, the experiments and the runs.

use super::app::App;
use super::experiment::ExperimentRow;
use super::palette::{Entry, Palette, Target};
use crate::format;
use crate::run::RunRow;
use crate::spec::{KeyValue, key_aliases};
use crate::tui::action::Action;
use crate::tui::keymap::{Binding, Condition};
use crate::tui::screen::{Context, Screen};

impl Palette {
    /// The palette for the current state.
    pub fn of(app: &App) -> Palette {
        let current = app.contexts_behind_popup();
        let mut entries: Vec<Entry> = Vec::new();
        for context in current.iter().copied().chain([Context::Global]) {
            entries.extend(actions(app, context));
        }
        entries.extend(app.runs.experiments.iter().map(start));
        entries.extend(app.runs.runs.iter().map(open));
        let others = Context::ALL.into_iter().filter(|context| {
            !current.contains(context) && *context != Context::Global && !context.is_popup()
        });
        entries.extend(others.flat_map(|context| actions(app, context)));
        entries.extend(settings(app));
        Palette::new(entries)
    }
}

impl App {
    /// Why a binding of `context` does not apply, as a sentence; `None` if it does. A binding of another screen that
    /// has a tab applies after going there.
    pub fn why_inapplicable(&self, context: Context, condition: Condition) -> Option<String> {
        let current = self.contexts_behind_popup();
        let screen = match context {
            Context::Global => self.screen,
            context if current.contains(&context) => self.screen,
            Context::Screen(Screen::Runs) if self.form.is_some() => {
                return Some("Close the form first.".into());
            }
            Context::Screen(screen) if Screen::TABS.contains(&screen) => screen,
            context => return Some(context.entered_by().into()),
        };
        self.unmet_on(screen, &[condition])
    }

    /// The experiment whose settings the palette opens: that of the form, or the one under the cursor, or that of the
    /// run on screen, or the first one.
    fn experiment_of_settings(&self) -> Option<&ExperimentRow> {
        let named = |name: &str| self.runs.experiments.iter().find(|row| row.name == name);
        if let Some(form) = &self.form {
            return form.experiment.as_deref().and_then(named);
        }
        let run = self.runs.run().map(|run| run.experiment.as_str());
        let shown = self.shown_run().map(|run| run.spec.experiment.as_str());
        let of_run = if self.screen == Screen::Runs { run.or(shown) } else { shown.or(run) };
        let under_cursor = self.runs.experiment().filter(|_| self.screen == Screen::Runs);
        under_cursor.or_else(|| named(of_run?)).or_else(|| self.runs.experiments.first())
    }
}

/// The actions of a context: those that apply, then those that do not, moves of the cursor last. Bindings that differ
/// only in their condition are one entry.
fn actions(app: &App, context: Context) -> Vec<Entry> {
    let mut bindings: Vec<(&Binding, Option<String>)> = Vec::new();
    for binding in app.keymap.of(context) {
        let reason = app.why_inapplicable(context, binding.condition);
        let same = |(other, _): &&mut (&Binding, Option<String>)| {
            other.name == binding.name && other.description == binding.description
        };
        match bindings.iter_mut().find(same) {
            Some(listed) if listed.1.is_some() && reason.is_none() => *listed = (binding, reason),
            Some(_) => {}
            None => bindings.push((binding, reason)),
        }
    }
    bindings.sort_by_key(|(binding, reason)| (matches!(binding.action, Action::List(_)), reason.is_some()));
    let entry = |(binding, reason): (&Binding, Option<String>)| Entry {
        group: context.heading(),
        text: binding.description.into(),
        note: String::new(),
        keywords: format!("{} {}", binding.label, binding.name.replace('_', " ")),
        key: binding.first_key(context.takes_text()),
        reason,
        target: Target::Binding { context, action: binding.action, condition: binding.condition },
    };
    bindings.into_iter().map(entry).collect()
}

fn start(row: &ExperimentRow) -> Entry {
    let reason = row.spec.as_ref().err().map(|error| error.lines().next().unwrap_or_default().to_owned());
    Entry {
        group: "Experiment",
        text: format!("start {}", row.name),
        note: row.description.clone().unwrap_or_default(),
        keywords: "train".into(),
        key: None,
        reason,
        target: Target::Experiment(row.name.clone()),
    }
}

fn open(run: &RunRow) -> Entry {
    let score = run.best.map(|(metric, value)| format!(", {}", format::score(metric, value)));
    Entry {
        group: "Run",
        text: format!("open {}", run.name),
        note: format!("{}{}", run.status.name(), score.unwrap_or_default()),
        keywords: String::new(),
        key: None,
        reason: run.problem.clone(),
        target: Target::Run(run.dir.clone()),
    }
}

/// The keys of the experiments file, with their values in one experiment.
fn settings(app: &App) -> Vec<Entry> {
    let Some(row) = app.experiment_of_settings() else { return Vec::new() };
    let task = row.values.iter().find(|value| value.key.name == "task").map(|value| value.text.as_str());
    let entry = |value: &KeyValue| {
        let key = value.key;
        let text = if value.text.is_empty() { key.absent } else { &value.text };
        let other_task = key.task.filter(|owner| task != Some(*owner) && value.text.is_empty());
        Entry {
            group: "Setting",
            text: key.name.into(),
            note: format!("{text} in {}", row.name),
            keywords: key_aliases(key.name).collect::<Vec<_>>().join(" "),
            key: None,
            reason: other_task.map(|task| format!("This setting belongs to the task {task}.")),
            target: Target::Setting { experiment: row.name.clone(), key: key.name },
        }
    };
    row.values.iter().map(entry).collect()
}
