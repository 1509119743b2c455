//! The list of rows: text, label, what was predicted, loss.

use super::{InsightView, Known, Listed};
use crate::catalog::{ClassName, Labels};
use crate::format;
use crate::text::{self, harmless};
use crate::tui::app::App;
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
    fn new(known: &Known, width: usize) -> Self {
        let number = known.judged().len().to_string().len() + 1;
        let names = known.insight.labels.classes().iter();
        let most = if width < 90 { 10 } else { 16 };
        let class = names.map(|name| text::width(name)).max().unwrap_or(0).clamp(9, most);
        let most_spark = if width < 90 { 8 } else { 16 };
        let least = match known.insight.seed_count {
            0 | 1 => 6,
            _ if width < 90 => 8,
            _ => SEEDS,
        };
        let spark = known.insight.evaluations.len().clamp(least, most_spark.max(least));
        let taken = number + 2 + 2 * (class + 2) + SURE + LOSS + 2 + spark;
        Columns { number, text: width.saturating_sub(taken), class, spark }
    }
}

/// The pane of the list.
fn frame(app: &App, known: &Known) -> Block<'static> {
    airy_pane(app.theme, &title(&app.insight, known), app.insight.is_in_list && app.popup.is_none())
}

/// The line above the rows where their texts are not to be had.
fn trouble(known: &Known) -> Option<String> {
    known.insight.examples.as_ref().err().map(|why| format!("Row numbers only: {}", harmless(why)))
}

/// The lines of the rows below the heading, and the first row in sight.
fn lines(view: &InsightView, known: &Known, inner: Rect) -> (Rect, usize) {
    let above = if trouble(known).is_some() { 2 } else { 1 };
    let height = inner.height.saturating_sub(above);
    let first = first_in_sight(view.at, view.count(), usize::from(height));
    (Rect { y: inner.y + above, height, ..inner }, first)
}

/// The place in the list of the row there.
pub(super) fn line_at(app: &App, known: &Known, area: Rect, place: Position) -> Option<usize> {
    let (lines, first) = lines(&app.insight, known, frame(app, known).inner(area));
    line_under(lines, first, place).filter(|line| *line < app.insight.count())
}

/// Draws the list that was chosen.
pub(super) fn draw(app: &App, known: &Known, area: Rect, buffer: &mut Buffer) {
    let (view, theme) = (&app.insight, app.theme);
    let block = frame(app, known);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut rest = inner;
    if let Some(why) = trouble(known) {
        let why = cut(theme, &why, rest.width as usize);
        put(buffer, rest.x, rest.y, rest.width, &why, theme.style(Role::Warning));
        rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
    }
    if view.count() == 0 {
        draw_none(view, known, theme, rest, buffer);
        return;
    }
    let columns = Columns::new(known, rest.width as usize);
    let class = columns.class;
    let head = format!(
        "{:>number$}  {:<text$}  {:<class$}  {:<class$}{:>SURE$}{:>LOSS$}  {}",
        "row",
        "text",
        "label",
        "predicted",
        if known.judged().is_regression() { "off by" } else { "sure %" },
        "loss",
        if view.listed == Listed::CrossSeed { "wrong" } else { "losses" },
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
    let (rows, first) = lines(view, known, inner);
    for line in 0..usize::from(rows.height).min(view.count() - first) {
        let area = Rect { y: rows.y + line as u16, height: 1, ..rows };
        draw_row(view, known, first + line, &columns, theme, area, buffer);
    }
}

fn draw_row(
    view: &InsightView,
    known: &Known,
    place: usize,
    columns: &Columns,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let Some(row) = view.row(place) else { return };
    let judged = known.judged();
    let said = match &known.insight.labels {
        Labels::Classes(names) => said_of_class(view, known, names, (place, row)),
        Labels::Scale { .. } => said_of_number(known, row),
    };
    let shared = known.together().filter(|_| view.listed == Listed::CrossSeed);
    let shared = shared.and_then(|together| Some((together.seed_count, together.rows.get(place)?)));
    let (loss, last) = match shared {
        None => (judged.loss(row), (spark(known.losses(row), columns.spark, theme), Role::Validation)),
        Some((seeds, shared)) => {
            let unit = if columns.spark >= SEEDS { " seeds" } else { "" };
            let role = if shared.wrong == seeds { Role::Warning } else { Role::Text };
            (shared.loss, (format!("{} of {seeds}{unit}", shared.wrong), role))
        }
    };
    let number = format!("{:>width$}", row + 1, width = columns.number);
    let role = if place == view.at && view.is_in_list { Role::Selected } else { Role::Text };
    let text = fixed(theme, &text_of(known, row), columns.text);
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
    view: &InsightView,
    known: &Known,
    names: &[ClassName],
    (place, row): (usize, usize),
) -> SaidOfRow {
    let judged = known.judged();
    let (label, mut predicted) = (judged.target(row), judged.predicted(row));
    let mut sure = judged.probability(row, predicted);
    if view.listed == Listed::Mislabelled {
        let suspect = &known.insight.label_issues[place];
        (predicted, sure) = (suspect.suggested, suspect.suggested_probability);
    }
    if view.listed == Listed::CrossSeed
        && let Some(shared) = known.together().and_then(|together| together.rows.get(place))
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

fn said_of_number(known: &Known, row: usize) -> SaidOfRow {
    let judged = known.judged();
    let (told, given) = (judged.predicted_value(row), judged.target_value(row));
    SaidOfRow {
        label: format!("{given:>5.2}"),
        predicted: format!("{told:>5.2}"),
        role: Role::Text,
        number: format!("{:+.2}", told - given),
    }
}

/// The text of a row, or of both; nothing when it is not there.
fn text_of(known: &Known, row: usize) -> String {
    let Ok(texts) = &known.insight.examples else { return String::new() };
    let short = |text: &str| harmless(&text.chars().take(LOOKED_AT).collect::<String>());
    let example = &texts[row];
    match &example.text_pair {
        Some(pair) => format!("{}  |  {}", short(&example.text), short(pair)),
        None => short(&example.text),
    }
}

fn title(view: &InsightView, known: &Known) -> String {
    let what = match view.listed {
        Listed::Hardest => "Hardest rows".to_string(),
        Listed::Mislabelled => "Likely mislabelled".to_string(),
        Listed::CrossSeed => match known.together() {
            Some(together) => {
                let all = together.rows.iter().filter(|row| row.wrong == together.seed_count).count();
                format!("Wrong in all {} seeds: {}; all rows", together.seed_count, format::count(all as u64))
            }
            None => "All seeds".to_string(),
        },
        Listed::Cell => {
            let labels = known.insight.labels.classes();
            format!("Labelled {}, predicted {}", labels[view.cell.0], labels[view.cell.1])
        }
    };
    let (at, all) = (view.at + 1, view.count());
    if all == 0 {
        what
    } else {
        format!("{what}: {} of {}", format::count(at as u64), format::count(all as u64))
    }
}

fn draw_none(view: &InsightView, known: &Known, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let was_trained = known.insight.evaluations.iter().any(|evaluation| evaluation.step > 0);
    let text = match view.listed {
        Listed::CrossSeed => match &known.insight.cross_seed {
            Err(why) => why.as_str(),
            Ok(_) => "Fewer than two seeds have been scored: what all of them get wrong comes here.",
        },
        Listed::Mislabelled if !was_trained => {
            "Nothing was trained yet: labels are doubted from the first evaluation after a step on."
        }
        Listed::Mislabelled => "There is no row of which the model says another label all along.",
        _ => "No row is labelled and predicted so at this evaluation.",
    };
    for (line, text) in wrap(text, area.width as usize).iter().enumerate().take(area.height as usize) {
        put(buffer, area.x, area.y + line as u16, area.width, text, theme.style(Role::Muted));
    }
}
