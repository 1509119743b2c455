//! The headers of the pages of a column. They state how large a page is when decompressed, which the library
//! allocates at once. Some of its decoders do not stop at that size, so their pages are decompressed once before.
//!
//! A header is a struct in the compact protocol of Thrift; see `parquet.thrift` of the Parquet format.

use super::file_error::damaged;
use super::format::PAGE_HEADER;
use super::page_size::decompressed_size;
use super::thrift::{Compact, FALSE, I32, STRUCT};
use crate::error::{Error, Result, catch_library_panic};
use crate::format::bytes;
use parquet::basic::Compression;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Maximum size of a page in bytes. Writers make pages of about a megabyte, and the pages of three columns with their
/// dictionaries are in memory at a time.
const MAX_PAGE: i64 = 128 << 20;
/// Maximum size of a header in bytes, statistics included.
const MAX_HEADER: u64 = 1 << 20;

/// Checks every page of a column chunk, which is at `start` and has `length` bytes.
///
/// # Errors
/// [`Error::Data`] for a page that is too large, or a header that is not valid.
pub(super) fn check_pages(
    path: &Path,
    column: &str,
    codec: Compression,
    (start, length): (u64, u64),
) -> Result<()> {
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
        if let Some(content) = page.compressed_content(offset) {
            file.seek(SeekFrom::Start(content.start)).map_err(Error::reading(path))?;
            let limit = page.uncompressed.unsigned_abs();
            let stream = (&mut file).take(content.end - content.start);
            let size = catch_library_panic(|| decompressed_size(codec, stream, limit));
            if size.map_err(|panic| damaged(path, &panic))?.is_some_and(|size| size > limit) {
                let problem =
                    format!("column {column} has a page of more than the {} of its header", bytes(limit));
                return Err(damaged(path, &problem));
            }
        }
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
    /// Bytes of the page before its compressed content.
    levels: i64,
    /// Whether the codec of the column applies to the content.
    is_compressed: bool,
}

impl PageHeader {
    /// Parses a header; `None` if it is incomplete or not valid.
    fn parse(bytes: &[u8]) -> Option<Self> {
        Compact { bytes, position: 0 }.check(PAGE_HEADER, 0)?;
        let mut reader = Compact { bytes, position: 0 };
        let (mut uncompressed, mut compressed) = (None, None);
        let (mut levels, mut is_compressed) = (0, true);
        let mut number = 0;
        while let Some((next, kind)) = reader.field(number)? {
            number = next;
            match (number, kind) {
                (2, I32) => uncompressed = Some(reader.integer()?),
                (3, I32) => compressed = Some(reader.integer()?),
                (8, STRUCT) => (levels, is_compressed) = Self::parse_version_2(&mut reader)?,
                _ => reader.skip(kind, 0)?,
            }
        }
        let header_length = reader.position as u64;
        let (uncompressed, compressed) = (uncompressed?, compressed?);
        Some(PageHeader { header_length, uncompressed, compressed, levels, is_compressed })
    }

    /// Parses the header of a data page of version 2: the bytes of its levels, which are not compressed, and whether
    /// the rest is.
    fn parse_version_2(reader: &mut Compact<'_>) -> Option<(i64, bool)> {
        let (mut levels, mut is_compressed, mut number) = (0i64, true, 0);
        while let Some((next, kind)) = reader.field(number)? {
            number = next;
            match (number, kind) {
                (5 | 6, I32) => levels = levels.checked_add(reader.integer()?)?,
                (7, FALSE) => is_compressed = false,
                _ => reader.skip(kind, 1)?,
            }
        }
        Some((levels, is_compressed))
    }

    /// The position of the compressed content of the page at `offset` in the file, if it has one.
    fn compressed_content(self, offset: u64) -> Option<Range<u64>> {
        let start = offset + self.header_length;
        let levels = u64::try_from(self.levels).ok()?;
        let length = self.compressed.unsigned_abs();
        (self.is_compressed && levels < length).then(|| start + levels..start + length)
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
        let (levels, is_compressed) = (0, true);
        assert_eq!(
            page,
            PageHeader { header_length: 18, uncompressed: 300, compressed: 20, levels, is_compressed }
        );
        assert_eq!(PageHeader::parse(&header[..10]), None);
    }

    #[test]
    fn levels_of_a_page_of_version_2_are_not_compressed() {
        // type 3, sizes 300 and 20, a header of version 2 {definition levels of 2 bytes, repetition levels of 3, false}.
        let mut header = vec![0x15, 6, 0x15, 0xD8, 0x04, 0x15, 0x28, 0x5C, 0x55, 4, 0x15, 6, 0x12, 0, 0];
        let page = PageHeader::parse(&header).unwrap();
        assert_eq!((page.levels, page.is_compressed), (5, false));
        assert_eq!(page.compressed_content(100), None);
        header[12] = 0x11;
        let page = PageHeader::parse(&header).unwrap();
        assert_eq!(page.compressed_content(100), Some(120..135));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PageHeader::parse(&bytes);
        }
    }
}
