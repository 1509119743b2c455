//! The digests of the files of a folder, in the file `SHA256SUMS` of the same folder and in the format of `sha256sum`,
//! which can check them too: `sha256sum --check SHA256SUMS`.

use super::regular::{open_regular, read_regular_to_string};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The name of the file with the digests.
pub const DIGESTS: &str = "SHA256SUMS";

/// Writes the digests of all files of `folder`, which has no subfolders.
///
/// # Errors
/// [`Error::Read`] or [`Error::Write`] with the file at fault.
pub fn write_digests(folder: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::reading(folder))? {
        let path = entry.map_err(Error::reading(folder))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != DIGESTS) {
            lines.push(format!("{}  {name}\n", sha256(&path)?));
        }
    }
    lines.sort_by(|a, b| a.get(64..).cmp(&b.get(64..)));
    let path = folder.join(DIGESTS);
    std::fs::write(&path, lines.concat()).map_err(Error::writing(&path))
}

/// Checks that each file of `folder` matches its digest. A folder of an earlier version without `SHA256SUMS` passes.
///
/// # Errors
/// [`Error::Data`] with the file that differs or is missing, [`Error::Read`] if one cannot be read.
pub fn check_digests(folder: &Path) -> Result<()> {
    let path = folder.join(DIGESTS);
    let text = match read_regular_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        text => text.map_err(Error::reading(&path))?,
    };
    let is_name = |name: &&str| !name.is_empty() && !name.contains(['/', '\\']) && *name != "..";
    for (line, number) in text.lines().zip(1..) {
        let entry = line.split_once("  ").filter(|(digest, name)| digest.len() == 64 && is_name(name));
        let Some((digest, name)) = entry else {
            return Err(Error::data(&path, Some(number), "is damaged: not a digest and a file name"));
        };
        let file = folder.join(name);
        if !file.is_file() {
            return Err(Error::data(file, None, "is missing"));
        }
        if sha256(&file)? != digest {
            let problem = format!(
                "is damaged: it does not match its digest in {DIGESTS}, which you can delete if you changed the file"
            );
            return Err(Error::data(file, None, problem));
        }
    }
    Ok(())
}

/// Checks that the folder of a saved model is complete and matches its digests, if it has any.
///
/// # Errors
/// As [`check_digests`].
pub fn check_model_folder(folder: &Path) -> Result<()> {
    for name in ["config.json", "model.safetensors"] {
        let file = folder.join(name);
        if !file.is_file() {
            return Err(Error::data(file, None, "is missing"));
        }
    }
    check_digests(folder)
}

/// The SHA-256 of a file in hexadecimal digits.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = open_regular(path).map_err(Error::reading(path))?;
    let (mut hasher, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hex::encode(hasher.finalize())),
            Ok(length) => hasher.update(block.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::reading(path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_file_is_found() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        check_digests(home.path()).expect("a folder without digests passes");
        std::fs::write(path("b"), "hello\n").unwrap();
        std::fs::write(path("a"), vec![7; 3 << 20]).unwrap();
        write_digests(home.path()).unwrap();
        check_digests(home.path()).unwrap();
        let text = std::fs::read_to_string(path(DIGESTS)).unwrap();
        // `sha256sum b`
        let line = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  b";
        assert_eq!(text.lines().nth(1), Some(line));
        let error = || check_digests(home.path()).unwrap_err().to_string();
        std::fs::write(path("b"), "hellO\n").unwrap();
        assert!(error().contains("b: is damaged"), "{}", error());
        std::fs::remove_file(path("b")).unwrap();
        assert!(error().contains("b: is missing"), "{}", error());
        std::fs::write(path(DIGESTS), "?").unwrap();
        assert!(error().contains("SHA256SUMS:1: is damaged"), "{}", error());
    }
}
