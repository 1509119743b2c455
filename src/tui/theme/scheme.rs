//! The colours of the roles.

use super::quantize::fit;
use super::role::{CURVES, Role};
use crate::terminal_caps::Palette;
use ratatui::style::{Color, Modifier, Style};
use std::borrow::Cow;

/// How a role is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// The colour of the letters; the terminal's own when `None`.
    pub fg: Option<Color>,
    /// The colour behind them; the terminal's own when `None`.
    pub bg: Option<Color>,
    /// The colour of the letters where there are only 16; the nearest to `fg` when `None`.
    pub basic: Option<Color>,
    /// Bold, dim, underlined, reversed.
    pub modifiers: Modifier,
}

impl Paint {
    /// Charset in the terminal's own colour.
    pub const PLAIN: Paint = Paint { fg: None, bg: None, basic: None, modifiers: Modifier::empty() };

    /// Charset in the colour `0xrrggbb`, or in `basic` where there are only 16.
    pub(super) const fn new(rgb: u32, basic: Color) -> Paint {
        let fg = Some(Color::from_u32(rgb));
        Paint { fg, basic: Some(basic), ..Paint::PLAIN }
    }

    /// The same with the colour `0xrrggbb` behind.
    pub(super) const fn on(self, rgb: u32) -> Paint {
        Paint { bg: Some(Color::from_u32(rgb)), ..self }
    }

    /// The same in bold.
    pub(super) const fn bold(self) -> Paint {
        Paint { modifiers: self.modifiers.union(Modifier::BOLD), ..self }
    }

    /// The style with so many colours.
    pub(super) fn style(self, palette: Palette) -> Style {
        let style = Style::new().add_modifier(self.modifiers);
        let is_indexed = matches!(self.bg, Some(Color::Rgb(..) | Color::Indexed(16..)));
        if palette == Palette::Basic && is_indexed {
            // None of 16 colours is quiet enough to stand behind text.
            return style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED);
        }
        let fg = match palette {
            Palette::Basic => self.basic.or(self.fg),
            _ => self.fg,
        };
        let fit = |colour: Option<Color>| colour.and_then(|colour| fit(colour, palette));
        Style { fg: fit(fg), bg: fit(self.bg), ..style }
    }
}

/// The colours of all roles, under a name that no other has.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it is for, in a few words.
    pub about: Cow<'static, str>,
    /// The paint of each role unless it is among `own`.
    pub(super) base: fn(Role) -> Paint,
    /// Roles that are painted in another way than `base` does.
    pub(super) own: Vec<(Role, Paint)>,
}

impl PartialEq for Scheme {
    fn eq(&self, other: &Scheme) -> bool {
        self.name == other.name
    }
}

impl Eq for Scheme {}

impl Scheme {
    /// How a role is painted.
    pub fn paint(&self, role: Role) -> Paint {
        let role = match role {
            Role::Curve(number) => Role::Curve(number % CURVES),
            role => role,
        };
        let own = self.own.iter().find(|(own, _)| *own == role);
        own.map_or_else(|| (self.base)(role), |(_, paint)| *paint)
    }
}
