//! Sentences that are pinned: every evaluation of every run judges them.

use super::super::probes::{self, Line};
use super::super::run_view::RunView;
use super::{Infer, ModelSource};
use crate::probes::{MAX_PROBES, Probe};
use crate::run::history::History;
use crate::spec::RunSpec;
use crate::tui::app::App;
use crate::tui::msg::Effect;
use crate::tui::theme::Role;
use crate::tui::widgets::{airy_pane, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use std::path::{Path, PathBuf};

/// What is pinned, and what the run of the weights said of it.
#[derive(Debug, Default)]
pub struct ProbeList {
    /// The sentences, those of other tasks too.
    pub pins: Vec<Probe>,
    /// Attribution they cannot be read.
    pub trouble: Option<String>,
    /// A run that this process does not train, with the histories of its seeds.
    past: Option<(PathBuf, Vec<History>)>,
}

/// The pinned sentences that the weights can judge.
pub(super) fn fitting(infer: &Infer) -> impl Iterator<Item = &Probe> {
    infer.pinned.pins.iter().filter(|pin| pin.text_pair.is_some() == infer.is_pair())
}

/// Pins what is typed, or lets it go.
pub(super) fn toggle(app: &mut App) -> Vec<Effect> {
    let (text, text_pair) = app.infer.texts();
    if text.is_empty() || text_pair.as_ref().is_some_and(String::is_empty) {
        app.notice = Some("type what is to be pinned".into());
        return Vec::new();
    }
    let (pin, pins) = (Probe { text, text_pair }, &app.infer.pinned.pins);
    if pins.len() >= MAX_PROBES && !pins.contains(&pin) {
        app.notice = Some(format!("{MAX_PROBES} are pinned, the most there can be: let one go first"));
        return Vec::new();
    }
    vec![Effect::ToggleProbe(pin)]
}

/// Takes over what is pinned now.
pub fn pinned(app: &mut App, result: Result<Vec<Probe>, String>) -> Vec<Effect> {
    let pinned = &mut app.infer.pinned;
    match result {
        Ok(pins) => {
            pinned.pins = pins;
            pinned.trouble = None;
        }
        Err(why) => pinned.trouble = Some(why),
    }
    // What was brought back may be in another place now.
    app.infer.recalled = app.infer.recalled.filter(|at| *at < app.infer.judged.len());
    ask_history(app)
}

/// Takes over what the logs of the run of the weights say.
pub fn replayed(app: &mut App, dir: &Path, result: &Result<(RunSpec, Vec<History>), String>) {
    if matches!(&app.infer.source, ModelSource::Run { dir: own, .. } if own == dir)
        && let Ok((_, seeds)) = result
    {
        app.infer.pinned.past = Some((dir.to_path_buf(), seeds.clone()));
    }
}

/// Asks for the logs of the run of the weights, where something is pinned and they are not known.
pub(super) fn ask_history(app: &App) -> Vec<Effect> {
    match &app.infer.source {
        ModelSource::Run { dir, .. } if !app.infer.pinned.pins.is_empty() && history(app).is_none() => {
            vec![Effect::RequireHistory(dir.clone())]
        }
        _ => Vec::new(),
    }
}

/// The history of the training that the weights are of: of several seeds that of the best.
fn history(app: &App) -> Option<&History> {
    let training = app.training.as_ref();
    match &app.infer.source {
        ModelSource::Live => training.map(RunView::newest),
        ModelSource::Run { dir, .. } => {
            let own = training.filter(|run| run.dir == *dir).map(|run| &run.seeds);
            let past = app.infer.pinned.past.as_ref().filter(|past| past.0 == *dir).map(|past| &past.1);
            let seeds = own.or(past)?;
            let better = |a: &&History, b: &&History| match (a.best, b.best) {
                (Some(a), Some(b)) if a.metric.improves(a.value, b.value) => std::cmp::Ordering::Greater,
                (Some(_), Some(_)) => std::cmp::Ordering::Less,
                (a, b) => a.is_some().cmp(&b.is_some()),
            };
            seeds.iter().max_by(better)
        }
        ModelSource::Nothing | ModelSource::Named(_) => None,
    }
}

/// Lines that the pane takes, its frame included; 0 where there is nothing to show.
pub(super) fn height(infer: &Infer) -> u16 {
    match (&infer.pinned.trouble, fitting(infer).count()) {
        (None, 0) => 0,
        (Some(_), count) => count.max(2) as u16 + 2,
        (None, count) => count as u16 + 2,
    }
}

/// Draws the pane.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let (theme, infer) = (app.theme, &app.infer);
    let block = airy_pane(theme, "ProbeList", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    if let Some(why) = &infer.pinned.trouble {
        for (line, y) in wrap(why, usize::from(inner.width)).iter().zip(inner.y..inner.bottom()) {
            put(buffer, inner.x, y, inner.width, line, theme.style(Role::Warning));
        }
        return;
    }
    let history = history(app);
    let line = |(at, pin)| Line {
        pin,
        course: history.and_then(|history| history.probes.series_of(pin)),
        is_at: infer.recalled == Some(infer.judged.len() + at),
    };
    let lines: Vec<_> = fitting(infer).enumerate().map(line).collect();
    probes::draw(&lines, history, theme, inner, buffer);
}
