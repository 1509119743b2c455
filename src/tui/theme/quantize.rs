//! Colours on terminals that have fewer of them.

use crate::terminal_caps::ColorDepth;
use ratatui::style::Color;

/// The 16 colours of terminals as xterm paints them, with the names they have here.
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
/// The steps of the cube of 6 × 6 × 6 colours that begins at index 16.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// `colour`, or the nearest that there is.
pub(super) fn fit(colour: Color, palette: ColorDepth) -> Option<Color> {
    match (colour, palette) {
        (_, ColorDepth::None) => None,
        (Color::Rgb(r, g, b), ColorDepth::Ansi256) => Some(Color::Indexed(nearest_indexed([r, g, b]))),
        (Color::Rgb(r, g, b), ColorDepth::Ansi16) => Some(nearest_basic([r, g, b])),
        (Color::Indexed(index), ColorDepth::Ansi16) => match index {
            0..=15 => Some(BASIC[usize::from(index)].0),
            _ => Some(nearest_basic(indexed(index))),
        },
        _ => Some(colour),
    }
}

/// Red, green and blue of one of the 256 colours.
fn indexed(index: u8) -> [u8; 3] {
    match index {
        0..=15 => BASIC[usize::from(index)].1,
        16..=231 => {
            let place = usize::from(index - 16);
            [STEPS[place / 36], STEPS[place / 6 % 6], STEPS[place % 6]]
        }
        _ => [8 + 10 * (index - 232); 3],
    }
}

/// The nearest of the 240 colours that are the same on every terminal. Whatever the red of a colour of the
/// cube, its green and blue are best where each is nearest, so few of them are looked at.
fn nearest_indexed(rgb: [u8; 3]) -> u8 {
    let nearest = |part: u8| (0..6).min_by_key(|step| STEPS[usize::from(*step)].abs_diff(part)).unwrap_or(0);
    let (green, blue) = (nearest(rgb[1]), nearest(rgb[2]));
    let cube = (0..6).map(|red| 16 + 36 * red + 6 * green + blue);
    cube.chain(232..=255).min_by_key(|index| distance(rgb, indexed(*index))).unwrap_or(16)
}

fn nearest_basic(rgb: [u8; 3]) -> Color {
    let nearest = BASIC.iter().min_by_key(|(_, basic)| distance(rgb, *basic));
    nearest.map_or(Color::Reset, |(colour, _)| *colour)
}

/// How unlike two colours look: the square of the "redmean" distance,
/// <https://www.compuphase.com/cmetric.htm>.
fn distance(a: [u8; 3], b: [u8; 3]) -> i64 {
    let [r, g, b_] = [0, 1, 2].map(|part| i64::from(a[part]) - i64::from(b[part]));
    let mean = i64::midpoint(i64::from(a[0]), i64::from(b[0]));
    (((512 + mean) * r * r) >> 8) + 4 * g * g + (((767 - mean) * b_ * b_) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_colours_are_the_nearest_ones() {
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
    fn no_index_is_nearer_than_the_one_that_is_found() {
        for place in 0..4096_u32 {
            let rgb = [place % 16, place / 16 % 16, place / 256].map(|part| (17 * part) as u8);
            let nearest = (16..=255).map(|index| distance(rgb, indexed(index))).min();
            assert_eq!(Some(distance(rgb, indexed(nearest_indexed(rgb)))), nearest, "{rgb:?}");
        }
    }

    #[test]
    fn every_index_is_nearest_to_itself() {
        for index in 16..=255 {
            assert_eq!(indexed(nearest_indexed(indexed(index))), indexed(index), "{index}");
        }
    }
}
