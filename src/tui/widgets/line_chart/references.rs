//! Reference values to compare curves with: dashed lines with a band of their standard deviation.

use super::chart::{LineChart, Reference};
use super::scale::Scale;
use crate::text;
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::draw_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

impl LineChart<'_> {
    /// Draws the bands, lines and names. Curves are drawn over them.
    pub(super) fn draw_references(&self, buffer: &mut Buffer, plot: Rect, scale: &Scale) {
        let shown = || self.references.iter().filter(|reference| scale.shows(reference.value));
        let row = |value: f64| plot.y + scale.dot(value, plot.height) as u16 / 4;
        let theme = self.theme;
        for Reference { value, spread, .. } in shown().filter(|reference| reference.spread > 0.0) {
            for y in row(value + spread)..=row(value - spread) {
                for x in (plot.x..plot.right()).step_by(2) {
                    draw_text(buffer, x, y, 1, theme.symbol(Symbol::Spread), theme.style(Role::Frame));
                }
            }
        }
        for Reference { name, value, spread } in shown() {
            let y = row(*value);
            for x in (plot.x..plot.right()).step_by(2) {
                draw_text(buffer, x, y, 1, theme.symbol(Symbol::Reference), theme.style(Role::Frame));
            }
            let deviation = match spread {
                0.0 => String::new(),
                spread => format!(" {} {}", theme.symbol(Symbol::PlusMinus), self.value(*spread)),
            };
            let text = format!(" {name} {}{deviation} ", self.value(*value));
            let width = text::width(&text) as u16;
            if !name.is_empty() && width + 4 <= plot.width {
                // At the beginning, scores are low and do not overlap the name.
                draw_text(buffer, plot.x + 1, y, width, &text, theme.style(Role::Muted));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::axis::StepAxis;
    use crate::run::series::Series;
    use crate::tui::theme::{Charset, ColorDepth, Theme};
    use crate::tui::widgets::line_chart::{ChartView, Curve, CurveStyle, Dash};

    /// Scores of 70 to 80 % with a reference of 84 ± 2.
    fn drawn(theme: Theme, (width, height): (u16, u16)) -> Vec<String> {
        let (mut series, step_axis) = (Series::default(), StepAxis::default());
        (1..=3).for_each(|n| series.push(10 * n, 0.65 + 0.05 * n as f64));
        let style = CurveStyle::Points(Symbol::Disc);
        let curve = Curve {
            name: "",
            role: Role::Validation,
            style,
            dash: Dash::Solid,
            series: vec![&series],
            step_axis: &step_axis,
            is_smoothed: false,
            is_faint: false,
        };
        let references = [Reference { name: "published", value: 0.84, spread: 0.02 }];
        let chart = LineChart {
            curves: &[curve],
            view: ChartView::default(),
            steps: 30,
            percent: true,
            references: &references,
            changes: &[],
            span: None,
            empty: "",
            theme,
        };
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.draw(area, &mut buffer);
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        (0..height).map(line).collect()
    }

    #[test]
    fn reference_has_name_and_band() {
        let cases = [
            (Charset::Unicode, "╌", "published 84.0 ± 2.0", "· · · ·"),
            (Charset::AsciiSymbols, "-", "published 84.0 +- 2.0", ". . . ."),
        ];
        for (charset, dash, name, dot) in cases {
            let lines = drawn(Theme::new(ColorDepth::None, charset), (60, 22));
            let at = lines.iter().position(|line| line.contains(name)).expect("the name");
            assert!(lines[at].contains(dash), "{}", lines[at]);
            assert!(lines[at - 1].contains(dot) && lines[at + 1].contains(dot), "{lines:#?}");
            assert!(!lines.last().unwrap().contains(dot));
        }
    }

    #[test]
    fn narrow_chart_omits_name_of_reference() {
        let lines = drawn(Theme::new(ColorDepth::None, Charset::Unicode), (24, 8));
        assert!(lines.iter().any(|line| line.contains("╌")) && !lines.concat().contains("published"));
    }
}
