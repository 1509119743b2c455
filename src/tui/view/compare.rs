//! The Compare screen: table of runs, curves and differences of specifications.

use super::chart_pane::change_marks;
use super::chart_title::view_suffix;
use super::compare_columns::Widths;
use super::compare_verdict;
use super::filter_line;
use super::run_text::{short_name_width, status_role, tagged_name};
use crate::catalog::Metric;
use crate::format;
use crate::run::{Repeats, RunRow};
use crate::spec::Difference;
use crate::text;
use crate::tui::action::{Action, CompareAction};
use crate::tui::layout::COMPARE_SIDE_BY_SIDE;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::compare::{Column, Mark, Quantity, is_same};
use crate::tui::theme::{ColorDepth, Role, Symbol, Theme};
use crate::tui::widgets::line_chart::{ChangeMark, Curve, CurveStyle, Dash, LineChart, Reading, Seeds};
use crate::tui::widgets::{
    draw_text, draw_text_right, first_visible, fit_width, line_at_position, padded_pane, pane, truncate, wrap,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// The least and the most columns of the table beside the curves.
const MIN_TABLE: u16 = 44;
const MAX_TABLE: u16 = 92;
/// Width of an entry of the legend.
const ENTRY: u16 = 36;
/// Width of an entry of the legend without the name.
const VALUE: usize = 12;

/// The areas of the table, the curves, the verdict and the differences, if they fit.
struct Areas {
    table: Rect,
    chart: Option<Rect>,
    verdict: Option<Rect>,
    differences: Option<Rect>,
}

fn layout(app: &App, area: Rect) -> Areas {
    let compare = &app.compare;
    if area.width < COMPARE_SIDE_BY_SIDE {
        let rows = [Constraint::Length((area.height * 2 / 5).max(5)), Constraint::Fill(1)];
        let [table, rest] = Layout::vertical(rows).areas(area);
        if !compare.shows_differences {
            return Areas { table, chart: Some(rest), verdict: None, differences: None };
        }
        let (verdict, differences) = below_each_other(app, rest);
        return Areas { table, chart: None, verdict, differences };
    }
    // The curves need the larger part.
    let columns =
        [Constraint::Length((area.width * 9 / 20).clamp(MIN_TABLE, MAX_TABLE)), Constraint::Fill(1)];
    let [table, right] = Layout::horizontal(columns).areas(area);
    let wanted = compare.differences.len().max(3) as u16 + 2;
    // The curves have at least half of the height.
    let wanted = wanted.min(right.height * 2 / 5) + compare_verdict::height(app, right.width);
    let rows = [Constraint::Fill(1), Constraint::Length(wanted.min(right.height / 2))];
    let [chart, below] = Layout::vertical(rows).areas(right);
    let (verdict, differences) = below_each_other(app, below);
    Areas { table, chart: Some(chart), verdict, differences }
}

/// The areas of the verdict, if two runs are marked, and of the differences below it, if they have a line.
fn below_each_other(app: &App, area: Rect) -> (Option<Rect>, Option<Rect>) {
    let height = compare_verdict::height(app, area.width).min(area.height);
    let [verdict, differences] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    ((height > 0).then_some(verdict), (differences.height > 2).then_some(differences))
}

/// Draws the screen; returns the position of the terminal's cursor while text is edited.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let areas = layout(app, area);
    let cursor = draw_table(app, areas.table, buffer);
    if let Some(area) = areas.chart {
        draw_chart(app, area, buffer);
    }
    if let Some(area) = areas.verdict {
        compare_verdict::draw(app, mark_symbol, area, buffer);
    }
    if let Some(area) = areas.differences {
        draw_differences(app, area, buffer);
    }
    cursor
}

/// Draws the table only, for a very small terminal.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    draw_rows(app, &app.compare.rows(&app.runs.runs), area, buffer);
    None
}

/// The symbol of a marked run.
fn mark_symbol(mark: &Mark) -> Symbol {
    Symbol::Run(mark.symbol as u8)
}

/// The row of the table at a position of the terminal, on a screen with body `area`.
pub fn row_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    let compare = &app.compare;
    let inner = pane(app.theme, "", false).inner(layout(app, area).table);
    let (list, _) = filter_line::areas(&compare.filter, inner);
    // The first line is the header.
    let list = Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list };
    let rows = compare.rows(&app.runs.runs);
    let first = first_visible(compare.cursor(&rows), rows.len(), list.height as usize);
    line_at_position(list, first, position).filter(|row| *row < rows.len())
}

/// The plot areas of the charts on a screen with body `area`.
pub fn plots(app: &App, area: Rect) -> Vec<Rect> {
    let chart = layout(app, area).chart;
    chart.and_then(|area| draw_chart(app, area, &mut Buffer::empty(area))).into_iter().collect()
}

fn draw_table(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let (compare, theme) = (&app.compare, app.theme);
    let all = app.runs.runs.len();
    let rows = compare.rows(&app.runs.runs);
    let title = match rows.len() {
        shown if shown == all => format!("Runs, {}", format::count(all as u64)),
        shown => format!("Runs, {} of {}", format::count(shown as u64), format::count(all as u64)),
    };
    let block = pane(theme, &title, true);
    let inner = block.inner(area);
    block.render(area, buffer);
    let (list, footer) = filter_line::areas(&compare.filter, inner);
    draw_rows(app, &rows, list, buffer);
    filter_line::draw(&compare.filter, footer?, theme, buffer)
}

fn draw_rows(app: &App, rows: &[&RunRow], area: Rect, buffer: &mut Buffer) {
    let (compare, theme) = (&app.compare, app.theme);
    if rows.is_empty() {
        let text = match (app.runs.is_listed, compare.filter.text().is_empty()) {
            (false, _) => "",
            (true, true) => "No runs yet: start an experiment on the Runs screen.",
            (true, false) => "No matching runs.",
        };
        draw_text(buffer, area.x + 1, area.y, area.width.saturating_sub(1), text, theme.style(Role::Muted));
        return;
    }
    // A space, the symbol and a space; the table ends with a space too.
    let widths = Widths::of(rows);
    let columns = widths.fitting((area.width as usize).saturating_sub(4), compare.order.column);
    let columns = with_widths(&columns, widths, area.width);
    draw_header(app, &columns, Rect { height: area.height.min(1), ..area }, buffer);
    let at = compare.cursor(rows);
    let height = area.height.saturating_sub(1) as usize;
    let first = first_visible(at, rows.len(), height);
    for (row, run) in rows.iter().skip(first).take(height).enumerate() {
        let line = Rect { y: area.y + 1 + row as u16, height: 1, ..area };
        draw_row(app, run, &columns, first + row == at, line, buffer);
    }
}

/// The columns with their widths; the name has what the others leave.
fn with_widths(columns: &[Column], widths: Widths, width: u16) -> Vec<(Column, usize)> {
    let others: usize = columns.iter().skip(1).map(|column| widths.column(*column) + 1).sum();
    let name = usize::from(width).saturating_sub(4 + others);
    let width = |column: &Column| if *column == Column::Name { name } else { widths.column(*column) };
    columns.iter().map(|column| (*column, width(column))).collect()
}

fn draw_header(app: &App, columns: &[(Column, usize)], area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let order = app.compare.order;
    let mut x = area.x + 3;
    for (column, width) in columns.iter().copied() {
        let is_sorted = column == order.column;
        let arrow = match (is_sorted, order.is_reversed) {
            (false, _) => "",
            (true, false) => theme.symbol(Symbol::Falling),
            (true, true) => theme.symbol(Symbol::Rising),
        };
        let text = format!("{}{arrow}", column.title());
        let text = if column.is_number() { format!("{text:>width$}") } else { text };
        let role = if is_sorted { Role::Key } else { Role::Muted };
        draw_text(buffer, x, area.y, area.right().saturating_sub(x), &text, theme.style(role));
        x += width as u16 + 1;
    }
}

fn draw_row(
    app: &App,
    run: &RunRow,
    columns: &[(Column, usize)],
    is_selected: bool,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    if is_selected {
        let bar = " ".repeat(usize::from(area.width));
        draw_text(buffer, area.x, area.y, area.width, &bar, theme.style(Role::Selected));
    }
    let mut x = area.x + 3;
    for (column, width) in columns.iter().copied() {
        let text = match column {
            Column::Name => {
                let name = format!("{} {}", tagged_name(run, app, width), run.notes.tags_text());
                fit_width(theme, name.trim_end(), width)
            }
            column if column.is_number() => format!("{:>width$}", column.text(run, app)),
            column => fit_width(theme, &column.text(run, app), width),
        };
        let role = match column {
            _ if is_selected => Role::Selected,
            Column::Status => status_role(run.status),
            _ => Role::Text,
        };
        draw_text(buffer, x, area.y, area.right().saturating_sub(x), &text, theme.style(role));
        x += width as u16 + 1;
    }
    if let Some(mark) = app.compare.marks.iter().find(|mark| is_same(&mark.dir, &run.dir)) {
        let style = theme.style(Role::Curve(mark.color));
        draw_text(buffer, area.x + 1, area.y, 1, theme.symbol(mark_symbol(mark)), style);
    }
}

/// Draws the curves and their legend; returns the area of the curves.
fn draw_chart(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let (compare, theme) = (&app.compare, app.theme);
    let suffix = if compare.quantity.is_noisy() || compare.chart.is_log {
        view_suffix(&compare.chart)
    } else {
        String::new()
    };
    let title = format!("{}{suffix}", compare.quantity.name());
    let block = pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let legend_columns = (inner.width / ENTRY).max(1);
    let max_legend_rows = (inner.height / 4).max(1);
    let legend_rows = (compare.marks.len() as u16).div_ceil(legend_columns).min(max_legend_rows);
    let chart_area = Rect { height: inner.height.saturating_sub(legend_rows), ..inner };
    let legend = Rect { y: chart_area.bottom(), height: inner.height - chart_area.height, ..inner };

    let (curves, mark_indices) = curves(app);
    let is_share = compare.quantity == Quantity::Score
        && compare.marks.iter().any(|mark| {
            mark.histories(app.training.as_ref()).iter().any(|history| history.metric() != Metric::Loss)
        });
    let waiting = compare.marks.iter().any(|mark| mark.loaded.is_none());
    let mark = if compare.has_rows(&app.runs.runs) {
        format!(
            "{} marks a run to show its curve",
            app.key(Context::Screen(Screen::Compare), Action::Compare(CompareAction::ToggleMark))
        )
    } else {
        "no marked runs".to_string()
    };
    let chart = LineChart {
        curves: &curves,
        view: compare.chart,
        steps: 0,
        percent: is_share,
        references: &[],
        changes: &changes(app),
        span: None,
        empty: match (compare.marks.is_empty(), waiting) {
            (true, _) => &mark,
            (false, true) => "reading",
            (false, false) => "no values in these runs",
        },
        theme,
    };
    let readings = chart.draw(chart_area, buffer);
    let reading = |index: usize| {
        let of = mark_indices.iter().zip(&readings).filter(|(mark_index, _)| **mark_index == index);
        let all: Vec<Reading> = of.filter_map(|(_, reading)| *reading).collect();
        if let [one] = all[..] {
            return Some(chart.reading(one));
        }
        // Seeds with a curve each have their mean in the legend.
        let Repeats { mean: value, sd, .. } = Repeats::of(all.iter().map(|reading| reading.value))?;
        Some(chart.reading(Reading { value, sd }))
    };
    draw_legend(app, legend, legend_columns, reading, buffer);
    chart.plot(chart_area)
}

/// The curves of all marked runs, each with the index of its mark.
fn curves(app: &App) -> (Vec<Curve<'_>>, Vec<usize>) {
    let compare = &app.compare;
    let (mut curves, mut mark_indices) = (Vec::new(), Vec::new());
    // The run under the cursor is drawn over the others.
    let selected = compare.selected_mark(&app.runs.runs);
    let mut marks: Vec<(usize, &Mark)> = compare.marks.iter().enumerate().collect();
    marks.sort_by_key(|(index, _)| Some(*index) == selected);
    for (index, mark) in marks {
        let style = if compare.quantity.is_sparse() {
            CurveStyle::Points(mark_symbol(mark))
        } else {
            CurveStyle::Marked(mark_symbol(mark))
        };
        let seeds: Vec<_> = mark
            .histories(app.training.as_ref())
            .iter()
            .filter_map(|history| Some((compare.quantity.series(history)?, &history.step_axis)))
            .filter(|(series, _)| !series.is_empty())
            .collect();
        let (role, is_smoothed) = (Role::Curve(mark.color), compare.quantity.is_noisy());
        // With few colors, runs share them.
        let dash =
            if app.theme.color_depth <= ColorDepth::Ansi16 { Dash::of(mark.symbol) } else { Dash::Solid };
        let is_faint = selected.is_some_and(|selected| selected != index);
        let of = |series, step_axis| Curve {
            name: "",
            role,
            style,
            dash,
            series,
            step_axis,
            is_smoothed,
            is_faint,
        };
        let longest = seeds.iter().max_by_key(|(series, _)| series.last().map(|(step, _)| step));
        match (compare.chart.seeds, longest) {
            (Seeds::Band, Some((_, step_axis))) => {
                curves.push(of(seeds.iter().map(|(series, _)| *series).collect(), step_axis));
            }
            _ => curves.extend(seeds.iter().map(|(series, step_axis)| of(vec![*series], step_axis))),
        }
        mark_indices.resize(curves.len(), index);
    }
    (curves, mark_indices)
}

/// The marks of the changes during the marked runs.
fn changes(app: &App) -> Vec<ChangeMark<'_>> {
    let theme = app.theme;
    let mut changes = Vec::new();
    for mark in &app.compare.marks {
        let Some(newest) = mark.histories(app.training.as_ref()).last() else { continue };
        let symbol = theme.symbol(mark_symbol(mark));
        let marks = change_marks(newest, Role::Curve(mark.color), theme);
        changes.extend(
            marks.into_iter().map(|mark| ChangeMark { text: format!("{symbol} {}", mark.text), ..mark }),
        );
    }
    changes
}

/// Draws symbol, name and value of each marked run in columns.
fn draw_legend(
    app: &App,
    area: Rect,
    legend_columns: u16,
    reading: impl Fn(usize) -> Option<String>,
    buffer: &mut Buffer,
) {
    let (compare, theme) = (&app.compare, app.theme);
    let width = area.width / legend_columns;
    let available = usize::from(legend_columns * area.height);
    let longest = longest_name(app, usize::from(width).saturating_sub(VALUE));
    for (index, mark) in compare.marks.iter().enumerate().take(available) {
        let x = area.x + width * (index as u16 % legend_columns);
        let y = area.y + index as u16 / legend_columns;
        let cell = Rect { x: x + 1, y, width: width.saturating_sub(2), height: 1 };
        if index + 1 == available && compare.marks.len() > available {
            let text = format!("and {} more", compare.marks.len() - index);
            draw_text(buffer, cell.x, y, cell.width, &text, theme.style(Role::Muted));
            return;
        }
        draw_text(
            buffer,
            cell.x,
            y,
            1,
            theme.symbol(mark_symbol(mark)),
            theme.style(Role::Curve(mark.color)),
        );
        let value = match (&mark.loaded, reading(index)) {
            (_, Some(value)) => value,
            (Some(Err(_)), None) => "unreadable".into(),
            (Some(Ok(_)), None) => theme.symbol(Symbol::Dash).into(),
            (None, None) => theme.symbol(Symbol::Waiting).into(),
        };
        let name = (cell.width as usize).saturating_sub(text::width(&value) + 3);
        let run = app.runs.runs.iter().find(|run| is_same(&run.dir, &mark.dir));
        let text = run.map_or_else(|| mark.name(), |run| tagged_name(run, app, name.min(longest)));
        let is_selected = compare.selected_mark(&app.runs.runs) == Some(index);
        let role = if is_selected { Role::Selected } else { Role::Text };
        draw_text(buffer, cell.x + 2, y, name as u16, &truncate(theme, &text, name), theme.style(role));
        draw_text_right(buffer, cell, y, &value, theme.style(Role::Curve(mark.color)));
    }
}

/// Width of the names in the legend: all are short if one does not fit into `available` cells.
fn longest_name(app: &App, available: usize) -> usize {
    let marks = app.compare.marks.iter();
    let runs = marks.filter_map(|mark| app.runs.runs.iter().find(|run| is_same(&run.dir, &mark.dir)));
    let runs: Vec<&RunRow> = runs.collect();
    if runs.iter().all(|run| text::width(run.display_name()) <= available) {
        return available;
    }
    runs.into_iter().map(short_name_width).max().unwrap_or(available)
}

fn draw_differences(app: &App, area: Rect, buffer: &mut Buffer) {
    let (compare, theme) = (&app.compare, app.theme);
    let block = padded_pane(theme, "Differences", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let marks: Vec<&Mark> = compare.marks.iter().filter(|mark| mark.spec().is_some()).collect();
    if compare.differences.is_empty() {
        let text = match (compare.marks.len(), marks.len()) {
            (0 | 1, _) => "Mark two runs to see the differences of their settings.",
            (_, 0 | 1) => "",
            _ => "The settings are identical.",
        };
        for (row, line) in wrap(text, inner.width as usize).iter().enumerate() {
            let y = inner.y + row as u16;
            if y < inner.bottom() {
                draw_text(buffer, inner.x, y, inner.width, line, theme.style(Role::Muted));
            }
        }
        return;
    }
    let key =
        compare.differences.iter().map(|difference| text::width(difference.key.name)).max().unwrap_or(0);
    let key = (key + 2).min(inner.width as usize / 2);
    for (row, difference) in compare.differences.iter().enumerate().take(inner.height as usize) {
        let y = inner.y + row as u16;
        let left = compare.differences.len() - row;
        if row + 1 == inner.height as usize && left > 1 {
            draw_text(buffer, inner.x, y, inner.width, &format!("and {left} more"), theme.style(Role::Muted));
            return;
        }
        draw_text(
            buffer,
            inner.x,
            y,
            key as u16,
            &truncate(theme, difference.key.name, key - 1),
            theme.style(Role::Muted),
        );
        let x = inner.x + key as u16;
        let rest = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
        draw_difference(difference, &marks, theme, rest, buffer);
    }
}

/// Draws each value of a key with the symbols of its runs.
fn draw_difference(difference: &Difference, marks: &[&Mark], theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut x = area.x;
    let ellipsis = theme.symbol(Symbol::Ellipsis);
    // Leaves the last cell for the ellipsis.
    let end = area.right().saturating_sub(1);
    for (value, mark_indices) in &difference.values {
        let value = value.parse().map_or_else(|_| value.clone(), format::real);
        let value = truncate(theme, &value.replace('→', theme.symbol(Symbol::Arrow)), 40);
        if x + text::width(&value) as u16 + 2 > end {
            draw_text(buffer, x, area.y, 1, ellipsis, theme.style(Role::Muted));
            return;
        }
        x = draw_text(buffer, x, area.y, end - x, &value, theme.style(Role::Text)) + 1;
        for index in mark_indices {
            if x >= end {
                draw_text(buffer, x, area.y, 1, ellipsis, theme.style(Role::Muted));
                return;
            }
            let Some(mark) = marks.get(*index) else { continue };
            x = draw_text(
                buffer,
                x,
                area.y,
                1,
                theme.symbol(mark_symbol(mark)),
                theme.style(Role::Curve(mark.color)),
            );
        }
        x += 3;
    }
}
