//! The bytes of a data file, decompressed, and the file formats that other programs read.

use crate::catalog::FileFormat;
use crate::error::{Error, Result};
use crate::format::bytes;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How a file is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// First bytes of formats that are not read, what they are, and what to do.
const UNSUPPORTED: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\xD0\xCF\x11\xE0", "an Excel workbook; save the sheet as CSV"),
    (b"Obj\x01", "Avro; convert it to Parquet or JSON Lines"),
    (b"ARROW1", "Arrow IPC or Feather; save it as Parquet"),
    (b"\x89HDF\r\n", "HDF5; convert it to Parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite database; export the table as CSV"),
    (b"BZh91AY", "bzip2; decompress it, or compress it with gzip or zstd"),
    (b"\xFD7zXZ\0", "xz; decompress it, or compress it with gzip or zstd"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive; unpack it"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"%PDF-", "PDF; save its text as CSV or JSON Lines"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file; fetch the file with git lfs pull"),
];

const PICKLE: &str = "a Python pickle, which can run code; save it as Parquet or CSV";

/// First and last bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// A data file that was found to be readable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'p> {
    path: &'p Path,
    compression: Compression,
    is_parquet: bool,
}

impl<'p> Input<'p> {
    /// Recognizes the format of a file by its first bytes.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be opened, [`Error::Data`] if it is of a format that is not supported.
    pub(super) fn open(path: &'p Path) -> Result<Self> {
        let start = first_bytes(open_file(path)?).map_err(Error::reading(path))?;
        let compression = match start.as_slice() {
            [0x1F, 0x8B, ..] => Compression::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Compression::Zstd,
            _ => Compression::None,
        };
        let mut input = Input { path, compression, is_parquet: start.starts_with(PARQUET) };
        check_format(path, &start)?;
        if compression != Compression::None {
            let start = first_bytes(input.reader()?).map_err(|e| input.read_error(e))?;
            check_format(path, &start)?;
            if start.starts_with(PARQUET) {
                return Err(Error::data(path, None, "is a compressed Parquet file; decompress it"));
            }
            input.is_parquet = false;
        }
        Ok(input)
    }

    /// Whether it is a Parquet file: it begins with its mark, or ends with it and has its extension.
    pub(super) fn is_parquet(&self) -> bool {
        let has_extension = FileFormat::of(self.path) == Some(FileFormat::Parquet);
        self.is_parquet
            || has_extension
                && self.compression == Compression::None
                && ends_with_mark(self.path).unwrap_or(false)
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &'p Path {
        self.path
    }

    /// The name of the compression for a note.
    pub(super) fn compression_name(&self) -> Option<&'static str> {
        match self.compression {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }

    /// The decompressed bytes from the start. A compressed file that expands to more than the available memory is an
    /// error of the reader.
    pub(super) fn reader(&self) -> Result<Box<dyn Read>> {
        let file = open_file(self.path)?;
        let reader: Box<dyn Read> = match self.compression {
            Compression::None => return Ok(Box::new(file)),
            Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::new(file).map_err(|e| self.read_error(e))?)
            }
        };
        let limit = super::budget::available_memory().max(MIN_EXPANDED);
        Ok(Box::new(Expanding { reader, left: limit, limit }))
    }

    /// The error for a failed read of the decompressed bytes.
    pub(super) fn read_error(&self, error: std::io::Error) -> Error {
        let is_problem = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Problem>);
        match (is_problem, self.compression_name()) {
            (true, _) => Error::data(self.path, None, error.to_string()),
            (false, Some(name)) if error.raw_os_error().is_none() => {
                let problem =
                    format!("cannot be decompressed ({name}: {error}); the file is incomplete or damaged");
                Error::data(self.path, None, problem)
            }
            _ => Error::reading(self.path)(error),
        }
    }
}

/// Compressed files may always expand to this number of bytes.
const MIN_EXPANDED: u64 = 1 << 30;

/// A problem that a reader reports as an I/O error: a sentence without the file's name.
#[derive(Debug)]
pub(super) struct Problem(pub(super) String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for std::io::Error {
    fn from(problem: Problem) -> Self {
        std::io::Error::other(problem)
    }
}

/// A decompressor that fails when the content becomes larger than `limit`.
struct Expanding {
    reader: Box<dyn Read>,
    left: u64,
    limit: u64,
}

impl Read for Expanding {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            Problem(format!(
                "expands to more than {}, the available memory; decompress the file, or use fewer rows",
                bytes(self.limit)
            ))
        })?;
        Ok(count)
    }
}

/// Opens a regular file: it is read several times, so a pipe is an error.
fn open_file(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::reading(path))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() {
            "is a folder; name a file"
        } else {
            "is not a regular file; copy it to one"
        };
        return Err(Error::data(path, None, what));
    }
    File::open(path).map_err(Error::reading(path))
}

/// Whether the last bytes of a file are the mark of Parquet.
fn ends_with_mark(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let mut end = Vec::new();
    file.seek(SeekFrom::End(-(PARQUET.len() as i64)))?;
    file.read_to_end(&mut end)?;
    Ok(end == PARQUET)
}

fn first_bytes(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(512).read_to_end(&mut start)?;
    Ok(start)
}

/// An error if the first bytes are those of a format that is not supported.
fn check_format(path: &Path, start: &[u8]) -> Result<()> {
    if start.get(257..262) == Some(b"ustar") {
        return Err(Error::data(path, None, "is a tar archive; unpack it"));
    }
    match UNSUPPORTED.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, what)) => Err(Error::data(path, None, format!("is {what}"))),
        None => Ok(()),
    }
}
