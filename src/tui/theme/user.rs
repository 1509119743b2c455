//! User themes: `themes/NAME.toml` in the configuration folder.
//!
//! ```toml
//! base = "dark"                       # the theme of all roles that are not set here
//! about = "like my editor"            # description shown beside the name
//! train = "#56b4e9"                   # a color: #rrggbb, one of the 256 by number, or a name
//! validation = { fg = 214, bold = true }
//! selected = { fg = "white", bg = "#303030" }
//! curves = ["#56b4e9", "light-red"]   # runs, up to ten
//! ```

use super::built_in::BUILT_IN;
use super::role::{CURVES, Role};
use super::scheme::{Paint, Scheme};
use crate::config::{Parsed, ReadableToml, TomlSource, describe_value, unknown_name};
use ratatui::style::{Color, Modifier};
use std::borrow::Cow;
use std::path::Path;
use toml::Spanned;
use toml::de::DeValue;

/// Names of the 16 basic colors and the terminal's default.
const NAMES: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];
/// Text modifiers.
const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// A key of the file with its value.
type Entry<'t, 'a> = (&'t Spanned<Cow<'a, str>>, &'t Spanned<DeValue<'a>>);

impl Scheme {
    /// Parses the theme `name` from the contents `text` of the file `path`. A role whose value has an error keeps that of
    /// the base.
    pub fn read(name: &str, text: &str, path: &Path) -> Parsed<Scheme> {
        let readable = ReadableToml::new(text);
        let mut source = TomlSource::new(&readable, path);
        let root = source.parse();
        let mut scheme = Scheme {
            name: Cow::Owned(name.to_owned()),
            description: Cow::Borrowed("user theme"),
            base: BUILT_IN[0].base,
            overrides: Vec::new(),
        };
        for entry in root.get_ref() {
            scheme.apply(&mut source, entry);
        }
        source.finish(scheme)
    }

    /// Applies one key of the file.
    fn apply(&mut self, source: &mut TomlSource<'_>, (key, value): Entry<'_, '_>) {
        let name = key.get_ref().as_ref();
        let named = Role::NAMED.iter().find(|(known, _)| *known == name);
        match (name, named) {
            ("base", _) => {
                let Some(text) = text_of(source, value) else { return };
                if let Some(base) = BUILT_IN.iter().find(|scheme| scheme.name == text) {
                    self.base = base.base;
                } else {
                    let names = BUILT_IN.iter().map(|scheme| scheme.name.as_ref());
                    source.push_error(value.span().start, unknown_name("theme", text, names));
                }
            }
            ("about", _) => {
                if let Some(text) = text_of(source, value) {
                    self.description = Cow::Owned(text.to_owned());
                }
            }
            ("curves", _) => {
                let Some(colors) = if_valid(source, |source| curves(source, value)) else { return };
                // Fewer colors than runs are used again.
                let own = (0..CURVES).zip(colors.iter().cycle());
                self.overrides.extend(own.map(|(number, paint)| (Role::Curve(number), *paint)));
            }
            (_, Some((_, role))) => {
                let paint = if_valid(source, |source| paint(source, value));
                self.overrides.extend(paint.map(|paint| (*role, paint)));
            }
            (_, None) => {
                let known = Role::NAMED.iter().map(|(known, _)| *known).chain(["base", "about", "curves"]);
                source.push_error(key.span().start, unknown_name("role", name, known));
            }
        }
    }
}

/// What `parse` returns, unless it records an error.
fn if_valid<T>(source: &mut TomlSource<'_>, parse: impl FnOnce(&mut TomlSource<'_>) -> T) -> Option<T> {
    let before = source.errors().len();
    let value = parse(source);
    (source.errors().len() == before).then_some(value)
}

fn curves(source: &mut TomlSource<'_>, value: &Spanned<DeValue<'_>>) -> Vec<Paint> {
    let problem = match value.get_ref() {
        DeValue::Array(list) if (1..=usize::from(CURVES)).contains(&list.len()) => {
            return list.iter().map(|value| paint(source, value)).collect();
        }
        DeValue::Array(list) => format!("expected 1 to {CURVES} colors, found {}", list.len()),
        other => format!("expected a list of colors, found {}", describe_value(other)),
    };
    source.push_error(value.span().start, problem);
    Vec::new()
}

/// Parses a color, or a table of colors and modifiers.
fn paint(source: &mut TomlSource<'_>, value: &Spanned<DeValue<'_>>) -> Paint {
    let DeValue::Table(table) = value.get_ref() else {
        return Paint { fg: color(source, value), ..Paint::PLAIN };
    };
    let mut paint = Paint::PLAIN;
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let modifier = MODIFIERS.iter().find(|(known, _)| *known == name);
        match (name, modifier, value.get_ref()) {
            ("fg", ..) => paint.fg = color(source, value),
            ("bg", ..) => paint.bg = color(source, value),
            (_, Some((_, modifier)), DeValue::Boolean(is_on)) => paint.modifiers.set(*modifier, *is_on),
            (_, Some(_), other) => {
                let problem = format!("expected `true` or `false`, found {}", describe_value(other));
                source.push_error(value.span().start, problem);
            }
            (_, None, _) => {
                let known = MODIFIERS.iter().map(|(known, _)| *known).chain(["fg", "bg"]);
                source.push_error(key.span().start, unknown_name("entry", name, known));
            }
        }
    }
    paint
}

fn color(source: &mut TomlSource<'_>, value: &Spanned<DeValue<'_>>) -> Option<Color> {
    let expected = "#rrggbb, a number from 0 to 255, or the name of a color";
    let problem = match value.get_ref() {
        DeValue::Integer(number) => match number.as_str().parse() {
            Ok(index) => return Some(Color::Indexed(index)),
            Err(_) => format!("expected {expected}, found `{}`", number.as_str()),
        },
        DeValue::String(text) => match text.strip_prefix('#') {
            Some(digits) => match u32::from_str_radix(digits, 16) {
                Ok(rgb) if digits.len() == 6 => return Some(Color::from_u32(rgb)),
                _ => format!("`{text}` is not a color; write six hexadecimal digits after #, as in #56b4e9"),
            },
            None => match NAMES.iter().find(|(name, _)| *name == text.as_ref()) {
                Some((_, color)) => return Some(*color),
                None => unknown_name("color", text, NAMES.iter().map(|(name, _)| *name)),
            },
        },
        other => format!("expected {expected}, found {}", describe_value(other)),
    };
    source.push_error(value.span().start, problem);
    None
}

fn text_of<'t>(source: &mut TomlSource<'_>, value: &'t Spanned<DeValue<'_>>) -> Option<&'t str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text),
        other => {
            let problem = format!("expected text in quotes, found {}", describe_value(other));
            source.push_error(value.span().start, problem);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal_caps::ColorDepth;

    fn mistakes(text: &str) -> Vec<String> {
        Scheme::read("mine", text, Path::new("mine.toml")).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unset_roles_have_colors_of_base() {
        let text = "base = \"light\"\ntrain = \"#56b4e9\"\nvalidation = { fg = 214, bold = true }\n\
                    selected = { fg = \"white\", bg = \"dark-gray\" }\ncurves = [\"red\", 33]\n";
        let scheme = Scheme::read("mine", text, Path::new("mine.toml")).complete().unwrap();
        assert_eq!(scheme.paint(Role::Train).fg, Some(Color::Rgb(0x56, 0xb4, 0xe9)));
        assert_eq!(scheme.paint(Role::Test), BUILT_IN[1].paint(Role::Test));
        let validation = scheme.paint(Role::Validation).style(ColorDepth::Ansi256);
        assert_eq!((validation.fg, validation.add_modifier), (Some(Color::Indexed(214)), Modifier::BOLD));
        assert_eq!(scheme.paint(Role::Selected).style(ColorDepth::Ansi16).bg, Some(Color::DarkGray));
        assert_eq!(scheme.paint(Role::Curve(3)).fg, Some(Color::Indexed(33)));
    }

    #[test]
    fn mistakes_have_line_and_column() {
        let text = "base = \"drak\"\ntrian = \"red\"\ntest = \"gren\"\nbest = \"#12345\"\n\
                    key = { fg = 300, blink = true }\ntitle = { bold = 1 }\ncurves = []\nbar = [1]\n";
        let expected = [
            "mine.toml:1:8: unknown theme `drak`; did you mean `dark`?",
            "mine.toml:2:1: unknown role `trian`; did you mean `train`?",
            "mine.toml:3:8: unknown color `gren`; did you mean `green`?",
            "mine.toml:4:8: `#12345` is not a color; write six hexadecimal digits after #, as in #56b4e9",
            "mine.toml:5:14: expected #rrggbb, a number from 0 to 255, or the name of a color, found `300`",
            "mine.toml:5:19: unknown entry `blink`",
            "mine.toml:6:18: expected `true` or `false`, found `1`",
            "mine.toml:7:10: expected 1 to 10 colors, found 0",
            "mine.toml:8:7: expected #rrggbb, a number from 0 to 255, or the name of a color, found a list",
        ];
        assert_eq!(mistakes(text), expected);
        let scheme =
            Scheme::read("mine", "test = \"gren\"\ntrain = \nbest = 33\n", Path::new("mine.toml")).value;
        assert_eq!(scheme.paint(Role::Test), BUILT_IN[0].paint(Role::Test), "an error costs its role");
        assert_eq!(scheme.paint(Role::Best).fg, Some(Color::Indexed(33)));
        assert!(mistakes("train = ").iter().all(|mistake| mistake.starts_with("mine.toml:1:")));
    }
}
