//! A text file of any encoding and compression, read as UTF-8 in bounded memory.

use super::budget::MAX_ROW_BYTES;
use super::encoding::TextEncoding;
use super::input::{Input, Problem};
use crate::error::{Error, Result};
use crate::format::bytes;
use encoding_rs::Encoding;
use std::io::{BufRead, Read};
use std::path::Path;

/// A text file with a known encoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextFile<'p> {
    input: Input<'p>,
    encoding: TextEncoding,
}

impl<'p> TextFile<'p> {
    /// Detects the encoding, unless it is given.
    pub(super) fn open(input: Input<'p>, encoding: Option<&'static Encoding>) -> Result<Self> {
        let encoding = match encoding {
            Some(encoding) => TextEncoding::given(encoding, &input)?,
            None => TextEncoding::detect(&input)?,
        };
        Ok(TextFile { input, encoding })
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &'p Path {
        self.input.path()
    }

    /// What was detected, unless it is plain UTF-8.
    pub(super) fn note(&self) -> Vec<String> {
        let compression = self.input.compression_name().map(str::to_string);
        let encoding = self.encoding.other_than_utf8().map(|name| format!("encoding {name}"));
        compression.into_iter().chain(encoding).collect()
    }

    /// The content as UTF-8, from the start.
    pub(super) fn reader(&self) -> Result<Box<dyn BufRead>> {
        self.encoding.decode(&self.input)
    }

    /// The lines of the content.
    pub(super) fn lines(&self) -> Result<Lines<'p>> {
        Ok(Lines { reader: self.reader()?, input: self.input, line: Vec::new(), number: 0 })
    }

    /// The error for a failed read.
    pub(super) fn read_error(&self, error: std::io::Error) -> Error {
        self.input.read_error(error)
    }
}

/// The lines of a text.
pub(super) trait LineSource {
    /// The next line with its number from 1, without its line end. A newline at the end of the text does not begin
    /// another line.
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>>;
}

/// The lines of a text in memory.
pub(super) struct TextLines<'t> {
    rest: &'t [u8],
    number: u64,
}

impl<'t> TextLines<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        TextLines { rest: text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text), number: 0 }
    }
}

impl LineSource for TextLines<'_> {
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let length = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.number += 1;
        Ok(Some((self.number, without_line_end(line))))
    }
}

/// The lines of a file. A line is at most [`MAX_ROW_BYTES`] long.
pub(super) struct Lines<'p> {
    reader: Box<dyn BufRead>,
    input: Input<'p>,
    line: Vec<u8>,
    number: u64,
}

impl LineSource for Lines<'_> {
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(MAX_ROW_BYTES + 1);
        let length = limited.read_until(b'\n', &mut self.line).map_err(|e| self.input.read_error(e))?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if length as u64 > MAX_ROW_BYTES {
            return Err(Error::data(self.input.path(), Some(self.number), too_long("the line")));
        }
        Ok(Some((self.number, without_line_end(&self.line))))
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The problem of a line or row above [`MAX_ROW_BYTES`].
pub(super) fn too_long(what: &str) -> String {
    format!(
        "{what} is longer than {}, the maximum; check that the file has line ends and closed quotes",
        bytes(MAX_ROW_BYTES)
    )
}

/// A reader that limits the size of each row and knows the line on which a row begins.
pub(super) struct RowReader<R> {
    reader: R,
    /// The bytes of the last read, and their offset in the content.
    chunk: Vec<u8>,
    offset: u64,
    /// Newlines before the byte of `chunk` with the index `counted`.
    lines: u64,
    counted: usize,
    /// The offset at which the row begins, and the line of its first byte that is not a line end.
    row: u64,
    row_line: u64,
    /// Whether only line ends of the row were read so far.
    is_before_row: bool,
    /// Number of double quotes of the row before `chunk`.
    earlier_quotes: u64,
    /// Number of double quotes of the previous row, if it ended with the last byte that was read.
    previous_quotes: u64,
}

impl<R: Read> RowReader<R> {
    /// Reads the rows that begin after the first `lines` lines.
    pub(super) fn new(reader: R, lines: u64) -> Self {
        RowReader {
            reader,
            chunk: Vec::new(),
            offset: 0,
            lines,
            counted: 0,
            row: 0,
            row_line: lines + 1,
            is_before_row: true,
            earlier_quotes: 0,
            previous_quotes: 0,
        }
    }

    /// Begins a row at an offset of the content, which is within the last bytes that were read and not before the
    /// previous row.
    pub(super) fn begin_row(&mut self, offset: u64) {
        let quotes_from = self.row_start();
        self.row = offset;
        let start = self.row_start();
        // Once a chunk, so that each byte is counted once.
        if start == self.chunk.len() {
            self.previous_quotes = self.earlier_quotes + count(&self.chunk[quotes_from..], b'"');
        }
        self.count_lines(start);
        self.row_line = self.lines + 1;
        self.earlier_quotes = 0;
        self.skip_line_ends(start);
    }

    /// Number of double quotes of the last row, when a row is begun after it and there is none.
    pub(super) fn last_row_quotes(&self) -> u64 {
        self.previous_quotes
    }

    /// The line of the row, from 1, once a byte of it was read.
    pub(super) fn row_line(&self) -> u64 {
        self.row_line
    }

    /// The index in `chunk` of the first byte of the row; 0 if the row began earlier.
    fn row_start(&self) -> usize {
        let start = usize::try_from(self.row.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        start.min(self.chunk.len())
    }

    /// Counts the newlines of `chunk` up to `end`.
    fn count_lines(&mut self, end: usize) {
        self.lines += count(self.chunk.get(self.counted..end).unwrap_or_default(), b'\n');
        self.counted = self.counted.max(end);
    }

    fn skip_line_ends(&mut self, start: usize) {
        let rest = self.chunk.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.row_line += count(&rest[..length], b'\n');
        self.is_before_row = length == rest.len();
    }
}

impl<R: Read> Read for RowReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = self.offset + self.chunk.len() as u64;
        if end - self.row.min(end) > MAX_ROW_BYTES {
            let line = self.row_line;
            return Err(Problem(format!("line {line}: {}", too_long("the row"))).into());
        }
        let length = self.reader.read(buffer)?;
        self.earlier_quotes += count(&self.chunk[self.row_start()..], b'"');
        self.count_lines(self.chunk.len());
        (self.offset, self.counted) = (end, 0);
        self.chunk.clear();
        self.chunk.extend_from_slice(&buffer[..length]);
        if self.is_before_row && length > 0 {
            self.skip_line_ends(0);
        }
        Ok(length)
    }
}

fn count(bytes: &[u8], wanted: u8) -> u64 {
    bytes.iter().fold(0, |count, byte| count + u64::from(*byte == wanted))
}
