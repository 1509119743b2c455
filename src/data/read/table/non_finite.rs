//! `NaN`, `Infinity` and `-Infinity` in JSON, which Python writes and the standard does not have, become `null`.

use crate::data::read::budget::MAX_ROW_BYTES;
use crate::data::read::input::Problem;
use crate::data::read::text_file::too_long;
use std::io::Read;

/// Replaces the numbers byte by byte.
#[derive(Debug, Default)]
pub(super) struct NonFinite {
    is_in_string: bool,
    is_escaped: bool,
    /// Number of bytes of the string so far.
    string_length: u64,
    /// A word or sign outside of strings that is not complete yet.
    word: Vec<u8>,
    has_replaced: bool,
}

impl NonFinite {
    /// Whether a number was replaced.
    pub(super) fn has_replaced(&self) -> bool {
        self.has_replaced
    }

    /// Adds the next byte; what is complete goes to `output`.
    pub(super) fn push(&mut self, byte: u8, output: &mut Vec<u8>) {
        if self.is_in_string {
            output.push(byte);
            self.string_length += 1;
            self.is_in_string = byte != b'"' || self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return;
        }
        if byte.is_ascii_alphabetic() || byte == b'-' {
            // The longest word has nine letters.
            if self.word.len() > 16 {
                self.finish(output);
            }
            self.word.push(byte);
            return;
        }
        self.finish(output);
        self.is_in_string = byte == b'"';
        self.string_length = 0;
        output.push(byte);
    }

    /// Ends a word.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) {
        let is_number = matches!(self.word.as_slice(), b"NaN" | b"Infinity" | b"-Infinity");
        self.has_replaced |= is_number;
        output.extend_from_slice(if is_number { b"null" } else { &self.word });
        self.word.clear();
    }
}

/// A reader of JSON without these numbers, and with strings of at most [`MAX_ROW_BYTES`].
pub(super) struct NonFiniteReader<R> {
    reader: R,
    filter: NonFinite,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Number of bytes of `output` that were read.
    position: usize,
}

impl<R: Read> NonFiniteReader<R> {
    pub(super) fn new(reader: R) -> Self {
        let input = vec![0; 64 << 10];
        NonFiniteReader { reader, filter: NonFinite::default(), input, output: Vec::new(), position: 0 }
    }
}

impl<R: Read> Read for NonFiniteReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.position == self.output.len() {
            self.output.clear();
            self.position = 0;
            let count = self.reader.read(&mut self.input)?;
            let (filter, output) = (&mut self.filter, &mut self.output);
            self.input[..count].iter().for_each(|byte| filter.push(*byte, output));
            if filter.string_length > MAX_ROW_BYTES {
                return Err(Problem(too_long("a JSON string")).into());
            }
            if count == 0 {
                filter.finish(output);
                if output.is_empty() {
                    return Ok(0);
                }
            }
        }
        let rest = &self.output[self.position..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}
