//! The values of the trials. They depend on the swept keys and the seed only, so that a sweep can be extended.

use super::problem::SweepProblem;
use super::settings::{Search, SweepSettings};
use super::swept::{Axis, Scale, SweptValues, ValueRange};
use crate::format;
use crate::text::plural;
use kernels::rng::{Rng, Stream};
use std::collections::HashSet;

/// The largest number of trials of a sweep.
pub const MAX_TRIALS: u64 = 10_000;
/// Draws in a row that may be combinations which other trials have. A grid of the largest size is drawn completely.
const MAX_ATTEMPTS: u64 = 200_000;
/// Significant digits of a number that is drawn from a range.
const DIGITS: usize = 4;

/// The values of each trial.
pub(super) fn trials(
    axes: &[Axis],
    settings: &SweepSettings,
    seed: u64,
) -> Result<Vec<Vec<String>>, SweepProblem> {
    match settings.search() {
        Search::Grid => grid(axes, settings.trials),
        Search::Random => random(axes, settings.trials, seed),
        Search::Zip => zip(axes, settings.trials),
    }
}

/// The number of combinations; `None` for more than can be counted.
fn combinations(axes: &[Axis]) -> Option<u64> {
    axes.iter().try_fold(1_u64, |product, axis| product.checked_mul(count(&axis.values)?))
}

/// The number of values; `None` for the numbers of a range with fractions.
fn count(values: &SweptValues) -> Option<u64> {
    match values {
        SweptValues::List(values) => Some(values.len() as u64),
        SweptValues::Range(range) if range.is_integer => Some((range.max - range.min) as u64 + 1),
        SweptValues::Range(_) => None,
    }
}

fn too_many(count: &str) -> SweepProblem {
    let most = format::count(MAX_TRIALS);
    SweepProblem { key: None, message: format!("the sweep has {count}, and at most {most} are allowed") }
}

/// The list of each key, which `search` needs.
fn lists(axes: &[Axis], search: Search) -> Result<Vec<&Vec<String>>, SweepProblem> {
    let mut lists = Vec::new();
    for Axis { key, values } in axes {
        let SweptValues::List(values) = values else {
            let problem = format!(
                "a {search} needs a list of values; write one, or set search = \"random\" and trials to draw from the range"
            );
            return Err(SweepProblem::at(key.name, problem));
        };
        lists.push(values);
    }
    Ok(lists)
}

/// The values at each place of the lists, or at the first `wanted` places.
fn zip(axes: &[Axis], wanted: Option<u64>) -> Result<Vec<Vec<String>>, SweepProblem> {
    let lists = lists(axes, Search::Zip)?;
    let length = lists.first().map_or(0, |list| list.len());
    if let Some((axis, list)) = axes.iter().zip(&lists).find(|(_, list)| list.len() != length) {
        let (values, first) = (plural(list.len(), "value"), axes.first().map_or("", |axis| axis.key.name));
        return Err(SweepProblem::at(
            axis.key.name,
            format!(
                "has {values}, and `{first}` has {length}; with search = \"zip\", all lists have the same length"
            ),
        ));
    }
    let count = match wanted {
        Some(wanted) if wanted > length as u64 => {
            let values = plural(length, "value");
            return Err(SweepProblem::at(
                "trials",
                format!("expected at most {length}, found {wanted}: the lists have {values}"),
            ));
        }
        wanted => wanted.unwrap_or(length as u64),
    };
    if count > MAX_TRIALS {
        return Err(too_many(&plural(count, "trial")));
    }
    let trial = |place: usize| lists.iter().filter_map(|list| list.get(place).cloned()).collect();
    Ok((0..count as usize).map(trial).collect())
}

/// Every combination, or the first `wanted`; the last key changes fastest.
fn grid(axes: &[Axis], wanted: Option<u64>) -> Result<Vec<Vec<String>>, SweepProblem> {
    let lists = lists(axes, Search::Grid)?;
    let all = combinations(axes).unwrap_or(u64::MAX);
    let count = match wanted {
        Some(wanted) if wanted > all => {
            let combinations = plural(all, "combination");
            return Err(SweepProblem::at(
                "trials",
                format!("expected at most {all}, found {wanted}: the grid has {combinations}"),
            ));
        }
        wanted => wanted.unwrap_or(all),
    };
    if count > MAX_TRIALS {
        return Err(too_many(&plural(count, "combination")));
    }
    let combination = |mut index: u64| {
        let mut values: Vec<String> = Vec::with_capacity(lists.len());
        for list in lists.iter().rev() {
            let length = list.len() as u64;
            values.extend(list.get((index % length) as usize).cloned());
            index /= length;
        }
        values.reverse();
        values
    };
    Ok((0..count).map(combination).collect())
}

/// Draws `wanted` combinations, no two of which are the same.
fn random(axes: &[Axis], wanted: Option<u64>, seed: u64) -> Result<Vec<Vec<String>>, SweepProblem> {
    let Some(wanted) = wanted else {
        let message = "search = \"random\" needs the number of trials, such as trials = 12".into();
        return Err(SweepProblem { key: Some("search"), message });
    };
    if wanted > MAX_TRIALS {
        return Err(too_many(&plural(wanted, "trial")));
    }
    if let Some(all) = combinations(axes).filter(|all| wanted > *all) {
        let combinations = plural(all, "combination");
        return Err(SweepProblem::at(
            "trials",
            format!("expected at most {all}, found {wanted}: there are {combinations} of the values"),
        ));
    }
    let rng = Rng::new(seed, Stream::Search);
    let mut seen = HashSet::new();
    let mut trials: Vec<Vec<String>> = Vec::new();
    for number in 0..wanted as u32 {
        let draw = |attempt: u64| {
            axes.iter().map(move |axis| {
                let uniform = rng.uniform(number, name_hash(axis.key.name), attempt);
                drawn(&axis.values, uniform)
            })
        };
        let new = (0..MAX_ATTEMPTS)
            .map(|attempt| draw(attempt).collect::<Vec<String>>())
            .find(|values| !seen.contains(values));
        let Some(values) = new else {
            let found = plural(trials.len(), "different combination");
            return Err(SweepProblem::at(
                "trials",
                format!("expected at most {}, found {wanted}: the ranges have {found}", trials.len()),
            ));
        };
        seen.insert(values.clone());
        trials.push(values);
    }
    Ok(trials)
}

/// The value at the fraction `uniform` of the values.
fn drawn(values: &SweptValues, uniform: f64) -> String {
    match values {
        SweptValues::List(values) => {
            let index = (uniform * values.len() as f64) as usize;
            values.get(index).cloned().unwrap_or_default()
        }
        SweptValues::Range(range) => drawn_number(range, uniform),
    }
}

fn drawn_number(range: &ValueRange, uniform: f64) -> String {
    let ValueRange { min, max, scale, is_integer, .. } = range;
    // Each whole number has the interval up to the next one.
    let end = if *is_integer { max + 1.0 } else { *max };
    let number = match scale {
        Scale::Linear => min + uniform * (end - min),
        Scale::Log => (min.ln() + uniform * (end.ln() - min.ln())).exp(),
    };
    if *is_integer {
        return format!("{}", number.floor().clamp(*min, *max));
    }
    let rounded = format!("{:.*e}", DIGITS - 1, number.clamp(*min, *max)).parse::<f64>().unwrap_or(number);
    number_text(rounded.clamp(*min, *max))
}

/// A number as a person writes it: `2.347e-5`, `0.0123`.
fn number_text(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 { format!("{number:e}") } else { format!("{number}") }
}

/// FNV-1a of the name of a key, which says where its draws are in the stream: another key does not change them.
fn name_hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
