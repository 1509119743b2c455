//! Whether a run matches a filter.

use super::terms::{Candidate, Comparison, NumberProperty, RunFilter, Test, TextProperty};
use crate::run::row::RunRow;
use crate::spec::{Key, RunSpec};
use std::borrow::Cow;

impl RunFilter {
    /// Whether all valid terms match.
    pub fn matches(&self, candidate: Candidate<'_>) -> bool {
        self.terms.iter().all(|term| candidate.passes(&term.test) != term.is_negated)
    }

    /// [`RunFilter::matches`] for a run.
    pub fn matches_run(&self, run: &RunRow) -> bool {
        self.matches(Candidate::Run(run))
    }
}

impl<'a> Candidate<'a> {
    fn passes(self, test: &Test) -> bool {
        match test {
            Test::Word(word) => TextProperty::NAMED
                .iter()
                .any(|(_, property)| self.texts(*property).any(|text| contains(text, word))),
            Test::Text(property, comparison, text) => {
                let mut texts = self.texts(*property);
                match comparison {
                    Comparison::Contains => texts.any(|found| contains(found, text)),
                    Comparison::NotEqual => texts.all(|found| !is_equal(found, text)),
                    _ => texts.any(|found| is_equal(found, text)),
                }
            }
            Test::Number(property, comparison, value) => {
                let number = self.run().and_then(|run| number(run, *property));
                number.is_some_and(|number| holds(number, *comparison, *value))
            }
            Test::Setting(key, Comparison::NotEqual, value) => {
                !self.has_setting(key, Comparison::Equal, value)
            }
            Test::Setting(key, comparison, value) => self.has_setting(key, *comparison, value),
        }
    }

    fn run(self) -> Option<&'a RunRow> {
        match self {
            Candidate::Run(run) => Some(run),
            Candidate::Experiment { .. } | Candidate::Sweep { .. } => None,
        }
    }

    fn spec(self) -> Option<&'a RunSpec> {
        match self {
            Candidate::Run(run) => run.spec.as_deref(),
            Candidate::Experiment { spec, .. } => spec,
            Candidate::Sweep { .. } => None,
        }
    }

    fn texts(self, property: TextProperty) -> impl Iterator<Item = &'a str> {
        let (run, spec) = (self.run(), self.spec());
        let (mut texts, mut tags): ([Option<&str>; 2], &[String]) = ([None; 2], &[]);
        match (self, property) {
            (Candidate::Run(run), TextProperty::Name) => {
                texts = [run.notes.display_name.as_deref(), Some(&run.name)];
            }
            (Candidate::Experiment { name, .. }, TextProperty::Name | TextProperty::Experiment)
            | (Candidate::Sweep { name, .. }, TextProperty::Name | TextProperty::Sweep) => {
                texts[0] = Some(name);
            }
            (Candidate::Sweep { experiment, .. }, TextProperty::Experiment) => texts[0] = Some(experiment),
            (Candidate::Run(run), TextProperty::Experiment) => texts[0] = Some(&run.experiment),
            (_, TextProperty::Status) => texts[0] = run.map(|run| run.status.name()),
            (_, TextProperty::Task) => {
                texts[0] = run.map(|run| run.task.as_str()).or_else(|| spec.map(|spec| spec.task().name));
            }
            (_, TextProperty::Model) => {
                let model =
                    run.map(|run| run.model.as_str()).or_else(|| spec.map(|spec| spec.model.as_str()));
                texts = [model, model.and_then(|model| model.rsplit('/').next())];
            }
            (_, TextProperty::Tag) => tags = run.map_or(&[], |run| run.notes.tags.as_slice()),
            (_, TextProperty::Sweep) => {
                texts[0] = run.and_then(|run| run.trial.as_ref()).map(|trial| trial.sweep.as_str());
            }
            (_, TextProperty::Note) => texts[0] = run.and_then(|run| run.notes.note.as_deref()),
        }
        texts.into_iter().flatten().chain(tags.iter().map(String::as_str))
    }

    /// Whether any value that the setting had compares so.
    fn has_setting(self, key: &'static Key, comparison: Comparison, value: &str) -> bool {
        let Some(spec) = self.spec() else { return false };
        let number = value.parse::<f64>().ok();
        let passes = |text: &str| match (text.parse::<f64>(), number) {
            (Ok(found), Some(value)) => holds(found, comparison, value),
            _ if comparison.is_order() => false,
            _ if comparison == Comparison::Contains => contains(text, &value.to_lowercase()),
            _ => is_equal(text, &value.to_lowercase()),
        };
        if key.name == "seed" {
            return (0..spec.seed_count()).any(|repeat| passes(&(spec.seed + repeat).to_string()));
        }
        let changes = self.run().map_or(&[][..], |run| &run.changes);
        let changed =
            changes.iter().filter(|change| change.key == key.name).map(|change| Cow::Owned(change.to_text()));
        key.get(spec).map(Cow::Owned).into_iter().chain(changed).any(|text: Cow<'_, str>| passes(&text))
    }
}

fn number(run: &RunRow, property: NumberProperty) -> Option<f64> {
    match property {
        NumberProperty::Score => run.score().map(|(_, value)| value),
        NumberProperty::Metric(metric) => match run.score() {
            Some((best, value)) if best == metric => Some(value),
            _ => run.scores.get(&metric).copied(),
        },
        NumberProperty::Disk => run.disk.map(|disk| disk.bytes as f64),
        NumberProperty::Time => Some(run.train_seconds),
        NumberProperty::Progress => Some(run.progress),
    }
}

fn holds(number: f64, comparison: Comparison, value: f64) -> bool {
    // A number that was written in another notation is the same number.
    let is_equal = (number - value).abs() <= 1e-9 * number.abs().max(value.abs());
    match comparison {
        Comparison::Contains | Comparison::Equal => is_equal,
        Comparison::NotEqual => !is_equal,
        Comparison::Less => number < value && !is_equal,
        Comparison::LessOrEqual => number < value || is_equal,
        Comparison::Greater => number > value && !is_equal,
        Comparison::GreaterOrEqual => number > value || is_equal,
    }
}

/// Whether `text` contains `lower`, which is in lower case.
fn contains(text: &str, lower: &str) -> bool {
    if lower.is_empty() {
        return true;
    }
    if text.is_ascii() && lower.is_ascii() {
        return text.as_bytes().windows(lower.len()).any(|part| part.eq_ignore_ascii_case(lower.as_bytes()));
    }
    text.to_lowercase().contains(lower)
}

fn is_equal(text: &str, lower: &str) -> bool {
    text.eq_ignore_ascii_case(lower) || text.to_lowercase() == lower
}
