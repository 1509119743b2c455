//! Plots of a regression: predicted against target values, and the error for each bin of the target.

use crate::format;
use crate::run::error_analysis::ResidualBin;
use crate::tui::layout::PANE_FRAME;
use crate::tui::state::App;
use crate::tui::state::insight::LoadedReport;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::{draw_text, draw_text_right, padded_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

/// Width of the labels of the y axis.
const MARGIN: u16 = 5;
/// Minimum width of the scatter plot.
const MIN_SCATTER_PLOT: u16 = 24;
/// Width of the table of bins.
const BINS: u16 = 46;
/// Curve numbers on the canvas: the diagonal, and the rows.
const DIAGONAL: u16 = 0;
const ROW: u16 = 1;

/// Height of both panes.
pub(super) fn height(area: Rect) -> u16 {
    if area.height >= 40 { 18 } else { 12 }
}

/// A bin as text: `0 - 1: 120 rows, RMSE 0.61, bias +0.34`.
pub(super) fn line(bin: &ResidualBin) -> String {
    let rows = format::count(bin.rows as u64);
    format!("{} - {}: {rows} rows, RMSE {:.2}, bias {:+.2}", bin.from, bin.to, bin.rmse, bin.bias)
}

/// Draws the scatter plot with the bins beside it, or only the bins if `area` is narrow.
pub(super) fn draw(app: &App, loaded: &LoadedReport, bins: &[ResidualBin], area: Rect, buffer: &mut Buffer) {
    let left = if area.width >= MIN_SCATTER_PLOT + PANE_FRAME + BINS {
        area.width - BINS.max(area.width / 2)
    } else {
        0
    };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    if !left.is_empty() {
        draw_scatter_plot(app, loaded, left, buffer);
    }
    draw_bins(app, bins, right, buffer);
}

/// Draws a scatter plot of predicted against target values, with the diagonal.
fn draw_scatter_plot(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Predicted (y) vs. target (x)", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let Some((low, high)) = loaded.report.labels.scale() else { return };
    if inner.height < 3 || inner.width <= MARGIN {
        return;
    }
    let plot = Rect { x: inner.x + MARGIN, width: inner.width - MARGIN, height: inner.height - 1, ..inner };
    let (low, high) = (f64::from(low), f64::from(high));
    let (columns, rows) = (usize::from(plot.width) * 2, usize::from(plot.height) * 4);
    // Predictions beyond the ends of the scale are drawn at its edge.
    let share = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
    let x = |value: f64| (share(value) * (columns - 1) as f64).round() as usize;
    let y = |value: f64| ((1.0 - share(value)) * (rows - 1) as f64).round() as usize;
    let mut canvas = Canvas::new(plot.width.into(), plot.height.into());
    canvas.line((0, y(low)), (columns - 1, y(high)), DIAGONAL);
    let predictions = loaded.predictions();
    for row in (0..predictions.len()).filter(|row| predictions.predicted_value(*row).is_finite()) {
        canvas.set(x(predictions.target_value(row)), y(predictions.predicted_value(row)), ROW);
    }
    blit(&canvas, theme, plot, buffer);
    let ends = [(plot.y, high), (plot.bottom() - 1, low)];
    for (at, end) in ends {
        let text = format!("{end:>width$}", width = usize::from(MARGIN - 1));
        draw_text(buffer, inner.x, at, MARGIN, &text, theme.style(Role::Muted));
    }
    draw_text(buffer, plot.x, plot.bottom(), plot.width, &low.to_string(), theme.style(Role::Muted));
    draw_text_right(buffer, plot, plot.bottom(), &high.to_string(), theme.style(Role::Muted));
}

fn blit(canvas: &Canvas, theme: Theme, plot: Rect, buffer: &mut Buffer) {
    let mut symbol = [0; 4];
    for (x, y, dots, owner) in canvas.cells() {
        let (plain, role) = if owner == DIAGONAL { (".", Role::Empty) } else { ("o", Role::Validation) };
        let text = dots.text(theme.charts(), plain, &mut symbol);
        draw_text(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, theme.style(role));
    }
}

/// Draws a bar with the RMSE of each bin, relative to the largest one.
fn draw_bins(app: &App, bins: &[ResidualBin], area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = padded_pane(theme, "Root mean square error by target", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let muted = theme.style(Role::Muted);
    draw_text(buffer, inner.x, inner.y, inner.width, "target", muted);
    draw_text_right(buffer, inner, inner.y, "RMSE    bias    rows", muted);
    let max = bins.iter().map(|bin| bin.rmse).fold(0.0, f64::max);
    for (index, bin) in bins.iter().enumerate() {
        let y = inner.y + 1 + index as u16;
        if y >= inner.bottom() {
            break;
        }
        let name = format!("{}{}{}", bin.from, theme.symbol(Symbol::Range), bin.to);
        draw_text(buffer, inner.x, y, inner.width, &name, theme.style(Role::Text));
        let bars = Rect { x: inner.x + 7, y, width: inner.width.saturating_sub(7 + 24), height: 1 };
        bar(buffer, bars, bin.rmse / max, Role::Bar, theme);
        let numbers = if bin.rows == 0 {
            let dash = theme.symbol(Symbol::Dash);
            format!("{dash:>6}{dash:>8}{:>8}", 0)
        } else {
            let rows = format::count(bin.rows as u64);
            format!("{:>6.2}{:>+8.2}{rows:>8}", bin.rmse, bin.bias)
        };
        draw_text_right(buffer, inner, y, &numbers, theme.style(Role::Text));
    }
}
