//! Verification of cached files. The name of a blob is its digest: 64 hexadecimal digits are the SHA-256 of the
//! content, 40 digits are git's SHA-1 of `blob LENGTH\0` and the content.

use super::error::cancelled_error;
use crate::error::{Error, Result};
use crate::files::open_regular;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether `digest` is a digest of a supported kind.
pub(super) fn is_digest(digest: &str) -> bool {
    matches!(digest.len(), 40 | 64) && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the content of a file has that digest.
///
/// # Errors
/// [`Error::Read`], or [`Error::Interrupted`] soon after `cancelled` is set.
pub(super) fn matches(path: &Path, digest: &str, cancelled: &AtomicBool) -> Result<bool> {
    let actual = if digest.len() == 64 {
        hash(path, Sha256::new(), cancelled)?
    } else {
        let length = std::fs::metadata(path).map_err(Error::reading(path))?.len();
        hash(path, Sha1::new_with_prefix(format!("blob {length}\0")), cancelled)?
    };
    Ok(actual.eq_ignore_ascii_case(digest))
}

/// The digest of a file in hexadecimal digits.
fn hash<D: Digest>(path: &Path, mut hasher: D, cancelled: &AtomicBool) -> Result<String> {
    let mut file = open_regular(path).map_err(Error::reading(path))?;
    let mut block = vec![0; 1 << 20];
    loop {
        if cancelled.load(Ordering::Relaxed) {
            return Err(cancelled_error());
        }
        match file.read(&mut block).map_err(Error::reading(path))? {
            0 => break,
            length => hasher.update(block.get(..length).unwrap_or_default()),
        }
    }
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_digest_are_verified() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let cancelled = AtomicBool::new(false);
        let check = |digest: &str| matches(file.path(), digest, &cancelled).unwrap();
        // `git hash-object` and `sha256sum` of the same file.
        assert!(check("ce013625030ba8dba906f756967f9e9ca394464a"));
        assert!(check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"));
        assert!(!check("ce013625030ba8dba906f756967f9e9ca394464b"));
        assert!(!check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be04"));
        assert!(is_digest("ce013625030ba8dba906f756967f9e9ca394464a") && !is_digest("W/abc"));
    }
}
