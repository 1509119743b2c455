//! Penn Treebank style trees, one a line: `(3 (2 good) (2 film))`. The sentence is the words of
//! the leaves as they stand (`-LRB-` and `\/` stay); the class is cut from the root's digit.

use super::super::{Example, Rows};
use crate::batch::Label;
use crate::catalog::TreeLabels;
use crate::error::{Error, Result};
use std::path::Path;

/// Reads a whole file; `file` is only its name in errors.
pub(super) fn read(file: &Path, bytes: &[u8], tree: &TreeLabels) -> Result<Rows> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut rows = Vec::new();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1u64..) {
        let text = std::str::from_utf8(line).map_err(|e| {
            Error::data(
                file,
                Some(number),
                format!("is not UTF-8 at byte {}; convert the file", e.valid_up_to() + 1),
            )
        })?;
        // An empty line holds no sentence, so nothing is lost with it.
        let text = text.trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        let (root, words) = parse(text).map_err(|(column, problem)| {
            Error::data(file, Some(number), format!("column {column}: {problem}"))
        })?;
        rows.push(Example {
            text: words.join(" "),
            text_pair: None,
            label: Some(Label::Class(u32::from(root >= tree.positive_from))),
        });
    }
    let note = format!(
        "the tree files have only five classes, not the exact scores: classes {} to 4 are positive, and class 2 \
         (neutral) counts as negative",
        tree.positive_from
    );
    Ok(Rows { rows, notes: vec![note] })
}

/// The class that opens a bracket: a digit from 0 to 4, then a blank or the next bracket.
fn class_at(text: &str) -> Option<u32> {
    let mut text = text.chars();
    let class = text.next()?.to_digit(5)?;
    matches!(text.next()?, ' ' | '\t' | '(').then_some(class)
}

/// The root's digit and the words of one tree, or the column (from 1, in characters) and the
/// problem. No recursion: a line may open any number of brackets.
fn parse(line: &str) -> Result<(u32, Vec<&str>), (usize, String)> {
    /// What an open bracket holds so far.
    enum Inside {
        Nothing,
        Word,
        Trees,
    }
    let column = |at: usize| line[..at].chars().count() + 1;
    let mut open: Vec<Inside> = Vec::new();
    let mut root = None;
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        match c {
            ' ' | '\t' => at += 1,
            '(' => {
                match open.last_mut() {
                    Some(Inside::Word) => return Err((column(at), "a tree after a word".to_string())),
                    Some(inside) => *inside = Inside::Trees,
                    None if root.is_some() => {
                        return Err((column(at), "a second tree on the line".to_string()));
                    }
                    None => {}
                }
                let class = class_at(&line[at + 1..]).ok_or_else(|| {
                    (column(at + 1), "expected a class from 0 to 4 and a blank after '('".to_string())
                })?;
                root = root.or(Some(class));
                open.push(Inside::Nothing);
                at += 2;
            }
            ')' => {
                match open.pop() {
                    Some(Inside::Nothing) => {
                        return Err((column(at), "a bracket without a word".to_string()));
                    }
                    None => return Err((column(at), "a ')' that closes nothing".to_string())),
                    Some(_) => {}
                }
                at += 1;
            }
            _ => {
                let end = line[at..].find([' ', '\t', '(', ')']).map_or(line.len(), |length| at + length);
                match open.last_mut() {
                    Some(inside @ Inside::Nothing) => *inside = Inside::Word,
                    Some(_) => {
                        let word = &line[at..end];
                        return Err((column(at), format!("{word:?} stands beside a word or a tree")));
                    }
                    None => return Err((column(at), "expected a tree, which begins with '('".to_string())),
                }
                words.push(&line[at..end]);
                at = end;
            }
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok((root, words)),
        _ => Err((column(line.len()), format!("the line ends with {} brackets open", open.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(line: &str) -> String {
        let text = format!("(2 (2 a) (2 b))\n{line}\n");
        read(Path::new("dev.txt"), text.as_bytes(), &TreeLabels { positive_from: 3 }).unwrap_err().to_string()
    }

    #[test]
    fn words_stay_as_they_are_and_the_root_is_cut() {
        let text =
            "(3 (2 -LRB-) (4 (2 8\u{a0}1\\/2) (2 's)))\r\n\n(2 (1 No) (2 .))\n(4 (4 Good))\n(0 (1 Bad))";
        let rows = read(Path::new("x"), text.as_bytes(), &TreeLabels { positive_from: 3 }).unwrap();
        let found: Vec<_> = rows.rows.iter().map(|r| (r.text.as_str(), r.label.unwrap().number())).collect();
        assert_eq!(found, [("-LRB- 8\u{a0}1\\/2 's", 1.0), ("No .", 0.0), ("Good", 1.0), ("Bad", 0.0)]);
        assert!(rows.notes[0].contains("class 2"), "{}", rows.notes[0]);
    }

    #[test]
    fn a_syntax_error_has_line_and_column() {
        assert_eq!(error("(2 (2 a) (2 b)"), "dev.txt:2: column 15: the line ends with 1 brackets open");
        assert_eq!(
            error("(2 (5 a))"),
            "dev.txt:2: column 5: expected a class from 0 to 4 and a blank after '('"
        );
        assert_eq!(error("(2 (2 é)) x"), "dev.txt:2: column 11: expected a tree, which begins with '('");
        assert_eq!(error("(2 a))"), "dev.txt:2: column 6: a ')' that closes nothing");
        assert_eq!(error("(2 )"), "dev.txt:2: column 4: a bracket without a word");
        assert_eq!(error("(2 a b)"), "dev.txt:2: column 6: \"b\" stands beside a word or a tree");
        assert_eq!(error("(2 a (2 b))"), "dev.txt:2: column 6: a tree after a word");
        assert_eq!(error("(2 a) (2 b)"), "dev.txt:2: column 7: a second tree on the line");
    }

    #[test]
    fn a_million_open_brackets_are_only_an_error() {
        let deep = "(2 ".repeat(1_000_000);
        assert!(parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(Path::new("x"), &bytes, &TreeLabels { positive_from: 3 });
        }

        #[test]
        fn no_text_of_brackets_makes_it_panic(text in "[()0-9 aé\t\n\u{a0}]{0,120}") {
            let _ = read(Path::new("x"), text.as_bytes(), &TreeLabels { positive_from: 3 });
        }
    }
}
