//! Free space of a file system.

use std::path::Path;

/// Bytes that this process can still write to the file system of `path`, an existing file or folder. `None` if the
/// system does not report it.
#[cfg(unix)]
pub fn free_space(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut report = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the path is a C string, and the report is read only after the call has filled it.
    let report = unsafe {
        if libc::statvfs(path.as_ptr(), report.as_mut_ptr()) != 0 {
            return None;
        }
        report.assume_init()
    };
    // The types differ between systems.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    Some((report.f_bavail as u64).saturating_mul(report.f_frsize as u64))
}

/// Bytes that this process can still write to the file system of `path`.
#[cfg(not(unix))]
pub fn free_space(_path: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_reported() {
        let home = tempfile::tempdir().unwrap();
        assert!(free_space(home.path()).unwrap() > 0);
        assert_eq!(free_space(&home.path().join("none")), None);
    }
}
