//! The character encoding of a text file: detected or given, and decoded to UTF-8.

use super::input::{Input, Problem};
use crate::error::{Error, Result};
use chardetng::EncodingDetector;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{BufRead, BufReader, Read};

/// Number of bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Number of bytes outside ASCII-only chunks that the detector of legacy encodings looks at.
const DETECTED_BYTES: usize = 16 << 20;

/// The encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TextEncoding {
    encoding: &'static Encoding,
    /// Length of the byte-order mark.
    bom: usize,
}

impl TextEncoding {
    /// A given encoding, and the length of the byte-order mark.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn given(encoding: &'static Encoding, input: &Input<'_>) -> Result<Self> {
        let start = read_start(input, 3)?;
        let (of_mark, length) = Encoding::for_bom(&start).unwrap_or((encoding, 0));
        // A byte-order mark decides the byte order of UTF-16.
        let is_utf16 = |encoding| encoding == UTF_16LE || encoding == UTF_16BE;
        let is_other_order = is_utf16(encoding) && is_utf16(of_mark);
        let bom = if of_mark == encoding || is_other_order { length } else { 0 };
        Ok(TextEncoding { encoding: if is_other_order { of_mark } else { encoding }, bom })
    }

    /// Finds out the encoding of a file: its byte-order mark, UTF-8 if all of it is valid, UTF-16 without a mark, or
    /// else the most likely legacy encoding.
    ///
    /// # Errors
    /// [`Error::Data`] for UTF-32, for UTF-8 with a few invalid bytes, and if the file cannot be read.
    pub(super) fn detect(input: &Input<'_>) -> Result<Self> {
        let start = read_start(input, CHUNK)?;
        if start.starts_with(&[0xFF, 0xFE, 0, 0]) || start.starts_with(&[0, 0, 0xFE, 0xFF]) {
            return Err(Error::data(input.path(), None, "is UTF-32; convert it to UTF-8"));
        }
        if let Some((encoding, bom)) = Encoding::for_bom(&start) {
            return Ok(TextEncoding { encoding, bom });
        }
        if let Some(encoding) = utf16_without_mark(&start) {
            return Ok(TextEncoding { encoding, bom: 0 });
        }
        let validity = Utf8Validity::of(input)?;
        let encoding = match validity.first_invalid_line {
            None => UTF_8,
            Some(line) if validity.sequences > validity.invalid => {
                let problem = format!(
                    "is not UTF-8, while {} other characters of the file are; correct the line, or set encoding",
                    validity.sequences
                );
                return Err(Error::data(input.path(), Some(line), problem));
            }
            Some(_) => legacy_encoding(input)?,
        };
        Ok(TextEncoding { encoding, bom: 0 })
    }

    /// The name of the encoding for a note, unless it is UTF-8.
    pub(super) fn other_than_utf8(self) -> Option<&'static str> {
        (self.encoding != UTF_8).then(|| self.encoding.name())
    }

    /// The content as UTF-8 without a byte-order mark. Bytes of a file in UTF-8 are not checked.
    pub(super) fn decode(self, input: &Input<'_>) -> Result<Box<dyn BufRead>> {
        let mut reader = input.reader()?;
        let mut mark = [0; 3];
        reader.read_exact(&mut mark[..self.bom]).map_err(|e| input.read_error(e))?;
        if self.encoding == UTF_8 {
            return Ok(Box::new(BufReader::with_capacity(CHUNK, reader)));
        }
        let decoding = DecodingReader {
            reader,
            decoder: self.encoding.new_decoder_without_bom_handling(),
            name: self.encoding.name(),
            encoded: vec![0; CHUNK],
            range: (0, 0),
            lines: 0,
            is_at_end: false,
            is_finished: false,
        };
        Ok(Box::new(BufReader::with_capacity(CHUNK, decoding)))
    }
}

/// Up to `length` bytes from the start of a file.
fn read_start(input: &Input<'_>, length: usize) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    input.reader()?.take(length as u64).read_to_end(&mut start).map_err(|e| input.read_error(e))?;
    Ok(start)
}

/// UTF-16 without a byte-order mark: most texts have ASCII characters, such as the separators, whose other byte is 0.
fn utf16_without_mark(start: &[u8]) -> Option<&'static Encoding> {
    let units = start.as_chunks::<2>().0;
    let count = |encoding: fn([u8; 2]) -> u16| {
        units.iter().filter(|unit| (1..0x80).contains(&encoding(**unit))).count()
    };
    let (little, big) = (count(u16::from_le_bytes), count(u16::from_be_bytes));
    // Text in UTF-8 with a few null characters is valid UTF-8, as is UTF-16 with ASCII characters only.
    let is_utf8 = start.utf8_chunks().all(|chunk| chunk.invalid().is_empty());
    let part = if is_utf8 { 3 } else { 20 };
    let is_frequent =
        |count: usize, other: usize| count > 0 && count * part >= units.len() && count > 4 * other;
    match (is_frequent(little, big), is_frequent(big, little)) {
        (true, _) => Some(UTF_16LE),
        (_, true) => Some(UTF_16BE),
        _ => None,
    }
}

/// How much of a file is UTF-8.
#[derive(Default)]
struct Utf8Validity {
    /// Number of valid sequences of several bytes.
    sequences: u64,
    /// Number of invalid sequences.
    invalid: u64,
    /// The line of the first invalid sequence, from 1.
    first_invalid_line: Option<u64>,
}

impl Utf8Validity {
    fn of(input: &Input<'_>) -> Result<Self> {
        let mut validity = Utf8Validity::default();
        let mut reader = input.reader()?;
        let (mut chunk, mut kept, mut line) = (vec![0; CHUNK], 0, 1);
        loop {
            let count = reader.read(&mut chunk[kept..]).map_err(|e| input.read_error(e))?;
            let filled = kept + count;
            // A sequence may continue in the next chunk.
            let incomplete = if count == 0 { 0 } else { incomplete_end(&chunk[..filled]) };
            validity.add(&chunk[..filled - incomplete], &mut line);
            if count == 0 {
                return Ok(validity);
            }
            chunk.copy_within(filled - incomplete..filled, 0);
            kept = incomplete;
        }
    }

    fn add(&mut self, bytes: &[u8], line: &mut u64) {
        if bytes.is_ascii() {
            *line += count_newlines(bytes);
            return;
        }
        for part in bytes.utf8_chunks() {
            self.sequences += part.valid().chars().filter(|c| !c.is_ascii()).count() as u64;
            *line += count_newlines(part.valid().as_bytes());
            if !part.invalid().is_empty() {
                self.invalid += 1;
                self.first_invalid_line.get_or_insert(*line);
            }
        }
    }
}

/// Number of bytes at the end that begin a sequence of UTF-8 and do not complete it.
fn incomplete_end(bytes: &[u8]) -> usize {
    let tail = bytes.get(bytes.len().saturating_sub(3)..).unwrap_or_default();
    match tail.iter().rposition(|byte| *byte >= 0xC0) {
        Some(start) => {
            let expected = match tail[start] {
                0xF0.. => 4,
                0xE0.. => 3,
                _ => 2,
            };
            let length = tail.len() - start;
            if length < expected { length } else { 0 }
        }
        None => 0,
    }
}

fn count_newlines(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |count, byte| count + u64::from(*byte == b'\n'))
}

/// The most likely encoding of a file that is not UTF-8.
fn legacy_encoding(input: &Input<'_>) -> Result<&'static Encoding> {
    let mut detector = EncodingDetector::new();
    let (mut reader, mut chunk, mut seen) = (input.reader()?, vec![0; CHUNK], 0);
    while seen < DETECTED_BYTES {
        let count = reader.read(&mut chunk).map_err(|e| input.read_error(e))?;
        if count == 0 {
            break;
        }
        if !chunk[..count].is_ascii() {
            detector.feed(&chunk[..count], false);
            seen += count;
        }
    }
    detector.feed(&[], true);
    Ok(detector.guess(None, false))
}

/// Decodes to UTF-8. A byte that is not valid in the encoding is an error.
struct DecodingReader {
    reader: Box<dyn Read>,
    decoder: Decoder,
    name: &'static str,
    encoded: Vec<u8>,
    /// The bytes of `encoded` that are still to be decoded.
    range: (usize, usize),
    /// Number of newlines that were decoded.
    lines: u64,
    is_at_end: bool,
    /// Whether the decoder has seen the end, after which it must not be used.
    is_finished: bool,
}

impl Read for DecodingReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.is_finished {
            return Ok(0);
        }
        loop {
            if self.range.0 == self.range.1 && !self.is_at_end {
                let count = self.reader.read(&mut self.encoded)?;
                self.range = (0, count);
                self.is_at_end = count == 0;
            }
            let encoded = &self.encoded[self.range.0..self.range.1];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(encoded, buffer, self.is_at_end);
            self.range.0 += read;
            self.lines += count_newlines(&buffer[..written]);
            if let DecoderResult::Malformed(..) = result {
                let line = self.lines + 1;
                let name = self.name;
                return Err(Problem(format!(
                    "line {line} is not valid {name}; set encoding to the right one"
                ))
                .into());
            }
            if written == 0 && result == DecoderResult::OutputFull {
                return Err(std::io::ErrorKind::InvalidInput.into());
            }
            self.is_finished = self.is_at_end && result == DecoderResult::InputEmpty;
            if written > 0 || self.is_finished {
                return Ok(written);
            }
        }
    }
}
