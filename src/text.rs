//! Untrusted text made safe for a terminal, text width in terminal cells, and plurals.
//!
//! A *grapheme cluster* is what a reader perceives as one character. Terminals disagree about the width of some
//! clusters: 👩‍👩‍👧 takes two cells in one terminal and six in another. Such a cluster is drawn as its first
//! character, on whose width all terminals agree, padded to the width of the cluster, so that the text after it
//! is aligned in every terminal.

use std::borrow::Cow;
use std::fmt::Display;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The maximum number of combining marks on one character. More would overlap the neighboring lines.
const MAX_MARKS: usize = 4;

/// A count with its noun: "1 row", "3 rows", "2 classes", "0 queries".
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        return format!("1 {noun}");
    }
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| noun.ends_with(ending));
    if ends_with(&["s", "x", "tch", "sh"]) {
        format!("{count} {noun}es")
    } else if let Some(stem) = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        format!("{count} {stem}ies")
    } else {
        format!("{count} {noun}s")
    }
}

/// The first `length` characters of `text`, with an ellipsis if there are more.
pub fn clipped(text: &str, length: usize) -> Cow<'_, str> {
    match text.char_indices().nth(length) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The text with each control and direction character replaced by a visible symbol of one cell, so that it
/// cannot move the cursor or misrepresent its content.
pub fn sanitize(text: &str) -> String {
    text.chars().map(drawn_char).collect()
}

/// The symbol of one cell that is drawn for a control or direction character; any other character itself.
fn drawn_char(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// Whether a character is a C1 control, which a terminal may interpret, or an invisible character that changes
/// the direction or the lines of the text.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// The text with its control and direction characters written as escapes (`\x1b`, `\u{202e}`), for lines that
/// are also written to files and pipes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let needs_escape = |c: char| c.is_control() || is_hidden(c);
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if needs_escape(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON with its control and direction characters written as the escapes of JSON, which stand for the same text. JSON
/// itself requires that only of the first 32 characters.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let needs_escape = |c: char| c == '\x7f' || is_hidden(c);
    if !json.contains(needs_escape) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        // Outside of strings, JSON has ASCII characters only.
        if needs_escape(c) { out.push_str(&format!("\\u{:04x}", u32::from(c))) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// [`escaped`], with line feeds left as they are.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\n') {
        Cow::Owned(text.split('\n').map(escaped).collect::<Vec<_>>().join("\n"))
    } else {
        escaped(text)
    }
}

/// The text in ASCII: symbols of the interface have an ASCII form, a question mark replaces any other character.
pub fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (_, cluster) in clusters(text) {
        match cluster {
            "±" => out.push_str("+-"),
            "×" => out.push('x'),
            "…" => out.push_str("..."),
            "→" => out.push_str("->"),
            "−" => out.push('-'),
            cluster if cluster.is_ascii() => out.push_str(cluster),
            _ => out.push('?'),
        }
    }
    Cow::Owned(out)
}

/// The grapheme clusters of `text`, each with the byte offset of its start.
pub fn clusters(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    text.grapheme_indices(true)
}

/// The width of [`drawable`]`(text)` in terminal cells.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    clusters(text).map(|(_, cluster)| cells(cluster)).sum()
}

/// The width of one grapheme cluster in terminal cells.
pub fn cells(cluster: &str) -> usize {
    match cluster.len() {
        0 => 0,
        1 => 1,
        _ if cluster.contains(|c: char| c.is_control() || is_hidden(c)) => cluster.chars().count(),
        _ => cluster.width(),
    }
}

/// The text in a form that every terminal draws in exactly [`width`] cells: without control characters, and each
/// cluster as wide as the sum of its characters.
pub fn drawable(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() || !c.is_ascii()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (_, cluster) in clusters(text) {
        push_drawable(cluster, &mut out);
    }
    Cow::Owned(out)
}

/// Appends the drawable form of one cluster to `out`.
fn push_drawable(cluster: &str, out: &mut String) {
    if cluster.contains(|c: char| c.is_control() || is_hidden(c)) {
        out.extend(cluster.chars().map(drawn_char));
        return;
    }
    let cells = cells(cluster);
    if cells == 0 {
        return;
    }
    let mut used = 0;
    let mut marks = 0;
    for c in cluster.chars() {
        match c.width().unwrap_or(0) {
            // Terminals disagree about joiners and variation selectors.
            0 if matches!(c, '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}') => break,
            0 if used > 0 && marks < MAX_MARKS => {
                marks += 1;
                out.push(c);
            }
            0 => {}
            width if used + width <= cells => {
                used += width;
                out.push(c);
            }
            _ => break,
        }
    }
    out.extend(std::iter::repeat_n(' ', cells - used));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plurals_follow_the_count_and_the_noun() {
        assert_eq!(
            [plural(0_usize, "row"), plural(1_usize, "row"), plural(2_u64, "row")],
            ["0 rows", "1 row", "2 rows"]
        );
        assert_eq!(
            [plural(2_u64, "class"), plural(3_u32, "batch"), plural(1_usize, "class")],
            ["2 classes", "3 batches", "1 class"]
        );
        assert_eq!(
            [plural(2_u64, "query"), plural(2_u64, "key"), plural(0_usize, "epoch")],
            ["2 queries", "2 keys", "0 epochs"]
        );
    }

    #[test]
    fn control_characters_are_replaced_or_escaped() {
        assert_eq!(sanitize("a\x1b[31mb\tc\u{202e}d"), "a␛[31mb c\u{fffd}d");
        assert_eq!(escaped("a\x1b[31m\n\u{9b}\u{202e}é"), "a\\x1b[31m\\n\\u{9b}\\u{202e}é");
        assert_eq!(escaped_lines("a\r\n\x07b"), "a\\r\n\\x07b");
        let text = "a\u{9b}31m\u{202e}\u{61c}\x7f\u{feff}é";
        let json = serde_json::to_string(text).unwrap();
        let safe = escaped_json(&json);
        assert_eq!(safe, r#""a\u009b31m\u202e\u061c\u007f\ufeffé""#);
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        assert!(matches!(escaped("plain, é and 日本"), Cow::Borrowed(_)));
        assert_eq!(in_ascii("84 ± 2 × 3 …, −1, 日本"), "84 +- 2 x 3 ..., -1, ??");
    }

    #[test]
    fn clusters_are_drawn_in_their_width() {
        let cases = [
            ("日本", "日本", 4),
            ("e\u{301}", "e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", "👩", 2),
            ("👍🏽", "👍", 2),
            ("❤\u{fe0f}x", "❤ x", 3),
            ("1\u{fe0f}\u{20e3}", "1 ", 2),
            ("🇩🇪", "🇩🇪", 2),
            ("שלום", "שלום", 4),
            ("\u{644}\u{627}", "\u{644}\u{627}", 2),
            ("a\u{200b}b", "ab", 2),
            ("\u{1b}[0m", "␛[0m", 4),
        ];
        for (text, drawn, cells) in cases {
            assert_eq!((drawable(text).as_ref(), width(text)), (drawn, cells), "{text:?}");
        }
        let stacked = "a".to_string() + &"\u{301}".repeat(50);
        assert_eq!((drawable(&stacked).chars().count(), width(&stacked)), (1 + MAX_MARKS, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_drawn_in_its_width(text in any::<String>()) {
            let drawn = drawable(&text);
            prop_assert!(!drawn.contains(char::is_control) && !drawn.contains(is_hidden));
            prop_assert_eq!(width(&drawn), width(&text));
            let sum: usize = drawn.chars().map(|c| c.width().unwrap_or(0)).sum();
            prop_assert_eq!(sum, width(&text), "{:?}", drawn);
            prop_assert!(!escaped(&text).contains(char::is_control));
        }
    }
}
