//! The known word that a mistyped one most probably stands for.

/// All of `known`, the most alike to `word` first.
pub fn by_nearness<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known: Vec<(usize, &str)> = known.map(|name| (distance(word, name), name)).collect();
    known.sort_by_key(|(far, _)| *far);
    known.into_iter().map(|(_, name)| name).collect()
}

/// The most alike of `known`, when it is alike enough to be what was meant.
pub fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let best = by_nearness(word, known).first().copied()?;
    let short = word.chars().count().min(best.chars().count());
    let alike = distance(word, best) <= 1 + short / 3;
    (alike || (short >= 3 && (best.contains(word) || word.contains(best)))).then_some(best)
}

/// "unknown colour `gren`; did you mean `green`?"
pub fn unknown<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    match meant(word, known) {
        Some(meant) => format!("unknown {what} `{word}`; did you mean `{meant}`?"),
        None => format!("unknown {what} `{word}`"),
    }
}

/// "expected one of linear, cosine, found `linaer`; did you mean `linear`?"
pub fn expected_one_of(names: &[&str], word: &str) -> String {
    let valid = names.join(", ");
    match meant(word, names.iter().copied()) {
        Some(nearest) => format!("expected one of {valid}, found `{word}`; did you mean `{nearest}`?"),
        None => format!("expected one of {valid}, found `{word}`"),
    }
}

/// Letters to insert, remove, change or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    // A word of a thousand letters is no slip of the finger; the bound keeps its cost small.
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_likely_word_is_meant() {
        let tasks = ["demo", "demo-pairs", "sst", "sst2", "qqp"];
        assert_eq!(meant("sst-2", tasks.into_iter()), Some("sst2"));
        assert_eq!(meant("demo_pairs", tasks.into_iter()), Some("demo-pairs"));
        assert_eq!(meant("imagenet", tasks.into_iter()), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
