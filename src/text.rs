//! Text from outside as it may be shown: without control characters, and measured in cells of a terminal.
//!
//! A *cluster* is what a person sees as one character. Terminals disagree about the width of some of
//! them: 👩‍👩‍👧 takes two cells on one and six on another. Such a cluster is shown as its first
//! character, which all agree on, in as many cells as it counts for, so that what stands beside it stays
//! in place everywhere.

use std::borrow::Cow;
use std::fmt::Display;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks on one character; more would grow into the lines around.
const MARKS: usize = 4;

/// A count with its noun: "1 row", "3 rows", "2 classes", "0 queries".
pub fn plural<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        return format!("1 {noun}");
    }
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| noun.ends_with(ending));
    if ends_with(&["s", "x", "ch", "sh"]) {
        format!("{count} {noun}es")
    } else if let Some(stem) = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        format!("{count} {stem}ies")
    } else {
        format!("{count} {noun}s")
    }
}

/// Text with its control and direction characters made visible, each in one cell, so that it can
/// neither move the cursor nor hide what it says.
pub fn harmless(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// Characters that a terminal may obey, or that let text read as what it is not.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// Text with its control and direction characters written as escapes (`\x1b`, `\u{202e}`), for lines that
/// also go to files and pipes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let is_hostile = |c: char| c.is_control() || is_hidden(c);
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_hostile(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`escaped`], line by line.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\n') {
        Cow::Owned(text.split('\n').map(escaped).collect::<Vec<_>>().join("\n"))
    } else {
        escaped(text)
    }
}

/// Text in ASCII, for a terminal that has nothing else: signs of ours have a form of their own there, a
/// question mark stands for anything else.
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
            cluster if cluster.is_ascii() => out.push_str(cluster),
            _ => out.push('?'),
        }
    }
    Cow::Owned(out)
}

/// What a person sees as one character each, with the byte where it begins.
pub fn clusters(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    text.grapheme_indices(true)
}

/// The cells that `text` takes once it is [`shown`].
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    clusters(text).map(|(_, cluster)| cells(cluster)).sum()
}

/// The cells of one cluster.
pub fn cells(cluster: &str) -> usize {
    match cluster.len() {
        0 => 0,
        1 => 1,
        _ if cluster.contains(|c: char| c.is_control() || is_hidden(c)) => cluster.chars().count(),
        _ => cluster.width(),
    }
}

/// Text as every terminal shows it in exactly [`width`] cells: harmless, and each cluster as wide as its
/// characters are one by one.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() || !c.is_ascii()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (_, cluster) in clusters(text) {
        show(cluster, &mut out);
    }
    Cow::Owned(out)
}

fn show(cluster: &str, out: &mut String) {
    if cluster.contains(|c: char| c.is_control() || is_hidden(c)) {
        out.extend(cluster.chars().map(visible));
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
            // Joiners and the choice between a picture and a letter are what terminals disagree about.
            0 if matches!(c, '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}') => break,
            0 if used > 0 && marks < MARKS => {
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
    fn hostile_text_is_harmless() {
        assert_eq!(harmless("a\x1b[31mb\tc\u{202e}d"), "a␛[31mb c\u{fffd}d");
        assert_eq!(escaped("a\x1b[31m\n\u{9b}\u{202e}é"), "a\\x1b[31m\\n\\u{9b}\\u{202e}é");
        assert_eq!(escaped_lines("a\r\n\x07b"), "a\\r\n\\x07b");
        assert!(matches!(escaped("plain, é and 日本"), Cow::Borrowed(_)));
        assert_eq!(in_ascii("84 ± 2 × 3 …, 日本"), "84 +- 2 x 3 ..., ??");
    }

    #[test]
    fn clusters_count_as_every_terminal_draws_them() {
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
            assert_eq!((shown(text).as_ref(), width(text)), (drawn, cells), "{text:?}");
        }
        let piled = "a".to_string() + &"\u{301}".repeat(50);
        assert_eq!((shown(&piled).chars().count(), width(&piled)), (1 + MARKS, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_shown_in_as_many_cells_as_it_counts_for(text in any::<String>()) {
            let drawn = shown(&text);
            prop_assert!(!drawn.contains(char::is_control) && !drawn.contains(is_hidden));
            prop_assert_eq!(width(&drawn), width(&text));
            let one_by_one: usize = drawn.chars().map(|c| c.width().unwrap_or(0)).sum();
            prop_assert_eq!(one_by_one, width(&text), "{:?}", drawn);
            prop_assert!(!escaped(&text).contains(char::is_control));
        }
    }
}
