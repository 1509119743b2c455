//! A regression: what was told of each row against what is given, and how far off it is in each part of the scale.

use crate::format;
use crate::run::error_analysis::ResidualBin;
use crate::tui::layout::PANE_FRAME;
use crate::tui::state::App;
use crate::tui::state::insight::LoadedReport;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::bars::bar;
use crate::tui::widgets::canvas::Canvas;
use crate::tui::widgets::{airy_pane, put, put_right};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

/// Cells left of the cloud, for the ends of the scale.
const MARGIN: u16 = 5;
/// Narrower than this, the cloud says nothing.
const CLOUD: u16 = 24;
/// Cells of the parts of the scale with everything about them.
const PARTS: u16 = 46;
/// What is drawn in the cloud, by the number that the canvas has it under.
const LINE: u16 = 0;
const ROW: u16 = 1;

/// Lines that both panes take where there is room.
pub(super) fn height(area: Rect) -> u16 {
    if area.height >= 40 { 18 } else { 12 }
}

/// A part of the scale as a line: `0–1: 120 rows, off by 0.61, bias +0.34`.
pub(super) fn line(stretch: &ResidualBin) -> String {
    let rows = format::count(stretch.rows as u64);
    format!(
        "{} - {}: {rows} rows, off by {:.2}, bias {:+.2}",
        stretch.from, stretch.to, stretch.rmse, stretch.bias
    )
}

/// Draws the cloud of rows and the parts of the scale beside it; the parts alone where it is narrow.
pub(super) fn draw(
    app: &App,
    loaded: &LoadedReport,
    stretches: &[ResidualBin],
    area: Rect,
    buffer: &mut Buffer,
) {
    let left =
        if area.width >= CLOUD + PANE_FRAME + PARTS { area.width - PARTS.max(area.width / 2) } else { 0 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    if !left.is_empty() {
        draw_cloud(app, loaded, left, buffer);
    }
    draw_stretches(app, stretches, right, buffer);
}

/// Draws a dot for each row: what is given across, what was told upwards, and the line where both are the same.
fn draw_cloud(app: &App, loaded: &LoadedReport, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = airy_pane(theme, "Told (up) against given (across)", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let Some((low, high)) = loaded.report.labels.scale() else { return };
    if inner.height < 3 || inner.width <= MARGIN {
        return;
    }
    let plot = Rect { x: inner.x + MARGIN, width: inner.width - MARGIN, height: inner.height - 1, ..inner };
    let (low, high) = (f64::from(low), f64::from(high));
    let (columns, rows) = (usize::from(plot.width) * 2, usize::from(plot.height) * 4);
    // What is told beyond the ends of the scale stands at its edge.
    let share = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
    let x = |value: f64| (share(value) * (columns - 1) as f64).round() as usize;
    let y = |value: f64| ((1.0 - share(value)) * (rows - 1) as f64).round() as usize;
    let mut canvas = Canvas::new(plot.width.into(), plot.height.into());
    canvas.line((0, y(low)), (columns - 1, y(high)), LINE);
    let predictions = loaded.predictions();
    for row in (0..predictions.len()).filter(|row| predictions.predicted_value(*row).is_finite()) {
        canvas.set(x(predictions.target_value(row)), y(predictions.predicted_value(row)), ROW);
    }
    blit(&canvas, theme, plot, buffer);
    let ends = [(plot.y, high), (plot.bottom() - 1, low)];
    for (at, end) in ends {
        let text = format!("{end:>width$}", width = usize::from(MARGIN - 1));
        put(buffer, inner.x, at, MARGIN, &text, theme.style(Role::Muted));
    }
    put(buffer, plot.x, plot.bottom(), plot.width, &low.to_string(), theme.style(Role::Muted));
    put_right(buffer, plot, plot.bottom(), &high.to_string(), theme.style(Role::Muted));
}

fn blit(canvas: &Canvas, theme: Theme, plot: Rect, buffer: &mut Buffer) {
    let mut symbol = [0; 4];
    for (x, y, dots, owner) in canvas.cells() {
        let (plain, role) = if owner == LINE { (".", Role::Empty) } else { ("o", Role::Validation) };
        let text = dots.text(theme.charts(), plain, &mut symbol);
        put(buffer, plot.x + x as u16, plot.y + y as u16, 1, text, theme.style(role));
    }
}

/// Draws a bar for each part of the scale: as long as what is told is off there, of the worst part.
fn draw_stretches(app: &App, stretches: &[ResidualBin], area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let block = airy_pane(theme, "Off by (root mean square), by what is given", false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let muted = theme.style(Role::Muted);
    put(buffer, inner.x, inner.y, inner.width, "given", muted);
    put_right(buffer, inner, inner.y, "off by    bias    rows", muted);
    let worst = stretches.iter().map(|stretch| stretch.rmse).fold(0.0, f64::max);
    for (place, stretch) in stretches.iter().enumerate() {
        let y = inner.y + 1 + place as u16;
        if y >= inner.bottom() {
            break;
        }
        let name = format!("{}{}{}", stretch.from, theme.glyph(Symbol::Range), stretch.to);
        put(buffer, inner.x, y, inner.width, &name, theme.style(Role::Text));
        let bars = Rect { x: inner.x + 7, y, width: inner.width.saturating_sub(7 + 24), height: 1 };
        bar(buffer, bars, stretch.rmse / worst, Role::Bar, theme);
        let numbers = if stretch.rows == 0 {
            format!("{:>6}{:>8}{:>8}", "-", "-", 0)
        } else {
            let rows = format::count(stretch.rows as u64);
            format!("{:>6.2}{:>+8.2}{rows:>8}", stretch.rmse, stretch.bias)
        };
        put_right(buffer, inner, y, &numbers, theme.style(Role::Text));
    }
}
