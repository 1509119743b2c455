//! Paths in a list to choose from: the entries of the folder that is being typed.

use crate::files::FolderEntry;

/// An item of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The value.
    pub value: String,
    /// A description.
    pub note: String,
}

/// What a path is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file with data, or a folder with such files.
    Data,
    /// A file with data.
    DataFile,
    /// A folder with the files of a task.
    DataFolder,
    /// The folder of a model.
    Model,
}

impl PathKind {
    /// What else may be typed into the list.
    pub fn free_text(self) -> &'static str {
        match self {
            PathKind::Data => "file or folder",
            PathKind::DataFile => "file",
            PathKind::DataFolder => "folder",
            PathKind::Model => "hub id or folder",
        }
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathEntry {
    /// The entry.
    pub entry: FolderEntry,
    /// Whether it is what is wanted; a folder that is not may have it inside.
    pub is_wanted: bool,
    /// A description.
    pub note: String,
}

/// The paths of a list to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChoice {
    /// What is wanted.
    pub kind: PathKind,
    /// The folder whose entries are known, as it is typed: empty, or with a slash at its end.
    pub folder: String,
    /// Whether its entries were asked for.
    pub is_requested: bool,
    /// Its entries; `None` until they are listed.
    pub entries: Option<Vec<PathEntry>>,
}

/// The folder in a typed path, with the slash at its end, and the rest.
pub fn split_path(typed: &str) -> (&str, &str) {
    match (typed.rfind('/'), typed) {
        (Some(slash), _) => typed.split_at(slash + 1),
        // `~` and `..` are folders.
        (None, "~" | "." | "..") => (typed, ""),
        (None, _) => ("", typed),
    }
}

impl PathChoice {
    /// The paths for `kind`, of which nothing is known yet.
    pub fn new(kind: PathKind) -> Self {
        PathChoice { kind, folder: String::new(), is_requested: false, entries: None }
    }

    /// The entries that the typed text begins, or else contains.
    fn matching(&self, typed: &str) -> Vec<&PathEntry> {
        let (folder, rest) = split_path(typed);
        let entries = self.entries.iter().filter(|_| self.folder == folder).flatten();
        let entries: Vec<&PathEntry> = entries.filter(|entry| self.is_listed(entry, typed)).collect();
        let lower = rest.to_lowercase();
        let name = |entry: &&&PathEntry| entry.entry.name.to_lowercase();
        let beginning: Vec<&PathEntry> =
            entries.iter().filter(|entry| name(entry).starts_with(&lower)).copied().collect();
        if !beginning.is_empty() {
            return beginning;
        }
        entries.iter().filter(|entry| name(entry).contains(&lower)).copied().collect()
    }

    /// Hidden entries are listed once a dot is typed, and files that are not wanted once a part of their name is.
    fn is_listed(&self, entry: &PathEntry, typed: &str) -> bool {
        let (folder, rest) = split_path(typed);
        let is_hidden = entry.entry.name.starts_with('.') && !rest.starts_with('.');
        // The list of models has hub ids too, so that it has only folders with models until a path is typed.
        let is_clutter = self.kind == PathKind::Model && folder.is_empty();
        !is_hidden && (entry.is_wanted || !is_clutter && (entry.entry.is_folder || !rest.is_empty()))
    }

    /// The items of the paths for a typed text, what is wanted first.
    pub fn items(&self, typed: &str) -> Vec<Item> {
        let (folder, _) = split_path(typed);
        let slash = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
        let item = |entry: &PathEntry| {
            let end = if entry.entry.is_folder { "/" } else { "" };
            Item { value: format!("{folder}{slash}{}{end}", entry.entry.name), note: entry.note.clone() }
        };
        let (wanted, others): (Vec<_>, Vec<_>) =
            self.matching(typed).into_iter().partition(|entry| entry.is_wanted);
        wanted.into_iter().chain(others).map(item).collect()
    }

    /// Whether a path of the list is a folder to look into rather than to choose.
    pub fn is_inner_folder(&self, typed: &str, value: &str) -> bool {
        let name = value.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is_folder = |entry: &&PathEntry| entry.entry.is_folder && entry.entry.name == name;
        let entry = self.matching(typed).into_iter().find(is_folder);
        value.ends_with('/') && entry.is_some_and(|entry| !entry.is_wanted)
    }

    /// The typed text completed as far as all matching paths agree; that of the item under the cursor if they do not
    /// agree on more.
    pub fn completed(&self, typed: &str, selected: Option<&str>) -> Option<String> {
        let items = self.items(typed);
        let mut values = items.iter().map(|item| item.value.as_str());
        let Some(first) = values.next() else { return selected.map(str::to_string) };
        let common = values.fold(first, |common, value| {
            let same =
                common.chars().zip(value.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8());
            &common[..same.sum()]
        });
        let is_longer =
            common.len() > typed.len() && common.to_lowercase().starts_with(&typed.to_lowercase());
        if is_longer { Some(common.to_string()) } else { selected.or(Some(first)).map(str::to_string) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(kind: PathKind, folder: &str, names: &[&str]) -> PathChoice {
        let entry = |name: &&str| {
            let (name, is_folder) = name.strip_suffix('/').map_or((*name, false), |name| (name, true));
            let is_wanted = name.contains(".csv") || name.starts_with("data");
            let entry = FolderEntry { name: name.into(), is_folder, bytes: 1 };
            PathEntry { entry, is_wanted, note: String::new() }
        };
        PathChoice {
            kind,
            folder: folder.into(),
            is_requested: true,
            entries: Some(names.iter().map(entry).collect()),
        }
    }

    fn values(choice: &PathChoice, typed: &str) -> Vec<String> {
        choice.items(typed).into_iter().map(|item| item.value).collect()
    }

    #[test]
    fn entries_of_the_typed_folder_are_listed() {
        let here = choice(
            PathKind::Data,
            "",
            &[".git/", "data-1/", "notes.txt", "reviews.csv", "src/", "Train.csv"],
        );
        assert_eq!(values(&here, ""), ["data-1/", "reviews.csv", "Train.csv", "src/"]);
        assert_eq!(values(&here, "t"), ["Train.csv"]);
        assert_eq!(values(&here, "not"), ["notes.txt"], "a name that is typed is not hidden");
        assert_eq!(values(&here, "views"), ["reviews.csv"]);
        assert_eq!(values(&here, ".g"), [".git/"]);
        assert_eq!(values(&here, "src/"), [""; 0], "the folder is not listed yet");
        let inner = choice(PathKind::Data, "~/x/", &["a.csv", "b/"]);
        assert_eq!(values(&inner, "~/x/"), ["~/x/a.csv", "~/x/b/"]);
        assert_eq!(values(&choice(PathKind::Data, "~", &["a.csv"]), "~"), ["~/a.csv"]);
        assert!(here.is_inner_folder("", "src/") && !here.is_inner_folder("", "data-1/"));
        assert_eq!(values(&choice(PathKind::Model, "", &["data/", "src/"]), ""), ["data/"]);
    }

    #[test]
    fn paths_are_completed_as_in_a_shell() {
        let here = choice(PathKind::Data, "", &["reviews-a.csv", "reviews-b.csv", "src/", "Über/"]);
        assert_eq!(here.completed("r", Some("reviews-b.csv")).as_deref(), Some("reviews-"));
        assert_eq!(here.completed("reviews-", Some("reviews-b.csv")).as_deref(), Some("reviews-b.csv"));
        assert_eq!(here.completed("s", None).as_deref(), Some("src/"));
        assert_eq!(here.completed("ü", None).as_deref(), Some("Über/"));
        assert_eq!(here.completed("x", None), None);
        assert_eq!(here.completed("x", Some("owner/model")).as_deref(), Some("owner/model"));
    }
}
