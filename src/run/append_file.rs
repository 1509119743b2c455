//! A file that is only appended to, and that loses nothing while it cannot be written.

use crate::error::{Error, Result};
use crate::files::open_append;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Bytes that are kept at most while the file cannot be written: the steps of a day or more.
const MAX_PENDING: usize = 64 << 20;

/// A file with the bytes that are still to be appended.
#[derive(Debug)]
pub(super) struct AppendFile {
    file: File,
    path: PathBuf,
    pending: Vec<u8>,
    /// Lines that were dropped because too many were pending.
    dropped: u64,
}

impl AppendFile {
    /// Opens the file `path` or creates it.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = open_append(&path).map_err(Error::writing(&path))?;
        Ok(AppendFile::new(file, path))
    }

    /// A file that is open for appending.
    pub(super) fn new(file: File, path: PathBuf) -> Self {
        AppendFile { file, path, pending: Vec::new(), dropped: 0 }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line after all that is pending. A line that cannot be written is kept for the next call, so that the
    /// order stays and nothing is written twice.
    ///
    /// # Errors
    /// [`Error::Write`] while the file cannot be written.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<()> {
        if self.pending.len() + line.len() > MAX_PENDING && self.flush().is_err() {
            self.dropped += 1;
        } else {
            self.pending.extend_from_slice(line);
        }
        self.flush()
    }

    /// Writes what is pending.
    ///
    /// # Errors
    /// [`Error::Write`] while the file cannot be written.
    pub(super) fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        let result = loop {
            let rest = self.pending.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.pending.drain(..written);
        result.map_err(Error::writing(&self.path))
    }

    /// The number of lines that were dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A file on which every write fails as on a full disk, and one on which it succeeds.
    fn full_and_free(home: &Path) -> (File, File) {
        let full = File::options().append(true).open("/dev/full").unwrap();
        (full, open_append(&home.join("log")).unwrap())
    }

    #[test]
    fn lines_are_written_in_order_once_the_disk_has_space() {
        let home = tempfile::tempdir().unwrap();
        let (full, free) = full_and_free(home.path());
        let mut log = AppendFile::new(full, home.path().join("log"));
        for line in ["1\n", "2\n", "3\n"] {
            let error = log.append(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("log") && error.contains("free space"), "{error}");
        }
        log.file = free;
        log.append(b"4\n").unwrap();
        log.flush().unwrap();
        assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "1\n2\n3\n4\n");
        assert_eq!(log.take_dropped(), 0);
    }

    #[test]
    fn memory_of_a_log_that_cannot_be_written_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let (full, free) = full_and_free(home.path());
        let mut log = AppendFile::new(full, home.path().join("log"));
        let line = vec![b'x'; MAX_PENDING / 4];
        for _ in 0..6 {
            assert!(log.append(&line).is_err());
        }
        assert_eq!(log.pending.len(), MAX_PENDING);
        log.file = free;
        log.append(b"\n").unwrap();
        assert_eq!(log.take_dropped(), 2, "what is lost is counted");
        assert_eq!(std::fs::metadata(log.path()).unwrap().len(), MAX_PENDING as u64 + 1);
    }
}
