//! In which keys specifications differ.

use super::RunSpec;
use super::keys::keys;
use super::resolve::texts;
use std::collections::HashMap;

/// A key that not all of several specifications have the same value of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: &'static str,
    /// Each value as it would be typed, or what its absence means, with the places of the specifications
    /// that have it; in the order in which the values are met.
    pub values: Vec<(String, Vec<usize>)>,
}

/// The keys in which `specs` differ, in the order of the table of keys.
pub fn differences(specs: &[&RunSpec]) -> Vec<Difference> {
    let texts: Vec<HashMap<&str, String>> = specs
        .iter()
        .map(|spec| texts(spec).into_iter().map(|(key, text)| (key.name, text)).collect())
        .collect();
    let difference = |key: &'static super::Key| {
        let mut values: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, texts) in texts.iter().enumerate() {
            let absent = if key.absent.is_empty() { "absent" } else { key.absent };
            let text = texts.get(key.name).map_or(absent, String::as_str);
            match values.iter_mut().find(|(value, _)| value == text) {
                Some((_, places)) => places.push(place),
                None => values.push((text.to_string(), vec![place])),
            }
        }
        (values.len() > 1).then_some(Difference { key: key.name, values })
    };
    keys().iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let one = crate::spec::built_in("one");
        assert_eq!(differences(&[&one, &one.clone()]), []);
        assert_eq!(differences(&[&one]), []);
        let other = RunSpec { seed: 43, max_steps: Some(10), experiment: "other".into(), ..one.clone() };
        let found = differences(&[&one, &other, &one]);
        let keys: Vec<&str> = found.iter().map(|difference| difference.key).collect();
        assert_eq!(keys, ["max_steps", "seed"]);
        assert_eq!(found[1].values, [("42".to_string(), vec![0, 2]), ("43".to_string(), vec![1])]);
        assert_eq!(found[0].values[1], ("10".to_string(), vec![1]));
    }
}
