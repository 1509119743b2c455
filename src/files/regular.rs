//! Opening of files that a person or another process may have replaced by something else. Opening a FIFO waits for
//! its other end, and reading a device may never end, so only regular files are opened.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens the regular file `path` for reading. Never blocks.
///
/// # Errors
/// As [`File::open`], and [`ErrorKind::InvalidInput`] for anything but a regular file or a link to one.
pub fn open_regular(path: &Path) -> Result<File> {
    require_regular(&std::fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    open(&mut options, path, 0)
}

/// Opens the regular file `path` for appending, or creates it. Never blocks, and does not follow a symbolic link:
/// what is appended or cut off must not change a file elsewhere.
///
/// # Errors
/// As [`OpenOptions::open`], and [`ErrorKind::InvalidInput`] for anything but a regular file.
pub fn open_append(path: &Path) -> Result<File> {
    match path.symlink_metadata() {
        Ok(metadata) => require_regular(&metadata)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    let no_follow = libc::O_NOFOLLOW;
    #[cfg(not(unix))]
    let no_follow = 0;
    open(&mut options, path, no_follow)
}

/// The content of the regular file `path`.
///
/// # Errors
/// As [`open_regular`].
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of the regular file `path`, which is UTF-8.
///
/// # Errors
/// As [`open_regular`], and [`ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_regular_to_string(path: &Path) -> Result<String> {
    let mut text = String::new();
    open_regular(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Copies the content of the regular file `from` to the new file `to`, whose permissions the umask determines.
///
/// # Errors
/// [`crate::error::Error::Read`] or [`crate::error::Error::Write`] with the file at fault.
pub fn copy_file(from: &Path, to: &Path) -> crate::error::Result<()> {
    let mut source = open_regular(from).map_err(crate::error::Error::reading(from))?;
    let mut copy = || std::io::copy(&mut source, &mut File::create(to)?);
    copy().map(drop).map_err(crate::error::Error::writing(to))
}

/// Opens a file that was regular a moment ago, without blocking if it no longer is.
fn open(options: &mut OpenOptions, path: &Path, flags: i32) -> Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags | libc::O_NONBLOCK | libc::O_NOCTTY);
    #[cfg(not(unix))]
    let _ = flags;
    let file = options.open(path)?;
    require_regular(&file.metadata()?)?;
    Ok(file)
}

fn require_regular(metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let message = format!("it is a {}, not a regular file", describe(metadata.file_type()));
    Err(Error::new(ErrorKind::InvalidInput, message))
}

fn describe(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "FIFO";
        }
        if file_type.is_socket() {
            return "socket";
        }
    }
    if file_type.is_symlink() { "symbolic link" } else { "device" }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_blocks() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("zeros")).unwrap();
        std::fs::write(path("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        for (name, kind) in [("fifo", "a FIFO"), ("socket", "a socket"), ("zeros", "a device")] {
            let error = read_regular(&path(name)).unwrap_err().to_string();
            assert!(error.contains(kind), "{name}: {error}");
            assert!(open_append(&path(name)).is_err(), "{name}");
        }
        assert!(read_regular(home.path()).is_err());
        assert_eq!(read_regular(&path("link")).unwrap(), b"text");
        let error = open_append(&path("link")).unwrap_err().to_string();
        assert!(error.contains("a symbolic link"), "{error}");
        assert_eq!(read_regular_to_string(&path("file")).unwrap(), "text", "the target is unchanged");
        assert_eq!(read_regular(&path("none")).unwrap_err().kind(), ErrorKind::NotFound);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path("file"), private).unwrap();
        copy_file(&path("file"), &path("copy")).unwrap();
        open_append(&path("new")).unwrap();
        let permissions = |name: &str| std::fs::metadata(path(name)).unwrap().permissions();
        assert_eq!(permissions("copy"), permissions("new"));
        assert!(path("new").is_file());
    }
}
