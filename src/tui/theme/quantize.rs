//! Reduces colors to those that a terminal supports.

use crate::terminal_caps::ColorDepth;
use ratatui::style::Color;

/// The 16 basic colors with the RGB values of xterm, under their names in ratatui.
const BASIC: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];
/// The levels of the 6 × 6 × 6 color cube, which begins at index 16.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The supported color that is nearest to `color`; `None` without colors.
pub(super) fn fit(color: Color, color_depth: ColorDepth) -> Option<Color> {
    match (color, color_depth) {
        (_, ColorDepth::None) => None,
        (Color::Rgb(r, g, b), ColorDepth::Ansi256) => Some(Color::Indexed(nearest_indexed([r, g, b]))),
        (Color::Rgb(r, g, b), ColorDepth::Ansi16) => Some(nearest_basic([r, g, b])),
        (Color::Indexed(index), ColorDepth::Ansi16) => match index {
            0..=15 => Some(BASIC[usize::from(index)].0),
            _ => Some(nearest_basic(indexed(index))),
        },
        _ => Some(color),
    }
}

/// The RGB value of a color; `None` for the default of the terminal.
pub(super) fn rgb(color: Color) -> Option<[u8; 3]> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(indexed(index)),
        named => BASIC.iter().find(|(basic, _)| *basic == named).map(|(_, rgb)| *rgb),
    }
}

/// The RGB value of an indexed color.
fn indexed(index: u8) -> [u8; 3] {
    match index {
        0..=15 => BASIC[usize::from(index)].1,
        16..=231 => {
            let index = usize::from(index - 16);
            [STEPS[index / 36], STEPS[index / 6 % 6], STEPS[index % 6]]
        }
        _ => [8 + 10 * (index - 232); 3],
    }
}

/// The index of the nearest of the 240 colors that are the same on every terminal. In the cube, the best green and
/// blue do not depend on red, so 6 of its 216 colors are enough to search.
fn nearest_indexed(rgb: [u8; 3]) -> u8 {
    let nearest =
        |channel: u8| (0..6).min_by_key(|step| STEPS[usize::from(*step)].abs_diff(channel)).unwrap_or(0);
    let (green, blue) = (nearest(rgb[1]), nearest(rgb[2]));
    let cube = (0..6).map(|red| 16 + 36 * red + 6 * green + blue);
    cube.chain(232..=255).min_by_key(|index| distance(rgb, indexed(*index))).unwrap_or(16)
}

fn nearest_basic(rgb: [u8; 3]) -> Color {
    let nearest = BASIC.iter().min_by_key(|(_, basic)| distance(rgb, *basic));
    nearest.map_or(Color::Reset, |(color, _)| *color)
}

/// The squared "redmean" distance of two colors, <https://www.compuphase.com/cmetric.htm>.
fn distance(a: [u8; 3], b: [u8; 3]) -> i64 {
    let [r, g, b_] = [0, 1, 2].map(|channel| i64::from(a[channel]) - i64::from(b[channel]));
    let mean = i64::midpoint(i64::from(a[0]), i64::from(b[0]));
    (((512 + mean) * r * r) >> 8) + 4 * g * g + (((767 - mean) * b_ * b_) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_returns_nearest_color() {
        let rich = |r, g, b| fit(Color::Rgb(r, g, b), ColorDepth::Ansi256).unwrap();
        assert_eq!(rich(0x5f, 0xaf, 0xd7), Color::Indexed(74));
        assert_eq!(rich(0xff, 0xaf, 0x00), Color::Indexed(214));
        assert_eq!(rich(0x8a, 0x8a, 0x8a), Color::Indexed(245));
        assert_eq!(fit(Color::Rgb(200, 10, 0), ColorDepth::Ansi16), Some(Color::Red));
        assert_eq!(fit(Color::Rgb(0xe6, 0x9f, 0), ColorDepth::Ansi16), Some(Color::Yellow));
        assert_eq!(fit(Color::Indexed(9), ColorDepth::Ansi16), Some(Color::LightRed));
        assert_eq!(fit(Color::Rgb(1, 2, 3), ColorDepth::TrueColor), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(fit(Color::Reset, ColorDepth::Ansi256), Some(Color::Reset));
    }

    #[test]
    fn nearest_indexed_minimizes_distance() {
        for index in 0..4096_u32 {
            let rgb = [index % 16, index / 16 % 16, index / 256].map(|channel| (17 * channel) as u8);
            let nearest = (16..=255).map(|index| distance(rgb, indexed(index))).min();
            assert_eq!(Some(distance(rgb, indexed(nearest_indexed(rgb)))), nearest, "{rgb:?}");
        }
    }

    #[test]
    fn indexed_colors_map_to_themselves() {
        for index in 16..=255 {
            assert_eq!(indexed(nearest_indexed(indexed(index))), indexed(index), "{index}");
        }
    }
}
