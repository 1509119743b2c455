//! A chart in a pane, with its title and its legend on the border.

use crate::run::RunChange;
use crate::run::history::History;
use crate::text::width;
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::line_chart::{ChangeMark, LineChart};
use crate::tui::widgets::{draw_text, pane, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::Widget;

/// The title of a chart: its name, and details that are left out where the legend needs the space.
pub(super) struct ChartTitle {
    /// What the chart shows.
    pub name: String,
    /// More about it; empty or with a separator at the start.
    pub details: String,
}

impl ChartTitle {
    /// The title in at most `cells` cells.
    fn fit(&self, theme: Theme, cells: usize) -> String {
        let whole = format!("{}{}", self.name, self.details);
        if width(&whole) <= cells { whole } else { truncate(theme, &self.name, cells) }
    }
}

/// The area inside a pane on `area`.
pub(super) fn plot_area(area: Rect) -> Rect {
    area.inner(Margin::new(1, 1))
}

/// Draws `chart` in a pane on `area`.
pub(super) fn draw_chart_pane(
    chart: &LineChart<'_>,
    title: &ChartTitle,
    is_focused: bool,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = chart.theme;
    pane(theme, "", is_focused).render(area, buffer);
    let inner = plot_area(area);
    let readings = chart.draw(inner, buffer);
    // The corners and a cell of the border on either side stay free.
    let border =
        Rect { x: area.x + 2, width: area.width.saturating_sub(4), height: area.height.min(1), ..area };
    let name = width(&title.name) as u16 + 2;
    let beside = Rect { x: border.x + name, width: border.width.saturating_sub(name), ..border };
    let legend = if border.is_empty() { 0 } else { chart.draw_legend(beside, inner, &readings, buffer) };
    let available = (border.width.saturating_sub(legend) as usize).saturating_sub(2);
    let text = title.fit(theme, available);
    if !text.is_empty() && !border.is_empty() {
        let style = theme.style(Role::Title);
        draw_text(buffer, border.x - 1, border.y, border.width, &format!(" {text} "), style);
    }
}

/// The marks of the changes during a run.
pub(super) fn change_marks(history: &History, role: Role, theme: Theme) -> Vec<ChangeMark<'_>> {
    let mark = |change: &RunChange| ChangeMark {
        step: change.step,
        step_axis: &history.step_axis,
        text: change.kind.describe(theme.symbol(Symbol::Arrow)),
        role,
    };
    history.changes.iter().map(mark).collect()
}
