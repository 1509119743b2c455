//! The lines of standard input, each an input of the model.

use crate::error::{Error, Result};
use crate::format;
use crate::predict::PREDICT_BATCH_SIZE;
use std::io::{BufRead, BufReader, Read};

/// The name of standard input in errors.
pub(super) const STDIN: &str = "standard input";

/// A text, and the second text of a pair.
pub(super) type Input = (String, Option<String>);

/// Largest length of a line in bytes. The rest of a longer one is skipped.
const MAX_BYTES: u64 = 16 << 20;

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number from 1.
    pub(super) number: u64,
    /// Its text or pair of texts, or why it is none.
    pub(super) input: Result<Input>,
}

/// Reads lines in batches of [`PREDICT_BATCH_SIZE`] or fewer. Each batch waits for one line and adds the lines that have
/// already arrived, so that interactive input is answered line by line and a file is processed in large batches.
pub(super) struct LineBatches<R> {
    reader: BufReader<R>,
    number: u64,
}

impl<R: Read> LineBatches<R> {
    pub(super) fn new(reader: R) -> Self {
        LineBatches { reader: BufReader::with_capacity(1 << 16, reader), number: 0 }
    }

    /// The next lines, at least one; empty only at the end of the input.
    ///
    /// # Errors
    /// [`Error::Read`] if the input cannot be read.
    pub(super) fn next_batch(&mut self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        while lines.len() < PREDICT_BATCH_SIZE && (lines.is_empty() || self.reader.buffer().contains(&b'\n'))
        {
            let mut bytes = Vec::new();
            let mut limited = (&mut self.reader).take(MAX_BYTES + 1);
            let length = limited.read_until(b'\n', &mut bytes).map_err(Error::reading(STDIN))?;
            if length == 0 {
                break;
            }
            self.number += 1;
            let is_too_long = length as u64 > MAX_BYTES && !bytes.ends_with(b"\n");
            if is_too_long {
                self.reader.skip_until(b'\n').map_err(Error::reading(STDIN))?;
            }
            let input = if is_too_long { Err(too_long()) } else { input(&bytes, self.number == 1) };
            lines.push(Line { number: self.number, input });
        }
        Ok(lines)
    }
}

/// The text or the pair of texts of a line.
fn input(bytes: &[u8], is_first: bool) -> Result<Input> {
    let bytes = if is_first { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) } else { bytes };
    let line = std::str::from_utf8(bytes).map_err(|error| {
        Error::Usage(format!("the line is not UTF-8 at byte {}; convert the input", error.valid_up_to() + 1))
    })?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut texts = line.split('\t').map(str::to_string);
    match (texts.next(), texts.next(), texts.count()) {
        (text, text_pair, 0) => Ok((text.unwrap_or_default(), text_pair)),
        (.., more) => Err(Error::Usage(format!(
            "the line has {} tabs, but one separates the texts of a pair; a text with tabs can be in a file: --input",
            more + 1
        ))),
    }
}

fn too_long() -> Error {
    let limit = format::bytes(MAX_BYTES);
    Error::Usage(format!("the line is longer than {limit}, the maximum; check that the input has line ends"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<std::result::Result<Input, String>> {
        let mut batches = LineBatches::new(bytes);
        let lines =
            std::iter::from_fn(|| Some(batches.next_batch().unwrap()).filter(|lines| !lines.is_empty()));
        lines.flatten().map(|line| line.input.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn a_file_is_read_in_full_batches() {
        let text = (0..PREDICT_BATCH_SIZE + 3).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let mut lines = LineBatches::new(text.as_bytes());
        let batches: Vec<usize> =
            std::iter::from_fn(|| Some(lines.next_batch().unwrap().len()).filter(|n| *n > 0)).collect();
        // The last line has no newline, so it is complete only at the end of the input.
        assert_eq!(batches, [PREDICT_BATCH_SIZE, 2, 1]);
    }

    #[test]
    fn a_tab_separates_the_texts_of_a_pair() {
        let lines = read(b"\xEF\xBB\xBFa b\tc\r\n\n\xEF\xBB\xBFd\t");
        let expected = [
            ("a b".to_string(), Some("c".to_string())),
            (String::new(), None),
            ("\u{feff}d".into(), Some(String::new())),
        ];
        assert_eq!(lines, expected.map(Ok));
    }

    #[test]
    fn an_invalid_line_is_an_error_of_its_own() {
        let long = "x".repeat(MAX_BYTES as usize + 10);
        let lines = read(&[b"good\nb\xffd\na\tb\tc\td\n", long.as_bytes(), b"\nlast"].concat());
        let errors: Vec<&str> =
            lines.iter().map(|line| line.as_ref().err().map_or("", String::as_str)).collect();
        assert_eq!((errors[0], errors[4], lines.len()), ("", "", 5));
        assert_eq!(errors[1], "the line is not UTF-8 at byte 2; convert the input");
        assert!(errors[2].starts_with("the line has 3 tabs"), "{}", errors[2]);
        assert!(errors[3].starts_with("the line is longer than"), "{}", errors[3]);
    }
}
