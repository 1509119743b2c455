//! The decompressed size of a page, for the codecs whose decoders in the library do not stop at the size of the header.

use parquet::basic::Compression;
use std::io::{Read, copy, sink};

/// Bytes that the decoder of Brotli reads at once.
const BUFFER: usize = 16 << 10;

/// The size of a page that is compressed with `codec`, up to one byte more than `limit`. `None` for a codec whose
/// decoder stops at the size of the header, and for a page that cannot be decompressed, which the library reports.
pub(super) fn decompressed_size(codec: Compression, page: impl Read, limit: u64) -> Option<u64> {
    let size = |decoder: &mut dyn Read| copy(&mut decoder.take(limit.saturating_add(1)), &mut sink()).ok();
    match codec {
        Compression::GZIP(_) => size(&mut flate2::read::MultiGzDecoder::new(page)),
        Compression::BROTLI(_) => size(&mut brotli::Decompressor::new(page, BUFFER)),
        // Old writers use the frames of LZ4 for this codec; pages in its other forms have no size here.
        Compression::LZ4 => size(&mut lz4_flex::frame::FrameDecoder::new(page)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
    use std::io::Write;

    #[test]
    fn decompression_stops_after_the_limit() {
        let content = vec![7; 1 << 20];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&content).unwrap();
        let mut brotli = brotli::CompressorWriter::new(Vec::new(), BUFFER, 5, 20);
        brotli.write_all(&content).unwrap();
        brotli.flush().unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&content).unwrap();
        for (codec, page) in [
            (Compression::GZIP(GzipLevel::default()), gzip.finish().unwrap()),
            (Compression::BROTLI(BrotliLevel::default()), brotli.into_inner()),
            (Compression::LZ4, lz4.finish().unwrap()),
        ] {
            assert_eq!(decompressed_size(codec, &*page, 1000), Some(1001), "{codec}");
            assert!(decompressed_size(codec, &*page, 1 << 20).is_none_or(|size| size == 1 << 20), "{codec}");
            assert_eq!(decompressed_size(codec, &b"not compressed"[..], 1000), None, "{codec}");
        }
        assert_eq!(decompressed_size(Compression::ZSTD(ZstdLevel::default()), &b""[..], 1000), None);
    }
}
