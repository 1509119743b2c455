//! The keys in which specifications differ.

use super::key::Key;
use super::keys::keys;
use super::run_spec::RunSpec;

/// A key that has different values in several specifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: &'static Key,
    /// Each value as a user would type it, or the meaning of its absence, with the indices of the specifications
    /// that have it; in the order of first occurrence.
    pub values: Vec<(String, Vec<usize>)>,
}

/// The keys in which `specs` differ, in the order of the table of keys.
pub fn differences(specs: &[&RunSpec]) -> Vec<Difference> {
    differences_by(specs, |_, _| None)
}

/// [`differences`], where `text` has the text of a value, given the index of the specification and the key, if it is not
/// that of the specification.
pub fn differences_by(
    specs: &[&RunSpec],
    text: impl Fn(usize, &'static Key) -> Option<String>,
) -> Vec<Difference> {
    let difference = |key: &'static Key| {
        let absent = if key.absent.is_empty() { "absent" } else { key.absent };
        let mut values: Vec<(String, Vec<usize>)> = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let text = text(index, key).or_else(|| key.get(spec)).unwrap_or_else(|| absent.to_owned());
            match values.iter_mut().find(|(value, _)| *value == text) {
                Some((_, indices)) => indices.push(index),
                None => values.push((text, vec![index])),
            }
        }
        (values.len() > 1).then_some(Difference { key, values })
    };
    keys().iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_with_different_values_are_listed() {
        let one = crate::spec::built_in("one");
        assert_eq!(differences(&[&one, &one.clone()]), []);
        assert_eq!(differences(&[&one]), []);
        let other = RunSpec { seed: 43, max_steps: Some(10), experiment: "other".into(), ..one.clone() };
        let found = differences(&[&one, &other, &one]);
        let keys: Vec<&str> = found.iter().map(|difference| difference.key.name).collect();
        assert_eq!(keys, ["max_steps", "seed"]);
        assert_eq!(found[1].values, [("42".to_string(), vec![0, 2]), ("43".to_string(), vec![1])]);
        assert_eq!(found[0].values[1], ("10".to_string(), vec![1]));
    }
}
