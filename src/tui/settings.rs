//! The user's settings of the interface: `config.toml` and `themes/` in the program's configuration directory.
//!
//! ```toml
//! [interface]
//! theme = "light"      # dark, light, okabe-ito, okabe-ito-light, or a file of themes/
//! charts = "blocks"    # braille, blocks or ascii
//! mouse = true         # mouse support at start
//! ```

use super::theme::{BUILT_IN, Charts, Scheme};
use crate::config::{self, Parsed, ReadableToml, TomlSource, describe_value, unknown_name};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::spec::SLURM_TABLE;
use crate::text::plural;
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, Table, value};

/// The file in the configuration directory.
const FILE: &str = "config.toml";
/// The directory of themes beside it.
const THEMES: &str = "themes";
/// The table of the file.
const TABLE: &str = "interface";
/// How charts are drawn, by name.
const CHARTS: [(&str, Charts); 3] =
    [("braille", Charts::Braille), ("blocks", Charts::Blocks), ("ascii", Charts::Ascii)];

/// The settings of the file; `None` for keys that it does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceSettings {
    /// The name of the theme.
    pub theme: Option<String>,
    /// How charts are drawn.
    pub charts: Option<Charts>,
    /// Whether mouse support is on at start.
    pub mouse: Option<bool>,
}

impl InterfaceSettings {
    /// Reads `config.toml`. Without the file, every setting is `None`.
    ///
    /// # Errors
    /// [`Error::Usage`] or [`Error::Config`] if the file cannot be read.
    pub fn read() -> Result<Parsed<InterfaceSettings>> {
        let file = config::read(FILE)?;
        Ok(file.map_or(Parsed::default(), |(path, text)| InterfaceSettings::parse(&text, &path)))
    }

    /// Parses the text of the file. A setting whose value has an error is `None`.
    fn parse(text: &str, path: &Path) -> Parsed<InterfaceSettings> {
        let readable = ReadableToml::new(text);
        let mut source = TomlSource::new(&readable, path);
        let root = source.parse();
        let mut settings = InterfaceSettings::default();
        for (key, value) in root.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (TABLE, DeValue::Table(table)) => settings.take(&mut source, table),
                (TABLE, _) => source.push_error(key.span().start, "[interface] must be a table".into()),
                // It is read when runs are submitted.
                (SLURM_TABLE, _) => {}
                (name, _) => {
                    let problem = unknown_name("table", name, [TABLE, SLURM_TABLE].into_iter());
                    source.push_error(key.span().start, problem);
                }
            }
        }
        source.finish(settings)
    }

    fn take(&mut self, source: &mut TomlSource<'_>, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = value.span().start;
            let problem = match (key.get_ref().as_ref(), value.get_ref()) {
                ("theme", DeValue::String(name)) => {
                    self.theme = Some(name.to_string());
                    continue;
                }
                ("charts", DeValue::String(name)) => {
                    self.charts = CHARTS.iter().find(|(known, _)| known == name).map(|(_, charts)| *charts);
                    if self.charts.is_some() {
                        continue;
                    }
                    unknown_name("kind of charts", name, CHARTS.iter().map(|(known, _)| *known))
                }
                ("mouse", DeValue::Boolean(is_on)) => {
                    self.mouse = Some(*is_on);
                    continue;
                }
                ("theme" | "charts", other) => {
                    format!("a name, in quotes, is expected, not {}", describe_value(other))
                }
                ("mouse", other) => format!("`true` or `false` is expected, not {}", describe_value(other)),
                (name, _) => {
                    let problem = unknown_name("key", name, ["theme", "charts", "mouse"].into_iter());
                    source.push_error(key.span().start, problem);
                    continue;
                }
            };
            source.push_error(at, problem);
        }
    }
}

/// All themes: the built-in ones, then those of the user by name, with every mistake in their files. They live as long as
/// the program.
pub fn themes() -> (Vec<&'static Scheme>, Vec<String>) {
    let mut themes: Vec<&'static Scheme> = BUILT_IN.to_vec();
    let mut problems: Vec<String> = Vec::new();
    let Some(folder) = config::folder().map(|folder| folder.join(THEMES)) else { return (themes, problems) };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort_unstable();
    for name in names {
        let (path, text) = match config::read(&format!("{THEMES}/{name}.toml")) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let Parsed { value, errors } = Scheme::read(&name, &text, &path);
        problems.extend(errors.iter().map(ToString::to_string));
        // A theme of the user replaces a built-in one with the same name.
        let scheme: &'static Scheme = Box::leak(Box::new(value));
        match themes.iter_mut().find(|known| known.name == scheme.name) {
            Some(known) => *known = scheme,
            None => themes.push(scheme),
        }
    }
    (themes, problems)
}

/// The theme with this name.
///
/// # Errors
/// [`Error::Usage`] when there is none; the message starts with `source`, where the name comes from.
pub fn theme(themes: &[&'static Scheme], name: &str, source: &str) -> Result<&'static Scheme> {
    let found = themes.iter().find(|scheme| scheme.name == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = themes.iter().map(|scheme| scheme.name.as_ref()).collect();
        Error::Usage(format!("{source}: unknown theme `{name}`; known themes: {}", names.join(", ")))
    })
}

/// The notice about mistakes in configuration files; `None` without one.
pub fn notice(problems: &[String]) -> Option<String> {
    let (first, others) = problems.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        count => format!(" (and {})", plural(count, "more mistake")),
    };
    Some(format!("{first}{others}"))
}

/// Writes the theme to `config.toml` and preserves the rest of the file, including comments.
///
/// # Errors
/// [`Error::Config`] when the file has errors, [`Error::Write`] when it cannot be written.
pub fn save_theme(name: &str) -> Result<()> {
    let Some(path) = config::folder().map(|folder| folder.join(FILE)) else {
        return Err(Error::Usage("cannot find a home directory for config.toml".into()));
    };
    let text = config::read(FILE)?.map_or(String::new(), |(_, text)| text);
    let text = with_theme(&text, &path, name)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    write_atomic(&path, text.as_bytes())
}

fn with_theme(text: &str, path: &Path, name: &str) -> Result<String> {
    // A file with a syntax error is left unchanged for the user to correct.
    let document: Result<DocumentMut, _> = text.parse();
    let mut document = document.map_err(|_| Error::Config(InterfaceSettings::parse(text, path).errors))?;
    let table = document.entry(TABLE).or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = table.as_table_like_mut() else {
        return Err(Error::Config(InterfaceSettings::parse(text, path).errors));
    };
    let entry = table.entry("theme").or_insert(Item::None);
    match entry.as_value_mut() {
        Some(old) => {
            let decor = old.decor().clone();
            *old = name.into();
            *old.decor_mut() = decor;
        }
        None => *entry = value(name),
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (InterfaceSettings, Vec<String>) {
        let Parsed { value, errors } = InterfaceSettings::parse(text, Path::new("config.toml"));
        (value, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn settings_are_read() {
        let all = "[interface]\ntheme = \"light\"\ncharts = \"blocks\"\nmouse = true\n";
        let expected = InterfaceSettings {
            theme: Some("light".into()),
            charts: Some(Charts::Blocks),
            mouse: Some(true),
        };
        assert_eq!(parse(all), (expected, Vec::new()));
        assert_eq!(parse(""), Default::default());
    }

    #[test]
    fn each_error_has_its_position() {
        let text = "[interfaec]\n[interface]\ntheme = 3\ncharts = \"brialle\"\nmouse = \"on\"\ncolor = 1\n";
        let expected = [
            "config.toml:1:2: unknown table `interfaec`; did you mean `interface`?",
            "config.toml:3:9: a name, in quotes, is expected, not `3`",
            "config.toml:4:10: unknown kind of charts `brialle`; did you mean `braille`?",
            "config.toml:5:9: `true` or `false` is expected, not text",
            "config.toml:6:1: unknown key `color`",
        ];
        assert_eq!(parse(text).1, expected);
        let (settings, errors) = parse("[interface]\ntheme = \"light\"\ncharts = \nmouse = 1\n");
        assert_eq!(settings.theme.as_deref(), Some("light"), "an error costs its entry: {errors:?}");
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn theme_is_saved_beside_other_settings() {
        let path = Path::new("config.toml");
        assert_eq!(with_theme("", path, "light").unwrap(), "[interface]\ntheme = \"light\"\n");
        let text = "# mine\n[interface]\nmouse = true # always\ntheme = \"dark\" # for now\n";
        let expected = "# mine\n[interface]\nmouse = true # always\ntheme = \"light\" # for now\n";
        assert_eq!(with_theme(text, path, "light").unwrap(), expected);
        let wrong = "[interface]\nmouse = 3\ntheme = 4\n";
        assert_eq!(with_theme(wrong, path, "light").unwrap(), "[interface]\nmouse = 3\ntheme = \"light\"\n");
        let broken = with_theme("[interface]\nmouse = \n", path, "light").unwrap_err().to_string();
        assert!(broken.starts_with("config.toml:2:"), "{broken}");
        assert!(with_theme("interface = 3\n", path, "light").is_err());
    }

    #[test]
    fn unknown_theme_error_lists_known_themes() {
        let error = theme(&BUILT_IN, "drak", "--theme").unwrap_err().to_string();
        assert_eq!(
            error,
            "--theme: unknown theme `drak`; known themes: dark, light, okabe-ito, okabe-ito-light"
        );
    }
}
