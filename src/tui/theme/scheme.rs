//! Color schemes: the colors and modifiers of each role.

use super::quantize::{fit, rgb};
use super::role::{CURVES, Role};
use crate::terminal_caps::ColorDepth;
use ratatui::style::{Color, Modifier, Style};
use std::borrow::Cow;

/// Colors and modifiers of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// Foreground; `None` is the terminal's default.
    pub fg: Option<Color>,
    /// Background; `None` is the terminal's default.
    pub bg: Option<Color>,
    /// Foreground with the basic palette; `None` is the nearest to `fg`.
    pub basic: Option<Color>,
    /// Bold, dim, underlined, reversed.
    pub modifiers: Modifier,
}

impl Paint {
    /// The default colors of the terminal.
    pub const PLAIN: Paint = Paint { fg: None, bg: None, basic: None, modifiers: Modifier::empty() };

    /// Foreground `0xrrggbb`, or `basic` with the basic palette.
    pub(super) const fn new(rgb: u32, basic: Color) -> Paint {
        let fg = Some(Color::from_u32(rgb));
        Paint { fg, basic: Some(basic), ..Paint::PLAIN }
    }

    /// With background `0xrrggbb`.
    pub(super) const fn on(self, rgb: u32) -> Paint {
        Paint { bg: Some(Color::from_u32(rgb)), ..self }
    }

    /// With bold text.
    pub(super) const fn bold(self) -> Paint {
        Paint { modifiers: self.modifiers.union(Modifier::BOLD), ..self }
    }

    /// The style with the colors of `color_depth`.
    pub(super) fn style(self, color_depth: ColorDepth) -> Style {
        let style = Style::new().add_modifier(self.modifiers);
        let is_indexed = matches!(self.bg, Some(Color::Rgb(..) | Color::Indexed(16..)));
        if color_depth == ColorDepth::Ansi16 && is_indexed {
            // None of the basic colors is subtle enough as a background of text.
            return style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED);
        }
        let fg = match color_depth {
            ColorDepth::Ansi16 => self.basic.or(self.fg),
            _ => self.fg,
        };
        let fit = |color: Option<Color>| color.and_then(|color| fit(color, color_depth));
        Style { fg: fit(fg), bg: fit(self.bg), ..style }
    }
}

/// A color scheme with a unique name.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Its name.
    pub name: Cow<'static, str>,
    /// A short description.
    pub description: Cow<'static, str>,
    /// Colors of the roles that are not in `overrides`.
    pub(super) base: fn(Role) -> Paint,
    /// Roles whose colors differ from `base`.
    pub(super) overrides: Vec<(Role, Paint)>,
}

impl PartialEq for Scheme {
    fn eq(&self, other: &Scheme) -> bool {
        self.name == other.name
    }
}

impl Eq for Scheme {}

impl Scheme {
    /// Whether it has dark text for a light background: the selected line is light.
    pub fn is_light(&self) -> bool {
        let background = self.paint(Role::Selected).bg.and_then(rgb);
        background.is_some_and(|[red, green, blue]| {
            299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) > 128_000
        })
    }

    /// Colors and modifiers of a role.
    pub fn paint(&self, role: Role) -> Paint {
        let role = match role {
            Role::Curve(number) => Role::Curve(number % CURVES),
            role => role,
        };
        let found = self.overrides.iter().find(|(overridden, _)| *overridden == role);
        found.map_or_else(|| (self.base)(role), |(_, paint)| *paint)
    }
}
