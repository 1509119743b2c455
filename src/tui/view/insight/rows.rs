//! The list of rows: text, label, prediction and loss.

use crate::catalog::{ClassName, Labels, set_text};
use crate::format;
use crate::text::{self, sanitize};
use crate::tui::action::RowList;
use crate::tui::state::App;
use crate::tui::state::insight::{InsightState, LoadedReport};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::bars::sparkline;
use crate::tui::widgets::{
    draw_text, first_visible, fit_width, line_at_position, padded_pane, truncate, wrap,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Block, Widget};

/// Maximum number of characters of a text in the list.
const MAX_CHARS: usize = 400;

/// Widths of the columns.
struct Columns {
    number: usize,
    text: usize,
    class: usize,
    /// The confidence or error, with the space before it.
    confidence: usize,
    spark: usize,
}

/// Below this width, the columns are as narrow as their contents, to leave room for the text.
const WIDE: usize = 90;
/// Width of the loss with the space before it.
const LOSS: usize = 8;
/// Minimum width of a count with the word "seeds".
const SEEDS: usize = 14;

impl Columns {
    fn new(loaded: &LoadedReport, width: usize) -> Self {
        let number = loaded.predictions().len().to_string().len() + 1;
        let names = loaded.report.labels.classes().iter();
        let is_narrow = width < WIDE;
        let max_class = if is_narrow { 10 } else { 16 };
        let class = match loaded.report.labels {
            // Sets of labels have more names than one.
            Labels::MultiLabel(_) => max_class + max_class / 2,
            _ => names.map(|name| text::width(name)).max().unwrap_or(0).clamp(9, max_class),
        };
        let max_spark = if is_narrow { 8 } else { 16 };
        let min_spark = match loaded.report.seed_count {
            0 | 1 => 6,
            _ if is_narrow => 8,
            _ => SEEDS,
        };
        let spark = loaded.report.evaluations.len().clamp(min_spark, max_spark.max(min_spark));
        let confidence = if is_narrow { 9 } else { 12 };
        let fixed_width = number + 2 + 2 * (class + 2) + confidence + LOSS + 2 + spark;
        Columns { number, text: width.saturating_sub(fixed_width), class, confidence, spark }
    }

    /// The title of the column of the confidence or error.
    fn confidence_title(&self, labels: &Labels) -> &'static str {
        match labels {
            Labels::Classes(_) if self.confidence < 12 => "conf.",
            Labels::Classes(_) => "confidence",
            Labels::MultiLabel(_) => "labels",
            Labels::Scale { .. } => "error",
        }
    }
}

/// The pane of the list.
fn frame(app: &App, loaded: &LoadedReport) -> Block<'static> {
    padded_pane(app.theme, &title(&app.insight, loaded), app.insight.is_in_list && app.popup.is_none())
}

/// The warning above the rows if their texts are not available.
fn warning(loaded: &LoadedReport) -> Option<String> {
    loaded.report.examples.as_ref().err().map(|error| format!("Texts not available: {}", sanitize(error)))
}

/// The area of the rows below the heading, and the first visible row.
fn lines(view: &InsightState, loaded: &LoadedReport, inner: Rect) -> (Rect, usize) {
    let above = if warning(loaded).is_some() { 2 } else { 1 };
    let height = inner.height.saturating_sub(above);
    let first = first_visible(view.selected, view.count(), usize::from(height));
    (Rect { y: inner.y + above, height, ..inner }, first)
}

/// The index in the list of the row at a position.
pub(super) fn line_at(app: &App, loaded: &LoadedReport, area: Rect, position: Position) -> Option<usize> {
    let (lines, first) = lines(&app.insight, loaded, frame(app, loaded).inner(area));
    line_at_position(lines, first, position).filter(|line| *line < app.insight.count())
}

/// Draws the selected list.
pub(super) fn draw(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let (view, theme) = (&app.insight, app.theme);
    let block = frame(app, loaded);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut rest = inner;
    if let Some(error) = warning(loaded) {
        let error = truncate(theme, &error, rest.width as usize);
        draw_text(buffer, rest.x, rest.y, rest.width, &error, theme.style(Role::Warning));
        rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
    }
    if view.count() == 0 {
        draw_none(view, loaded, theme, rest, buffer);
        return;
    }
    let columns = Columns::new(loaded, rest.width as usize);
    let Columns { class, confidence, .. } = columns;
    let header = format!(
        "{:>number$}  {:<text$}  {:<class$}  {:<class$}{:>confidence$}{:>LOSS$}  {}",
        "row",
        "text",
        "label",
        "predicted",
        columns.confidence_title(&loaded.report.labels),
        "loss",
        if view.listed == RowList::CrossSeed { "wrong" } else { "losses" },
        number = columns.number,
        text = columns.text,
    );
    draw_text(
        buffer,
        rest.x,
        rest.y,
        rest.width,
        &truncate(theme, &header, rest.width as usize),
        theme.style(Role::Muted),
    );
    let (rows, first) = lines(view, loaded, inner);
    for line in 0..usize::from(rows.height).min(view.count() - first) {
        let area = Rect { y: rows.y + line as u16, height: 1, ..rows };
        draw_row(view, loaded, first + line, &columns, theme, area, buffer);
    }
}

fn draw_row(
    view: &InsightState,
    loaded: &LoadedReport,
    index: usize,
    columns: &Columns,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let Some(row) = view.row(index) else { return };
    let predictions = loaded.predictions();
    let row_text = match &loaded.report.labels {
        Labels::Classes(names) => class_row(view, loaded, names, (index, row)),
        Labels::MultiLabel(names) => set_row(loaded, names, row),
        Labels::Scale { .. } => regression_row(loaded, row),
    };
    let shared = loaded.cross_seed().filter(|_| view.listed == RowList::CrossSeed);
    let shared = shared.and_then(|cross_seed| Some((cross_seed.seed_count, cross_seed.rows.get(index)?)));
    let (loss, last) = match shared {
        None => {
            (predictions.loss(row), (sparkline(loaded.losses(row), columns.spark, theme), Role::Validation))
        }
        Some((seeds, shared)) => {
            let unit = if columns.spark >= SEEDS { " seeds" } else { "" };
            let role = if shared.wrong == seeds { Role::Warning } else { Role::Text };
            (shared.loss, (format!("{} of {seeds}{unit}", shared.wrong), role))
        }
    };
    let number = format!("{:>width$}", row + 1, width = columns.number);
    let role = if index == view.selected && view.is_in_list { Role::Selected } else { Role::Text };
    let text = fit_width(theme, &text_of(loaded, row), columns.text);
    let left = format!("{number}  {text}  {}  ", fit_width(theme, &row_text.label, columns.class));
    let mut x = draw_text(buffer, area.x, area.y, area.width, &left, theme.style(role));
    let parts = [
        (fit_width(theme, &row_text.predicted, columns.class), row_text.role),
        (format!("{:>width$}", row_text.number, width = columns.confidence), Role::Text),
        (format!("{:>LOSS$}  ", format::loss(loss)), Role::Text),
        last,
    ];
    for (text, role) in parts {
        x = draw_text(buffer, x, area.y, area.right().saturating_sub(x), &text, theme.style(role));
    }
}

/// The texts of a row.
struct RowText {
    label: String,
    predicted: String,
    /// The style of the prediction.
    role: Role,
    /// The confidence, the number of wrong labels, or the error of a regression.
    number: String,
}

fn class_row(
    view: &InsightState,
    loaded: &LoadedReport,
    names: &[ClassName],
    (index, row): (usize, usize),
) -> RowText {
    let predictions = loaded.predictions();
    let (label, mut predicted) = (predictions.target(row), predictions.predicted(row));
    let mut confidence = predictions.probability(row, predicted);
    if view.listed == RowList::LabelIssues {
        let issue = &loaded.report.label_issues[index];
        (predicted, confidence) = (issue.suggested, issue.suggested_probability);
    }
    if view.listed == RowList::CrossSeed
        && let Some(shared) = loaded.cross_seed().and_then(|cross_seed| cross_seed.rows.get(index))
    {
        (predicted, confidence) = (shared.predicted, shared.probability);
    }
    RowText {
        label: names[label].to_string(),
        predicted: names[predicted].to_string(),
        role: if predicted == label { Role::Best } else { Role::Warning },
        number: format!("{:.1} %", 100.0 * confidence),
    }
}

/// The labels that apply, those predicted, and the number of labels between them.
fn set_row(loaded: &LoadedReport, names: &[ClassName], row: usize) -> RowText {
    let predictions = loaded.predictions();
    let (target, predicted) = (predictions.targets()[row].indices(), predictions.predicted_set(row));
    let is_only_in = |a: &[u32], b: &[u32]| a.iter().filter(|label| !b.contains(label)).count();
    let wrong = is_only_in(target, &predicted) + is_only_in(&predicted, target);
    RowText {
        label: set_text(names, target),
        predicted: set_text(names, &predicted),
        role: if wrong == 0 { Role::Best } else { Role::Warning },
        number: format!("{wrong} wrong"),
    }
}

fn regression_row(loaded: &LoadedReport, row: usize) -> RowText {
    let predictions = loaded.predictions();
    let (predicted, target) = (predictions.predicted_value(row), predictions.target_value(row));
    RowText {
        label: format!("{target:>5.2}"),
        predicted: format!("{predicted:>5.2}"),
        role: Role::Text,
        number: format!("{:+.2}", predicted - target),
    }
}

/// The text or both texts of a row; empty if not available.
fn text_of(loaded: &LoadedReport, row: usize) -> String {
    let Ok(texts) = &loaded.report.examples else { return String::new() };
    let short = |text: &str| sanitize(&text.chars().take(MAX_CHARS).collect::<String>());
    let example = &texts[row];
    match &example.text_pair {
        Some(pair) => format!("{}  |  {}", short(&example.text), short(pair)),
        None => short(&example.text),
    }
}

fn title(view: &InsightState, loaded: &LoadedReport) -> String {
    let list_name = match view.listed {
        RowList::Hardest => "Hardest rows".to_string(),
        RowList::LabelIssues => "Likely label errors".to_string(),
        RowList::CrossSeed => match loaded.cross_seed() {
            Some(cross_seed) => {
                let all = cross_seed.rows.iter().filter(|row| row.wrong == cross_seed.seed_count).count();
                format!(
                    "Wrong in all {} seeds: {}; all rows",
                    cross_seed.seed_count,
                    format::count(all as u64)
                )
            }
            None => "All seeds".to_string(),
        },
        RowList::Cell => {
            let labels = loaded.report.labels.classes();
            format!("Labeled {}, predicted {}", labels[view.cell.0], labels[view.cell.1])
        }
    };
    let (at, all) = (view.selected + 1, view.count());
    if all == 0 {
        list_name
    } else {
        format!("{list_name}: {} of {}", format::count(at as u64), format::count(all as u64))
    }
}

fn draw_none(view: &InsightState, loaded: &LoadedReport, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let was_trained = loaded.report.evaluations.iter().any(|evaluation| evaluation.step > 0);
    let text = match view.listed {
        RowList::CrossSeed => match &loaded.report.cross_seed {
            Err(error) => error.as_str(),
            Ok(_) => "Available once two seeds have been evaluated.",
        },
        RowList::LabelIssues if !was_trained => {
            "Available from the first evaluation after training has started."
        }
        RowList::LabelIssues => "No likely label errors.",
        _ => "No rows in this cell at this evaluation.",
    };
    for (line, text) in wrap(text, area.width as usize).iter().enumerate().take(area.height as usize) {
        draw_text(buffer, area.x, area.y + line as u16, area.width, text, theme.style(Role::Muted));
    }
}
