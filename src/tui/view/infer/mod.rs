//! The Infer screen: texts, prediction, attribution, probes and history.

mod attribution;
mod model;
mod prediction;
mod probe_list;

use super::run_text::tagged_name;
use crate::predict::ModelOutput;
use crate::text;
use crate::tui::action::{Action, InferAction, ListAction};
use crate::tui::layout::INFER_SIDE_BY_SIDE;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::infer::Comparison;
use crate::tui::theme::Role;
use crate::tui::widgets::{draw_text, draw_text_right, fit_width, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// Lines below the bars of a prediction for the number of tokens, the attribution and the space between the panes.
const BELOW_BARS: u16 = 4;
/// Number of bars that are drawn even if nothing fits below them.
const MIN_BARS: u16 = 3;

/// Maximum width of the name of a model in the history.
const MAX_MODEL: usize = 24;

/// Draws the screen; returns the position of the terminal's cursor.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let lines =
        infer.prediction.as_ref().map_or(2, |(_, _, prediction)| prediction::height(&prediction.output));
    let field = if area.height >= 30 { 5 } else { 3 };
    let fields = if infer.is_pair() { 2 } else { 1 };
    // Always reserves space for the attribution, so that nothing moves when it arrives.
    let attribution_height = if area.height >= 30 { 4 } else { 3 };
    let heights = [
        Constraint::Length(1),
        Constraint::Length(field * fields),
        Constraint::Length(lines.saturating_add(3 + attribution_height).min(area.height / 2)),
        Constraint::Fill(1),
    ];
    let [header, text, bars, before] = Layout::vertical(heights).areas(area);
    draw_header(app, header, buffer);
    let cursor = draw_fields(app, text, buffer);
    draw_prediction(app, bars, buffer);
    draw_lists(app, before, buffer);
    cursor
}

fn draw_header(app: &App, area: Rect, buffer: &mut Buffer) {
    let (text, role) = model::describe(app);
    let theme = app.theme;
    let took = app
        .infer
        .prediction
        .as_ref()
        .map_or(String::new(), |(_, seconds, _)| format!("predicted in {:.0} ms ", 1000.0 * seconds));
    let available = (area.width as usize).saturating_sub(text::width(&took) + 2);
    draw_text(buffer, area.x + 1, area.y, area.width, &truncate(theme, &text, available), theme.style(role));
    draw_text_right(buffer, area, area.y, &took, theme.style(Role::Muted));
}

fn draw_fields(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let names: &[&str] = if infer.is_pair() { &["First text", "Second text"] } else { &["Sentence"] };
    let heights = names.iter().map(|_| Constraint::Fill(1));
    let rows = Layout::vertical(heights).split(area);
    let mut cursor = None;
    for (number, name) in names.iter().enumerate() {
        let field = &infer.fields[number];
        let title =
            if field.is_truncated() { format!("{name} (too long, truncated)") } else { (*name).to_string() };
        let is_selected = infer.focused_field == number || names.len() == 1;
        let block = padded_pane(app.theme, &title, is_selected && app.popup.is_none());
        let inner = block.inner(rows[number]);
        block.render(rows[number], buffer);
        let at = field.draw_paragraph(buffer, inner, app.theme, "type here");
        if is_selected && !inner.is_empty() {
            cursor = Some(at);
        }
    }
    cursor
}

fn draw_prediction(app: &App, area: Rect, buffer: &mut Buffer) {
    let infer = &app.infer;
    let theme = app.theme;
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let area = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    if let Some(error) = &infer.classify_error {
        for (row, line) in wrap(error, area.width as usize).iter().enumerate().take(area.height as usize) {
            draw_text(buffer, area.x, area.y + row as u16, area.width, line, theme.style(Role::Error));
        }
        return;
    }
    let Some((request_id, _, prediction)) = &infer.prediction else {
        if infer.opened.is_some() {
            let text = if infer.is_pair() {
                "Type both texts to see the prediction."
            } else {
                "Type a text to see the prediction."
            };
            draw_text(buffer, area.x, area.y, area.width, text, theme.style(Role::Muted));
        }
        return;
    };
    let is_old = *request_id < infer.request_id;
    let beside = infer.comparison.as_ref();
    let called = beside.map_or(String::new(), |beside| name_of(beside, app, prediction::MAX_NAME));
    let other = beside.and_then(Comparison::prediction).map(|output| (called.as_str(), output));
    let max_height = area.height.saturating_sub(BELOW_BARS).max(MIN_BARS).min(area.height);
    let bars = Rect { height: prediction::height(&prediction.output).min(max_height), ..area };
    let row = prediction::draw_comparison(&prediction.output, other, theme, bars, buffer);
    prediction::draw(&prediction.output, is_old, theme, row, buffer);
    let y = bars.bottom();
    if y < area.bottom() {
        let truncated_note = if prediction.truncated { ", truncated" } else { "" };
        let scale = match prediction.output {
            ModelOutput::Score { scale: Some((low, high)), .. } => {
                format!("on a scale from {low} to {high}; ")
            }
            ModelOutput::NoLabel { .. } => "the most probable label is below its threshold; ".into(),
            _ => String::new(),
        };
        let text = format!("{scale}{}{truncated_note}", text::plural(prediction.tokens as u64, "token"));
        let x = draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Muted)) + 3;
        if let Some(error) = beside.and_then(Comparison::status) {
            let available = area.right().saturating_sub(x);
            draw_text(
                buffer,
                x,
                y,
                available,
                &truncate(theme, &error, usize::from(available)),
                theme.style(Role::Warning),
            );
        }
    }
    let y = y + 1;
    let area = Rect { y, height: area.bottom().saturating_sub(y + 1), ..area };
    attribution::draw(&infer.attribution, &infer.texts(), theme, area, buffer);
}

/// Draws probes and history side by side, or below each other if `area` is narrow.
fn draw_lists(app: &App, area: Rect, buffer: &mut Buffer) {
    let height = probe_list::height(&app.infer);
    if height == 0 {
        return draw_history(app, area, buffer);
    }
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [left, right] = if area.width >= INFER_SIDE_BY_SIDE {
        Layout::horizontal(halves).areas(area)
    } else {
        let max_height = area.height.saturating_sub(3).max(3);
        Layout::vertical([Constraint::Length(height.min(max_height)), Constraint::Fill(1)]).areas(area)
    };
    probe_list::draw(app, left, buffer);
    draw_history(app, right, buffer);
}

fn draw_history(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "History", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let history = &app.infer.history;
    if history.is_empty() {
        let actions = [
            Action::Infer(InferAction::AddToHistory),
            Action::List(ListAction::Up),
            Action::Infer(InferAction::ToggleProbe),
        ];
        let [keep, back, probe] = actions.map(|action| app.key(Context::Screen(Screen::Infer), action));
        let text = format!("{keep} saves a text here, {back} recalls it; {probe} makes it a probe.");
        for (line, y) in wrap(&text, usize::from(inner.width)).iter().zip(inner.y..inner.bottom()) {
            draw_text(buffer, inner.x, y, inner.width, line, theme.style(Role::Muted));
        }
        return;
    }
    let models = models_of_history(app, inner.width);
    let column = models.iter().map(|model| text::width(model)).max().unwrap_or(0);
    let column = if column > 0 { column + 2 } else { 0 };
    let widest = history
        .iter()
        .map(|entry| text::width(&prediction::label_and_number(&entry.output).0))
        .max()
        .unwrap_or(0)
        .min(20);
    for (row, entry) in history.iter().enumerate().take(inner.height as usize) {
        let y = inner.y + row as u16;
        let text = match &entry.text_pair {
            Some(pair) => format!("{}  |  {pair}", entry.text),
            None => entry.text.clone(),
        };
        let available = (inner.width as usize).saturating_sub(widest + 12 + column);
        let is_selected = app.infer.recalled == Some(row);
        let role = if is_selected { Role::Selected } else { Role::Text };
        let x = draw_text(
            buffer,
            inner.x,
            y,
            inner.width,
            &fit_width(theme, &text, available),
            theme.style(role),
        );
        let (label, number) = prediction::label_and_number(&entry.output);
        let prediction = format!("  {}  {number}", fit_width(theme, &label, widest));
        let x =
            draw_text(buffer, x, y, inner.right().saturating_sub(x), &prediction, theme.style(Role::Muted));
        let model = models.get(row).map_or("", String::as_str);
        let right = Rect { x, width: inner.right().saturating_sub(x), y, height: 1 };
        draw_text_right(buffer, right, y, model, theme.style(Role::Muted));
    }
}

/// The names of the models of the history, short enough for a column of the pane; none if all are the open model.
fn models_of_history(app: &App, width: u16) -> Vec<String> {
    let open = app.infer.model_label();
    if app.infer.history.iter().all(|entry| entry.model == open) {
        return Vec::new();
    }
    let width = usize::from(width / 3).min(MAX_MODEL);
    let name = |model: &String| {
        let run = app.runs.runs.iter().find(|run| run.name == *model);
        let name = run.map_or_else(|| model.clone(), |run| tagged_name(run, app, width));
        truncate(app.theme, &name, width)
    };
    app.infer.history.iter().map(|entry| name(&entry.model)).collect()
}

/// Draws texts and prediction only, for a very small terminal.
pub(super) fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let infer = &app.infer;
    let theme = app.theme;
    let (text, role) = model::describe(app);
    draw_text(
        buffer,
        area.x,
        area.y,
        area.width,
        &truncate(theme, &text, area.width as usize),
        theme.style(role),
    );
    let mut cursor = None;
    let fields = if infer.is_pair() { 2 } else { 1 };
    for number in 0..fields {
        let y = area.y + 1 + number as u16;
        if y < area.bottom() {
            let row = Rect { y, height: 1, ..area };
            let at = infer.fields[number].draw_line(buffer, row, theme.style(Role::Text));
            if infer.focused_field == number {
                cursor = Some(at);
            }
        }
    }
    let y = area.y + 1 + fields as u16;
    if let (Some((_, _, prediction)), true) = (&infer.prediction, y < area.bottom()) {
        prediction::draw(
            &prediction.output,
            false,
            theme,
            Rect { y, height: area.bottom() - y, ..area },
            buffer,
        );
    }
    cursor
}

/// The name of the comparison model; the name of a run has at most `width` cells.
fn name_of(comparison: &Comparison, app: &App, width: usize) -> String {
    let run = app.runs.runs.iter().find(|run| run.name == comparison.name);
    run.map_or_else(|| comparison.name.clone(), |run| tagged_name(run, app, width))
}
