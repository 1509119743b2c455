//! The Insight screen: header, confusion matrix, calibration, table of labels, regression plot, list of rows, and
//! thresholds.

mod labels;
mod rows;
mod scale;
mod thresholds;

use super::placeholder;
use crate::catalog::Metric;
use crate::event::Command;
use crate::format;
use crate::run::error_analysis::{Bin, Classes, Detail, ErrorReport};
use crate::text;
use crate::tui::action::{Action, InsightAction, LiveAction};
use crate::tui::layout::PANE_FRAME;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::insight::{Content, LoadedReport};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{draw_text, draw_text_right, fit_width, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::{Block, Widget};

/// Minimum width of the calibration.
const CALIBRATION: u16 = 22;
/// Minimum height of a screen with the calibration below the matrix.
const TALL: u16 = 34;
/// Width of precision, recall and F1.
const PER_CLASS: u16 = 25;

/// Draws the screen.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Content::Loaded(loaded) = &app.insight.content else {
        let (text, role) = message(app);
        placeholder::draw(app, &text, role, area, buffer);
        return;
    };
    let areas = Areas::new(loaded, area);
    draw_header(app, loaded, areas.header, buffer);
    match &loaded.analysis.detail {
        Detail::Classes(classes) => {
            Matrix::new(loaded).draw(app, loaded, &classes.cells, areas.top, buffer);
            if let Some(area) = areas.calibration {
                draw_calibration(app, classes, area, buffer);
            }
        }
        Detail::MultiLabel => labels::draw(app, loaded, areas.top, buffer),
        Detail::Scale(bins) => scale::draw(app, loaded, bins, areas.top, buffer),
    }
    match &loaded.threshold_curve {
        Some((label, curve)) => thresholds::draw(app, loaded, (*label, curve), areas.list, buffer),
        None => rows::draw(app, loaded, areas.list, buffer),
    }
}

/// The action of a click: select a row of the list or a cell of the matrix.
pub fn point_at(app: &App, area: Rect, position: Position) -> Option<Action> {
    let loaded = app.insight.loaded()?;
    let areas = Areas::new(loaded, area);
    let cell = || {
        let has_matrix = matches!(loaded.analysis.detail, Detail::Classes(_));
        Matrix::new(loaded).cell_at(app.theme, areas.top, position).filter(|_| has_matrix)
    };
    let has_rows = loaded.threshold_curve.is_none();
    let line = rows::line_at(app, loaded, areas.list, position).filter(|_| has_rows);
    line.map(|line| Action::Insight(InsightAction::Select(line))).or_else(|| {
        cell().map(|(label, predicted)| Action::Insight(InsightAction::SelectCell(label, predicted)))
    })
}

/// The areas of the screen.
struct Areas {
    header: Rect,
    /// The confusion matrix, the table of labels, or the regression plot.
    top: Rect,
    calibration: Option<Rect>,
    list: Rect,
}

impl Areas {
    fn new(loaded: &LoadedReport, area: Rect) -> Areas {
        let classes = match &loaded.analysis.detail {
            Detail::Classes(classes) => classes,
            Detail::MultiLabel => return Areas::without_matrix(area, labels::height(loaded)),
            Detail::Scale(_) => return Areas::without_matrix(area, scale::height(area)),
        };
        let matrix = Matrix::new(loaded);
        let bins = shown_bins(classes).count() as u16;
        let beside = area.width.saturating_sub(matrix.width()) >= CALIBRATION;
        let below = !beside && area.height >= TALL;
        let curve = bins + 3;
        let top = if beside { matrix.height().max(curve) } else { matrix.height() };
        let heights = [
            Constraint::Length(2),
            Constraint::Length(top.min(area.height / 2)),
            Constraint::Length(if below { curve } else { 0 }),
            Constraint::Fill(1),
        ];
        let [header, top, middle, list] = Layout::vertical(heights).areas(area);
        if !beside {
            return Areas { header, top, calibration: below.then_some(middle), list };
        }
        let widths = [Constraint::Length(matrix.width()), Constraint::Fill(1)];
        let [left, right] = Layout::horizontal(widths).areas(top);
        Areas { header, top: left, calibration: Some(right), list }
    }

    /// The areas with a pane of the height `top` in place of a matrix.
    fn without_matrix(area: Rect, top: u16) -> Areas {
        let top = top.min(area.height / 2);
        let heights = [Constraint::Length(2), Constraint::Length(top), Constraint::Fill(1)];
        let [header, top, list] = Layout::vertical(heights).areas(area);
        Areas { header, top, calibration: None, list }
    }
}

/// The message while there are no predictions.
fn message(app: &App) -> (String, Role) {
    let run = app.insight.subject.as_ref().map(|subject| &subject.dir);
    let is_training = app.is_training() && app.training.as_ref().map(|training| &training.dir) == run;
    let text = match &app.insight.content {
        Content::Reading => "Reading the predictions.",
        Content::Error(error) => return (error.clone(), Role::Error),
        Content::Empty if is_training => {
            let eval = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::Send(Command::Eval)));
            let text = format!(
                "No predictions yet. They are saved at the first evaluation; press {eval} on the Live screen to evaluate \
                 now."
            );
            return (text, Role::Muted);
        }
        Content::Empty | Content::Loaded(_) => {
            "No predictions were saved: the run ended before its first evaluation, or an old version trained it. Train it again to analyze its errors."
        }
    };
    (text.to_string(), Role::Muted)
}

/// The names of run and seed.
fn name(app: &App, loaded: &LoadedReport) -> String {
    let Some(subject) = &app.insight.subject else { return String::new() };
    let name = subject.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let ErrorReport { seed_index: seed, seed_count: seeds, spec, folds, .. } = &loaded.report;
    let seed_number = if *seeds > 1 { format!(" ({} of {seeds})", seed + 1) } else { String::new() };
    if !folds.trainings.is_empty() {
        let (dot, all) = (app.theme.symbol(Symbol::Dot), spec.folds.unwrap_or_default());
        let repeat = if *seeds > 1 { format!("repeat{seed_number}, ") } else { String::new() };
        return format!("{name}{dot}{repeat}{} of {all} folds, out of fold", folds.trainings.len());
    }
    format!("{name}{}seed {}{seed_number}", app.theme.symbol(Symbol::Dot), spec.seed)
}

/// The selected evaluation.
fn evaluation_text(loaded: &LoadedReport) -> String {
    let (at, all) = (loaded.evaluation_index + 1, loaded.report.evaluations.len());
    let evaluation = loaded.evaluation();
    let step = match evaluation.step {
        0 => "before training".to_string(),
        step => format!(
            "step {}, epoch {}",
            format::count(step),
            format::real((100.0 * evaluation.epoch).round() / 100.0)
        ),
    };
    format!("evaluation {at} of {all}: {step}")
}

/// The metrics of the task, and the loss; in less than `width` cells only the first metrics, and the loss.
fn scores(loaded: &LoadedReport, width: usize) -> String {
    let scores = &loaded.analysis.scores;
    let text = |metric: Metric| {
        let value = scores.get(metric)?;
        Some(format!("{} {}", format::metric(metric), format::score(metric, value)))
    };
    let official = loaded.report.spec.task().metrics(loaded.report.labels.problem_type());
    let mut metrics: Vec<String> = official.iter().filter_map(|metric| text(*metric)).collect();
    let loss = text(Metric::Loss);
    loop {
        let all = metrics.iter().chain(&loss).map(String::as_str).collect::<Vec<_>>().join("   ");
        if text::width(&all) <= width || metrics.len() < 2 {
            return all;
        }
        metrics.pop();
    }
}

fn draw_header(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let split = if loaded.report.folds.trainings.is_empty() { "validation" } else { "training" };
    let rows = format!("{} {split} rows ", format::count(loaded.predictions().len() as u64));
    let evaluation = evaluation_text(loaded);
    let scores = scores(loaded, usize::from(area.width).saturating_sub(text::width(&evaluation) + 4));
    let lines = [(name(app, loaded), Role::Title, rows), (evaluation, Role::Text, scores + " ")];
    for (row, (left, role, right)) in lines.iter().enumerate().take(area.height as usize) {
        let y = area.y + row as u16;
        draw_text_right(buffer, area, y, right, theme.style(Role::Text));
        let available = (area.width as usize).saturating_sub(text::width(right) + 3);
        draw_text(
            buffer,
            area.x + 1,
            y,
            available as u16,
            &truncate(theme, left, available),
            theme.style(*role),
        );
    }
}

/// The confusion matrix with precision, recall and F1 of each class.
struct Matrix {
    /// Width of the label names.
    name: usize,
    /// Width of a column of the matrix.
    column: usize,
    classes: usize,
}

impl Matrix {
    fn new(loaded: &LoadedReport) -> Self {
        let labels = loaded.report.labels.classes();
        let widest = labels.iter().map(|label| text::width(label)).max().unwrap_or(0);
        let digits = loaded.predictions().len().to_string().len();
        let column = widest.min(if labels.len() > 2 { 7 } else { 14 }).max(digits + 1) + 2;
        Matrix { name: widest.min(16), column, classes: labels.len() }
    }

    fn width(&self) -> u16 {
        PANE_FRAME + (self.name + self.classes * self.column) as u16 + PER_CLASS
    }

    fn height(&self) -> u16 {
        self.classes as u16 + 3
    }

    fn pane(theme: Theme, is_focus: bool) -> Block<'static> {
        padded_pane(theme, "Confusion: labels down, predictions across", is_focus)
    }

    /// Label and predicted class of the cell at a position.
    fn cell_at(&self, theme: Theme, area: Rect, position: Position) -> Option<(usize, usize)> {
        let inner = Matrix::pane(theme, false).inner(area);
        let label = usize::from(position.y.checked_sub(inner.y + 1)?);
        let predicted = usize::from(position.x.checked_sub(inner.x + self.name as u16)?) / self.column;
        let is_cell = inner.contains(position) && label < self.classes && predicted < self.classes;
        is_cell.then_some((label, predicted))
    }

    fn draw(
        &self,
        app: &App,
        loaded: &LoadedReport,
        cells: &[Vec<Vec<usize>>],
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let (view, theme) = (&app.insight, app.theme);
        let is_focus = !view.is_in_list && app.popup.is_none();
        let block = Matrix::pane(theme, is_focus);
        let inner = block.inner(area);
        block.render(area, buffer);
        let (labels, column) = (loaded.report.labels.classes(), self.column);
        let header: Vec<String> = labels
            .iter()
            .map(|label| format!("{:>width$} ", truncate(theme, label, column - 2), width = column - 1))
            .collect();
        let header = header.concat();
        let header =
            format!("{:name$}{header}{:>10}{:>8}{:>7}", "", "precision", "recall", "F1", name = self.name);
        draw_text(buffer, inner.x, inner.y, inner.width, &header, theme.style(Role::Muted));
        let per_class = &loaded.analysis.scores.per_class;
        for ((label, cells), class) in cells.iter().enumerate().zip(per_class) {
            let y = inner.y + 1 + label as u16;
            if y >= inner.bottom() {
                break;
            }
            let name = fit_width(theme, &labels[label], self.name);
            let mut x = draw_text(buffer, inner.x, y, inner.width, &name, theme.style(Role::Text));
            for (predicted, rows) in cells.iter().enumerate() {
                let is_selected = view.cell == (label, predicted);
                let number = rows.len().to_string();
                // Brackets mark the selected cell without colors too.
                let number = if is_selected { format!("[{number}]") } else { format!("{number} ") };
                let role = match (is_selected && is_focus, label == predicted, rows.len()) {
                    (true, ..) => Role::Selected,
                    (_, _, 0) => Role::Muted,
                    (_, true, _) => Role::Best,
                    (_, false, _) => Role::Warning,
                };
                x += column.saturating_sub(number.len()) as u16;
                x = draw_text(buffer, x, y, inner.right().saturating_sub(x), &number, theme.style(role));
            }
            let [p, r, f1] = [class.precision, class.recall, class.f1].map(|share| 100.0 * share);
            let text = format!("{p:>10.1}{r:>8.1}{f1:>7.1}");
            draw_text(buffer, x, y, inner.right().saturating_sub(x), &text, theme.style(Role::Text));
        }
    }
}

/// The bins that are not empty, each with its lower bound in percent.
fn shown_bins(classes: &Classes) -> impl Iterator<Item = (usize, &Bin)> {
    let bins = classes.calibration.bins.iter().enumerate();
    bins.filter(|(_, bin)| bin.rows > 0).map(|(index, bin)| (10 * index, bin))
}

/// Draws a bar with the accuracy of each bin, and a mark at its mean confidence.
fn draw_calibration(app: &App, classes: &Classes, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let error = format!("{:.1} %", 100.0 * classes.calibration.error);
    let title = if area.width < 50 {
        format!("ECE {error}")
    } else {
        format!("Calibration: expected error (ECE) {error}")
    };
    let block = padded_pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let is_wide = inner.width >= 34;
    let (left, right) = if is_wide { (8, 19) } else { (7, 5) };
    let header = if is_wide { format!("{:>11}{:>8}", "accuracy %", "rows") } else { "acc. %".into() };
    draw_text(
        buffer,
        inner.x,
        inner.y,
        inner.width,
        if is_wide { "confidence %" } else { "conf. %" },
        theme.style(Role::Muted),
    );
    draw_text_right(buffer, inner, inner.y, &header, theme.style(Role::Muted));
    let width = inner.width.saturating_sub(left + right);
    for (line, (from, bin)) in shown_bins(classes).enumerate() {
        let y = inner.y + 1 + line as u16;
        if y >= inner.bottom() {
            break;
        }
        let name = format!("{from}{}{}", theme.symbol(Symbol::Range), from + 10);
        draw_text(buffer, inner.x, y, inner.width, &name, theme.style(Role::Text));
        let area = Rect { x: inner.x + left, y, width, height: 1 };
        draw_bin(bin, theme, area, buffer);
        let share = 100.0 * bin.accuracy;
        let text = if is_wide {
            format!("{share:>11.1}{:>8}", format::count(bin.rows as u64))
        } else {
            format!("{share:>5.0}")
        };
        draw_text_right(buffer, inner, y, &text, theme.style(Role::Text));
    }
}

fn draw_bin(bin: &Bin, theme: Theme, area: Rect, buffer: &mut Buffer) {
    bar(buffer, area, bin.accuracy, Role::Bar, theme);
    let mark = (bin.confidence * f64::from(area.width)).round() as u16;
    let x = area.x + mark.min(area.width.saturating_sub(1));
    draw_text(
        buffer,
        x,
        area.y,
        area.right().saturating_sub(x).min(1),
        theme.symbol(Symbol::Mark),
        theme.style(Role::Key),
    );
}

/// A line for each class or label, or for each bin of a regression.
fn detail(loaded: &LoadedReport) -> Vec<String> {
    let classes = match &loaded.analysis.detail {
        Detail::Classes(classes) => classes,
        Detail::MultiLabel => return labels::texts(loaded),
        Detail::Scale(bins) => return bins.iter().map(scale::line).collect(),
    };
    let mut lines = vec![format!("calibration error {:.1} %", 100.0 * classes.calibration.error)];
    let names = loaded.report.labels.classes();
    let per_class = &loaded.analysis.scores.per_class;
    for (name, class) in names.iter().zip(per_class) {
        let [p, r, f1] = [class.precision, class.recall, class.f1].map(|share| 100.0 * share);
        lines.push(format!("{name}: precision {p:.1}, recall {r:.1}, F1 {f1:.1}"));
    }
    lines
}

/// Draws the screen as lines of text, for a very small terminal.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Content::Loaded(loaded) = &app.insight.content else {
        let (text, role) = message(app);
        for (row, line) in wrap(&text, area.width as usize).iter().enumerate().take(area.height as usize) {
            draw_text(buffer, area.x, area.y + row as u16, area.width, line, theme.style(role));
        }
        return;
    };
    let mut lines = vec![
        (name(app, loaded), Role::Title),
        (evaluation_text(loaded), Role::Text),
        (scores(loaded, area.width.into()), Role::Validation),
    ];
    lines.extend(detail(loaded).into_iter().map(|line| (line, Role::Text)));
    for (row, (text, role)) in lines.iter().enumerate().take(area.height as usize) {
        let y = area.y + row as u16;
        draw_text(
            buffer,
            area.x,
            y,
            area.width,
            &truncate(theme, text, area.width as usize),
            theme.style(*role),
        );
    }
}
