//! The keys of an experiment that say how it is swept. They are no keys of a run.

use super::problem::SweepProblem;
use super::scheduler::AshaSettings;
use crate::config::expected_one_of;
use crate::spec::key::{Field, Key};
use crate::spec::kind::ValueKind;
use std::fmt;

/// The key that says how values are chosen.
pub(in crate::spec) const SEARCH: &str = "search";

/// How the values of the trials are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// Every combination of the values, the last key fastest.
    #[default]
    Grid,
    /// Each trial draws a value of each key. No combination is drawn twice.
    Random,
    /// The n-th trial has the n-th value of each list, as `zip` in Python. A value may be in a list several times.
    Zip,
}

impl Search {
    const ALL: [Search; 3] = [Search::Grid, Search::Random, Search::Zip];
    const NAMES: [&str; 3] = [Search::Grid.name(), Search::Random.name(), Search::Zip.name()];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Search::Grid => "grid",
            Search::Random => "random",
            Search::Zip => "zip",
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The settings of a sweep as written; `None` where nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepSettings {
    /// The number of trials.
    pub trials: Option<u64>,
    pub(super) search: Option<Search>,
    /// Whether the scheduler is ASHA.
    pub(super) is_scheduled: bool,
    pub(super) reduction_factor: Option<u64>,
    pub(super) grace_period: Option<u64>,
}

/// A key that sets no field of a run: its values are checked, and stored in [`SweepSettings`].
macro_rules! setting {
    ($name:literal) => {
        Field { name: $name, set: |_, text, _| SweepSettings::default().set($name, text), get: |_| None }
    };
}

/// A key of the heading `sweep`.
const fn sweep_key(field: Field, kind: ValueKind, absent: &'static str, help: &'static str) -> Key {
    Key::optional("sweep", field, kind, absent, help).without_effect_on_speed().outside_recipe()
}

static KEYS: [Key; 5] = [
    sweep_key(
        setting!("search"),
        ValueKind::Choice(&Search::NAMES),
        "grid",
        "Of keys with several values: grid trains every combination, random draws trials, zip takes the lists in step.",
    ),
    sweep_key(
        setting!("trials"),
        ValueKind::Integer { min: 1, max: i64::MAX },
        "all of the lists",
        "Number of trials of a sweep.",
    ),
    sweep_key(
        setting!("scheduler"),
        ValueKind::Choice(&[AshaSettings::NAME]),
        "off",
        "The scheduler of a sweep: asha pauses trials with weak evaluations.",
    ),
    sweep_key(
        setting!("reduction_factor"),
        ValueKind::Integer { min: 2, max: i64::MAX },
        "4",
        "asha: of the results at a rung, one in this many continues.",
    ),
    sweep_key(
        setting!("grace_period"),
        ValueKind::Integer { min: 1, max: i64::MAX },
        "1",
        "asha: the evaluation of the first rung.",
    ),
];

/// The keys that say how an experiment is swept, in the order in which files and forms show them.
pub fn sweep_keys() -> &'static [Key] {
    &KEYS
}

/// Their names.
pub(in crate::spec) fn sweep_key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// The key of [`sweep_keys`] with that name.
pub(in crate::spec) fn sweep_key_named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether a key says how an experiment is swept.
pub fn is_sweep_key(name: &str) -> bool {
    sweep_key_named(name).is_some()
}

impl SweepSettings {
    /// The settings with a way to choose values.
    pub(super) fn of_search(search: Search) -> SweepSettings {
        SweepSettings { search: Some(search), ..SweepSettings::default() }
    }

    /// Sets one of [`sweep_keys`]; empty text removes it.
    ///
    /// # Errors
    /// A sentence without the name of the key.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let value = Some(text).filter(|text| !text.is_empty());
        let number = |min: u64| value.map(|text| whole_number(text, min)).transpose();
        match name {
            "trials" => self.trials = number(1)?,
            "reduction_factor" => self.reduction_factor = number(2)?,
            "grace_period" => self.grace_period = number(1)?,
            "search" => {
                self.search = value
                    .map(|text| {
                        let found = Search::ALL.into_iter().find(|search| search.name() == text);
                        found.ok_or_else(|| expected_one_of(&Search::NAMES, text))
                    })
                    .transpose()?;
            }
            "scheduler" => match value {
                None => self.is_scheduled = false,
                Some(AshaSettings::NAME) => self.is_scheduled = true,
                Some(other) => {
                    return Err(format!(
                        "expected {}, found `{other}`; the learning-rate schedule is lr_scheduler_type",
                        AshaSettings::NAME
                    ));
                }
            },
            other => return Err(format!("`{other}` is no key of a sweep")),
        }
        Ok(())
    }

    /// The value of one of [`sweep_keys`] as a user would type it; `None` when it is not set.
    pub fn get(&self, name: &str) -> Option<String> {
        match name {
            "trials" => self.trials.map(|number| number.to_string()),
            "reduction_factor" => self.reduction_factor.map(|number| number.to_string()),
            "grace_period" => self.grace_period.map(|number| number.to_string()),
            "search" => self.search.map(|search| search.name().to_owned()),
            "scheduler" => self.is_scheduled.then(|| AshaSettings::NAME.to_owned()),
            _ => None,
        }
    }

    /// How values are chosen.
    pub fn search(&self) -> Search {
        self.search.unwrap_or_default()
    }

    /// The first key that is set.
    pub fn first(&self) -> Option<&'static str> {
        sweep_key_names().find(|name| self.get(name).is_some())
    }

    /// The scheduler, if one is set.
    pub(super) fn scheduler(&self) -> Result<Option<AshaSettings>, SweepProblem> {
        if self.is_scheduled {
            return Ok(Some(AshaSettings {
                reduction_factor: self.reduction_factor.unwrap_or(AshaSettings::REDUCTION_FACTOR),
                grace_period: self.grace_period.unwrap_or(AshaSettings::GRACE_PERIOD),
            }));
        }
        let unused = ["reduction_factor", "grace_period"].into_iter().find(|name| self.get(name).is_some());
        match unused {
            Some(name) => Err(SweepProblem::at(
                name,
                "only scheduler = \"asha\" uses this key; add it, or remove the key",
            )),
            None => Ok(None),
        }
    }
}

fn whole_number(text: &str, min: u64) -> Result<u64, String> {
    let number = text.replace('_', "").parse::<u64>().ok().filter(|number| *number >= min);
    number.ok_or_else(|| format!("expected a whole number of at least {min}, found `{text}`"))
}
