//! The Data screen: a table of the splits, and a histogram of input lengths.

use super::{data_rows, placeholder};
use crate::catalog::ProblemType;
use crate::data::{LengthHistogram, SplitStatistics};
use crate::event::SplitName;
use crate::format;
use crate::run::profile::DataProfile;
use crate::spec::RunSpec;
use crate::text::sanitize;
use crate::tui::action::{Action, DataAction};
use crate::tui::layout::{DATA_SIDE_BY_SIDE, has_data_rows};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{
    draw_text, draw_text_right, draw_title, fit_width, fitting, padded_pane, truncate, wrap,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

/// Width of the row names of the table, and of a cell with a count and a percentage.
const NAME: usize = 16;
const CELL: usize = 17;
/// Lines of the pane of the table that are not its rows: the borders and the names of the splits.
const TABLE_FRAME: usize = 3;
/// Minimum height of the histogram below the table.
const HISTOGRAM: u16 = 6;
/// Number of labels that are listed in a table of any height.
const MIN_LABELS: usize = 3;
/// Possible bin widths of the histogram, in tokens.
const WIDTHS: [usize; 14] = [1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 64, 100, 200];

/// Draws the screen.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let view = &app.data;
    let Some(spec) = &view.spec else { return };
    let profile = match view.profile() {
        Some(Ok(profile)) => profile,
        other => {
            let (text, role) = message(app, other.and_then(|known| known.as_ref().err()));
            placeholder::draw(app, &text, role, area, buffer);
            return;
        }
    };
    let remarks = remarks(profile);
    let lines =
        |width: u16| -> usize { remarks.iter().map(|(text, _)| wrap(text, width as usize).len()).sum() };
    let [header, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    draw_header(app, spec, header, buffer);
    let whole = (4 + NAME + CELL * profile.splits.len()) as u16;
    let is_wide = area.width >= DATA_SIDE_BY_SIDE;
    let max_height = if is_wide { body.height } else { body.height.saturating_sub(HISTOGRAM) };
    let table = table(spec, profile, usize::from(max_height).saturating_sub(TABLE_FRAME));
    let [left, right] = if is_wide {
        Layout::horizontal([Constraint::Length(whole.max(60)), Constraint::Fill(1)]).areas(body)
    } else {
        let height = TABLE_FRAME + table.len() + lines(area.width.saturating_sub(4));
        let height = (height as u16).min(max_height);
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(body)
    };
    draw_table(app, profile, (&table, &remarks), left, buffer);
    if has_data_rows(app.size) {
        let halves = [Constraint::Percentage(55), Constraint::Fill(1)];
        let [lengths, rows] = Layout::vertical(halves).areas(right);
        draw_lengths(app, spec, profile, lengths, buffer);
        data_rows::draw(app, profile, rows, buffer);
    } else if view.shows_rows {
        data_rows::draw(app, profile, right, buffer);
    } else {
        draw_lengths(app, spec, profile, right, buffer);
    }
}

/// The message while there is no profile.
fn message(app: &App, error: Option<&String>) -> (String, Role) {
    let Some(error) = error else { return ("Reading the data.".to_string(), Role::Muted) };
    let refresh = app.key(Context::Screen(Screen::Data), Action::Data(DataAction::Refresh));
    let hint =
        format!("Only local files are read. Set data_dir to a folder with the data, then press {refresh}.");
    (format!("{}\n\n{hint}", sanitize(error)), Role::Error)
}

fn draw_header(app: &App, spec: &RunSpec, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let limit = format!("max_seq_length {} ", spec.max_seq_length);
    let name = format!("{}{}task {}", spec.experiment, theme.symbol(Symbol::Dot), spec.task);
    draw_title(theme, buffer, area, &name, limit.len());
    draw_text_right(buffer, area, area.y, &limit, theme.style(Role::Text));
}

/// A line of the table: name, a cell for each split, and style.
type TableLine = (String, Vec<String>, Role);

/// The lines of the table. The first labels are listed, so many that the lines below them fit into `height` lines.
fn table(spec: &RunSpec, profile: &DataProfile, height: usize) -> Vec<TableLine> {
    let limit = spec.max_seq_length;
    let line = |name: &str, role: Role, cell: &dyn Fn(&SplitName, &SplitStatistics) -> String| -> TableLine {
        (sanitize(name), profile.splits.iter().map(|(split, found)| cell(split, found)).collect(), role)
    };
    let counted = |name: &str, count: &dyn Fn(&SplitStatistics) -> usize| {
        let is_any = profile.splits.iter().any(|(_, found)| count(found) > 0);
        let role = if is_any { Role::Warning } else { Role::Text };
        line(name, role, &|_, found| share(count(found), found.rows))
    };
    let of_lengths = |name: &str, number: &dyn Fn(&LengthHistogram) -> String| {
        line(name, Role::Text, &|_, found| {
            found.lengths.as_ref().map_or(String::new(), number) + &" ".repeat(8)
        })
    };
    let mut lines = vec![line("rows", Role::Text, &|_, found| format!("{}        ", number(found.rows)))];
    if profile.splits.iter().any(|(_, found)| found.unlabeled > 0) {
        lines.push(counted("unlabeled", &|found| found.unlabeled));
    }
    if profile.no_lengths.is_none() {
        let longer =
            |found: &SplitStatistics| found.lengths.as_ref().map_or(0, |lengths| lengths.longer_than(limit));
        lines.push(of_lengths("median tokens", &|lengths| number(lengths.quantile(0.5))));
        lines.push(of_lengths("mean tokens", &|lengths| format!("{:.1}", lengths.mean())));
        lines.push(of_lengths("longest", &|lengths| number(lengths.longest())));
        lines.push(counted("truncated", &longer));
    }
    lines.push(counted("empty text", &|found| found.empty));
    lines.push(line("duplicates", Role::Text, &|_, found| share(found.duplicates, found.rows)));
    let (name, cells, role) = counted("also in train", &|found| found.in_train);
    let own = |(index, cell)| if index == 0 { String::new() } else { cell };
    lines.push((name, cells.into_iter().enumerate().map(own).collect(), role));
    let available = height.saturating_sub(lines.len()).max(MIN_LABELS);
    let (visible, hidden) = fitting(profile.labels.len(), available);
    let labels = profile.labels.iter().enumerate().take(visible);
    let mut labels: Vec<TableLine> = labels
        .map(|(class, label)| line(label, Role::Text, &|_, found| share(found.classes[class], found.rows)))
        .collect();
    if hidden > 0 {
        labels.push((format!("{hidden} more"), Vec::new(), Role::Text));
    }
    lines.splice(1..1, labels);
    lines
}

fn number(count: usize) -> String {
    format::count(count as u64)
}

fn share(count: usize, rows: usize) -> String {
    format!("{}{:>6.1} %", number(count), 100.0 * count as f64 / rows.max(1) as f64)
}

/// Warnings and notes on the data.
fn remarks(profile: &DataProfile) -> Vec<(String, Role)> {
    let mut remarks = Vec::new();
    let leaks = profile.splits.iter().filter(|(_, found)| found.in_train > 0);
    let leaks: Vec<String> = leaks
        .map(|(split, found)| format!("{} of the {} rows", number(found.in_train), split.name()))
        .collect();
    if !leaks.is_empty() {
        let text =
            format!("{} are also in train: scores on this split are too optimistic.", leaks.join(" and "));
        remarks.push((text, Role::Warning));
    }
    let found = |wanted| profile.splits.iter().find(|(split, _)| *split == wanted).map(|(_, found)| found);
    let is_of_classes = profile.problem_type == ProblemType::SingleLabelClassification;
    if let (true, Some(train), Some(validation)) =
        (is_of_classes, found(SplitName::Train), found(SplitName::Validation))
        && let Some(class) = (0..profile.labels.len()).rev().max_by_key(|class| train.classes[*class])
    {
        let right = 100.0 * validation.classes[class] as f64 / validation.rows.max(1) as f64;
        let label = sanitize(&profile.labels[class]);
        remarks.push((
            format!("Always predicting {label} has {right:.1} % accuracy on validation."),
            Role::Text,
        ));
    }
    if let Some(error) = &profile.no_lengths {
        remarks.push((format!("No token counts: {}", sanitize(error)), Role::Warning));
    }
    remarks.extend(profile.notes.iter().map(|note| (sanitize(note), Role::Muted)));
    remarks
}

fn draw_table(
    app: &App,
    profile: &DataProfile,
    (table, remarks): (&[TableLine], &[(String, Role)]),
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    let block = padded_pane(theme, "Rows", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut x = inner.x + NAME as u16;
    for (split, _) in &profile.splits {
        let name = format!("{:>width$}", split.name(), width = CELL - 8);
        draw_text(buffer, x, inner.y, inner.right().saturating_sub(x), &name, theme.style(Role::Muted));
        x += CELL as u16;
    }
    let mut y = inner.y + 1;
    for (name, cells, role) in table {
        if y >= inner.bottom() {
            return;
        }
        let name = fit_width(theme, name, NAME);
        let mut x = draw_text(buffer, inner.x, y, inner.width, &name, theme.style(Role::Muted));
        for cell in cells {
            let cell = format!("{cell:>CELL$}");
            let role = if cell.trim_start().starts_with("0 ") { Role::Text } else { *role };
            x = draw_text(buffer, x, y, inner.right().saturating_sub(x), &cell, theme.style(role));
        }
        y += 1;
    }
    for (text, role) in remarks {
        for line in wrap(text, inner.width as usize) {
            if y < inner.bottom() {
                draw_text(buffer, inner.x, y, inner.width, &line, theme.style(*role));
            }
            y += 1;
        }
    }
}

/// Draws the histogram of input lengths; bins that are truncated are highlighted.
fn draw_lengths(app: &App, spec: &RunSpec, profile: &DataProfile, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some((split, found)) = profile.splits.get(app.data.split).or(profile.splits.first()) else { return };
    let title = format!("Tokens per input, {}", split.name());
    let block = padded_pane(theme, &title, app.popup.is_none());
    let inner = block.inner(area);
    block.render(area, buffer);
    let Some(lengths) = &found.lengths else {
        let text = "The tokenizer of the model is not on this machine.";
        for (y, line) in (inner.y..inner.bottom()).zip(wrap(text, inner.width as usize)) {
            draw_text(buffer, inner.x, y, inner.width, &line, theme.style(Role::Muted));
        }
        return;
    };
    let (limit, height) = (spec.max_seq_length, inner.height.saturating_sub(1) as usize);
    let bins = bins(lengths, height);
    let max_rows = bins.iter().map(|(.., rows)| *rows).max().unwrap_or(0).max(1);
    for (line, (from, to, rows)) in bins.iter().enumerate() {
        let y = inner.y + line as u16;
        let role = if *from > limit { Role::Warning } else { Role::Text };
        let name = if from == to { format!("{to:>7}") } else { bin_name(*from, *to, theme) };
        draw_text(buffer, inner.x, y, inner.width, &name, theme.style(role));
        let (left, right) = (9, CELL as u16);
        let width = inner.width.saturating_sub(left + right);
        let fill = if *from > limit { Role::Warning } else { Role::Bar };
        bar(
            buffer,
            Rect { x: inner.x + left, y, width, height: 1 },
            *rows as f64 / max_rows as f64,
            fill,
            theme,
        );
        draw_text_right(buffer, inner, y, &format!("{:>CELL$}", share(*rows, found.rows)), theme.style(role));
    }
    let longer = lengths.longer_than(limit);
    let (text, role) = if longer == 0 {
        (format!("max_seq_length {limit} truncates no rows."), Role::Muted)
    } else {
        let rows = if longer == 1 { "row" } else { "rows" };
        let part = 100.0 * longer as f64 / found.rows.max(1) as f64;
        (format!("max_seq_length {limit} truncates {} {rows} ({part:.1} %).", number(longer)), Role::Warning)
    };
    let y = inner.y + bins.len() as u16;
    if y < inner.bottom() {
        draw_text(
            buffer,
            inner.x,
            y,
            inner.width,
            &truncate(theme, &text, inner.width as usize),
            theme.style(role),
        );
    }
}

fn bin_name(from: usize, to: usize, theme: Theme) -> String {
    format!("{from:>3}{}{to:<3}", theme.symbol(Symbol::Range))
}

/// The bins of the histogram, at most `height`: first and last length, and number of rows.
fn bins(lengths: &LengthHistogram, height: usize) -> Vec<(usize, usize, usize)> {
    let longest = lengths.longest().max(1);
    let fits = |width: &&usize| longest.div_ceil(**width) <= height;
    let width = WIDTHS.iter().find(fits).copied().unwrap_or_else(|| longest.div_ceil(height.max(1)));
    let firsts = (1..=longest).step_by(width).take(height);
    // Empty inputs belong to the first bin.
    let bin = |from: usize| {
        let to = from + width - 1;
        (from, to, lengths.between(if from == 1 { 0 } else { from }, to))
    };
    firsts.map(bin).collect()
}

/// Draws the screen as lines of text, for a very small terminal.
pub(super) fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let (view, theme) = (&app.data, app.theme);
    let Some(spec) = &view.spec else { return };
    let mut lines: Vec<(String, Role)> = vec![(spec.experiment.clone(), Role::Title)];
    match view.profile() {
        None => lines.push(("reading the data".into(), Role::Muted)),
        Some(Err(error)) => {
            lines.extend(
                wrap(&sanitize(error), area.width as usize).into_iter().map(|line| (line, Role::Error)),
            );
        }
        Some(Ok(profile)) => {
            for (split, found) in &profile.splits {
                let classes = profile.labels.iter().zip(&found.classes);
                let classes = classes.map(|(label, count)| format!("{} {}", sanitize(label), number(*count)));
                let text = classes.collect::<Vec<_>>().join(", ");
                lines.push((format!("{} {}: {text}", split.name(), number(found.rows)), Role::Text));
            }
            lines.extend(remarks(profile));
        }
    }
    for (row, (text, role)) in lines.iter().enumerate().take(area.height as usize) {
        let text = truncate(theme, text, area.width as usize);
        draw_text(buffer, area.x, area.y + row as u16, area.width, &text, theme.style(*role));
    }
}
