//! Is a file what its name in the cache says? A blob is called by its digest: 64 hexadecimal
//! digits are the SHA-256 of the content, 40 are git's SHA-1 of `blob LENGTH\0` and the content.

use crate::error::{Error, Result};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a digest is of a kind that can be checked.
pub(super) fn is_digest(digest: &str) -> bool {
    matches!(digest.len(), 40 | 64) && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the file has that digest.
///
/// # Errors
/// [`Error::Read`], or [`Error::Interrupted`] soon after `cancelled` is set.
pub(super) fn matches(path: &Path, digest: &str, cancelled: &AtomicBool) -> Result<bool> {
    let found = if digest.len() == 64 {
        hash(path, Sha256::new(), cancelled)?
    } else {
        let length = std::fs::metadata(path).map_err(Error::reading(path))?.len();
        hash(path, Sha1::new_with_prefix(format!("blob {length}\0")), cancelled)?
    };
    Ok(found.eq_ignore_ascii_case(digest))
}

fn hash<D: Digest>(path: &Path, mut hasher: D, cancelled: &AtomicBool) -> Result<String> {
    let mut file = File::open(path).map_err(Error::reading(path))?;
    let mut block = vec![0; 1 << 20];
    loop {
        if cancelled.load(Ordering::Relaxed) {
            return Err(super::error::stopped());
        }
        match file.read(&mut block).map_err(Error::reading(path))? {
            0 => break,
            length => hasher.update(&block[..length]),
        }
    }
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    Ok(hasher.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_digest_are_known() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let go_on = AtomicBool::new(false);
        let check = |digest: &str| matches(file.path(), digest, &go_on).unwrap();
        // `git hash-object` and `sha256sum` of the same file.
        assert!(check("ce013625030ba8dba906f756967f9e9ca394464a"));
        assert!(check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"));
        assert!(!check("ce013625030ba8dba906f756967f9e9ca394464b"));
        assert!(!check("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be04"));
        assert!(is_digest("ce013625030ba8dba906f756967f9e9ca394464a") && !is_digest("W/abc"));
    }
}
