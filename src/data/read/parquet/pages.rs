//! The headers of the pages of a column. They state how large a page is when decompressed, which the library
//! allocates at once.
//!
//! A header is a struct in the compact protocol of Thrift; see `parquet.thrift` of the Parquet format.

use super::file_error::damaged;
use crate::error::{Error, Result};
use crate::format::bytes;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Maximum size of a page in bytes. Writers make pages of about a megabyte, and the pages of three columns with their
/// dictionaries are in memory at a time.
const MAX_PAGE: i64 = 128 << 20;
/// Maximum size of a header in bytes, statistics included.
const MAX_HEADER: u64 = 1 << 20;
/// Maximum depth of nested values in a header.
const MAX_DEPTH: u32 = 8;

/// Checks every page of a column chunk, which is at `start` and has `length` bytes.
///
/// # Errors
/// [`Error::Data`] for a page that is too large, or a header that is not valid.
pub(super) fn check_pages(path: &Path, column: &str, start: u64, length: u64) -> Result<()> {
    let mut file = File::open(path).map_err(Error::reading(path))?;
    let size = file.metadata().map_err(Error::reading(path))?.len();
    let end = start.checked_add(length).filter(|end| *end <= size);
    let end = end.ok_or_else(|| damaged(path, &format!("column {column} ends after the end of the file")))?;
    let mut offset = start;
    while offset < end {
        let page = page_at(&mut file, offset, end - offset).map_err(Error::reading(path))?;
        let page = page.ok_or_else(|| {
            damaged(path, &format!("column {column} has an invalid page header at byte {offset}"))
        })?;
        page.check(path, column)?;
        offset += page.header_length + page.compressed.unsigned_abs();
    }
    Ok(())
}

/// The header of the page at `offset`, which is at most `length` bytes long.
fn page_at(file: &mut File, offset: u64, length: u64) -> std::io::Result<Option<PageHeader>> {
    // Most headers are short.
    for window in [256, MAX_HEADER] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))?;
        (&mut *file).take(window.min(length)).read_to_end(&mut bytes)?;
        if let Some(page) = PageHeader::parse(&bytes) {
            return Ok(Some(page));
        }
    }
    Ok(None)
}

/// The sizes in the header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageHeader {
    header_length: u64,
    uncompressed: i64,
    compressed: i64,
}

impl PageHeader {
    /// Parses a header; `None` if it is incomplete or not valid.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Compact { bytes, position: 0 };
        let (mut uncompressed, mut compressed) = (None, None);
        let mut id = 0;
        while let Some((delta, kind)) = reader.field()? {
            id = if delta == 0 { reader.integer()? } else { id + delta };
            match (id, kind) {
                (2, I32) => uncompressed = Some(reader.integer()?),
                (3, I32) => compressed = Some(reader.integer()?),
                _ => reader.skip(kind, 0)?,
            }
        }
        let header_length = reader.position as u64;
        Some(PageHeader { header_length, uncompressed: uncompressed?, compressed: compressed? })
    }

    fn check(self, path: &Path, column: &str) -> Result<()> {
        let largest = self.uncompressed.max(self.compressed);
        if self.uncompressed < 0 || self.compressed < 0 {
            return Err(damaged(path, &format!("column {column} has a page of negative size")));
        }
        if largest > MAX_PAGE {
            let (size, limit) = (bytes(largest.unsigned_abs()), bytes(MAX_PAGE.unsigned_abs()));
            let problem = format!(
                "column {column} has a page of {size}, and the maximum is {limit}; rewrite the file with smaller pages"
            );
            return Err(Error::data(path, None, problem));
        }
        Ok(())
    }
}

/// The types of the protocol.
const I32: u8 = 5;

/// A reader of the compact protocol.
struct Compact<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.position).copied();
        self.position += 1;
        byte
    }

    /// The header of a field: the difference of its number, or 0 if the number follows, and its type. `Some(None)` at
    /// the end of a struct.
    #[expect(clippy::option_option, reason = "the outer option is a syntax error")]
    fn field(&mut self) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        Some((byte & 0x0F != 0).then_some((i64::from(byte >> 4), byte & 0x0F)))
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number in zigzag notation.
    fn integer(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        let end = self.position.checked_add(usize::try_from(count).ok()?)?;
        self.position = end;
        (end <= self.bytes.len()).then_some(())
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // Booleans are in the type of their field.
            1 | 2 => Some(()),
            3 => self.skip_bytes(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.skip_bytes(8),
            8 => {
                let length = self.unsigned()?;
                self.skip_bytes(length)
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
                for _ in 0..count {
                    // Booleans in a list have a byte each.
                    if matches!(byte & 0x0F, 1 | 2) {
                        self.skip_bytes(1)?;
                    } else {
                        self.skip(byte & 0x0F, depth + 1)?;
                    }
                }
                Some(())
            }
            12 => {
                while let Some((delta, kind)) = self.field()? {
                    if delta == 0 {
                        self.integer()?;
                    }
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_from_a_header() {
        // type 0, sizes 300 and 20, a data page header {num_values 5, encoding 0, 3, 3}, end.
        let header =
            [0x15, 0, 0x15, 0xD8, 0x04, 0x15, 0x28, 0x2C, 0x15, 0x0A, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0, 99];
        let page = PageHeader::parse(&header).unwrap();
        assert_eq!(page, PageHeader { header_length: 18, uncompressed: 300, compressed: 20 });
        assert_eq!(PageHeader::parse(&header[..10]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PageHeader::parse(&bytes);
        }
    }
}
