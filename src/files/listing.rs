//! The entries of a folder.

use std::path::Path;

/// Maximum number of entries that are listed.
const MAX_ENTRIES: usize = 5_000;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder, or a link to one.
    pub is_folder: bool,
    /// Size of a file in bytes.
    pub bytes: u64,
}

/// The entries of a folder by name, those that are neither files nor folders and names that are not UTF-8 left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_folder(folder: &Path) -> std::io::Result<Vec<FolderEntry>> {
    let entry = |entry: std::fs::DirEntry| {
        let metadata = std::fs::metadata(entry.path()).ok()?;
        let name = entry.file_name().into_string().ok()?;
        let is_known = metadata.is_dir() || metadata.is_file();
        is_known.then_some(FolderEntry { name, is_folder: metadata.is_dir(), bytes: metadata.len() })
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut entries: Vec<FolderEntry> =
        std::fs::read_dir(folder)?.flatten().filter_map(entry).take(MAX_ENTRIES).collect();
    entries.sort_by_cached_key(|entry| (entry.name.to_lowercase(), entry.name.clone()));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_listed_by_name() {
        let home = tempfile::tempdir().unwrap();
        for name in ["b.csv", "A.csv"] {
            std::fs::write(home.path().join(name), "12").unwrap();
        }
        std::fs::create_dir(home.path().join("folder")).unwrap();
        let found = list_folder(home.path()).unwrap();
        let names: Vec<_> = found.iter().map(|entry| (entry.name.as_str(), entry.is_folder)).collect();
        assert_eq!(names, [("A.csv", false), ("b.csv", false), ("folder", true)]);
        assert_eq!(found[0].bytes, 2);
        assert!(list_folder(&home.path().join("none")).is_err());
    }
}
