//! The details of a past run: what it was trained with, how it ended, its scores and its loss.

use super::run_charts::{self, ChartSeeds};
use super::run_text::{StatusForm, interval_text, status_role, status_text};
use super::setting_lines::{LABEL, next_line, setting};
use super::{machine, scores};
use crate::catalog::Metric;
use crate::format;
use crate::run::executor::TaskStatus;
use crate::run::history::History;
use crate::run::{RunRow, SettingChange};
use crate::spec::{RunSpec, settings};
use crate::text::{self, plural};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Keys that have a line of their own.
const SHOWN_APART: [&str; 11] = [
    "model",
    "revision",
    "task",
    "data_dir",
    "train_file",
    "validation_file",
    "test_file",
    "text_column",
    "text_pair_column",
    "label_column",
    "repeats",
];

/// From this width on, the settings are beside their label.
const WIDE: u16 = 64;

/// Draws the details.
pub(super) fn draw(app: &App, run: &RunRow, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    if let Some(problem) = &run.problem {
        let style = theme.style(status_role(run.status));
        draw_text(buffer, area.x, area.y, area.width, run.status.name(), style);
        let lines = wrap(problem, area.width as usize);
        lines.iter().fold(area.y + 1, |y, line| next_line(buffer, area, y, line, theme.style(Role::Text)));
        return;
    }
    let mut y = draw_outcome(app, run, area, buffer);
    for diagnosis in histories(app, run).iter().flat_map(|(_, history)| &history.diagnoses) {
        y = setting(buffer, area, y, "diagnosis", &diagnosis.text, theme);
    }
    if let Some((metric, text)) = best(run, theme) {
        y = setting(buffer, area, y, "best", &format!("{} {text}", format::metric(metric)), theme);
    }
    if let Some(spec) = run.spec.as_deref() {
        y = draw_settings(&settings_texts(run, spec, theme), area, y, theme, buffer);
    }
    for (label, text) in lines(app, run) {
        y = setting(buffer, area, y, label, &text, theme);
    }
    draw_history(app, run, area, y, buffer);
}

/// Draws how the run ended, and why it failed; returns the next line.
fn draw_outcome(app: &App, run: &RunRow, area: Rect, buffer: &mut Buffer) -> u16 {
    let theme = app.theme;
    let (steps, total) = (format::count(run.steps), format::count(run.total_steps));
    let progress = if run.total_steps > 0 { format!(", step {steps} of {total}") } else { String::new() };
    let left = run.seconds_left.map_or(String::new(), |left| format!(", {} left", format::duration(left)));
    let status = format!(
        "{}{progress}, {} of training{left}",
        status_text(run, StatusForm::Progress, theme),
        format::duration(run.train_seconds)
    );
    draw_text(buffer, area.x, area.y, area.width, &status, theme.style(status_role(run.status)));
    let mut y = area.y + 1;
    let reason = run.reason.as_ref().map(|reason| format!("Slurm: {reason}"));
    for (text, role) in
        [(&run.error, Role::Error), (&reason, Role::Muted), (&run.notes_problem, Role::Warning)]
    {
        for line in text.iter().flat_map(|text| wrap(text, area.width as usize)) {
            y = next_line(buffer, area, y, &line, theme.style(role));
        }
    }
    y
}

/// The histories of the seeds, once they are loaded, and that of the newest seed that has started.
fn histories<'a>(app: &'a App, run: &RunRow) -> Option<(&'a [History], &'a History)> {
    let ours = app.training.as_ref().filter(|ours| ours.is_live() && ours.dir == run.dir);
    let preview = app.runs.preview.as_ref().filter(|(dir, _)| *dir == run.dir);
    let all = ours.map(|run| &run.seeds).or(preview.map(|(_, histories)| histories))?;
    Some((all, all.iter().rev().find(|history| history.started.is_some())?))
}

/// The metric and the value of the best score, or the mean over the seeds.
fn best(run: &RunRow, theme: Theme) -> Option<(Metric, String)> {
    let (metric, value) = run.best?;
    let interval = run
        .confidence_interval
        .map_or(String::new(), |interval| format!(", {}", interval_text(metric, interval, theme)));
    let Some(repeats) = run.repeats.filter(|repeats| repeats.count > 1) else {
        return Some((metric, format!("{}{interval}", format::whole_score(metric, value))));
    };
    let unit = run.spec.as_deref().map_or("seed", RunSpec::seed_unit);
    let (mean, sd) = (format::score(metric, repeats.mean), format::score(metric, repeats.sd));
    let pm = theme.symbol(Symbol::PlusMinus);
    Some((metric, format!("{mean} {pm} {sd} over {}{interval}", plural(repeats.count, unit))))
}

/// Draws settings in as few lines as possible, none of which is broken if it fits; returns the next line. A narrow area has
/// the label above them.
fn draw_settings(texts: &[String], area: Rect, y: u16, theme: Theme, buffer: &mut Buffer) -> u16 {
    let dot = theme.symbol(Symbol::Dot);
    let packed = |width: usize| {
        let mut lines: Vec<String> = Vec::new();
        for text in texts {
            match lines.last_mut() {
                Some(line) if text::width(line) + text::width(dot) + text::width(text) <= width => {
                    *line += dot;
                    *line += text;
                }
                _ => lines.push(text.clone()),
            }
        }
        lines
    };
    if area.width >= WIDE {
        let width = usize::from(area.width).saturating_sub(LABEL);
        return setting(buffer, area, y, "settings", &packed(width).join("\n"), theme);
    }
    let mut y = next_line(buffer, area, y, "settings", theme.style(Role::Muted));
    let indented = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    for line in packed(usize::from(indented.width)) {
        for line in wrap(&line, usize::from(indented.width)) {
            y = next_line(buffer, indented, y, &line, theme.style(Role::Text));
        }
    }
    y
}

/// The labels and texts of the lines.
fn lines(app: &App, run: &RunRow) -> Vec<(&'static str, String)> {
    let theme = app.theme;
    let mut lines = Vec::new();
    lines.extend(run.spec.as_deref().map(|spec| ("data", data(spec, theme))));
    lines.push(("model", model(run)));
    lines.extend(run.notes.note.iter().map(|note| ("note", note.clone())));
    if !run.notes.tags.is_empty() {
        lines.push(("tags", run.notes.tags_text()));
    }
    if run.notes.display_name.is_some() {
        lines.push(("folder", run.name.clone()));
    }
    if run.started > 0.0 {
        lines.push(("started", times(app, run)));
    }
    lines.extend(tasks(run).map(|text| ("jobs", text)));
    if let Some(disk) = run.disk {
        let prunable = match disk.prunable_bytes {
            0 => String::new(),
            bytes => format!("{}{} in checkpoints", theme.symbol(Symbol::Dot), format::bytes(bytes)),
        };
        lines.push(("disk", format!("{}{prunable}", format::bytes(disk.bytes))));
    }
    lines
}

/// The jobs of the run in Slurm; of many, how many are in each state.
fn tasks(run: &RunRow) -> Option<String> {
    const MAX_LISTED: usize = 3;
    let text = |task: &TaskStatus| format!("{} {}", task.job.as_deref().unwrap_or("?"), task.state);
    if run.tasks.len() <= MAX_LISTED {
        let texts: Vec<String> = run.tasks.iter().map(text).collect();
        return (!texts.is_empty()).then(|| texts.join(", "));
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for task in &run.tasks {
        match counts.iter_mut().find(|(state, _)| *state == task.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((&task.state, 1)),
        }
    }
    let texts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    Some(texts.join(", "))
}

fn model(run: &RunRow) -> String {
    let revision =
        run.spec.as_deref().map(|spec| spec.revision.as_str()).filter(|revision| *revision != "main");
    revision.map_or_else(|| run.model.clone(), |revision| format!("{} at {revision}", run.model))
}

/// Start and end.
fn times(app: &App, run: &RunRow) -> String {
    let date = |time| format::date(time, app.utc_offset);
    let started = date(run.started);
    let Some(ended) = run.ended else { return started };
    let ended = date(ended);
    // The day is not repeated.
    let ended = if ended[..10] == started[..10] { &ended[11..] } else { ended.as_str() };
    format!("{started}, ended {ended}")
}

/// The settings that differ from the defaults, with the changes during the run.
fn settings_texts(run: &RunRow, spec: &RunSpec, theme: Theme) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let own = settings(spec).into_iter().filter(|(key, _)| !SHOWN_APART.contains(&key.name));
    let own: Vec<(&str, String)> = own.map(|(key, text)| (key.name, number(&text))).collect();
    // A changed setting may have started with the default.
    let mut keys: Vec<&str> = own.iter().map(|(key, _)| *key).collect();
    for change in &run.changes {
        if !keys.contains(&change.key) {
            keys.push(change.key);
        }
    }
    for key in keys {
        let changed = SettingChange::values(&run.changes, key, spec.seed_count() > 1);
        let text = || own.iter().find(|(own, _)| *own == key).map(|(_, text)| text.clone());
        let text = changed.map(|text| text.replace('→', theme.symbol(Symbol::Arrow))).or_else(text);
        texts.push(format!("{key} {}", text.unwrap_or_default()));
    }
    if spec.repeats > 1 {
        texts.push(plural(spec.repeats, "repeat"));
    }
    if texts.is_empty() {
        texts.push("all defaults".into());
    }
    texts
}

/// A number in its shortest form, or the text.
pub(super) fn number(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), format::real)
}

/// The task, and where its rows are from.
fn data(spec: &RunSpec, theme: Theme) -> String {
    let files = [&spec.data_dir, &spec.train_file, &spec.validation_file, &spec.test_file];
    let mut texts = vec![spec.task.to_string()];
    texts.extend(files.into_iter().flatten().map(|file| file.display().to_string()));
    let columns = ["text_column", "text_pair_column", "label_column"];
    let chosen = settings(spec).into_iter().filter(|(key, _)| columns.contains(&key.name));
    texts.extend(chosen.map(|(key, text)| format!("{} {text}", key.name)));
    texts.join(theme.symbol(Symbol::Dot))
}

/// Draws what only the log has, below line `y`: times by stage, scores, the loss.
fn draw_history(app: &App, run: &RunRow, area: Rect, mut y: u16, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some((histories, history)) = histories(app, run) else { return };
    if y + 2 >= area.bottom() {
        return;
    }
    let stages = machine::stages_text(history, theme);
    if !stages.is_empty() {
        y = setting(buffer, area, y, "time", &stages, theme);
    }
    if histories.len() > 1 && y + 2 < area.bottom() {
        let rest = Rect { y: y + 1, height: area.bottom() - y - 1, ..area };
        y += 1 + scores::draw_seeds(histories, theme, rest, buffer);
    }
    if y + 2 >= area.bottom() {
        return;
    }
    let rest = Rect { y: y + 1, height: area.bottom() - y - 1, ..area };
    let used = scores::draw(history, theme, rest, buffer);
    let chart = Rect { y: rest.y + used + 1, height: rest.height.saturating_sub(used + 1), ..rest };
    if chart.height >= 7 {
        let shown = ChartSeeds { seeds: histories, history };
        run_charts::draw_loss(app, shown, chart, buffer);
    }
}
