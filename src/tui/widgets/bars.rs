//! Bars, stacked bars and sparklines.

use super::draw::draw_text;
use crate::tui::theme::{EIGHTHS, FILLS, Role, Symbol, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws a bar that is filled to `fraction`, clamped to 0..=1, in the first line of `area`, in steps of an eighth of
/// a cell.
pub fn bar(buffer: &mut Buffer, area: Rect, fraction: f64, role: Role, theme: Theme) {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (f64::from(area.width) * 8.0 * fraction).round() as usize;
    let (full, rest) = if theme.is_ascii() { ((eighths + 4) / 8, 0) } else { (eighths / 8, eighths % 8) };
    let filled = theme.symbol(Symbol::Full).repeat(full) + EIGHTHS[rest];
    let empty = theme
        .symbol(Symbol::Empty)
        .repeat((area.width as usize).saturating_sub(full + usize::from(rest > 0)));
    let x = draw_text(buffer, area.x, area.y, area.width, &filled, theme.style(role));
    draw_text(buffer, x, area.y, area.right().saturating_sub(x), &empty, theme.style(Role::Empty));
}

/// The symbol that fills segment `number` of a stacked bar.
pub fn fill(number: usize, theme: Theme) -> &'static str {
    theme.symbol(Symbol::Fill((number % FILLS.len()) as u8))
}

/// Draws a stacked bar in the first line of `area`. Each segment has a number, which selects its symbol, a fraction
/// (0..=1) and a role. Segment boundaries are rounded to whole cells.
pub fn stacked(buffer: &mut Buffer, area: Rect, parts: &[(usize, f64, Role)], theme: Theme) {
    let width = f64::from(area.width);
    let mut end = 0.0;
    for (number, fraction, role) in parts {
        let from = (width * end).round() as u16;
        end = (end + fraction.max(0.0)).min(1.0);
        let cells = ((width * end).round() as u16).saturating_sub(from);
        let text = fill(*number, theme).repeat(usize::from(cells));
        draw_text(buffer, area.x + from, area.y, cells, &text, theme.style(*role));
    }
}

/// A sparkline of the last `width` values, scaled to their minimum and maximum; values that are not finite are blank.
pub fn sparkline(values: impl Iterator<Item = f64>, width: usize, theme: Theme) -> String {
    let values: Vec<f64> = values.collect();
    let values = &values[values.len().saturating_sub(width)..];
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let ends = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    sparkline_in(ends, values.iter().copied(), width, theme)
}

/// A sparkline of the last `width` values, scaled to the given minimum and maximum; values that are not finite are
/// blank.
pub fn sparkline_in(
    (min, max): (f64, f64),
    values: impl Iterator<Item = f64>,
    width: usize,
    theme: Theme,
) -> String {
    let values: Vec<f64> = values.collect();
    let values = &values[values.len().saturating_sub(width)..];
    let heights = theme.heights();
    let highest = (heights.len() - 1) as f64;
    let symbol = |value: &f64| match value {
        value if !value.is_finite() => ' ',
        value if max > min => {
            heights[((value - min) / (max - min) * highest).round().clamp(0.0, highest) as usize]
        }
        _ => heights[heights.len() / 2],
    };
    let drawn: String = values.iter().map(symbol).collect();
    format!("{drawn:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Charset, ColorDepth};

    const UNICODE: Theme = Theme::new(ColorDepth::None, Charset::Unicode);
    const ASCII: Theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);

    fn drawn(fraction: f64, theme: Theme) -> String {
        let area = Rect::new(0, 0, 4, 1);
        let mut buffer = Buffer::empty(area);
        bar(&mut buffer, area, fraction, Role::Bar, theme);
        (0..4).map(|x| buffer[(x, 0)].symbol().to_string()).collect()
    }

    #[test]
    fn bars_fill_in_eighths() {
        let bars = [0.0, 0.01, 0.3, 0.5, 1.0, 7.0, f64::NAN].map(|fraction| drawn(fraction, UNICODE));
        assert_eq!(bars, ["····", "····", "█▎··", "██··", "████", "████", "····"]);
        assert_eq!([0.0, 0.3, 1.0].map(|fraction| drawn(fraction, ASCII)), ["----", "#---", "####"]);
    }

    #[test]
    fn stacked_segments_fill_the_bar() {
        let area = Rect::new(0, 0, 10, 1);
        let drawn = |parts: &[(usize, f64, Role)], theme| {
            let mut buffer = Buffer::empty(area);
            stacked(&mut buffer, area, parts, theme);
            (0..10).map(|x| buffer[(x, 0)].symbol().to_string()).collect::<String>()
        };
        let parts = [(1, 0.38, Role::Bar), (2, 0.5, Role::Bar), (3, 0.001, Role::Bar), (6, 0.119, Role::Bar)];
        assert_eq!(drawn(&parts, UNICODE), "████▓▓▓▓▓░");
        assert_eq!(drawn(&parts, ASCII), "####=====.");
        assert_eq!(drawn(&[(10, 7.0, Role::Bar)], UNICODE), "▓▓▓▓▓▓▓▓▓▓");
        assert_eq!(drawn(&[], UNICODE), "          ");
    }

    #[test]
    fn sparklines_span_minimum_to_maximum() {
        assert_eq!(sparkline([9.0, 0.0, 1.0, 2.0, f64::NAN].into_iter(), 4, UNICODE), "▁▄▇ ");
        assert_eq!(sparkline_in((0.0, 1.0), [0.0, 0.97, 2.0].into_iter(), 4, UNICODE), " ▁▇▇");
        assert_eq!(sparkline([3.0, 3.0].into_iter(), 4, UNICODE), "  ▄▄");
        assert_eq!(sparkline(std::iter::empty(), 3, UNICODE), "   ");
    }

    #[test]
    fn empty_area_draws_nothing() {
        let mut buffer = Buffer::empty(Rect::ZERO);
        bar(&mut buffer, Rect::ZERO, 0.5, Role::Bar, UNICODE);
        assert_eq!(sparkline([1.0].into_iter(), 0, UNICODE), "");
    }
}
