//! Trees in the format of the Penn Treebank, one a line: `(3 (2 good) (2 film))`. The text is the words of the leaves
//! as written (`-LRB-` and `\/` stay); the class depends on the digit of the root.

use super::budget::MemoryBudget;
use super::text_file::LineSource;
use crate::batch::Label;
use crate::catalog::TreeLabels;
use crate::data::dataset::{Example, SplitRows};
use crate::error::{Error, Result};
use crate::text::plural;
use std::path::Path;

/// Parses the content of a file; `file` is used in error messages only.
pub(super) fn read(
    file: &Path,
    lines: &mut dyn LineSource,
    tree: &TreeLabels,
    budget: &mut MemoryBudget,
) -> Result<SplitRows> {
    let mut rows = Vec::new();
    while let Some((number, line)) = lines.next_line()? {
        let text = std::str::from_utf8(line).map_err(|e| {
            let problem = format!("is not UTF-8 at byte {}; convert the file", e.valid_up_to() + 1);
            Error::data(file, Some(number), problem)
        })?;
        let text = text.trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        let (root, words) = parse(text).map_err(|SyntaxError { offset, problem }| {
            let column = text.get(..offset).unwrap_or(text).chars().count() + 1;
            Error::data(file, Some(number), format!("column {column}: {problem}"))
        })?;
        let label = Some(Label::Class(u32::from(root >= tree.positive_from)));
        let example = Example { text: words.join(" "), text_pair: None, label };
        budget.add(example.memory(), file)?;
        rows.push(example);
    }
    let note = format!(
        "the tree files have five classes and no exact scores: classes {} to 4 are positive, and class 2 (neutral) \
         counts as negative",
        tree.positive_from
    );
    Ok(SplitRows { rows, notes: vec![note] })
}

/// A syntax error at a byte offset of a line.
struct SyntaxError {
    offset: usize,
    problem: String,
}

impl SyntaxError {
    fn new(offset: usize, problem: impl Into<String>) -> Self {
        SyntaxError { offset, problem: problem.into() }
    }
}

/// The content of an open bracket so far.
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Word,
    Trees,
}

/// A parser of one line. It does not recurse, because a line may open any number of brackets.
#[derive(Default)]
struct Parser<'t> {
    open: Vec<Content>,
    root: Option<u32>,
    words: Vec<&'t str>,
}

/// The digit of the root and the words of one tree.
fn parse(line: &str) -> Result<(u32, Vec<&str>), SyntaxError> {
    let mut parser = Parser::default();
    let mut offset = 0;
    while let Some(rest) = line.get(offset..).filter(|rest| !rest.is_empty()) {
        offset += match rest.as_bytes().first() {
            Some(b' ' | b'\t') => 1,
            Some(b'(') => parser.open_bracket(offset, rest)?,
            Some(b')') => parser.close_bracket(offset)?,
            _ => parser.word(offset, rest)?,
        };
    }
    match parser.root {
        Some(root) if parser.open.is_empty() => Ok((root, parser.words)),
        Some(_) => {
            let brackets = plural(parser.open.len(), "open bracket");
            Err(SyntaxError::new(line.len(), format!("the line ends with {brackets}")))
        }
        None => Err(SyntaxError::new(0, "expected a tree, which begins with '('")),
    }
}

impl<'t> Parser<'t> {
    /// Opens a bracket with its class. Returns the number of bytes read.
    fn open_bracket(&mut self, offset: usize, rest: &str) -> Result<usize, SyntaxError> {
        match self.open.last_mut() {
            Some(Content::Word) => return Err(SyntaxError::new(offset, "a tree after a word")),
            Some(content) => *content = Content::Trees,
            None if self.root.is_some() => {
                return Err(SyntaxError::new(offset, "a second tree on the line"));
            }
            None => {}
        }
        let class = rest.get(1..).and_then(class_at).ok_or_else(|| {
            SyntaxError::new(offset + 1, "expected a class from 0 to 4 and a space after '('")
        })?;
        self.root = self.root.or(Some(class));
        self.open.push(Content::Nothing);
        Ok(2)
    }

    /// Closes a bracket. Returns the number of bytes read.
    fn close_bracket(&mut self, offset: usize) -> Result<usize, SyntaxError> {
        match self.open.pop() {
            Some(Content::Nothing) => Err(SyntaxError::new(offset, "a bracket without a word")),
            None => Err(SyntaxError::new(offset, "a ')' without a '('")),
            Some(Content::Word | Content::Trees) => Ok(1),
        }
    }

    /// Reads a word. Returns the number of bytes read.
    fn word(&mut self, offset: usize, rest: &'t str) -> Result<usize, SyntaxError> {
        let word = rest.split([' ', '\t', '(', ')']).next().unwrap_or(rest);
        match self.open.last_mut() {
            Some(content @ Content::Nothing) => *content = Content::Word,
            Some(Content::Word | Content::Trees) => {
                let problem = format!("{word:?} follows a word or a tree");
                return Err(SyntaxError::new(offset, problem));
            }
            None => return Err(SyntaxError::new(offset, "expected a tree, which begins with '('")),
        }
        self.words.push(word);
        Ok(word.len())
    }
}

/// The class after an opening bracket: a digit from 0 to 4 that a space or a bracket follows.
fn class_at(text: &str) -> Option<u32> {
    let mut text = text.chars();
    let class = text.next()?.to_digit(5)?;
    matches!(text.next()?, ' ' | '\t' | '(').then_some(class)
}

#[cfg(test)]
mod tests {
    use super::super::text_file::TextLines;
    use super::*;
    use proptest::prelude::*;

    fn read_bytes(file: &str, bytes: &[u8]) -> Result<SplitRows> {
        let tree = TreeLabels { positive_from: 3 };
        read(Path::new(file), &mut TextLines::new(bytes), &tree, &mut MemoryBudget::for_rows())
    }

    fn error(line: &str) -> String {
        let text = format!("(2 (2 a) (2 b))\n{line}\n");
        read_bytes("dev.txt", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn words_are_unchanged_and_the_class_is_from_the_root() {
        let text =
            "(3 (2 -LRB-) (4 (2 8\u{a0}1\\/2) (2 's)))\r\n\n(2 (1 No) (2 .))\n(4 (4 Good))\n(0 (1 Bad))";
        let rows = read_bytes("x", text.as_bytes()).unwrap();
        let found: Vec<_> =
            rows.rows.iter().map(|r| (r.text.as_str(), r.label.as_ref().and_then(Label::class))).collect();
        assert_eq!(
            found,
            [("-LRB- 8\u{a0}1\\/2 's", Some(1)), ("No .", Some(0)), ("Good", Some(1)), ("Bad", Some(0))]
        );
        assert!(rows.notes[0].contains("class 2"), "{}", rows.notes[0]);
    }

    #[test]
    fn syntax_error_has_line_and_column() {
        assert_eq!(error("(2 (2 a) (2 b)"), "dev.txt:2: column 15: the line ends with 1 open bracket");
        assert_eq!(
            error("(2 (5 a))"),
            "dev.txt:2: column 5: expected a class from 0 to 4 and a space after '('"
        );
        assert_eq!(error("(2 (2 é)) x"), "dev.txt:2: column 11: expected a tree, which begins with '('");
        assert_eq!(error("(2 a))"), "dev.txt:2: column 6: a ')' without a '('");
        assert_eq!(error("(2 )"), "dev.txt:2: column 4: a bracket without a word");
        assert_eq!(error("(2 a b)"), "dev.txt:2: column 6: \"b\" follows a word or a tree");
        assert_eq!(error("(2 a (2 b))"), "dev.txt:2: column 6: a tree after a word");
        assert_eq!(error("(2 a) (2 b)"), "dev.txt:2: column 7: a second tree on the line");
    }

    #[test]
    fn many_open_brackets_are_an_error() {
        let deep = "(2 ".repeat(1_000_000);
        assert!(parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_bytes("x", &bytes);
        }

        #[test]
        fn arbitrary_brackets_do_not_panic(text in "[()0-9 aé\t\n\u{a0}]{0,120}") {
            let _ = read_bytes("x", text.as_bytes());
        }
    }
}
