//! Suggestions for mistyped names.

/// Only this many characters of each name are compared; the bound keeps the cost small for long input.
const COMPARED_CHARS: usize = 64;

/// All of `known`, the most similar to `word` first. Equally similar names keep their order.
pub fn ranked_by_similarity<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known: Vec<(usize, &str)> = known.map(|name| (distance(word, name), name)).collect();
    known.sort_by_key(|(distance, _)| *distance);
    known.into_iter().map(|(_, name)| name).collect()
}

/// The most similar of `known`, or `None` if none is similar enough to be a likely typo of `word`.
pub fn closest_match<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let best = ranked_by_similarity(word, known).first().copied()?;
    let shorter = word.chars().count().min(best.chars().count());
    let is_similar = distance(word, best) <= 1 + shorter / 3;
    let contains = shorter >= 3 && (best.contains(word) || word.contains(best));
    (is_similar || contains).then_some(best)
}

/// The message for an unknown name: "unknown color `gren`; did you mean `green`?"
pub fn unknown_name<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    match closest_match(word, known) {
        Some(suggestion) => format!("unknown {what} `{word}`; did you mean `{suggestion}`?"),
        None => format!("unknown {what} `{word}`"),
    }
}

/// The message for a value that must be one of `names`: "expected one of linear, cosine, found `linaer`; did
/// you mean `linear`?"
pub fn expected_one_of(names: &[&str], word: &str) -> String {
    let valid = names.join(", ");
    match closest_match(word, names.iter().copied()) {
        Some(suggestion) => format!("expected one of {valid}, found `{word}`; did you mean `{suggestion}`?"),
        None => format!("expected one of {valid}, found `{word}`"),
    }
}

/// The number of characters to insert, delete, substitute or transpose to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(prefix(a), prefix(b))
}

/// The first [`COMPARED_CHARS`] characters of `text`.
fn prefix(text: &str) -> &str {
    text.char_indices().nth(COMPARED_CHARS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_match() {
        let tasks = ["demo", "demo-pairs", "sst", "sst2", "qqp"];
        assert_eq!(closest_match("sst-2", tasks.into_iter()), Some("sst2"));
        assert_eq!(closest_match("demo_pairs", tasks.into_iter()), Some("demo-pairs"));
        assert_eq!(closest_match("imagenet", tasks.into_iter()), None);
        assert_eq!(closest_match("x", std::iter::empty()), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance(&"é".repeat(100), &"é".repeat(64)), 0);
    }
}
