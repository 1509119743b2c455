//! The body of a request: a part of a file that is read while it is sent.

use futures_core::Stream;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Bytes that are read at once.
const BLOCK: u64 = 1 << 16;

/// A part of a file, as a stream of blocks.
pub(super) struct FileBody {
    file: File,
    /// Bytes that are not read yet.
    left: u64,
    /// Bytes that were read, for the progress.
    sent: Arc<AtomicU64>,
}

impl FileBody {
    /// `length` bytes from `start` on. `sent` counts the bytes that were taken from it.
    pub(super) fn open(path: &Path, start: u64, length: u64, sent: Arc<AtomicU64>) -> Result<Self, Error> {
        let mut file = crate::files::open_regular(path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(FileBody { file, left: length, sent })
    }

    fn next_block(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut block = vec![0; self.left.min(BLOCK) as usize];
        let length = self.file.read(&mut block)?;
        if length == 0 {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                "the file became shorter while it was uploaded",
            ));
        }
        block.truncate(length);
        self.left -= length as u64;
        self.sent.fetch_add(length as u64, Ordering::Relaxed);
        Ok(Some(block))
    }
}

impl Stream for FileBody {
    type Item = Result<Vec<u8>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A read of a local file is fast, and the runtime has nothing else to do.
        Poll::Ready(self.next_block().transpose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_the_part_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        std::fs::write(file.path(), &content).unwrap();
        let sent = Arc::<AtomicU64>::default();
        let mut body = FileBody::open(file.path(), 1000, 150_000, sent.clone()).unwrap();
        let mut found = Vec::new();
        while let Some(block) = body.next_block().unwrap() {
            found.extend(block);
        }
        assert!(found == content[1000..151_000]);
        assert_eq!(sent.load(Ordering::Relaxed), 150_000);
        let mut longer = FileBody::open(file.path(), 199_999, 2, sent).unwrap();
        assert_eq!(longer.next_block().unwrap().unwrap().len(), 1);
        assert_eq!(longer.next_block().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
