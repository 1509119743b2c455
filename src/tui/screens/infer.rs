//! Sentences and verdicts: probabilities of the labels as one types.

use super::popup::{Choice, Item, Popup, Purpose};
use crate::format;
use crate::predict::Verdict;
use crate::run::RunStatus;
use crate::tui::app::{App, Tab};
use crate::tui::msg::{Action, Effect, Opened};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::text_field::{Edit, TextField};
use crate::tui::widgets::{airy_pane, cut, fixed, put, put_right, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;
use std::path::PathBuf;
use unicode_width::UnicodeWidthStr;

/// Sentences that are remembered.
const REMEMBERED: usize = 200;
/// What the live weights are called in the list of weights.
const LIVE: &str = "the run being trained";

/// Which weights judge.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Source {
    /// None yet.
    #[default]
    Nothing,
    /// Those being trained now.
    Live,
    /// The best ones of a run.
    Run {
        /// Its name.
        name: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// A folder or a hub id.
    Named(String),
}

/// A sentence that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The sentence.
    pub text: String,
    /// The second one.
    pub text_pair: Option<String>,
    /// The most probable label.
    pub label: String,
    /// Its probability.
    pub probability: f32,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct Infer {
    /// Which weights judge.
    pub source: Source,
    /// What they are, once they are there.
    pub opened: Option<Opened>,
    /// When they were opened or refreshed, in seconds since 1970.
    pub opened_at: f64,
    /// Why there are none.
    pub trouble: Option<String>,
    /// The sentence, and the second one of a pair.
    pub fields: [TextField; 2],
    /// The field that is typed into.
    pub at: usize,
    /// Number of the newest question.
    pub asked: u64,
    /// The first question that the weights in use have been asked.
    asked_first: u64,
    /// The newest request for weights: only its answer counts, whatever is typed in the meantime.
    opening: u64,
    /// The newest answer: its question's number, the seconds it took, the verdict.
    pub answer: Option<(u64, f64, Verdict)>,
    /// Why the newest question has no answer.
    pub no_answer: Option<String>,
    /// Sentences judged before, newest first.
    pub judged: Vec<Judged>,
    recalled: Option<usize>,
    draft: [TextField; 2],
    is_refreshing: bool,
}

impl Infer {
    /// Whether two texts are judged together.
    pub fn is_pair(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.pair == Some(true))
    }

    /// Whether the weights are being trained.
    pub fn is_live(&self) -> bool {
        self.source == Source::Live
    }

    /// The question for what is typed now.
    fn ask(&mut self) -> Vec<Effect> {
        self.asked += 1;
        let text = self.fields[0].text().trim().to_string();
        let pair = self.is_pair().then(|| self.fields[1].text().trim().to_string());
        if self.opened.is_none() || text.is_empty() || pair.as_ref().is_some_and(String::is_empty) {
            self.answer = None;
            self.no_answer = None;
            self.asked_first = self.asked + 1;
            return Vec::new();
        }
        vec![Effect::Classify { asked: self.asked, text, text_pair: pair }]
    }

    /// Takes an answer, unless it is late: one to an older question than the answer shown, or of other weights.
    pub fn answer(&mut self, asked: u64, seconds: f64, result: Result<Verdict, String>) {
        let shown = self.answer.as_ref().map_or(0, |answer| answer.0);
        if asked < self.asked_first || asked <= shown {
            return;
        }
        match result {
            Ok(verdict) => {
                self.answer = Some((asked, seconds, verdict));
                self.no_answer = None;
            }
            Err(why) => {
                self.answer = None;
                self.no_answer = Some(why);
            }
        }
    }

    /// Takes over a model that was opened or has newer weights, and asks it.
    pub fn opened(&mut self, asked: u64, result: Result<Opened, String>, now: f64) -> Vec<Effect> {
        if asked != self.opening {
            return Vec::new();
        }
        self.is_refreshing = false;
        match result {
            Ok(opened) => {
                self.opened = Some(opened);
                self.opened_at = now;
                self.trouble = None;
                self.ask()
            }
            Err(why) => {
                self.trouble = Some(why);
                Vec::new()
            }
        }
    }

    /// Asks for the live weights again when they are old enough for the copying to cost the
    /// training less than a hundredth of its time.
    pub fn refresh_if_old(&mut self, now: f64, parameters: u64) -> Vec<Effect> {
        // A copy moves about a thousand million numbers in ten seconds, on a busy machine.
        let pause = (parameters as f64 / 1e6).max(2.0);
        if !self.is_live() || self.opened.is_none() || self.is_refreshing || now - self.opened_at < pause {
            return Vec::new();
        }
        self.refresh()
    }

    fn refresh(&mut self) -> Vec<Effect> {
        self.is_refreshing = true;
        self.asked += 1;
        self.opening = self.asked;
        vec![Effect::Open { asked: self.asked, source: self.source.clone() }]
    }

    fn recall(&mut self, to: Option<usize>) -> Vec<Effect> {
        if self.recalled.is_none() {
            self.draft = self.fields.clone();
        }
        self.recalled = to;
        self.fields = match to.and_then(|at| self.judged.get(at)) {
            Some(judged) => {
                [TextField::new(&judged.text), TextField::new(judged.text_pair.as_deref().unwrap_or(""))]
            }
            None => std::mem::take(&mut self.draft),
        };
        self.ask()
    }

    /// Remembers the sentence and begins anew.
    fn keep(&mut self) -> Vec<Effect> {
        let text = self.fields[0].text().trim().to_string();
        let Some((_, _, verdict)) = self.answer.as_ref().filter(|_| !text.is_empty()) else {
            return Vec::new();
        };
        let text_pair = self.is_pair().then(|| self.fields[1].text().trim().to_string());
        let found = verdict.probabilities.iter().find(|(label, _)| *label == verdict.label);
        let probability = found.map_or(0.0, |(_, probability)| *probability);
        let judged = Judged { text, text_pair, label: verdict.label.clone(), probability };
        self.judged.retain(|other| other.text != judged.text || other.text_pair != judged.text_pair);
        self.judged.insert(0, judged);
        self.judged.truncate(REMEMBERED);
        self.recalled = None;
        self.fields = Default::default();
        self.at = 0;
        self.ask()
    }
}

/// Goes to the screen with other weights; the same ones are kept as they are.
pub fn open(app: &mut App, source: Source) -> Vec<Effect> {
    app.go(Tab::Infer);
    let infer = &mut app.infer;
    if infer.source == source && infer.opened.is_some() {
        return if infer.is_live() { infer.refresh() } else { Vec::new() };
    }
    infer.source = source.clone();
    infer.opened = None;
    infer.trouble = None;
    infer.answer = None;
    infer.no_answer = None;
    infer.at = 0;
    infer.asked += 1;
    infer.asked_first = infer.asked;
    infer.opening = infer.asked;
    infer.is_refreshing = false;
    vec![Effect::Open { asked: infer.asked, source }]
}

/// Goes to the screen; without weights it takes the most obvious ones.
pub fn enter(app: &mut App) -> Vec<Effect> {
    app.go(Tab::Infer);
    if app.infer.source != Source::Nothing {
        return Vec::new();
    }
    if app.is_training() {
        return open(app, Source::Live);
    }
    let run = app.runs.runs.iter().find(|run| run.best.is_some());
    let source = run.map(|run| Source::Run { name: run.name.clone(), dir: run.dir.clone() });
    source.map_or(Vec::new(), |source| open(app, source))
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let infer = &mut app.infer;
    match action {
        Action::Enter if infer.is_pair() && infer.at == 0 => {
            infer.at = 1;
            Vec::new()
        }
        Action::Enter => infer.keep(),
        Action::Up => {
            let next = infer.recalled.map_or(0, |at| at + 1);
            if next < infer.judged.len() { infer.recall(Some(next)) } else { Vec::new() }
        }
        Action::Down => match infer.recalled {
            Some(0) => infer.recall(None),
            Some(at) => infer.recall(Some(at - 1)),
            None => Vec::new(),
        },
        Action::Next => {
            infer.at = if infer.is_pair() { 1 - infer.at } else { 0 };
            Vec::new()
        }
        Action::Fresh => infer.refresh(),
        Action::Weights => {
            choose_weights(app);
            Vec::new()
        }
        Action::Back => {
            let before = if app.before == Tab::Infer { Tab::Runs } else { app.before };
            app.go(before);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Types into the sentence.
pub fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    let infer = &mut app.infer;
    let at = if infer.is_pair() { infer.at } else { 0 };
    if infer.fields[at].edit(edit) || matches!(edit, Edit::Insert(_)) {
        infer.recalled = None;
        return infer.ask();
    }
    Vec::new()
}

fn choose_weights(app: &mut App) {
    let mut items = Vec::new();
    if app.is_training() {
        let name = app.training.as_ref().map_or(String::new(), super::run_view::RunView::name);
        items.push(Item { value: LIVE.into(), note: name });
    }
    for run in app.runs.runs.iter().filter(|run| run.best.is_some() && run.status != RunStatus::Running) {
        let (metric, value) = run.best.expect("kept only those that have one");
        let note = format!("{} {} on {}", format::metric(metric), format::score(metric, value), run.task);
        items.push(Item { value: run.name.clone(), note });
    }
    app.popup = Some(Popup::Choice(Choice {
        title: "Which weights judge".into(),
        items,
        free: Some("a run, a folder or a hub id"),
        typed: TextField::default(),
        at: 0,
        purpose: Purpose::Weights,
    }));
}

/// Takes the weights that were chosen from the list.
pub fn choose(app: &mut App, value: &str) -> Vec<Effect> {
    let run = app.runs.runs.iter().find(|run| run.name == value);
    let source = match run {
        _ if value == LIVE => Source::Live,
        Some(run) => Source::Run { name: run.name.clone(), dir: run.dir.clone() },
        None => Source::Named(value.to_string()),
    };
    open(app, source)
}

/// Draws the screen; returns where the terminal's cursor belongs.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let labels = infer.answer.as_ref().map_or(2, |answer| answer.2.probabilities.len()) as u16;
    let field = if area.height >= 30 { 5 } else { 3 };
    let fields = if infer.is_pair() { 2 } else { 1 };
    let heights = [
        Constraint::Length(1),
        Constraint::Length(field * fields),
        Constraint::Length((labels + 3).min(area.height / 2)),
        Constraint::Fill(1),
    ];
    let [head, text, bars, before] = Layout::vertical(heights).areas(area);
    draw_head(app, head, buffer);
    let cursor = draw_fields(app, text, buffer);
    draw_verdict(app, bars, buffer);
    draw_judged(app, before, buffer);
    cursor
}

/// What the weights are called, and how fresh they are.
fn what(app: &App) -> (String, Role) {
    let infer = &app.infer;
    let name = match &infer.source {
        Source::Nothing => {
            return ("No weights yet: ^O chooses some, or train a run first.".into(), Role::Warning);
        }
        Source::Live => app.training.as_ref().map_or("the run".into(), super::run_view::RunView::name),
        Source::Run { name, .. } | Source::Named(name) => name.clone(),
    };
    match (&infer.opened, &infer.trouble) {
        (_, Some(trouble)) => (format!("{name}: {trouble}"), Role::Error),
        (None, None) => (format!("{name}: loading the weights"), Role::Muted),
        (Some(opened), None) => {
            let weights = match opened.step {
                Some(step) => {
                    let age = format::duration(app.now - infer.opened_at);
                    format!("weights of step {}, {age} old", format::count(step))
                }
                None if matches!(infer.source, Source::Named(_)) => "its own weights".into(),
                None => "best weights".into(),
            };
            (format!("{name}, {weights}"), Role::Text)
        }
    }
}

fn draw_head(app: &App, area: Rect, buffer: &mut Buffer) {
    let (text, role) = what(app);
    let theme = app.theme;
    let took = app
        .infer
        .answer
        .as_ref()
        .map_or(String::new(), |(_, seconds, _)| format!("answers in {:>4.0} ms ", 1000.0 * seconds));
    let room = (area.width as usize).saturating_sub(took.width() + 2);
    put(buffer, area.x + 1, area.y, area.width, &cut(theme, &text, room), theme.style(role));
    put_right(buffer, area, area.y, &took, theme.style(Role::Muted));
}

fn draw_fields(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let names: &[&str] = if infer.is_pair() { &["First text", "Second text"] } else { &["Sentence"] };
    let heights = names.iter().map(|_| Constraint::Fill(1));
    let rows = Layout::vertical(heights).split(area);
    let mut cursor = None;
    for (number, name) in names.iter().enumerate() {
        let field = &infer.fields[number];
        let title = if field.was_cut() { format!("{name} (too long, cut)") } else { (*name).to_string() };
        let is_at = infer.at == number || names.len() == 1;
        let block = airy_pane(app.theme, &title, is_at && app.popup.is_none());
        let inner = block.inner(rows[number]);
        block.render(rows[number], buffer);
        let at = field.draw_paragraph(buffer, inner, app.theme, "type here");
        if is_at && !inner.is_empty() {
            cursor = Some(at);
        }
    }
    cursor
}

fn draw_verdict(app: &App, area: Rect, buffer: &mut Buffer) {
    let infer = &app.infer;
    let theme = app.theme;
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let area = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    if let Some(why) = &infer.no_answer {
        for (row, line) in wrap(why, area.width as usize).iter().enumerate().take(area.height as usize) {
            put(buffer, area.x, area.y + row as u16, area.width, line, theme.style(Role::Error));
        }
        return;
    }
    let Some((asked, _, verdict)) = &infer.answer else {
        if infer.opened.is_some() {
            let text = if infer.is_pair() {
                "Type both texts to see what the model says."
            } else {
                "Type to see what the model says."
            };
            put(buffer, area.x, area.y, area.width, text, theme.style(Role::Muted));
        }
        return;
    };
    let is_old = *asked < infer.asked;
    draw_bars(verdict, is_old, theme, area, buffer);
    let y = area.y + verdict.probabilities.len() as u16;
    if y < area.bottom() {
        let cut_note = if verdict.truncated { ", the end was cut" } else { "" };
        let text = format!("{} tokens{cut_note}", verdict.tokens);
        put(buffer, area.x, y, area.width, &text, theme.style(Role::Muted));
    }
}

fn draw_bars(verdict: &Verdict, is_old: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let widest = verdict.probabilities.iter().map(|(label, _)| label.width()).max().unwrap_or(0).min(24);
    for (row, (label, probability)) in verdict.probabilities.iter().enumerate().take(area.height as usize) {
        let y = area.y + row as u16;
        let is_first = *label == verdict.label;
        let role = match (is_old, is_first) {
            (true, _) => Role::Muted,
            (_, true) => Role::Best,
            _ => Role::Text,
        };
        let x = put(buffer, area.x, y, area.width, &(fixed(theme, label, widest) + "  "), theme.style(role));
        let width = area.right().saturating_sub(x + 9);
        let fill = if is_old {
            Role::Muted
        } else if is_first {
            Role::Best
        } else {
            Role::Bar
        };
        bar(buffer, Rect { x, y, width, height: 1 }, f64::from(*probability), fill, theme);
        put(buffer, x + width + 2, y, 7, &format!("{:>5.1} %", 100.0 * probability), theme.style(role));
    }
}

fn draw_judged(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = airy_pane(theme, "Before", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let judged = &app.infer.judged;
    if judged.is_empty() {
        let key = theme.sign("⏎", "enter");
        let text = format!("{key} keeps a sentence here; {} brings it back.", theme.sign("↑", "up"));
        put(buffer, inner.x, inner.y, inner.width, &text, theme.style(Role::Muted));
        return;
    }
    let widest = judged.iter().map(|one| one.label.width()).max().unwrap_or(0).min(20);
    for (row, one) in judged.iter().enumerate().take(inner.height as usize) {
        let y = inner.y + row as u16;
        let text = match &one.text_pair {
            Some(pair) => format!("{}  |  {pair}", one.text),
            None => one.text.clone(),
        };
        let room = (inner.width as usize).saturating_sub(widest + 12);
        let is_at = app.infer.recalled == Some(row);
        let role = if is_at { Role::Selected } else { Role::Text };
        let x = put(buffer, inner.x, y, inner.width, &fixed(theme, &text, room), theme.style(role));
        let verdict = format!("  {}  {:>5.1} %", fixed(theme, &one.label, widest), 100.0 * one.probability);
        put(buffer, x, y, inner.right().saturating_sub(x), &verdict, theme.style(Role::Muted));
    }
}

/// Draws the sentence and the probabilities only.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let theme = app.theme;
    let (text, role) = what(app);
    put(buffer, area.x, area.y, area.width, &cut(theme, &text, area.width as usize), theme.style(role));
    let mut cursor = None;
    let fields = if infer.is_pair() { 2 } else { 1 };
    for number in 0..fields {
        let y = area.y + 1 + number as u16;
        if y < area.bottom() {
            let row = Rect { y, height: 1, ..area };
            let at = infer.fields[number].draw_line(buffer, row, theme.style(Role::Text));
            if infer.at == number {
                cursor = Some(at);
            }
        }
    }
    let y = area.y + 1 + fields as u16;
    if let (Some((_, _, verdict)), true) = (&infer.answer, y < area.bottom()) {
        draw_bars(verdict, false, theme, Rect { y, height: area.bottom() - y, ..area }, buffer);
    }
    cursor
}
