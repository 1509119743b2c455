//! The built-in themes.

use super::role::{CURVES, Role};
use super::scheme::{Paint, Scheme};
use ratatui::style::{Color, Modifier};
use std::borrow::Cow;

/// Light text on a dark background.
pub static DARK: Scheme = scheme("dark", "light text on a dark background", dark);
/// Dark text on a light background.
pub static LIGHT: Scheme = scheme("light", "dark text on a light background", light);
static OKABE_ITO: Scheme = scheme("okabe-ito", "suits color-blind users, on a dark background", okabe_ito);
static OKABE_ITO_LIGHT: Scheme =
    scheme("okabe-ito-light", "suits color-blind users, on a light background", okabe_ito_light);

/// All built-in themes.
pub static BUILT_IN: [&Scheme; 4] = [&DARK, &LIGHT, &OKABE_ITO, &OKABE_ITO_LIGHT];

const fn scheme(name: &'static str, description: &'static str, base: fn(Role) -> Paint) -> Scheme {
    Scheme { name: Cow::Borrowed(name), description: Cow::Borrowed(description), base, overrides: Vec::new() }
}

/// Colors of runs with the basic palette.
const BASIC: [Color; CURVES as usize] = [
    Color::Cyan,
    Color::Yellow,
    Color::Magenta,
    Color::Green,
    Color::Red,
    Color::Blue,
    Color::LightCyan,
    Color::LightYellow,
    Color::LightMagenta,
    Color::LightGreen,
];
/// Colors of runs with the basic palette on a light background, where yellow is hard to read.
const BASIC_LIGHT: [Color; CURVES as usize] = [
    Color::Blue,
    Color::Red,
    Color::Magenta,
    Color::Green,
    Color::Black,
    Color::Cyan,
    Color::LightRed,
    Color::LightBlue,
    Color::LightMagenta,
    Color::DarkGray,
];

fn curve(colors: [u32; CURVES as usize], basic: [Color; CURVES as usize], number: u8) -> Paint {
    let number = usize::from(number % CURVES);
    Paint::new(colors[number], basic[number])
}

/// Titles have the default color of the terminal, not that of the frame that they are on.
const fn title() -> Paint {
    Paint { fg: Some(Color::Reset), modifiers: Modifier::BOLD, ..Paint::PLAIN }
}

fn dark(role: Role) -> Paint {
    /// Different hues of similar lightness.
    const RUNS: [u32; CURVES as usize] = [
        0x5f_afd7, 0xff_af00, 0xd7_87d7, 0x87_d787, 0xff_5f5f, 0x5f_d7d7, 0xff_d787, 0xaf_87ff, 0xff_875f,
        0xaf_d7af,
    ];
    match role {
        Role::Text => Paint::PLAIN,
        Role::Muted => Paint::new(0x8a_8a8a, Color::DarkGray),
        Role::Frame => Paint::new(0x58_5858, Color::DarkGray),
        Role::Empty => Paint::new(0x44_4444, Color::DarkGray),
        Role::Title => title(),
        Role::Key => Paint::new(0x5f_d7d7, Color::Cyan).bold(),
        Role::Focus | Role::Train | Role::Bar => Paint::new(0x5f_afd7, Color::Cyan),
        Role::TrainRaw => Paint::new(0x00_5f87, Color::Blue),
        Role::Validation => Paint::new(0xff_af00, Color::Yellow),
        Role::Test => Paint::new(0xd7_87d7, Color::Magenta),
        Role::Best => Paint::new(0x87_d787, Color::Green).bold(),
        Role::Warning => Paint::new(0xff_d700, Color::LightYellow),
        Role::Error => Paint::new(0xff_5f5f, Color::Red).bold(),
        Role::Selected => Paint::new(0xee_eeee, Color::White).on(0x3a_3a3a).bold(),
        Role::Curve(number) => curve(RUNS, BASIC, number),
    }
}

fn light(role: Role) -> Paint {
    const RUNS: [u32; CURVES as usize] = [
        0x00_5faf, 0xaf_5f00, 0x87_00af, 0x00_7000, 0xd7_0000, 0x00_7c7c, 0x87_5f00, 0x5f_5fd7, 0xaf_005f,
        0x4e_6e00,
    ];
    match role {
        Role::Text => Paint::PLAIN,
        Role::Muted => Paint::new(0x5f_5f5f, Color::DarkGray),
        Role::Frame => Paint::new(0x8a_8a8a, Color::DarkGray),
        Role::Empty => Paint::new(0xb2_b2b2, Color::Gray),
        Role::Title => title(),
        Role::Key => Paint::new(0x00_5f87, Color::Blue).bold(),
        Role::Focus | Role::Train | Role::Bar => Paint::new(0x00_5faf, Color::Blue),
        Role::TrainRaw => Paint::new(0x87_afd7, Color::LightBlue),
        Role::Validation => Paint::new(0xaf_5f00, Color::Magenta),
        Role::Test => Paint::new(0x87_00af, Color::Cyan),
        Role::Best => Paint::new(0x00_7000, Color::Green).bold(),
        Role::Warning => Paint::new(0xa0_4000, Color::Red),
        Role::Error => Paint::new(0xd7_0000, Color::Red).bold(),
        Role::Selected => Paint::new(0x00_0000, Color::Black).on(0xd0_d7e5).bold(),
        Role::Curve(number) => curve(RUNS, BASIC_LIGHT, number),
    }
}

/// The palette of Okabe and Ito, <https://jfly.uni-koeln.de/color/>, with lighter blue and black for a dark
/// background.
fn okabe_ito(role: Role) -> Paint {
    const RUNS: [u32; CURVES as usize] = [
        0x56_b4e9, 0xe6_9f00, 0x00_9e73, 0xf0_e442, 0xcc_79a7, 0xd5_5e00, 0x5a_96e0, 0xbf_bfbf, 0xf5_c9e0,
        0xa6_e0cd,
    ];
    match role {
        Role::Key => Paint::new(0x56_b4e9, Color::Cyan).bold(),
        Role::Focus | Role::Train | Role::Bar => Paint::new(0x56_b4e9, Color::Cyan),
        Role::TrainRaw => Paint::new(0x2f_6484, Color::Blue),
        Role::Validation => Paint::new(0xe6_9f00, Color::Yellow),
        Role::Test => Paint::new(0xcc_79a7, Color::Magenta),
        Role::Best => Paint::new(0x2c_c08f, Color::Green).bold(),
        Role::Warning => Paint::new(0xf0_e442, Color::LightYellow),
        Role::Error => Paint {
            modifiers: Modifier::BOLD.union(Modifier::UNDERLINED),
            ..Paint::new(0xe8_6a10, Color::Red)
        },
        Role::Curve(number) => curve(RUNS, BASIC, number),
        role => dark(role),
    }
}

/// The same palette with darker colors for a light background.
fn okabe_ito_light(role: Role) -> Paint {
    const RUNS: [u32; CURVES as usize] = [
        0x00_72b2, 0xa8_5f00, 0x00_7a59, 0x00_0000, 0xa0_4b7a, 0xb8_4a00, 0x2a_75a5, 0x6b_6b6b, 0x7a_6c00,
        0x6a_3fa0,
    ];
    match role {
        Role::Key => Paint::new(0x00_5a8c, Color::Blue).bold(),
        Role::Focus | Role::Train | Role::Bar => Paint::new(0x00_72b2, Color::Blue),
        Role::TrainRaw => Paint::new(0x9c_c6e0, Color::LightBlue),
        Role::Validation => Paint::new(0xa8_5f00, Color::Magenta),
        Role::Test => Paint::new(0xa0_4b7a, Color::Cyan),
        Role::Best => Paint::new(0x00_7a59, Color::Green).bold(),
        Role::Warning => Paint::new(0x7a_6c00, Color::Red),
        Role::Error => Paint {
            modifiers: Modifier::BOLD.union(Modifier::UNDERLINED),
            ..Paint::new(0xb8_4a00, Color::Red)
        },
        Role::Curve(number) => curve(RUNS, BASIC_LIGHT, number),
        role => light(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal_caps::ColorDepth;

    fn rgb(paint: Paint) -> Option<[f64; 3]> {
        match paint.fg? {
            Color::Rgb(r, g, b) => Some([r, g, b].map(|part| f64::from(part) / 255.0)),
            Color::Reset => None,
            other => panic!("{other:?}"),
        }
    }

    /// Linear light of an sRGB channel, <https://www.w3.org/TR/WCAG21/#dfn-relative-luminance>.
    fn linear(part: f64) -> f64 {
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    }

    fn luminance(rgb: [f64; 3]) -> f64 {
        let [r, g, b] = rgb.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_sufficient_contrast() {
        let low_contrast = [Role::Frame, Role::Empty, Role::TrainRaw];
        for scheme in BUILT_IN {
            let default_background = if scheme.name.contains("light") { [1.0; 3] } else { [0.1; 3] };
            for role in Role::all() {
                let paint = scheme.paint(role);
                let background =
                    paint.bg.map_or(default_background, |bg| rgb(Paint { fg: Some(bg), ..paint }).unwrap());
                let Some(color) = rgb(paint) else { continue };
                let minimum = if low_contrast.contains(&role) { 1.4 } else { 4.5 };
                let found = contrast(color, background);
                assert!(found >= minimum, "{} {role:?}: {found:.2}", scheme.name);
            }
        }
    }

    /// Simulation of missing cones in linear light: Machado, Oliveira and Fernandes 2009, severity 1.
    const PROTANOPIA: [[f64; 3]; 3] = [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ];
    const DEUTERANOPIA: [[f64; 3]; 3] = [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ];

    /// CIELAB coordinates (D65) of linear RGB.
    fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
        let [x, y, z] =
            [x, y, z].map(|part| if part > 0.008_856 { part.cbrt() } else { 7.787 * part + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn color_difference(a: Paint, b: Paint, eyes: [[f64; 3]; 3]) -> f64 {
        let seen = |paint| {
            let light = rgb(paint).unwrap().map(linear);
            let part =
                |row: [f64; 3]| row.iter().zip(light).map(|(m, part)| m * part).sum::<f64>().clamp(0.0, 1.0);
            lab(eyes.map(part))
        };
        let squares = seen(a).into_iter().zip(seen(b)).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    #[test]
    fn splits_are_distinguishable_by_color_blind_users() {
        let roles = [Role::Train, Role::Validation, Role::Test, Role::Best];
        for scheme in [&OKABE_ITO, &OKABE_ITO_LIGHT] {
            for eyes in [PROTANOPIA, DEUTERANOPIA] {
                for (index, role) in roles.into_iter().enumerate() {
                    for other in roles.into_iter().skip(index + 1) {
                        let found = color_difference(scheme.paint(role), scheme.paint(other), eyes);
                        assert!(found >= 12.0, "{}: {role:?} and {other:?}: {found:.1}", scheme.name);
                    }
                }
            }
        }
    }

    #[test]
    fn basic_palette_uses_only_basic_colors() {
        for scheme in BUILT_IN {
            for role in Role::all() {
                let style = scheme.paint(role).style(ColorDepth::Ansi16);
                for color in [style.fg, style.bg].into_iter().flatten() {
                    assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(_)), "{role:?}: {color:?}");
                }
            }
        }
    }
}
