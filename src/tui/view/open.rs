//! The Open screen: the first rows of data, its columns, what a training would see, and the experiment.

use super::open_rows::{self, use_name, use_role};
use super::placeholder;
use crate::catalog::{ProblemType, SplitName};
use crate::data::{ColumnPreview, DataLocation, Preview, SplitStatistics};
use crate::files::collapse_home;
use crate::format;
use crate::run::draft::DraftSetting;
use crate::run::profile::DataProfile;
use crate::text::{plural, sanitize, width};
use crate::tui::action::{Action, OpenAction};
use crate::tui::layout::OPEN_WIDE;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::{
    draw_text, draw_text_right, fit_width, line_at_position, padded_pane, truncate, wrap,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// Width of the names of settings and classes.
const NAME: usize = 18;
/// Number of classes whose counts are drawn at most on a low terminal.
const MIN_CLASSES: usize = 3;

/// The noun for a row with the texts of an earlier one.
const DUPLICATE: &str = "duplicate";

/// A line of text with its style.
type Line = (String, Role);

/// Draws the screen.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let preview = match &app.open.result {
        Some(Ok(preview)) => preview,
        Some(Err(error)) => {
            let other = app.key(Context::Screen(Screen::Open), Action::Open(OpenAction::ChooseFile));
            let text = format!("{}\n\nPress {other} to open another file or folder.", sanitize(error));
            return placeholder::draw(app, &text, Role::Error, area, buffer);
        }
        None => {
            let text = format!("Reading {}.", sanitize(&collapse_home(&app.open.path)));
            return placeholder::draw(app, &text, Role::Muted, area, buffer);
        }
    };
    let panes = Panes::new(preview, area);
    draw_header(app, preview, panes.header, buffer);
    draw_rows(app, preview, panes.rows, buffer);
    draw_columns(app, preview, panes.columns, buffer);
    draw_data(app, preview, panes.data, buffer);
    draw_experiment(app, panes.experiment, buffer);
}

/// The areas of the screen.
struct Panes {
    header: Rect,
    rows: Rect,
    columns: Rect,
    data: Rect,
    experiment: Rect,
}

impl Panes {
    fn new(preview: &Preview, area: Rect) -> Self {
        let [header, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        // Half for the rows; the panes below need at least a dozen lines.
        let half = (body.height / 2).min(body.height.saturating_sub(12)).max(6);
        let height = half.min(preview.rows.len() as u16 + 3);
        let [rows, bottom] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(body);
        if bottom.width >= OPEN_WIDE {
            let thirds = [Constraint::Percentage(34), Constraint::Percentage(33), Constraint::Fill(1)];
            let [columns, data, experiment] = Layout::horizontal(thirds).areas(bottom);
            return Panes { header, rows, columns, data, experiment };
        }
        let [left, data] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas(bottom);
        let height = (preview.columns.len() as u16 + 2).min(left.height.saturating_sub(5)).max(4);
        let [columns, experiment] =
            Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(left);
        Panes { header, rows, columns, data, experiment }
    }
}

/// The column at a position of the screen.
pub fn column_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    let preview = app.open.preview()?;
    let panes = Panes::new(preview, area);
    let inside = |pane| padded_pane(app.theme, "", false).inner(pane);
    let rows = inside(panes.rows);
    if rows.contains(position) {
        return open_rows::column_at(&app.open, preview, rows, position);
    }
    let columns = inside(panes.columns);
    let first = first_column(app, columns);
    line_at_position(columns, first, position).filter(|column| *column < preview.columns.len())
}

/// The first column that is listed, so that the one under the cursor is visible.
fn first_column(app: &App, area: Rect) -> usize {
    (app.open.column + 1).saturating_sub(usize::from(area.height))
}

fn draw_header(app: &App, preview: &Preview, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let what = match &preview.location {
        DataLocation::Files { .. } => preview.format.to_string(),
        DataLocation::Folder { task, .. } => format!("task {task}"),
    };
    let text = format!("{}{}{what}", sanitize(&collapse_home(&preview.path)), theme.symbol(Symbol::Dot));
    let text = truncate(theme, &text, usize::from(area.width).saturating_sub(2));
    draw_text(buffer, area.x + 1, area.y, area.width.saturating_sub(1), &text, theme.style(Role::Title));
}

fn draw_rows(app: &App, preview: &Preview, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let (first, count) = (app.open.first_row + 1, preview.rows.len());
    let title = if first == 1 { "First rows".to_string() } else { format!("Rows from {first}") };
    let block = padded_pane(theme, &title, true);
    let inner = block.inner(area);
    block.render(area, buffer);
    open_rows::draw(&app.open, preview, theme, inner, buffer);
    if count > usize::from(inner.height) && area.width > 40 {
        let last = (app.open.first_row + usize::from(inner.height.saturating_sub(1))).min(count);
        let text = format!(" {first}{}{last} of the first {count} ", theme.symbol(Symbol::Range));
        let line = Rect { width: area.width.saturating_sub(2), ..area };
        draw_text_right(buffer, line, area.bottom().saturating_sub(1), &text, theme.style(Role::Muted));
    }
}

/// The columns with their type, use and examples; the one under the cursor is always visible.
fn draw_columns(app: &App, preview: &Preview, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Columns", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let first = first_column(app, inner);
    let names = preview
        .columns
        .iter()
        .map(|column| crate::text::width(&column.name))
        .max()
        .unwrap_or(0)
        .clamp(4, NAME);
    for ((index, column), y) in preview.columns.iter().enumerate().skip(first).zip(inner.y..inner.bottom()) {
        let of = app.open.use_of(&column.name);
        let is_selected = index == app.open.column;
        let cursor = if is_selected { theme.symbol(Symbol::Cursor) } else { "  " };
        let style = theme.style(if is_selected { Role::Selected } else { use_role(of) });
        let name = fit_width(theme, &sanitize(&column.name), names);
        let line = format!(
            "{cursor}{name} {:<7} {:<5} {}",
            column.kind.name(),
            of.map_or("", use_name),
            examples(column)
        );
        let line = if is_selected {
            fit_width(theme, &line, inner.width.into())
        } else {
            truncate(theme, &line, inner.width.into())
        };
        draw_text(buffer, inner.x, y, inner.width, &line, style);
    }
}

/// The values of a column in a few words: the classes, or an example.
fn examples(column: &ColumnPreview) -> String {
    let missing = if column.empty > 0 { format!(", {} empty", column.empty) } else { String::new() };
    let examples: Vec<String> = column.examples.iter().map(|example| sanitize(example)).collect();
    if column.distinct <= column.examples.len() || column.mean_length <= 12.0 {
        let more = if column.distinct > examples.len() {
            format!("; {} values", column.distinct)
        } else {
            String::new()
        };
        return format!("{}{more}{missing}", examples.join(", "));
    }
    format!("{}{missing}", examples.first().map_or("", String::as_str))
}

/// What a training would see: splits, classes, lengths, duplicates.
fn draw_data(app: &App, preview: &Preview, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Data", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let profile = match (app.open_missing(), app.open_profile()) {
        (Some(missing), _) => return draw_lines(&[(missing, Role::Warning)], theme, inner, buffer),
        (_, None) => return draw_lines(&[("Reading all rows.".into(), Role::Muted)], theme, inner, buffer),
        (_, Some(Err(error))) => return draw_lines(&[(sanitize(error), Role::Error)], theme, inner, buffer),
        (_, Some(Ok(profile))) => profile,
    };
    let limit =
        app.open_settings().iter().find(|setting| setting.key == "max_seq_length").map_or(128, length_of);
    let mut lines = split_lines(preview, profile);
    lines.extend(length_lines(profile, limit));
    lines.extend(problem_lines(profile));
    lines.extend(preview.notes.iter().map(|note| (sanitize(note), Role::Muted)));
    let needed: usize = lines.iter().map(|(text, _)| wrap(text, inner.width.into()).len()).sum();
    let available = usize::from(inner.height).saturating_sub(needed + 1).max(MIN_CLASSES + 1);
    let y =
        draw_classes(profile, theme, Rect { height: inner.height.min(available as u16), ..inner }, buffer);
    let rest = Rect { y, height: inner.bottom().saturating_sub(y), ..inner };
    draw_lines(&lines, theme, rest, buffer);
}

fn length_of(setting: &DraftSetting) -> usize {
    setting.value.parse().unwrap_or(128)
}

fn draw_lines(lines: &[Line], theme: Theme, area: Rect, buffer: &mut Buffer) {
    let wrapped = lines.iter().flat_map(|(text, role)| {
        wrap(text, usize::from(area.width).max(1)).into_iter().map(move |line| (line, *role))
    });
    for ((line, role), y) in wrapped.zip(area.y..area.bottom()) {
        draw_text(buffer, area.x, y, area.width, &line, theme.style(role));
    }
}

/// Draws what is predicted and the rows of each class of the training split; returns the line after it.
fn draw_classes(profile: &DataProfile, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let train = profile.splits.iter().find(|(split, _)| *split == SplitName::Train).map(|(_, found)| found);
    let Some(train) = train.filter(|_| area.height > 0) else { return area.y };
    let classes = plural(profile.labels.len(), "class");
    let title = match profile.problem_type {
        ProblemType::SingleLabelClassification => classes,
        ProblemType::MultiLabelClassification => {
            format!("{}, any number of them in a row", plural(profile.labels.len(), "label"))
        }
        ProblemType::Regression => "a number (regression)".to_string(),
    };
    draw_text(
        buffer,
        area.x,
        area.y,
        area.width,
        &truncate(theme, &title, area.width.into()),
        theme.style(Role::Title),
    );
    let rows = usize::from(area.height) - 1;
    let shown = if profile.labels.len() > rows { rows.saturating_sub(1) } else { profile.labels.len() };
    let most = train.classes.iter().copied().max().unwrap_or(0).max(1);
    let mut y = area.y + 1;
    let longest = profile.labels.iter().map(|label| crate::text::width(label)).max().unwrap_or(0);
    let name_width = longest.clamp(4, NAME).min(usize::from(area.width) / 2);
    for (label, count) in profile.labels.iter().zip(&train.classes).take(shown) {
        draw_text(
            buffer,
            area.x,
            y,
            area.width,
            &fit_width(theme, &sanitize(label), name_width),
            theme.style(Role::Text),
        );
        let text = format!("{count:>7} {:>4.0} %", 100.0 * *count as f64 / train.rows.max(1) as f64);
        let bar_width = area.width.saturating_sub(name_width as u16 + text.len() as u16 + 2);
        let at = Rect { x: area.x + name_width as u16 + 1, y, width: bar_width, height: 1 };
        bar(buffer, at, *count as f64 / most as f64, Role::Bar, theme);
        draw_text_right(buffer, area, y, &text, theme.style(Role::Text));
        y += 1;
    }
    if shown < profile.labels.len() {
        let more = format!("{} more", profile.labels.len() - shown);
        draw_text(buffer, area.x, y, area.width, &more, theme.style(Role::Muted));
        y += 1;
    }
    y
}

/// The number of rows of each split, and where they come from.
fn split_lines(preview: &Preview, profile: &DataProfile) -> Vec<Line> {
    let rows = |(split, found): &(SplitName, SplitStatistics)| format!("{} {}", split.name(), found.rows);
    let all = profile.splits.iter().map(rows).collect::<Vec<_>>().join(", ");
    let held_out = match &preview.location {
        DataLocation::Files { files } if !files.contains_key(&SplitName::Validation) => {
            " (a tenth is held out)"
        }
        _ => "",
    };
    vec![(format!("rows: {all}{held_out}"), Role::Text)]
}

/// Lengths against `max_seq_length`.
fn length_lines(profile: &DataProfile, limit: usize) -> Vec<Line> {
    if let Some(error) = &profile.no_lengths {
        return vec![(format!("no token lengths: {}", sanitize(error)), Role::Muted)];
    }
    let Some(found) =
        profile.splits.iter().find(|(split, _)| *split == SplitName::Train).map(|(_, found)| found)
    else {
        return Vec::new();
    };
    let Some(lengths) = &found.lengths else { return Vec::new() };
    let longer = lengths.longer_than(limit);
    let share = 100.0 * longer as f64 / found.rows.max(1) as f64;
    let (rest, role) = match longer {
        0 => (format!("max_seq_length {limit} truncates none"), Role::Text),
        _ => (format!("max_seq_length {limit} truncates {longer} rows ({share:.1} %)"), Role::Warning),
    };
    let numbers = format!("tokens: median {}, longest {}; ", lengths.quantile(0.5), lengths.longest());
    vec![(numbers + &rest, role)]
}

/// Duplicates, leakage and empty texts.
fn problem_lines(profile: &DataProfile) -> Vec<Line> {
    let mut lines = Vec::new();
    for (split, found) in &profile.splits {
        let mut parts = Vec::new();
        let counts = [
            (found.duplicates, DUPLICATE),
            (found.in_train, "also in train"),
            (found.empty, "empty"),
            (found.unlabeled, "without a label"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            parts.push(if what == DUPLICATE { plural(count, what) } else { format!("{count} {what}") });
        }
        if !parts.is_empty() {
            lines.push((format!("{}: {}", split.name(), parts.join(", ")), Role::Warning));
        }
    }
    if lines.is_empty() {
        lines.push(("no duplicates, no leakage between the splits, no empty texts".into(), Role::Muted));
    }
    lines
}

/// The experiment that Enter trains.
fn draw_experiment(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let title = truncate(
        theme,
        &format!("Experiment {}", app.open_name()),
        usize::from(area.width).saturating_sub(4),
    );
    let block = padded_pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let settings = app.open_settings();
    let shown = |setting: &&DraftSetting| setting.key == "model" || !setting.reason.is_empty();
    let mut y = inner.y;
    let has_reasons = usize::from(inner.height) >= 3 * settings.iter().filter(shown).count();
    for setting in settings.iter().filter(shown) {
        if y >= inner.bottom() {
            return;
        }
        let value = sanitize(&setting.value);
        // A long value begins before the column of values.
        let free = usize::from(inner.width).saturating_sub(width(&value) + 1);
        let name_width = (NAME + 10).min(free.max(width(setting.key)));
        let x = draw_text(
            buffer,
            inner.x,
            y,
            inner.width,
            &fit_width(theme, setting.key, name_width),
            theme.style(Role::Text),
        );
        let rest = inner.right().saturating_sub(x + 1);
        let value = truncate(theme, &value, rest.into());
        draw_text(buffer, x + 1, y, rest, &value, theme.style(Role::Best));
        y += 1;
        if has_reasons {
            for line in wrap(&setting.reason, usize::from(inner.width).saturating_sub(2)) {
                if y < inner.bottom() {
                    draw_text(
                        buffer,
                        inner.x + 2,
                        y,
                        inner.width.saturating_sub(2),
                        &line,
                        theme.style(Role::Muted),
                    );
                }
                y += 1;
            }
        }
    }
}

/// Draws the screen as lines of text, for a very small terminal.
pub(super) fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let name = app.open.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut lines: Vec<Line> = vec![(sanitize(&name), Role::Title)];
    match &app.open.result {
        None => lines.push(("reading the data".into(), Role::Muted)),
        Some(Err(error)) => lines.push((sanitize(error), Role::Error)),
        Some(Ok(preview)) => {
            for column in &preview.columns {
                let of = app.open.use_of(&column.name);
                if let Some(of) = of {
                    lines.push((format!("{}: {}", use_name(of), sanitize(&column.name)), use_role(Some(of))));
                }
            }
            lines.extend(app.open_missing().map(|missing| (missing, Role::Warning)));
            match app.open_profile() {
                Some(Ok(profile)) => lines.extend(split_lines(preview, profile)),
                Some(Err(error)) => lines.push((sanitize(error), Role::Error)),
                None => {}
            }
            let settings = app.open_settings();
            let rate = settings.iter().find(|setting| setting.key == "learning_rate");
            let rate = rate
                .and_then(|setting| setting.value.parse().ok())
                .map_or(String::new(), format::learning_rate);
            lines.push((format!("model {}, learning rate {rate}", sanitize(app.open_model())), Role::Text));
        }
    }
    draw_lines(&lines, theme, area, buffer);
}
