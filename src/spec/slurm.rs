//! The table `[slurm]`: how runs are submitted to Slurm. Its keys have the names of the options of `sbatch`. It can be in
//! `config.toml` of the user's configuration folder, and in experiments files, whose values take precedence.

use crate::config::{self, Parsed, ReadableToml, TomlSource, describe_value, unknown_name};
use crate::error::Result;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The name of the table.
pub const SLURM_TABLE: &str = "slurm";
/// The user's configuration file.
const USER_FILE: &str = "config.toml";
/// The largest number of tasks and processors.
const MAX_COUNT: u32 = 1_000_000;

/// The settings of `[slurm]`; `None` for keys that are not set, for which the defaults of the cluster apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlurmSettings {
    /// The partition.
    pub partition: Option<String>,
    /// The time limit of a task, as Slurm writes it: `30`, `4:00:00`, `1-12`.
    pub time: Option<String>,
    /// The memory of a task: `16G`.
    pub mem: Option<String>,
    /// Generic resources of a task: `gpu:1`.
    pub gres: Option<String>,
    /// The account to charge.
    pub account: Option<String>,
    /// The quality of service.
    pub qos: Option<String>,
    /// The processors of a task.
    pub cpus_per_task: Option<u32>,
    /// How many tasks of an array run at the same time at most.
    pub max_parallel: Option<u32>,
    /// How many seconds before the time limit a task is warned, to save its work.
    pub signal_delay_s: Option<u32>,
    /// Lines of the batch script, as they are: `#SBATCH` options, and commands that run before the training.
    pub extra: Option<Vec<String>>,
}

/// Sets a value, or says why it is invalid.
type Set = fn(&mut SlurmSettings, &Spanned<DeValue<'_>>) -> Result<(), String>;

/// The keys, each with what it does with a value.
const KEYS: [(&str, Set); 10] = [
    ("partition", |to, value| word(value).map(|text| to.partition = Some(text))),
    ("time", |to, value| time(value).map(|text| to.time = Some(text))),
    ("mem", |to, value| memory(value).map(|text| to.mem = Some(text))),
    ("gres", |to, value| word(value).map(|text| to.gres = Some(text))),
    ("account", |to, value| word(value).map(|text| to.account = Some(text))),
    ("qos", |to, value| word(value).map(|text| to.qos = Some(text))),
    ("cpus_per_task", |to, value| count(value).map(|number| to.cpus_per_task = Some(number))),
    ("max_parallel", |to, value| count(value).map(|number| to.max_parallel = Some(number))),
    ("signal_delay_s", |to, value| count(value).map(|number| to.signal_delay_s = Some(number))),
    ("extra", |to, value| lines(value).map(|lines| to.extra = Some(lines))),
];

impl SlurmSettings {
    /// Reads the table. A key with an error is left out, and its error is added to those of `source`.
    pub(super) fn take(source: &mut TomlSource<'_>, table: &DeTable<'_>) -> SlurmSettings {
        let mut settings = SlurmSettings::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some((_, set)) = KEYS.iter().find(|(known, _)| *known == name) else {
                let problem = unknown_name("key", name, KEYS.iter().map(|(known, _)| *known));
                source.push_error(key.span().start, problem);
                continue;
            };
            if let Err(problem) = set(&mut settings, value) {
                source.push_error(value.span().start, format!("`{name}`: {problem}"));
            }
        }
        settings
    }

    /// The table of `config.toml` in the user's configuration folder.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::error::Error::Usage) or [`Error::Config`](crate::error::Error::Config) when the file cannot be
    /// read.
    pub(super) fn of_user() -> Result<Parsed<SlurmSettings>> {
        let Some((path, text)) = config::read(USER_FILE)? else { return Ok(Parsed::default()) };
        let readable = ReadableToml::new(&text);
        // Syntax errors elsewhere in the file do not concern this table.
        let root = TomlSource::new(&readable, &path).parse();
        let mut source = TomlSource::new(&readable, &path);
        let mut settings = SlurmSettings::default();
        for (key, value) in root.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (SLURM_TABLE, DeValue::Table(table)) => settings = SlurmSettings::take(&mut source, table),
                (SLURM_TABLE, _) => source.push_error(key.span().start, NOT_A_TABLE.into()),
                _ => {}
            }
        }
        Ok(source.finish(settings))
    }

    /// These settings, with those of `lower` for keys that are not set.
    pub(super) fn over(self, lower: SlurmSettings) -> SlurmSettings {
        SlurmSettings {
            partition: self.partition.or(lower.partition),
            time: self.time.or(lower.time),
            mem: self.mem.or(lower.mem),
            gres: self.gres.or(lower.gres),
            account: self.account.or(lower.account),
            qos: self.qos.or(lower.qos),
            cpus_per_task: self.cpus_per_task.or(lower.cpus_per_task),
            max_parallel: self.max_parallel.or(lower.max_parallel),
            signal_delay_s: self.signal_delay_s.or(lower.signal_delay_s),
            extra: self.extra.or(lower.extra),
        }
    }

    /// The time limit of a task in seconds, if it is set.
    pub fn time_limit(&self) -> Option<u64> {
        seconds(self.time.as_deref()?)
    }
}

/// The error for something else in place of the table.
pub(super) const NOT_A_TABLE: &str = "[slurm] must be a table of keys";

/// A text without spaces.
fn word(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    match value.get_ref() {
        DeValue::String(text) if is_word(text) => Ok(text.to_string()),
        DeValue::String(text) => Err(format!("expected a word without spaces, found `{text}`")),
        other => Err(format!("expected a word in quotes, found {}", describe_value(other))),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
}

/// A time limit: minutes, or a text in one of Slurm's forms.
fn time(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    const EXPECTED: &str = "expected minutes, or a time such as \"4:00:00\" or \"1-12:00:00\"";
    let text = match value.get_ref() {
        DeValue::Integer(_) => count(value).map_err(|_| EXPECTED.to_owned())?.to_string(),
        DeValue::String(text) => text.trim().to_owned(),
        other => return Err(format!("{EXPECTED}, found {}", describe_value(other))),
    };
    match seconds(&text) {
        Some(0) => Err("the time limit is 0".into()),
        Some(_) => Ok(text),
        None => Err(format!("{EXPECTED}, found `{text}`")),
    }
}

/// The seconds of a time limit: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes` or
/// `days-hours:minutes:seconds`.
fn seconds(text: &str) -> Option<u64> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let parts: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match (days, parts.as_slice()) {
        (None, [minutes]) => (0, *minutes, 0),
        (None, [minutes, seconds]) => (0, *minutes, *seconds),
        (Some(_), [hours]) => (*hours, 0, 0),
        (Some(_), [hours, minutes]) => (*hours, *minutes, 0),
        (_, [hours, minutes, seconds]) => (*hours, *minutes, *seconds),
        _ => return None,
    };
    Some(((days.unwrap_or(0) * 24 + hours) * 60 + minutes) * 60 + seconds)
}

/// A number of at most six digits.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Megabytes, or a number with a unit.
fn memory(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    const EXPECTED: &str = "expected megabytes, or a number with the unit K, M, G or T such as \"16G\"";
    let text = match value.get_ref() {
        DeValue::Integer(_) => count(value).map_err(|_| EXPECTED.to_owned())?.to_string(),
        DeValue::String(text) => text.trim().to_owned(),
        other => return Err(format!("{EXPECTED}, found {}", describe_value(other))),
    };
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't', 'B', 'b']);
    let unit = text.get(digits.len()..).unwrap_or_default();
    let is_valid =
        number(digits).is_some() && (unit.len() <= 1 || unit.len() == 2 && unit.ends_with(['B', 'b']));
    if is_valid && !unit.eq_ignore_ascii_case("b") {
        Ok(text)
    } else {
        Err(format!("{EXPECTED}, found `{text}`"))
    }
}

/// A whole number of at least 1.
fn count(value: &Spanned<DeValue<'_>>) -> Result<u32, String> {
    let expected = || format!("expected a whole number from 1 to {MAX_COUNT}");
    match value.get_ref() {
        DeValue::Integer(number) => {
            match u32::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(number) if (1..=MAX_COUNT).contains(&number) => Ok(number),
                _ => Err(format!("{}, found `{}`", expected(), number.as_str())),
            }
        }
        other => Err(format!("{}, found {}", expected(), describe_value(other))),
    }
}

/// A list of lines.
fn lines(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let line = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
        DeValue::String(text) if !text.contains(['\n', '\r', '\0']) => Ok(text.to_string()),
        DeValue::String(_) => Err("expected one line in each text; write a list of lines".to_owned()),
        other => Err(format!("expected lines in quotes, found {}", describe_value(other))),
    };
    let all = |list: &DeArray<'_>| list.iter().map(line).collect();
    match value.get_ref() {
        DeValue::Array(list) => all(list),
        other => Err(format!(
            "expected a list of lines such as [\"#SBATCH --constraint=a100\", \"module load cuda\"], found {}",
            describe_value(other)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> (SlurmSettings, Vec<String>) {
        let readable = ReadableToml::new(text);
        let mut source = TomlSource::new(&readable, Path::new("e.toml"));
        let root = source.parse();
        let settings = SlurmSettings::take(&mut source, root.get_ref());
        let Parsed { value, errors } = source.finish(settings);
        (value, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_key_is_read() {
        let text = "partition = \"gpu\"\ntime = \"4:00:00\"\nmem = \"16G\"\ngres = \"gpu:a100:1\"\naccount = \"nlp\"\n\
                    qos = \"long\"\ncpus_per_task = 8\nmax_parallel = 20\nsignal_delay_s = 300\n\
                    extra = [\"#SBATCH --nice\", \"module load cuda\"]\n";
        let (settings, errors) = read(text);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(
            (settings.cpus_per_task, settings.max_parallel, settings.signal_delay_s),
            (Some(8), Some(20), Some(300))
        );
        assert_eq!(settings.time_limit(), Some(4 * 3600));
        assert_eq!(settings.extra.unwrap(), ["#SBATCH --nice", "module load cuda"]);
        assert_eq!(read("time = 30\nmem = 4000\n").0.time_limit(), Some(1800));
    }

    #[test]
    fn each_mistake_has_its_position() {
        let text = "partiton = \"gpu\"\npartition = \"a b\"\ntime = \"soon\"\nmem = \"16X\"\nmax_parallel = 0\n\
                    cpus_per_task = \"8\"\nextra = \"module load cuda\"\naccount = 3\n";
        let (settings, errors) = read(text);
        assert_eq!(settings, SlurmSettings::default());
        let expected = [
            "e.toml:1:1: unknown key `partiton`; did you mean `partition`?",
            "e.toml:2:13: `partition`: expected a word without spaces, found `a b`",
            "e.toml:3:8: `time`: expected minutes, or a time such as \"4:00:00\" or \"1-12:00:00\", found `soon`",
        ];
        assert_eq!(errors[..3], expected);
        let positions: Vec<&str> = errors.iter().map(|error| error.split(": ").next().unwrap()).collect();
        assert_eq!(positions[3..], ["e.toml:4:7", "e.toml:5:16", "e.toml:6:17", "e.toml:7:9", "e.toml:8:11"]);
    }

    #[test]
    fn times_have_the_forms_of_slurm() {
        for (text, expected) in [
            ("30", 1800),
            ("1:30", 90),
            ("2:00:00", 7200),
            ("1-0", 86_400),
            ("1-12:30", 131_400),
            ("0-0:0:5", 5),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "-", "1-", "x", "1:2:3:4", "-1", "1.5", "12345678"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn upper_values_take_precedence() {
        let (upper, lower) = (read("time = 5\n").0, read("time = 9\npartition = \"gpu\"\n").0);
        let both = upper.over(lower);
        assert_eq!((both.time.as_deref(), both.partition.as_deref()), (Some("5"), Some("gpu")));
    }
}
