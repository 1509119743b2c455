//! The zip archive of a submission: written with the files at its top level, and read back.

use crate::error::{Error, Result};
use crate::files::{open_regular, write_atomic_with};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// A file of an archive.
#[derive(Debug)]
pub(super) struct ArchiveEntry {
    /// Its name, with its folders.
    pub(super) name: String,
    /// Its content, or a clause about why it cannot be read; `None` for a folder.
    pub(super) content: Option<Result<Vec<u8>, String>>,
}

/// Writes an archive with these files, by name and content.
///
/// # Errors
/// [`Error::Write`] with `path`.
pub(super) fn write_archive(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    write_atomic_with(path, |temporary| {
        let file = File::create(temporary).map_err(Error::writing(path))?;
        let mut archive = ZipWriter::new(file);
        // Without a compression that a reader may lack. The files are small.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut write = || -> Result<(), ZipError> {
            for (name, content) in files {
                archive.start_file(*name, options)?;
                archive.write_all(content)?;
            }
            Ok(())
        };
        let written = write().and_then(|()| archive.finish().map(drop));
        written.map_err(|error| Error::writing(path)(std::io::Error::other(error)))
    })
}

/// Calls `on_entry` for each file and folder of an archive. `limit` is the most bytes that the file of that name can have,
/// and 0 for one whose content is not read.
///
/// # Errors
/// [`Error::Read`] for a file that cannot be read, [`Error::Data`] for one that is no zip archive.
pub(super) fn read_archive(
    path: &Path,
    limit: &dyn Fn(&str) -> u64,
    on_entry: &mut dyn FnMut(ArchiveEntry),
) -> Result<()> {
    let file = open_regular(path).map_err(Error::reading(path))?;
    let damaged =
        |error: ZipError| Error::data(path, None, format!("is not a readable zip archive: {error}"));
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        let content = match (entry.is_dir(), limit(&name)) {
            (true, _) => None,
            (false, 0) => Some(Ok(Vec::new())),
            (false, limit) => Some(content(entry, limit)),
        };
        on_entry(ArchiveEntry { name, content });
    }
    Ok(())
}

/// The decompressed content of an entry, which matches its checksum. The error is a clause.
fn content(mut entry: ZipFile<'_, File>, limit: u64) -> Result<Vec<u8>, String> {
    if entry.encrypted() {
        return Err("is encrypted; write the archive without a password".into());
    }
    let (expected, method) = (entry.crc32(), entry.compression());
    let mut bytes = Vec::new();
    let read = match method {
        CompressionMethod::Stored => entry.take(limit + 1).read_to_end(&mut bytes),
        CompressionMethod::DEFLATE => DeflateDecoder::new(&mut entry).take(limit + 1).read_to_end(&mut bytes),
        method => return Err(format!("is compressed with {method}; use Deflate, or no compression")),
    };
    read.map_err(|error| format!("cannot be decompressed ({error}); write the archive again"))?;
    if bytes.len() as u64 > limit {
        return Err(format!("has more than {limit} bytes, and its rows have less"));
    }
    let mut crc = Crc::new();
    crc.update(&bytes);
    if crc.sum() != expected {
        return Err("does not match its checksum; write the archive again".into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    /// An archive with one file, as other programs write it: local header, data, central directory and its end.
    fn archive(name: &str, method: u16, data: &[u8], content: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(content);
        let mut fields = Vec::new();
        // Version 2.0, no flags, the method, 1980-01-01.
        for number in [20_u16, 0, method, 0, 33] {
            fields.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), data.len() as u32, content.len() as u32] {
            fields.extend(number.to_le_bytes());
        }
        // The lengths of the name and of extra fields.
        for number in [name.len() as u16, 0] {
            fields.extend(number.to_le_bytes());
        }
        let mut bytes = [b"PK\x03\x04", &fields[..], name.as_bytes(), data].concat();
        let start = bytes.len() as u32;
        bytes.extend([&b"PK\x01\x02\x14\x00"[..], &fields[..], &[0; 14], name.as_bytes()].concat());
        let length = bytes.len() as u32 - start;
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
        bytes.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
        bytes.extend([0; 2]);
        bytes
    }

    fn entries(path: &Path) -> Result<Vec<ArchiveEntry>> {
        let mut entries = Vec::new();
        read_archive(path, &|_| 1000, &mut |entry| entries.push(entry))?;
        Ok(entries)
    }

    fn read(bytes: &[u8]) -> Result<Vec<ArchiveEntry>> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.zip");
        std::fs::write(&path, bytes).unwrap();
        entries(&path)
    }

    #[test]
    fn files_are_read_back_stored_and_deflated() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.zip");
        write_archive(&path, &[("A.tsv", b"index\n".to_vec()), ("B.tsv", Vec::new())]).unwrap();
        let entries = entries(&path).unwrap();
        let found: Vec<(&str, &[u8])> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.content.as_ref().unwrap().as_ref().unwrap().as_slice()))
            .collect();
        assert_eq!(found, [("A.tsv", &b"index\n"[..]), ("B.tsv", b"")]);
        let content = b"index\tprediction\n".repeat(50);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&content).unwrap();
        let data = encoder.finish().unwrap();
        assert!(data.len() < content.len());
        let entries = read(&archive("x/A.tsv", 8, &data, &content)).unwrap();
        assert_eq!(entries[0].name, "x/A.tsv");
        assert_eq!(entries[0].content, Some(Ok(content)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let content = |bytes: &[u8]| read(bytes).unwrap().remove(0).content.unwrap().unwrap_err();
        assert!(content(&archive("A.tsv", 0, b"other", b"index")).contains("does not match its checksum"));
        assert!(content(&archive("A.tsv", 12, b"index", b"index")).starts_with("is compressed with"));
        assert!(
            content(&archive("A.tsv", 0, &[b'x'; 1001], &[b'x'; 1001]))
                .starts_with("has more than 1000 bytes")
        );
        assert!(content(&archive("A.tsv", 8, b"\xff\xff", b"index")).starts_with("cannot be decompressed"));
        let folder = read(&archive("x/", 0, b"", b"")).unwrap();
        assert_eq!((folder[0].name.as_str(), &folder[0].content), ("x/", &None));
        let damaged = archive("A.tsv", 0, b"index", b"index");
        let error = read(&damaged[..damaged.len() - 9]).unwrap_err().to_string();
        assert!(error.contains("a.zip: is not a readable zip archive"), "{error}");
        assert!(read(b"").is_err());
    }
}
