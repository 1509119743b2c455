//! What the name of a column says about it.

/// Names of label columns.
const LABELS: &[&str] = &[
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "categories",
    "target",
    "targets",
    "sentiment",
    "emotion",
    "intent",
    "topic",
    "topics",
    "polarity",
    "rating",
    "ratings",
    "stars",
    "score",
    "similarity",
    "tag",
    "tags",
    "gold",
    "y",
    "answer",
    "verdict",
    "stance",
    "toxicity",
    "grade",
    "outcome",
    "annotation",
    "mood",
    "genre",
    "kind",
    "type",
    "duplicate",
    "entailment",
    "relevance",
    "quality",
];
/// Names of text columns.
const TEXTS: &[&str] = &[
    "text",
    "texts",
    "sentence",
    "sentences",
    "review",
    "reviews",
    "comment",
    "comments",
    "content",
    "body",
    "message",
    "tweet",
    "post",
    "document",
    "abstract",
    "description",
    "utterance",
    "headline",
    "snippet",
    "passage",
    "question",
    "query",
    "premise",
    "input",
    "x",
    "transcript",
    "summary",
    "title",
    "feedback",
    "complaint",
];
/// Names of columns that are neither.
const OTHERS: &[&str] = &[
    "id",
    "ids",
    "idx",
    "index",
    "uid",
    "uuid",
    "guid",
    "key",
    "number",
    "no",
    "nr",
    "row",
    "date",
    "time",
    "timestamp",
    "year",
    "month",
    "day",
    "created",
    "updated",
    "url",
    "link",
    "uri",
    "user",
    "username",
    "author",
    "name",
    "email",
    "lang",
    "language",
    "split",
    "fold",
    "source",
    "country",
    "city",
    "age",
    "gender",
    "price",
    "likes",
    "retweets",
    "votes",
    "helpful",
    "length",
    "file",
    "filename",
    "path",
    "version",
    "hash",
    "annotator",
    "confidence",
];
/// First and second name of pairs of texts.
const PAIRS: &[(&str, &str)] = &[
    ("premise", "hypothesis"),
    ("question", "answer"),
    ("question", "sentence"),
    ("question", "context"),
    ("question", "passage"),
    ("question", "paragraph"),
    ("query", "document"),
    ("query", "passage"),
    ("query", "text"),
    ("query", "answer"),
    ("query", "title"),
    ("context", "response"),
    ("context", "question"),
    ("claim", "evidence"),
    ("original", "paraphrase"),
    ("left", "right"),
    ("first", "second"),
    ("source", "target"),
    ("src", "tgt"),
    ("prompt", "response"),
    ("anchor", "positive"),
    ("post", "reply"),
    ("post", "comment"),
    ("parent", "comment"),
];
/// What the names of two columns of a pair end with.
const NUMBERS: &[(&str, &str)] =
    &[("1", "2"), ("a", "b"), ("one", "two"), ("left", "right"), ("first", "second"), ("x", "y")];

/// How well the name fits each use of a column: 2 for one of the known names, 1 if it has one of them as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameHints {
    pub(super) label: u8,
    pub(super) text: u8,
    pub(super) other: u8,
}

impl NameHints {
    pub(super) fn of(name: &str) -> Self {
        let words = words(name);
        let strength =
            |known: &[&str]| match words.iter().filter(|word| known.contains(&word.as_str())).count() {
                0 => 0,
                _ if words.len() == 1 => 2,
                _ => 1,
            };
        NameHints { label: strength(LABELS), text: strength(TEXTS), other: strength(OTHERS) }
    }
}

/// The words of a name in lower case: `reviewText`, `review_text` and `Review text` have the same. Digits at an end are
/// left out.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let is_new = c.is_uppercase() && was_lower || !c.is_alphanumeric();
        if is_new && !words.last().is_some_and(String::is_empty) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    let words = words.into_iter().map(|word| match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "" => word,
        stem => stem.to_string(),
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether two columns are a pair of texts by their names, in this order.
pub(super) fn is_pair(first: &str, second: &str) -> bool {
    let plain = |name: &str| {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let (plain_first, plain_second) = (plain(first), plain(second));
    let numbered = NUMBERS.iter().any(|(a, b)| {
        let stem = |name: &str, end: &str, is_prefix: bool| {
            if is_prefix {
                name.strip_prefix(end).map(str::to_string)
            } else {
                name.strip_suffix(end).map(str::to_string)
            }
        };
        [false, true].into_iter().any(|is_prefix| {
            let stems = stem(&plain_first, a, is_prefix).zip(stem(&plain_second, b, is_prefix));
            stems.is_some_and(|(first, second)| {
                first == second && !(first.is_empty() && a.len() == 1 && is_prefix)
            })
        })
    });
    let last = |name: &str| words(name).last().cloned().unwrap_or_default();
    let has_words = |(a, b): &(&str, &str)| {
        let (firsts, seconds) = (words(first), words(second));
        (plain_first == *a && plain_second == *b)
            || (last(first) == *a && last(second) == *b)
            || (firsts.first().is_some_and(|word| word == a) && seconds.first().is_some_and(|word| word == b))
    };
    numbered || PAIRS.iter().any(has_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_style() {
        for name in ["text", "Text", "reviewText", "review_body", "Tweet text", "text2"] {
            assert!(NameHints::of(name).text > 0, "{name}");
        }
        for name in ["label", "Label", "gold_label", "sentimentLabel", "airline_sentiment", "is_duplicate"] {
            assert!(NameHints::of(name).label > 0, "{name}");
        }
        for name in ["id", "tweet_id", "userId", "created_at"] {
            assert!(NameHints::of(name).other > 0, "{name}");
        }
        assert_eq!(NameHints::of("Stimmung"), NameHints { label: 0, text: 0, other: 0 });
    }

    #[test]
    fn pairs_are_found_by_name_in_their_order() {
        for (first, second) in [
            ("sentence1", "sentence2"),
            ("text_a", "text_b"),
            ("#1 String", "#2 String"),
            ("premise", "hypothesis"),
            ("Question", "Answer"),
            ("q1", "q2"),
            ("first_text", "second_text"),
            ("question1", "question2"),
        ] {
            assert!(is_pair(first, second), "{first}, {second}");
            assert!(!is_pair(second, first), "{second}, {first}");
        }
        for (first, second) in [("text", "title"), ("a", "c"), ("sentence1", "text2"), ("body", "url")] {
            assert!(!is_pair(first, second), "{first}, {second}");
        }
    }
}
