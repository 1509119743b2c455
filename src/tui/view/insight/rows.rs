//! The list of rows: text, label, what was predicted, loss.

use crate::catalog::{ClassName, Labels};
use crate::format;
use crate::text::{self, harmless};
use crate::tui::action::RowList;
use crate::tui::state::App;
use crate::tui::state::insight::{InsightState, LoadedReport};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::bars::spark;
use crate::tui::widgets::{airy_pane, cut, first_in_sight, fixed, line_under, put, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Block, Widget};

/// Characters of a text that are looked at for its line in the list.
const LOOKED_AT: usize = 400;

/// Cells of the columns after the text.
struct Columns {
    number: usize,
    text: usize,
    class: usize,
    spark: usize,
}

/// Cells of a probability and of a loss, with the space before.
const SURE: usize = 9;
const LOSS: usize = 8;
/// From so many cells on, a count of seeds says that it is one.
const SEEDS: usize = 14;

impl Columns {
    fn new(loaded: &LoadedReport, width: usize) -> Self {
        let number = loaded.predictions().len().to_string().len() + 1;
        let names = loaded.report.labels.classes().iter();
        let most = if width < 90 { 10 } else { 16 };
        let class = names.map(|name| text::width(name)).max().unwrap_or(0).clamp(9, most);
        let most_spark = if width < 90 { 8 } else { 16 };
        let least = match loaded.report.seed_count {
            0 | 1 => 6,
            _ if width < 90 => 8,
            _ => SEEDS,
        };
        let spark = loaded.report.evaluations.len().clamp(least, most_spark.max(least));
        let taken = number + 2 + 2 * (class + 2) + SURE + LOSS + 2 + spark;
        Columns { number, text: width.saturating_sub(taken), class, spark }
    }
}

/// The pane of the list.
fn frame(app: &App, loaded: &LoadedReport) -> Block<'static> {
    airy_pane(app.theme, &title(&app.insight, loaded), app.insight.is_in_list && app.popup.is_none())
}

/// The line above the rows where their texts are not to be had.
fn trouble(loaded: &LoadedReport) -> Option<String> {
    loaded.report.examples.as_ref().err().map(|why| format!("Row numbers only: {}", harmless(why)))
}

/// The lines of the rows below the heading, and the first row in sight.
fn lines(view: &InsightState, loaded: &LoadedReport, inner: Rect) -> (Rect, usize) {
    let above = if trouble(loaded).is_some() { 2 } else { 1 };
    let height = inner.height.saturating_sub(above);
    let first = first_in_sight(view.selected, view.count(), usize::from(height));
    (Rect { y: inner.y + above, height, ..inner }, first)
}

/// The place in the list of the row there.
pub(super) fn line_at(app: &App, loaded: &LoadedReport, area: Rect, place: Position) -> Option<usize> {
    let (lines, first) = lines(&app.insight, loaded, frame(app, loaded).inner(area));
    line_under(lines, first, place).filter(|line| *line < app.insight.count())
}

/// Draws the list that was chosen.
pub(super) fn draw(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let (view, theme) = (&app.insight, app.theme);
    let block = frame(app, loaded);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut rest = inner;
    if let Some(why) = trouble(loaded) {
        let why = cut(theme, &why, rest.width as usize);
        put(buffer, rest.x, rest.y, rest.width, &why, theme.style(Role::Warning));
        rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
    }
    if view.count() == 0 {
        draw_none(view, loaded, theme, rest, buffer);
        return;
    }
    let columns = Columns::new(loaded, rest.width as usize);
    let class = columns.class;
    let head = format!(
        "{:>number$}  {:<text$}  {:<class$}  {:<class$}{:>SURE$}{:>LOSS$}  {}",
        "row",
        "text",
        "label",
        "predicted",
        if loaded.predictions().is_regression() { "off by" } else { "sure %" },
        "loss",
        if view.listed == RowList::CrossSeed { "wrong" } else { "losses" },
        number = columns.number,
        text = columns.text,
    );
    put(
        buffer,
        rest.x,
        rest.y,
        rest.width,
        &cut(theme, &head, rest.width as usize),
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
    place: usize,
    columns: &Columns,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let Some(row) = view.row(place) else { return };
    let predictions = loaded.predictions();
    let said = match &loaded.report.labels {
        Labels::Classes(names) => said_of_class(view, loaded, names, (place, row)),
        Labels::Scale { .. } => said_of_number(loaded, row),
    };
    let shared = loaded.cross_seed().filter(|_| view.listed == RowList::CrossSeed);
    let shared = shared.and_then(|together| Some((together.seed_count, together.rows.get(place)?)));
    let (loss, last) = match shared {
        None => (predictions.loss(row), (spark(loaded.losses(row), columns.spark, theme), Role::Validation)),
        Some((seeds, shared)) => {
            let unit = if columns.spark >= SEEDS { " seeds" } else { "" };
            let role = if shared.wrong == seeds { Role::Warning } else { Role::Text };
            (shared.loss, (format!("{} of {seeds}{unit}", shared.wrong), role))
        }
    };
    let number = format!("{:>width$}", row + 1, width = columns.number);
    let role = if place == view.selected && view.is_in_list { Role::Selected } else { Role::Text };
    let text = fixed(theme, &text_of(loaded, row), columns.text);
    let left = format!("{number}  {text}  {}  ", fixed(theme, &said.label, columns.class));
    let mut x = put(buffer, area.x, area.y, area.width, &left, theme.style(role));
    let parts = [
        (fixed(theme, &said.predicted, columns.class), said.role),
        (format!("{:>SURE$}", said.number), Role::Text),
        (format!("{:>LOSS$}  ", format::loss(loss)), Role::Text),
        last,
    ];
    for (text, role) in parts {
        x = put(buffer, x, area.y, area.right().saturating_sub(x), &text, theme.style(role));
    }
}

/// What stands in the columns of a row.
struct SaidOfRow {
    label: String,
    predicted: String,
    /// The style of what was predicted.
    role: Role,
    /// How sure of it the model is, in percent, or how far off it is.
    number: String,
}

fn said_of_class(
    view: &InsightState,
    loaded: &LoadedReport,
    names: &[ClassName],
    (place, row): (usize, usize),
) -> SaidOfRow {
    let predictions = loaded.predictions();
    let (label, mut predicted) = (predictions.target(row), predictions.predicted(row));
    let mut sure = predictions.probability(row, predicted);
    if view.listed == RowList::Mislabelled {
        let suspect = &loaded.report.label_issues[place];
        (predicted, sure) = (suspect.suggested, suspect.suggested_probability);
    }
    if view.listed == RowList::CrossSeed
        && let Some(shared) = loaded.cross_seed().and_then(|together| together.rows.get(place))
    {
        (predicted, sure) = (shared.predicted, shared.probability);
    }
    SaidOfRow {
        label: names[label].to_string(),
        predicted: names[predicted].to_string(),
        role: if predicted == label { Role::Best } else { Role::Warning },
        number: format!("{:.1}", 100.0 * sure),
    }
}

fn said_of_number(loaded: &LoadedReport, row: usize) -> SaidOfRow {
    let predictions = loaded.predictions();
    let (told, given) = (predictions.predicted_value(row), predictions.target_value(row));
    SaidOfRow {
        label: format!("{given:>5.2}"),
        predicted: format!("{told:>5.2}"),
        role: Role::Text,
        number: format!("{:+.2}", told - given),
    }
}

/// The text of a row, or of both; nothing when it is not there.
fn text_of(loaded: &LoadedReport, row: usize) -> String {
    let Ok(texts) = &loaded.report.examples else { return String::new() };
    let short = |text: &str| harmless(&text.chars().take(LOOKED_AT).collect::<String>());
    let example = &texts[row];
    match &example.text_pair {
        Some(pair) => format!("{}  |  {}", short(&example.text), short(pair)),
        None => short(&example.text),
    }
}

fn title(view: &InsightState, loaded: &LoadedReport) -> String {
    let what = match view.listed {
        RowList::Hardest => "Hardest rows".to_string(),
        RowList::Mislabelled => "Likely mislabelled".to_string(),
        RowList::CrossSeed => match loaded.cross_seed() {
            Some(together) => {
                let all = together.rows.iter().filter(|row| row.wrong == together.seed_count).count();
                format!("Wrong in all {} seeds: {}; all rows", together.seed_count, format::count(all as u64))
            }
            None => "All seeds".to_string(),
        },
        RowList::Cell => {
            let labels = loaded.report.labels.classes();
            format!("Labelled {}, predicted {}", labels[view.cell.0], labels[view.cell.1])
        }
    };
    let (at, all) = (view.selected + 1, view.count());
    if all == 0 {
        what
    } else {
        format!("{what}: {} of {}", format::count(at as u64), format::count(all as u64))
    }
}

fn draw_none(view: &InsightState, loaded: &LoadedReport, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let was_trained = loaded.report.evaluations.iter().any(|evaluation| evaluation.step > 0);
    let text = match view.listed {
        RowList::CrossSeed => match &loaded.report.cross_seed {
            Err(why) => why.as_str(),
            Ok(_) => "Fewer than two seeds have been scored: what all of them get wrong comes here.",
        },
        RowList::Mislabelled if !was_trained => {
            "Nothing was trained yet: labels are doubted from the first evaluation after a step on."
        }
        RowList::Mislabelled => "There is no row of which the model says another label all along.",
        _ => "No row is labelled and predicted so at this evaluation.",
    };
    for (line, text) in wrap(text, area.width as usize).iter().enumerate().take(area.height as usize) {
        put(buffer, area.x, area.y + line as u16, area.width, text, theme.style(Role::Muted));
    }
}
