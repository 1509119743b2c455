//! Mutations of binary formats that keep lengths and checksums valid, so that a reader gets past them.

use super::rng::Rng;
use super::{bytes, tree};
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Mutates the JSON header, or the data after it.
pub(super) fn safetensors(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let (length, rest) = input.split_first_chunk::<8>()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut header = header.to_vec();
    let mut data = data.to_vec();
    if rng.one_in(4) {
        data = bytes(&data, rng);
    } else {
        header = tree::json(&header, rng)?;
        while header.len() % 8 != 0 {
            header.push(b' ');
        }
    }
    Some([&(header.len() as u64).to_le_bytes()[..], &header, &data].concat())
}

/// Mutates one file of an archive, and stores all without compression.
pub(super) fn zip(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(input)).ok()?;
    let mut files = Vec::new();
    for index in 0..archive.len().min(64) {
        let mut file = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        (&mut file).take(1 << 20).read_to_end(&mut content).ok()?;
        let name = file.name().ok()?.into_owned();
        files.push((name, content));
    }
    // Half of the mutations are those of the pickle, which is the first file.
    let at = if rng.one_in(2) { 0 } else { rng.below(files.len()) };
    let (name, content) = files.get_mut(at)?;
    if rng.one_in(16) {
        *name = String::from_utf8_lossy(&bytes(name.as_bytes(), rng)).into_owned();
    } else {
        *content = bytes(content, rng);
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(name, options).ok()?;
        writer.write_all(&content).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

/// Mutates the metadata at the end of a file, or what precedes them.
pub(super) fn parquet(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let (rest, tail) = input.split_last_chunk::<8>()?;
    let (length, magic) = tail.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (pages, metadata) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    let (mut pages, mut metadata) = (pages.to_vec(), metadata.to_vec());
    if rng.one_in(2) {
        metadata = bytes(&metadata, rng);
    } else {
        let size = pages.len();
        pages = bytes(&pages, rng);
        // The metadata have offsets into the pages.
        if rng.one_in(2) {
            pages.resize(size, 0);
        }
    }
    Some([&pages[..], &metadata, &u32::try_from(metadata.len()).ok()?.to_le_bytes(), magic].concat())
}
