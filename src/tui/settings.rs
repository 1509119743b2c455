//! What a person has chosen for the interface once and for all: `config.toml` and `themes/` in the folder of
//! the program's own files.
//!
//! ```toml
//! [interface]
//! theme = "light"      # dark, light, okabe-ito, okabe-ito-light, or a file of themes/
//! charts = "blocks"    # braille, blocks or ascii
//! mouse = true         # listen to the mouse from the start
//! ```

use super::theme::{BUILT_IN, Charts, Scheme};
use crate::config::{self, TomlSource, describe_value, unknown_name};
use crate::error::{Diagnostic, Error, Result};
use crate::files::write_atomic;
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, Table, value};

/// The file in the folder of the program's own files.
const FILE: &str = "config.toml";
/// The folder of themes in it.
const THEMES: &str = "themes";
/// The table of the file.
const TABLE: &str = "interface";
/// How curves are drawn, by name.
const CHARTS: [(&str, Charts); 3] =
    [("braille", Charts::Braille), ("blocks", Charts::Blocks), ("ascii", Charts::Ascii)];

/// What the file says; `None` where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The name of the theme.
    pub theme: Option<String>,
    /// How curves are drawn.
    pub charts: Option<Charts>,
    /// Whether to listen to the mouse from the start.
    pub mouse: Option<bool>,
}

impl Settings {
    /// Reads `config.toml`; nothing is chosen without it.
    ///
    /// # Errors
    /// [`Error::Config`] with every mistake in it.
    pub fn read() -> Result<Settings> {
        match config::read(FILE)? {
            None => Ok(Settings::default()),
            Some((path, text)) => Settings::parse(&text, &path).map_err(Error::Config),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Settings, Vec<Diagnostic>> {
        let mut source = TomlSource::new(text, path);
        let root = source.parse();
        let mut settings = Settings::default();
        for (key, value) in root.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (TABLE, DeValue::Table(table)) => settings.take(&mut source, table),
                (TABLE, _) => {
                    source.push_error_unless_syntax_error(key.span().start, "[interface] is a table".into())
                }
                (name, _) => {
                    let problem = unknown_name("table", name, [TABLE].into_iter());
                    source.push_error_unless_syntax_error(key.span().start, problem);
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
                    source.push_error_unless_syntax_error(key.span().start, problem);
                    continue;
                }
            };
            source.push_error_unless_syntax_error(at, problem);
        }
    }
}

/// Every theme: the built-in ones, then those of files by name. They live as long as the program.
///
/// # Errors
/// [`Error::Config`] with every mistake in the files, [`Error::Usage`] for one that cannot be read.
pub fn themes() -> Result<Vec<&'static Scheme>> {
    let mut themes: Vec<&'static Scheme> = BUILT_IN.to_vec();
    let mut mistakes = Vec::new();
    let Some(folder) = config::folder().map(|folder| folder.join(THEMES)) else { return Ok(themes) };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort_unstable();
    for name in names {
        let Some((path, text)) = config::read(&format!("{THEMES}/{name}.toml"))? else { continue };
        match Scheme::read(&name, &text, &path) {
            Ok(scheme) => {
                // Somebody's own theme takes the place of a built-in one of that name.
                let scheme: &'static Scheme = Box::leak(Box::new(scheme));
                match themes.iter_mut().find(|known| known.name == scheme.name) {
                    Some(known) => *known = scheme,
                    None => themes.push(scheme),
                }
            }
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(themes) } else { Err(Error::Config(mistakes)) }
}

/// The theme of that name.
///
/// # Errors
/// [`Error::Usage`] when there is none; `whence` says who asked for it.
pub fn theme(themes: &[&'static Scheme], name: &str, whence: &str) -> Result<&'static Scheme> {
    let found = themes.iter().find(|scheme| scheme.name == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = themes.iter().map(|scheme| scheme.name.as_ref()).collect();
        Error::Usage(format!("{whence}: unknown theme `{name}`; there are {}", names.join(", ")))
    })
}

/// Writes the choice of a theme into `config.toml`; its comments and all else stay.
///
/// # Errors
/// [`Error::Config`] when what is there is no TOML, [`Error::Write`] when it cannot be written.
pub fn save_theme(name: &str) -> Result<()> {
    let Some(path) = config::folder().map(|folder| folder.join(FILE)) else {
        return Err(Error::Usage("there is no home directory to keep the theme in".into()));
    };
    let text = config::read(FILE)?.map_or(String::new(), |(_, text)| text);
    let text = with_theme(&text, &path, name)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    write_atomic(&path, text.as_bytes())
}

fn with_theme(text: &str, path: &Path, name: &str) -> Result<String> {
    // A file with mistakes is left for the person to put right.
    Settings::parse(text, path).map_err(Error::Config)?;
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| Error::Usage(e.message().to_owned()))?;
    let table = document.entry(TABLE).or_insert_with(|| Item::Table(Table::new()));
    let entry = &mut table["theme"];
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

    fn parse(text: &str) -> Result<Settings, Vec<String>> {
        let told = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect();
        Settings::parse(text, Path::new("config.toml")).map_err(told)
    }

    #[test]
    fn what_is_chosen_is_read() {
        let all = "[interface]\ntheme = \"light\"\ncharts = \"blocks\"\nmouse = true\n";
        let expected =
            Settings { theme: Some("light".into()), charts: Some(Charts::Blocks), mouse: Some(true) };
        assert_eq!(parse(all), Ok(expected));
        assert_eq!(parse(""), Ok(Settings::default()));
    }

    #[test]
    fn every_mistake_has_its_place() {
        let text = "[interfaec]\n[interface]\ntheme = 3\ncharts = \"brialle\"\nmouse = \"on\"\ncolour = 1\n";
        let expected = [
            "config.toml:1:2: unknown table `interfaec`; did you mean `interface`?",
            "config.toml:3:9: a name, in quotes, is expected, not `3`",
            "config.toml:4:10: unknown kind of charts `brialle`; did you mean `braille`?",
            "config.toml:5:9: `true` or `false` is expected, not text",
            "config.toml:6:1: unknown key `colour`",
        ];
        assert_eq!(parse(text).unwrap_err(), expected);
    }

    #[test]
    fn a_choice_is_kept_beside_what_is_there() {
        let path = Path::new("config.toml");
        assert_eq!(with_theme("", path, "light").unwrap(), "[interface]\ntheme = \"light\"\n");
        let text = "# mine\n[interface]\nmouse = true # always\ntheme = \"dark\" # for now\n";
        let kept = "# mine\n[interface]\nmouse = true # always\ntheme = \"light\" # for now\n";
        assert_eq!(with_theme(text, path, "light").unwrap(), kept);
        assert!(with_theme("[interface]\nmouse = 3\n", path, "light").is_err());
    }

    #[test]
    fn an_unknown_theme_is_told_with_those_there_are() {
        let told = theme(&BUILT_IN, "drak", "--theme").unwrap_err().to_string();
        assert_eq!(told, "--theme: unknown theme `drak`; there are dark, light, okabe-ito, okabe-ito-light");
    }
}
