//! Parses a filter.

use super::terms::{Comparison, FilterProblem, NumberProperty, RunFilter, Term, Test, TextProperty};
use crate::catalog::{Metric, MetricDisplay};
use crate::config::closest_match;
use crate::spec::{Key, ValueKind, key_called, keys};
use std::ops::Range;

impl RunFilter {
    /// The filter that `text` describes. Terms that are not valid are [`RunFilter::problems`].
    pub fn parse(text: &str) -> RunFilter {
        let mut filter = RunFilter::default();
        for token in tokens(text) {
            match token.term() {
                Ok(term) => filter.terms.extend(term),
                Err(why) => filter.problems.push(FilterProblem { term: text[token.source].to_owned(), why }),
            }
        }
        filter
    }
}

/// The filter with the term `KEY:VALUE` in place of others of that key; without it if the filter has it.
pub fn toggle_term(filter: &str, key: &str, value: &str) -> String {
    let value = value.to_lowercase();
    let is_plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"');
    let term =
        if is_plain { format!("{key}:{value}") } else { format!("{key}:\"{}\"", value.replace('"', "")) };
    // A quote that is not closed would take in the new term.
    let closed = |source: &str| {
        let is_open = source.matches('"').count() % 2 == 1;
        if is_open { format!("{source}\"") } else { source.to_owned() }
    };
    let sources: Vec<String> =
        tokens(filter).into_iter().map(|token| closed(&filter[token.source])).collect();
    let prefix = format!("{key}:");
    let mut terms: Vec<&String> = sources.iter().filter(|source| !source.starts_with(&prefix)).collect();
    if !sources.contains(&term) {
        terms.push(&term);
    }
    terms.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// A term before it is understood: its characters without quotes.
struct Token {
    /// Its bytes in the filter.
    source: Range<usize>,
    is_negated: bool,
    /// The characters, each with whether it was in quotes.
    chars: Vec<(char, bool)>,
}

/// Splits a filter at the spaces outside of quotes. A quote that is not closed ends with the filter.
fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let (mut is_quoted, mut is_open) = (false, false);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && !is_quoted {
            is_open = false;
            continue;
        }
        if !is_open {
            found.push(Token { source: at..at, is_negated: false, chars: Vec::new() });
            is_open = true;
        }
        let Some(token) = found.last_mut() else { continue };
        token.source.end = at + c.len_utf8();
        if c == '"' { is_quoted = !is_quoted } else { token.chars.push((c, is_quoted)) }
    }
    for token in &mut found {
        if token.chars.len() > 1 && matches!(token.chars[0], ('-' | '!', false)) {
            token.is_negated = true;
            token.chars.remove(0);
        }
    }
    found
}

impl Token {
    /// The term; `None` if it does not restrict anything yet, such as `status:`.
    fn term(&self) -> Result<Option<Term>, String> {
        let text = |chars: &[(char, bool)]| chars.iter().map(|(c, _)| *c).collect::<String>();
        let test = if let [('#', false), tag @ ..] = self.chars.as_slice() {
            Some(Test::Text(TextProperty::Tag, Comparison::Contains, text(tag).to_lowercase()))
        } else if let Some((key, comparison, value)) = self.split() {
            test(&key, comparison, value.trim())?
        } else {
            Some(Test::Word(text(&self.chars).to_lowercase()))
        };
        Ok(test.map(|test| Term { is_negated: self.is_negated, test }))
    }

    /// Key, operator and value of a comparison: a name, then an operator.
    fn split(&self) -> Option<(String, Comparison, String)> {
        let is_name = |(c, is_quoted): &(char, bool)| {
            !is_quoted && (c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        let end = self.chars.iter().position(|c| !is_name(c))?;
        let key: String = self.chars[..end].iter().map(|(c, _)| *c).collect();
        if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || self.chars[end].1 {
            return None;
        }
        let rest: String = self.chars[end..].iter().map(|(c, _)| *c).collect();
        let (operator, comparison) =
            Comparison::OPERATORS.into_iter().find(|(operator, _)| rest.starts_with(operator))?;
        Some((key.to_lowercase().replace('-', "_"), comparison, rest[operator.len()..].to_owned()))
    }
}

fn test(key: &str, comparison: Comparison, value: &str) -> Result<Option<Test>, String> {
    let is_incomplete = value.is_empty() && comparison == Comparison::Contains;
    if let Some((name, property)) = TextProperty::NAMED.into_iter().find(|(name, _)| is_called(key, name)) {
        if comparison.is_order() {
            return Err(format!("{name} is a text; write {name}:TEXT"));
        }
        return Ok((!is_incomplete).then(|| Test::Text(property, comparison, value.to_lowercase())));
    }
    if let Some(property) = number_property(key) {
        if is_incomplete {
            return Ok(None);
        }
        return number(property, value).map(|value| Some(Test::Number(property, comparison, value)));
    }
    let setting = key_called(key).ok_or_else(|| unknown(key))?;
    if is_incomplete {
        return Ok(None);
    }
    check(setting, comparison, value)?;
    Ok(Some(Test::Setting(setting, comparison, value.to_owned())))
}

/// Whether a word is a name, or its plural.
fn is_called(word: &str, name: &str) -> bool {
    word == name || word.strip_suffix('s') == Some(name)
}

fn number_property(key: &str) -> Option<NumberProperty> {
    if let Some((_, property)) = NumberProperty::NAMED.into_iter().find(|(name, _)| *name == key) {
        return Some(property);
    }
    let is_short_name = |metric: &Metric| metric.short_name().to_lowercase().replace(' ', "_") == key;
    let named = Metric::ALL.iter().find(|metric| metric.name() == key);
    let metric = named.or_else(|| Metric::ALL.iter().find(|metric| is_short_name(metric)))?;
    Some(NumberProperty::Metric(*metric))
}

/// The value of a number in the unit of its property.
fn number(property: NumberProperty, text: &str) -> Result<f64, String> {
    let (expected, value) = match property {
        NumberProperty::Disk => ("a size such as 200MB or 1.5GB", with_unit(text, &BYTES)),
        NumberProperty::Time => ("a time such as 90s, 10m or 1.5h", with_unit(text, &SECONDS)),
        NumberProperty::Metric(metric) if metric.display() == MetricDisplay::Loss => {
            ("a number", text.parse().ok())
        }
        NumberProperty::Score | NumberProperty::Metric(_) | NumberProperty::Progress => {
            ("a number such as 0.9 or 90%", share(text))
        }
    };
    value.filter(|value| value.is_finite()).ok_or_else(|| not(expected, text))
}

fn not(expected: &str, text: &str) -> String {
    if text.is_empty() {
        format!("expected {expected}")
    } else {
        format!("expected {expected}, found {text}")
    }
}

const BYTES: [(&str, f64); 5] = [("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1.0)];
const SECONDS: [(&str, f64); 4] = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// A number with one of these units, or without.
fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.to_lowercase();
    let found = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = found.unwrap_or((&text, 1.0));
    Some(number.trim().parse::<f64>().ok()? * factor)
}

/// A fraction: `0.9`, `90%`, or `90`, since no score is above 1.
fn share(text: &str) -> Option<f64> {
    if let Some(percent) = text.strip_suffix('%') {
        return Some(percent.trim().parse::<f64>().ok()? / 100.0);
    }
    let number: f64 = text.parse().ok()?;
    Some(if number.abs() > 1.0 { number / 100.0 } else { number })
}

/// Checks the value that a setting is compared with.
fn check(key: &Key, comparison: Comparison, value: &str) -> Result<(), String> {
    let is_integer = matches!(key.kind, ValueKind::Integer { .. });
    let is_number = is_integer || matches!(key.kind, ValueKind::Real { .. });
    let is_interval = matches!(key.kind, ValueKind::Interval);
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(()),
        _ if is_number || (is_interval && comparison.is_order()) => Err(not("a number", value)),
        _ if comparison.is_order() => Err(format!("{} is a text; write {}:TEXT", key.name, key.name)),
        _ => Ok(()),
    }
}

fn unknown(key: &str) -> String {
    let properties = TextProperty::NAMED.iter().map(|(name, _)| *name);
    let numbers = NumberProperty::NAMED.iter().map(|(name, _)| *name);
    let names = properties
        .chain(numbers)
        .chain(Metric::NAMES.iter().copied())
        .chain(keys().iter().map(|key| key.name));
    match closest_match(key, names) {
        Some(name) => format!("no setting or score is called {key}; did you mean {name}?"),
        None => format!("no setting or score is called {key}; quote a text that contains it"),
    }
}
